#include "sink/tar.h"
#include "sink/zip_cpio.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "source/files.h"
#include "tests/support/tree_build.h"
#include "tests/support/tree_describe.h"

namespace holdfast::sink {
namespace {

using test::TempTree;

Fd create(const std::string& path) { return Fd(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600)); }

Result<void> add_file(TarSink& tar, source::Source& from, const source::Item& item,
                      const model::Entry& entry) {
  const auto content = TRY(from.open(item));
  TRY(tar.begin(entry));
  Buffer buffer(100000);
  for (std::uint64_t done = 0; done < entry.size_bytes;) {
    const std::size_t got = TRY(content->read(done, buffer));
    TRY(tar.write(Bytes(buffer).first(got)));
    done += got;
  }
  return tar.end();
}

Result<void> archive(const std::string& tree, const std::string& to) {
  const auto from = TRY(source::FileSource::make({.roots = {tree}, .filters = {}}));
  TarSink tar(create(to));
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> linked;
  source::Item item;
  while (true) {
    const bool more = TRY(from->next(item, {}));
    if (!more) break;
    if (!item.entry.path.starts_with(tree.substr(1) + "/")) continue;
    TRY(from->complete(item));
    model::Entry entry = item.entry;
    entry.path.erase(0, tree.size());
    if (entry.attributes.type != model::FileType::regular) {
      TRY(tar.begin(entry));
      TRY(tar.end());
      continue;
    }
    const auto [first, is_new] = linked.try_emplace({item.device, item.stamp.inode}, entry.path);
    if (is_new) {
      TRY(add_file(tar, *from, item, entry));
    } else {
      TRY(tar.begin(entry, first->second));
      TRY(tar.end());
    }
  }
  return tar.finish();
}

TEST(TarSink, GnuTarBringsBackEverything) {
  TempTree tree;
  test::build_zoo(tree);
  TempTree out;
  const auto archived = archive(tree.path(), out.at("a.tar"));
  ASSERT_TRUE(archived.ok()) << archived.error().text();
  struct stat st;
  ASSERT_EQ(::stat(out.at("a.tar").c_str(), &st), 0);
  EXPECT_EQ(st.st_size % 10240, 0);
  out.directory("x");
  const std::string command = "tar --extract --file " + out.at("a.tar") + " --directory " + out.at("x") +
                              " --preserve-permissions --same-owner --xattrs '--xattrs-include=*' 2>&1";
  ASSERT_EQ(::system(command.c_str()), 0);
  const auto expected = test::describe_tree(tree.path());
  auto got = test::describe_tree(out.at("x"));
  for (const auto& [path, line] : expected) EXPECT_EQ(got[path], line) << path;
  EXPECT_EQ(got.size(), expected.size());
}

model::Entry file_entry(std::string path, std::uint64_t size_bytes) {
  model::Entry entry;
  entry.path = std::move(path);
  entry.attributes.mode = 0644;
  entry.size_bytes = size_bytes;
  return entry;
}

TEST(TarSink, WritesWhatOldHeadersCannotHold) {
  TempTree out;
  TarSink tar(create(out.at("a.tar")));
  model::Entry entry = file_entry(fmt::format("{:p<99}/{:q<99}", "", ""), 5);
  entry.attributes.uid = 3000000;
  entry.attributes.gid = 4000000;
  entry.attributes.user = std::string(40, 'u');
  entry.mtime = {-1, 500000000};
  entry.attributes.xattrs = {{"user.a=b%", "v=\n"}};
  ASSERT_TRUE(tar.begin(entry).ok());
  ASSERT_TRUE(tar.write(as_bytes("ab")).ok());
  ASSERT_TRUE(tar.zeros(3).ok());
  ASSERT_TRUE(tar.end().ok());
  ASSERT_TRUE(tar.begin(file_entry("empty", 0)).ok());
  ASSERT_TRUE(tar.end().ok());
  ASSERT_TRUE(tar.finish().ok());
  // Python reads it on its own.
  const std::string script =
      "import tarfile, sys; t = tarfile.open(sys.argv[1]); m, e = t.getmembers(); "
      "assert m.name == 'p' * 99 + '/' + 'q' * 99, m.name; "
      "assert (m.uid, m.gid, m.uname) == (3000000, 4000000, 'u' * 40), (m.uid, m.gid, m.uname); "
      "assert m.mtime == -0.5, m.mtime; assert t.extractfile(m).read() == b'ab\\0\\0\\0'; "
      "assert m.pax_headers['SCHILY.xattr.user.a%3Db%25'] == 'v=\\n', m.pax_headers; assert e.size == 0";
  ASSERT_EQ(::system(("python3 -c \"" + script + "\" " + out.at("a.tar")).c_str()), 0);
}

TEST(TarSink, RefusesWhatDoesNotFit) {
  TempTree out;
  TarSink tar(create(out.at("a.tar")));
  EXPECT_EQ(tar.begin(file_entry("../x", 0)).error().kind(), Errc::damaged);
  model::Entry socket = file_entry("s", 0);
  socket.attributes.type = model::FileType::socket;
  EXPECT_EQ(tar.begin(socket).error().kind(), Errc::unsupported);
  ASSERT_TRUE(tar.begin(file_entry("f", 3)).ok());
  EXPECT_EQ(tar.write(as_bytes("four")).error().kind(), Errc::damaged);
  ASSERT_TRUE(tar.write(as_bytes("tw")).ok());
  EXPECT_EQ(tar.end().error().kind(), Errc::damaged);
}

TEST(TarSink, SaysWhenItCannotWrite) {
  TarSink tar(Fd(::open("/dev/full", O_WRONLY)));
  ASSERT_TRUE(tar.begin(file_entry("f", 0)).ok());
  ASSERT_TRUE(tar.end().ok());
  EXPECT_EQ(tar.finish().error().kind(), Errc::no_space);
}

// Its headers have 32 bits for the number that readers tell the files by.
TEST(CpioSink, FilesOfTwoGroupsAreNeverTakenForOne) {
  TempTree out;
  {
    const auto cpio = open_cpio(create(out.at("a.cpio"))).value();
    for (const char* file : {"a", "b"}) {
      for (const char* name : {"1", "2"}) {
        model::Entry entry = file_entry(std::string(file) + name, 1);
        entry.link_group = (*file == 'a' ? std::uint64_t{1} << 40 : std::uint64_t{1} << 50) | 7;
        const bool first = *name == '1';
        ASSERT_TRUE(cpio->begin(entry, first ? "" : std::string(file) + "1").ok());
        if (first) {
          ASSERT_TRUE(cpio->write(as_bytes(file)).ok());
        }
        ASSERT_TRUE(cpio->end().ok());
      }
    }
    ASSERT_TRUE(cpio->finish().ok());
  }
  out.directory("x");
  ASSERT_EQ(::system(("cd " + out.at("x") + " && cpio -idm --quiet < ../a.cpio").c_str()), 0);
  std::map<std::string, ino_t> inodes;
  for (const char* name : {"a1", "a2", "b1", "b2"}) {
    std::ifstream in(out.at(std::string("x/") + name));
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(bytes, std::string(name, 1)) << name;
    struct stat st;
    ASSERT_EQ(::stat(out.at(std::string("x/") + name).c_str(), &st), 0);
    inodes[name] = st.st_ino;
  }
  EXPECT_EQ(inodes["a1"], inodes["a2"]);
  EXPECT_EQ(inodes["b1"], inodes["b2"]);
  EXPECT_NE(inodes["a1"], inodes["b1"]);
}

}  // namespace
}  // namespace holdfast::sink
