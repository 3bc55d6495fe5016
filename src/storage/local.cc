#include "storage/local.h"

#include "base/check.h"
#include "storage/name.h"
#include "storage/range.h"

namespace holdfast::storage {

namespace {

// Large objects start on their way to the medium in steps of this, while they are being made.
constexpr std::uint64_t kWritebackStep = kMiB;
// So many objects may wait for a barrier with their files open; then they are synced where they stand.
constexpr std::size_t kPendingMax = 64;

class LocalSpool final : public Spool {
 public:
  explicit LocalSpool(std::shared_ptr<DiskFile> file) : file_(std::move(file)) {}

  Result<void> append(Bytes bytes) override {
    HF_ASSERT(!synced_);  // the file may be an object already
    TRY(write_all(*file_, size_bytes_, bytes));
    size_bytes_ += bytes.size();
    const std::uint64_t whole = size_bytes_ / kWritebackStep * kWritebackStep;
    if (whole > started_bytes_) {
      file_->start_writeback(started_bytes_, whole - started_bytes_);
      started_bytes_ = whole;
    }
    return {};
  }
  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<void> read(std::uint64_t offset, MutableBytes out) const override {
    HF_ASSERT(offset <= size_bytes_ && out.size() <= size_bytes_ - offset);
    return read_all(*file_, offset, out);
  }

  Result<void> sync() {
    if (synced_) return {};
    TRY(file_->sync());
    synced_ = true;
    return {};
  }
  const std::shared_ptr<DiskFile>& file() { return file_; }

 private:
  std::shared_ptr<DiskFile> file_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t started_bytes_ = 0;
  bool synced_ = false;
};

class LocalStorage final : public Storage {
 public:
  LocalStorage(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}

  std::string describe() const override { return path_; }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override;
  Result<std::unique_ptr<Spool>> spool() override;
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override;
  Result<void> cover(const std::string& name, std::stop_token stop) override;
  Result<void> barrier(std::stop_token stop) override;

  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override;
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override;
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override;
  Result<void> remove(const std::string& name, std::stop_token stop) override;

 private:
  std::string path_of(std::string_view name) const { return fmt::format("{}/{}", path_, name); }
  static Result<void> check(const std::string& name, const std::stop_token& stop);
  Result<void> check_sound();
  Result<void> link(DiskFile& file, const std::string& path);
  void note_put(const std::string& path, std::shared_ptr<DiskFile> file);
  Result<void> sync_pending();
  Result<void> list_directory(const std::string& directory, std::string_view leaf_prefix, const Visit& visit,
                              const std::stop_token& stop);
  std::set<std::string> directories_to_sync(const std::set<std::string>& changed);
  // Passes the result of a sync on, and remembers a failure for good.
  Result<void> final(Result<void> synced);

