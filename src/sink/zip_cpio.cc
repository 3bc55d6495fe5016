#include "sink/zip_cpio.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/core.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/beneath.h"

namespace holdfast::sink {

namespace {

constexpr std::uint64_t kCpioBytesMax = 0xffffffff;
constexpr std::int64_t kSeconds32Max = 0xffffffff;
// Of a hard-linked file in cpio. How many there will be is not known yet, and readers that have met so many
// forget the file.
constexpr unsigned kManyNames = 0xffffff;

// By FileType.
constexpr std::array<unsigned, 7> kKinds = {AE_IFREG,  AE_IFDIR, AE_IFLNK, AE_IFIFO,
                                            AE_IFSOCK, AE_IFCHR, AE_IFBLK};

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
struct FreeArchive {
  void operator()(archive* opened) const { archive_write_free(opened); }
};

// libarchive takes names for what the thread's locale says: UTF-8, or just bytes.
class NamesAs {
 public:
  explicit NamesAs(locale_t locale) : before_(locale == locale_t{} ? locale_t{} : ::uselocale(locale)) {}
  ~NamesAs() {
    if (before_ != locale_t{}) ::uselocale(before_);
  }
  NamesAs(const NamesAs&) = delete;
  NamesAs& operator=(const NamesAs&) = delete;

 private:
  locale_t before_;
};

class Locale {
 public:
  explicit Locale(const char* name) : locale_(::newlocale(LC_CTYPE_MASK, name, locale_t{})) {}
  ~Locale() {
    if (locale_ != locale_t{}) ::freelocale(locale_);
  }
  Locale(const Locale&) = delete;
  Locale& operator=(const Locale&) = delete;
  locale_t get() const { return locale_; }

 private:
  locale_t locale_;
};

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t more = first < 0x80                    ? 0
                             : first >= 0xc2 && first < 0xe0 ? 1
                             : first >= 0xe0 && first < 0xf0 ? 2
                                                             : 3;
    if ((first >= 0x80 && first < 0xc2) || first >= 0xf5 || text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += more + 1;
  }
  return true;
}

class LibarchiveSink final : public ArchiveSink {
 public:
  LibarchiveSink(Fd out, bool zip) : out_(std::move(out)), zip_(zip), archive_(archive_write_new()) {}

  Result<void> open() {
    const NamesAs names(utf8_.get());
    archive* to = archive_.get();
    const int format = zip_ ? archive_write_set_format_zip(to) : archive_write_set_format_cpio_newc(to);
    if (format != ARCHIVE_OK || archive_write_add_filter_none(to) != ARCHIVE_OK) return failed("begin");
    if (zip_) archive_write_set_bytes_in_last_block(to, 1);
    if (archive_write_open(to, this, nullptr, &put, nullptr) != ARCHIVE_OK) return failed("begin");
    return {};
  }

  std::string_view format() const override { return zip_ ? "zip" : "cpio"; }
  bool has_hard_links() const override { return !zip_; }
  std::string_view drops(const model::Entry& entry) const override {
    if (!entry.attributes.xattrs.empty()) return "extended attributes";
    const bool far = entry.mtime.seconds < 0 || entry.mtime.seconds > kSeconds32Max;
    return far ? "a time before 1970 or after 2106" : "";
  }

  Result<void> begin(const model::Entry& entry, std::string_view linked_to) override {
    HF_ASSERT(left_bytes_ == 0);
    if (!is_plain_path(entry.path)) {
      return Error(Errc::damaged, fmt::format("\"{}\" is no path that can be restored: refused", entry.path));
    }
    const model::FileType type = entry.attributes.type;
    const bool plain = type == model::FileType::regular || type == model::FileType::directory ||
                       type == model::FileType::symlink;
    const bool has_content = linked_to.empty() && type == model::FileType::regular;
    if (type == model::FileType::socket || (zip_ && !plain))
      return Error(Errc::unsupported, fmt::format("{} can't hold what {} is", format(), entry.path));
    if (!zip_ && has_content && entry.size_bytes > kCpioBytesMax)
      return Error(Errc::unsupported, fmt::format("{}: cpio can't hold files of 4 GiB", entry.path));
    left_bytes_ = has_content ? entry.size_bytes : 0;
    const NamesAs names(is_utf8(entry.path) && is_utf8(entry.target) ? utf8_.get() : bytes_.get());
    const auto header = header_of(entry, linked_to);
    if (archive_write_header(archive_.get(), header.get()) < ARCHIVE_WARN) return failed(entry.path);
    return {};
  }

