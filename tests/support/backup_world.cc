#include "tests/support/backup_world.h"

#include <algorithm>

#include <fmt/core.h>

#include "repo/tree_reader.h"

namespace holdfast::testing {

namespace {

constexpr std::int64_t kHourNs = 3'600'000'000'000;
constexpr std::int64_t kFileSeconds = 1'600'000'000;  // long before the clock's first instant

}  // namespace

source::MemoryFile& FileSet::add(const std::string& path, model::FileType type, int version) {
  source::MemoryFile& file = files_[path];
  file = {};
  model::Entry& entry = file.item.entry;
  entry.path = path;
  entry.attributes.type = type;
  entry.attributes.mode = type == model::FileType::directory ? 0755 : 0644;
  entry.attributes.user = "ann";
  entry.mtime = {kFileSeconds + version, 17};
  file.item.stamp = {std::hash<std::string>()(path), {kFileSeconds + version, 18}};
  return file;
}

source::MemoryFile& FileSet::file(const std::string& path, std::string bytes, int version) {
  source::MemoryFile& file = add(path, model::FileType::regular, version);
  file.bytes = std::move(bytes);
  return file;
}

source::MemoryFile& FileSet::directory(const std::string& path, int version) {
  return add(path, model::FileType::directory, version);
}

source::MemoryFile& FileSet::symlink(const std::string& path, std::string target) {
  source::MemoryFile& file = add(path, model::FileType::symlink, 1);
  file.item.entry.target = std::move(target);
  return file;
}

std::vector<source::MemoryFile> FileSet::list() const {
  std::vector<source::MemoryFile> out;
  for (const auto& [path, file] : files_) out.push_back(file);
  return out;
}

std::string noise(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(out.data() + i, &word, std::min<std::size_t>(8, bytes - i));
  }
  return out;
}

std::string prose(std::size_t bytes, std::uint64_t seed) {
  static const char* const kWords[] = {"anchor ", "rope ", "harbour ", "tide ",
                                       "keel ",   "wind ", "chart ",   "lamp\n"};
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < bytes) out += kWords[random() % 8];
  out.resize(bytes);
  return out;
}

BackupWorld::BackupWorld(storage::Storage& storage, std::uint64_t seed) : storage_(&storage), random_(seed) {}

Result<void> BackupWorld::create(const repo::CreateOptions* like) {
  repo::CreateOptions options;
  if (like != nullptr) options = *like;
  options.label = "ann@host";
  options.cost = {1, 8};
  options.specification = "the specification";
  return repo::Repository::create(doors(), as_bytes("secret"), options, {});
}

Result<std::unique_ptr<repo::Repository>> BackupWorld::open(std::string_view password) {
  return repo::Repository::open(doors(), as_bytes(password), {});
}

flow::BackupSpec BackupWorld::spec() {
  flow::BackupSpec spec;
  spec.host = "host";
  spec.user = "ann";
  spec.program = "holdfast test";
  spec.paths = {"/home"};
  spec.workers = 1;
  return spec;
}

Result<flow::BackupReport> BackupWorld::backup_from(source::Source& source, const flow::BackupSpec& spec,
                                                    flow::Observer* observer, std::stop_token stop) {
  clock_.advance_ns(kHourNs);
  const auto repository = TRY(open());
  const auto local = repo::LocalState::open(cache(), *repository);
  flow::SilentObserver silent;
  return flow::backup(source, *repository, *local, spec, observer != nullptr ? *observer : silent, stop);
}

Result<flow::BackupReport> BackupWorld::backup(const FileSet& files, const flow::BackupSpec& spec,
                                               flow::Observer* observer, std::stop_token stop) {
  source::MemorySource source(files.list());
  return backup_from(source, spec, observer, stop);
}

namespace {

Result<std::string> read_content(repo::ChunkReader& chunks, const model::Entry& entry) {
  std::string out;
  for (const model::Extent& extent : entry.content) {
    if (extent.hole) {
      out.append(extent.length, '\0');
      continue;
    }
    const Bytes plain = TRY(chunks.read(extent.chunk, {}));
    if (extent.offset + extent.length > plain.size())
      return Error(Errc::damaged, "an extent is beyond its chunk");
    out += as_text(plain.subspan(extent.offset, extent.length));
  }
  return out;
}

bool same_attributes(const model::Entry& a, const model::Entry& b) {
  return a.attributes == b.attributes && a.mtime == b.mtime && a.target == b.target && a.device == b.device;
}

}  // namespace

std::string difference(const repo::Repository& repository, const repo::Snapshot& snapshot,
                       const FileSet& files) {
  repo::LogState log;
  if (const auto followed = repository.log().follow(log, {}); !followed.ok()) return followed.error().text();
  repo::ChunkReader chunks(repository, log);
  repo::ChunkReader nodes(repository, log);
  repo::TreeReader tree(nodes, snapshot.commit.roots.front());
  std::size_t seen = 0;
  for (;;) {
    const auto next = tree.next({});
    if (!next.ok()) return "tree: " + next.error().text();
    if (next.value() == nullptr) break;
    const model::Entry& entry = *next.value();
    if (!files.contains(entry.path)) return entry.path + " was not backed up";
    ++seen;
    const source::MemoryFile& file = files.all().at(entry.path);
    if (!same_attributes(entry, file.item.entry)) return entry.path + ": attributes differ";
    if (entry.attributes.type != model::FileType::regular) continue;
    const auto content = read_content(chunks, entry);
    if (!content.ok()) return entry.path + ": " + content.error().text();
    if (content.value() != file.bytes) return entry.path + ": content differs";
  }
  return seen == files.all().size() ? "" : fmt::format("{} of {} files are there", seen, files.all().size());
}

Result<std::map<std::string, model::Entry>> entries_of(const repo::Repository& repository,
                                                       const repo::Snapshot& snapshot) {
  repo::LogState log;
  TRY(repository.log().follow(log, {}));
  repo::ChunkReader chunks(repository, log);
  repo::TreeReader tree(chunks, snapshot.commit.roots.front());
  std::map<std::string, model::Entry> out;
  for (;;) {
    const model::Entry* entry = TRY(tree.next({}));
    if (entry == nullptr) return out;
    out.emplace(entry->path, *entry);
  }
}

std::vector<std::string> names(storage::Storage& storage, std::string_view prefix) {
  std::vector<std::string> out;
  const auto listed = storage.list(prefix,
                                   [&](const storage::ObjectInfo& info) -> Result<void> {
                                     out.push_back(info.name);
                                     return {};
                                   },
                                   {});
  if (!listed.ok()) out.push_back("(" + listed.error().text() + ")");
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace holdfast::testing