  Disk& disk_;
  const std::string path_;
  std::mutex sync_mutex_;  // one round of syncs at a time: a barrier must not pass another's unfinished round
  std::mutex mutex_;       // guards the rest
  std::vector<std::shared_ptr<DiskFile>> pending_;  // named since they were last synced
  std::set<std::string> changed_;   // directories with names made or removed since the last barrier
  std::set<std::string> anchored_;  // directories whose own name is known to be durable
  std::optional<Error> broken_;     // the sync that failed
};

Result<void> LocalStorage::check(const std::string& name, const std::stop_token& stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
  return check_name(name);
}

Result<void> LocalStorage::check_sound() {
  const std::lock_guard lock(mutex_);
  if (!broken_) return {};
  return Error(Errc::failed,
               fmt::format("nothing can be stored any more in {}, because a write to the medium "
                           "failed before: {}",
                           path_, broken_->text()));
}

Result<void> LocalStorage::final(Result<void> synced) {
  if (synced.ok()) return synced;
  const std::lock_guard lock(mutex_);
  if (!broken_) broken_ = synced.error().copy();
  return synced;
}

Result<void> LocalStorage::put(const std::string& name, Bytes bytes, std::stop_token stop) {
  TRY(check(name, stop));
  const std::unique_ptr<Spool> whole = TRY(spool());
  TRY(whole->append(bytes));
  return put(name, *whole, std::move(stop));
}

Result<std::unique_ptr<Spool>> LocalStorage::spool() {
  TRY(check_sound());
  std::shared_ptr<DiskFile> file = TRY(disk_.scratch(path_));
  return std::unique_ptr<Spool>(new LocalSpool(std::move(file)));
}

Result<void> LocalStorage::put(const std::string& name, Spool& spool, std::stop_token stop) {
  TRY(check(name, stop));
  TRY(check_sound());
  auto* ours = dynamic_cast<LocalSpool*>(&spool);
  HF_ASSERT(ours != nullptr);
  TRY(final(ours->sync()));
  const std::string path = path_of(name);
  Result<void> linked = link(*ours->file(), path);
  if (linked.ok()) {
    note_put(path, ours->file());
  } else if (linked.error().kind() == Errc::exists) {
    // The caller may build on what is there, so our next barrier must cover it too.
    Result<std::unique_ptr<DiskFile>> other = disk_.open(path);
    if (!other.ok() && other.error().kind() != Errc::not_found) return std::move(other).error();
    if (other.ok()) note_put(path, std::move(other).value());
  }
  bool many = false;
  {
    const std::lock_guard lock(mutex_);
    many = pending_.size() > kPendingMax;
  }
  if (many) {
    const std::lock_guard one_at_a_time(sync_mutex_);
    TRY(sync_pending());
  }
  return linked;
}

void LocalStorage::note_put(const std::string& path, std::shared_ptr<DiskFile> file) {
  const std::lock_guard lock(mutex_);
  pending_.push_back(std::move(file));
  changed_.insert(parent_of(path));
}

// What has a name has its bytes on the medium already (put syncs before it links): only the name may be lost.
Result<void> LocalStorage::cover(const std::string& name, std::stop_token stop) {
  TRY(stat(name, std::move(stop)));
  const std::lock_guard lock(mutex_);
  changed_.insert(parent_of(path_of(name)));
  return {};
}

// Under sync_mutex_.
Result<void> LocalStorage::sync_pending() {
  std::vector<std::shared_ptr<DiskFile>> files;
  {
    const std::lock_guard lock(mutex_);
    files.swap(pending_);
  }
  for (const std::shared_ptr<DiskFile>& file : files) TRY(final(file->sync()));
  return {};
}

Result<void> LocalStorage::link(DiskFile& file, const std::string& path) {
  Result<void> linked = file.link(path);
  if (linked.ok() || linked.error().kind() != Errc::not_found) return linked;
  TRY(make_directories(disk_, parent_of(path), [&](const std::string& made) -> Result<void> {
    const std::lock_guard lock(mutex_);
    anchored_.erase(made);
    return {};
  }));
  return file.link(path);
}

// The changed directories, and those above as far as their names may not be durable: they may have been
// made just now, by us or by somebody else who never came to his barrier.
std::set<std::string> LocalStorage::directories_to_sync(const std::set<std::string>& changed) {
  std::set<std::string> all = changed;
  for (const std::string& directory : changed) {
    for (std::string at = directory; at != path_ && !anchored_.contains(at); at = parent_of(at)) {
      all.insert(parent_of(at));
    }
  }
  return all;
}

Result<void> LocalStorage::barrier(std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
  const std::lock_guard one_at_a_time(sync_mutex_);
  TRY(check_sound());
  TRY(sync_pending());
  std::set<std::string> directories;
  {
    const std::lock_guard lock(mutex_);
    directories = directories_to_sync(changed_);
    changed_.clear();
  }
  for (const std::string& directory : directories) TRY(final(disk_.sync_directory(directory)));
  const std::lock_guard lock(mutex_);
  anchored_.merge(directories);
  return {};
}

Result<Buffer> LocalStorage::get(const std::string& name, ByteRange range, std::stop_token stop) {
  TRY(check(name, stop));
  const std::unique_ptr<DiskFile> file = TRY(disk_.open(path_of(name)));
  const std::uint64_t size_bytes = TRY(file->size_bytes());
  const std::uint64_t length = TRY(length_within(range, {name, size_bytes}));
  Buffer out(length);
  TRY_AS(read_all(*file, range.offset, out), name);
  return out;
}

Result<ObjectInfo> LocalStorage::stat(const std::string& name, std::stop_token stop) {
  TRY(check(name, stop));
  const FileInfo info = TRY(disk_.stat(path_of(name)));
  if (info.type == FileType::regular) return ObjectInfo{name, info.size_bytes};
  return Error(Errc::not_found, fmt::format("{} is not a file", path_of(name)));
}

Result<void> LocalStorage::list(std::string_view prefix, const Visit& visit, std::stop_token stop) {
  const std::size_t slash = prefix.rfind('/');
  if (slash == std::string_view::npos) return list_directory("", prefix, visit, stop);
  const std::string_view directory = prefix.substr(0, slash);
  if (!valid_name(directory)) return {};  // no object can match
  return list_directory(std::string(directory), prefix.substr(slash + 1), visit, stop);
}

Result<void> LocalStorage::list_directory(const std::string& directory, std::string_view leaf_prefix,
                                          const Visit& visit, const std::stop_token& stop) {
  Result<std::vector<std::string>> leaves = disk_.list(directory.empty() ? path_ : path_of(directory));
  if (!leaves.ok()) {
    // Without its directory there are no objects; without the store's there is no store.
    const bool none = leaves.error().kind() == Errc::not_found && !directory.empty();
    return none ? Result<void>() : std::move(leaves).error();
  }
  for (const std::string& leaf : leaves.value()) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    if (!leaf.starts_with(leaf_prefix)) continue;
    const std::string name = directory.empty() ? leaf : fmt::format("{}/{}", directory, leaf);
    if (!valid_name(name)) continue;
    Result<FileInfo> info = disk_.stat(path_of(name));
    if (!info.ok()) {
      if (info.error().kind() == Errc::not_found) continue;  // removed since
      return std::move(info).error();
    }
    if (info.value().type == FileType::regular) TRY(visit({name, info.value().size_bytes}));
    if (info.value().type == FileType::directory) TRY(list_directory(name, "", visit, stop));
  }
  return {};
}

Result<void> LocalStorage::remove(const std::string& name, std::stop_token stop) {
  TRY(check(name, stop));
  const std::string path = path_of(name);
  Result<void> removed = disk_.unlink(path);
  if (!removed.ok() && removed.error().kind() == Errc::not_found) return {};
  const std::lock_guard lock(mutex_);
  changed_.insert(parent_of(path));
  return removed;
}

}  // namespace

Result<std::unique_ptr<Storage>> open_local(Disk& disk, std::string path, IfMissing if_missing) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (if_missing == IfMissing::create) {
    TRY(make_directories(disk, path,
                         [&](const std::string& made) { return disk.sync_directory(parent_of(made)); }));
  }
  const FileInfo info = TRY(disk.stat(path));
  if (info.type == FileType::other) TRY(disk.list(path));  // a symbolic link to a directory will do
  if (info.type == FileType::regular) return Error(Errc::not_found, path + " is not a directory");
  // Only housekeeping: a store that may be read but not written must still open.
  static_cast<void>(disk.clear_scratch(path).ok());
  return std::unique_ptr<Storage>(new LocalStorage(disk, std::move(path)));
}

}  // namespace holdfast::storage