  Result<void> write(Bytes bytes) override {
    if (bytes.size() > left_bytes_) return Error(Errc::damaged, "more content than the entry's size");
    left_bytes_ -= bytes.size();
    while (!bytes.empty()) {
      const auto done = archive_write_data(archive_.get(), bytes.data(), bytes.size());
      if (done <= 0) return failed("write");
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
  }
  Result<void> zeros(std::uint64_t length_bytes) override {
    static constexpr std::array<std::uint8_t, 16384> kZeros{};
    while (length_bytes > 0) {
      const auto step = std::min<std::uint64_t>(length_bytes, kZeros.size());
      TRY(write(Bytes(kZeros).first(step)));
      length_bytes -= step;
    }
    return {};
  }
  Result<void> end() override {
    if (left_bytes_ > 0) return Error(Errc::damaged, "less content than the entry's size");
    if (archive_write_finish_entry(archive_.get()) < ARCHIVE_WARN) return failed("end an entry");
    return {};
  }
  Result<void> finish() override {
    HF_ASSERT(left_bytes_ == 0);
    const NamesAs names(utf8_.get());
    if (archive_write_close(archive_.get()) != ARCHIVE_OK) return failed("end");
    out_.reset();
    return {};
  }

 private:
  std::unique_ptr<archive_entry, FreeEntry> header_of(const model::Entry& entry, std::string_view linked_to) {
    const model::Attributes& attributes = entry.attributes;
    std::unique_ptr<archive_entry, FreeEntry> header(archive_entry_new());
    archive_entry* to = header.get();
    archive_entry_set_pathname(to, entry.path.c_str());
    archive_entry_set_filetype(to, kKinds[static_cast<std::size_t>(attributes.type)]);
    archive_entry_set_perm(to, attributes.mode);
    archive_entry_set_uid(to, attributes.uid);
    archive_entry_set_gid(to, attributes.gid);
    const std::int64_t seconds = std::clamp<std::int64_t>(entry.mtime.seconds, 0, kSeconds32Max);
    archive_entry_set_mtime(to, seconds, 0);
    archive_entry_set_size(to, static_cast<std::int64_t>(left_bytes_));
    if (attributes.type == model::FileType::symlink) archive_entry_set_symlink(to, entry.target.c_str());
    if (attributes.type == model::FileType::char_device || attributes.type == model::FileType::block_device)
      archive_entry_set_rdev(to, entry.device);
    archive_entry_set_nlink(to, entry.link_group != 0 && !zip_ ? kManyNames : 1);
    // cpio has 32 bits for what the readers tell the files by.
    if (entry.link_group != 0) {
      const auto next = static_cast<std::int64_t>(inodes_.size()) + 1;
      archive_entry_set_ino64(to, inodes_.try_emplace(entry.link_group, next).first->second);
    }
    if (!linked_to.empty()) archive_entry_set_hardlink(to, std::string(linked_to).c_str());
    return header;
  }

  static la_ssize_t put(archive* from, void* self, const void* bytes, std::size_t size) {
    const int fd = static_cast<LibarchiveSink*>(self)->out_.get();
    for (;;) {
      const ssize_t done = ::write(fd, bytes, size);
      if (done >= 0) return done;
      if (errno == EINTR) continue;
      archive_set_error(from, errno, "%s", "write");
      return -1;
    }
  }

  Error failed(std::string_view what) {
    const int number = archive_errno(archive_.get());
    if (number > 0) return errno_error(number, fmt::format("{} archive: {}", format(), what));
    const char* why = archive_error_string(archive_.get());
    return Error(Errc::failed,
                 fmt::format("{} archive: {}: {}", format(), what, why == nullptr ? "failed" : why));
  }

  Fd out_;
  const bool zip_;
  const Locale utf8_{"C.UTF-8"};
  const Locale bytes_{"C"};
  std::unique_ptr<archive, FreeArchive> archive_;
  std::uint64_t left_bytes_ = 0;                  // of the entry's content
  std::map<std::uint64_t, std::int64_t> inodes_;  // by link group
};

Result<std::unique_ptr<ArchiveSink>> open_as(Fd out, bool zip) {
  auto sink = std::make_unique<LibarchiveSink>(std::move(out), zip);
  TRY(sink->open());
  return std::unique_ptr<ArchiveSink>(std::move(sink));
}

}  // namespace

Result<std::unique_ptr<ArchiveSink>> open_zip(Fd out) { return open_as(std::move(out), true); }
Result<std::unique_ptr<ArchiveSink>> open_cpio(Fd out) { return open_as(std::move(out), false); }

}  // namespace holdfast::sink
