#include "flow/restore.h"

#include <thread>

#include "base/beneath.h"
#include "base/queue.h"
#include "base/task_group.h"
#include "flow/newest_first.h"
#include "flow/restore_directories.h"
#include "flow/restore_links.h"
#include "flow/restore_worker.h"
#include "flow/torn.h"

namespace holdfast::flow {

namespace {

// Small files go to the workers in batches of about this much; larger ones in pieces.
constexpr std::uint64_t kBatchBytes = kMiB;
constexpr std::size_t kBatchFiles = 512;
constexpr std::uint64_t kPieceBytes = 16 * kMiB;
constexpr std::size_t kQueuedTasks = 16;

// The walk of the tree: makes directories and special files itself, hands files to the workers.
class Restorer {
 public:
  Restorer(RestoreContext& context, const model::Root& root, RestoreReport& report, Queue<RestoreTask>& queue,
           std::stop_token stop)
      : context_(context),
        spec_(context.spec),
        root_(root),
        report_(report),
        queue_(queue),
        stop_(stop),
        newest_(spec_.newest_first_bytes) {}

  Result<void> walk();
  // After the workers are done.
  void finish();
  // At the end, however it came.
  void put_back();

 private:
  struct OpenDirectory {
    model::Entry entry;
    bool made = false;
    bool partly = false;             // not all that the snapshot has in it is looked at
    std::vector<std::string> names;  // in the snapshot; for --delete
    bool implied = false;            // what the snapshot says of it is lost
  };

  Result<void> walk_once();
  Result<void> walk_below(const std::string& path);
  // `partly`: a directory on the way to what was asked for.
  Result<void> take(const model::Entry& found, bool partly = false);
  Result<void> take_again(const model::Entry& entry, const model::Entry& found);
  Result<void> take_regular(model::Entry entry, sink::Action action);
  Result<void> take_large(model::Entry entry, sink::Action action);
  Result<void> go_on_behind(const Error& error, const std::string& last);
  void imply_directories(const model::Entry& entry);
  void open_directories();
  void make_directory(const OpenDirectory& directory);
  void close_directories(std::string_view path);
  void close_directory();
  Result<void> send(RestoreTask task);
  Result<void> send_batch();

  RestoreContext& context_;
  const RestoreSpec& spec_;
  const model::Root& root_;
  RestoreReport& report_;
  Queue<RestoreTask>& queue_;
  std::stop_token stop_;
  std::vector<OpenDirectory> stack_;  // the path "": the target, where a directory is restored as the top
  bool torn_ = false;                 // parts of the tree can't be read
  NewestFirst newest_;
  bool again_ = false;  // a later walk: only for files that no walk before has handed out
  RestoreTask batch_;
  std::uint64_t batch_bytes_ = 0;
  LaterNames later_names_;
  Directories made_;
  Directories kept_;  // that were there, with Overwrite::never: as they were
};

Result<void> Restorer::walk() {
  TRY(walk_once());
  while (!stack_.empty()) close_directory();
  const auto hand_out = [&](model::Entry entry, sink::Action action) {
    return take_regular(std::move(entry), action);
  };
  for (bool more = spec_.newest_first; more;) {
    more = TRY(newest_.take(hand_out));
    again_ = true;
    if (more) TRY(walk_once());
  }
  return send_batch();
}

Result<void> Restorer::walk_once() {
  if (spec_.only.empty()) {
    TRY(walk_below(spec_.subpath));
  } else {
    // In the order of the tree, each object once.
    std::vector<std::string> only = spec_.only;
    std::sort(only.begin(), only.end(),
              [](const auto& a, const auto& b) { return model::compare_paths(a, b) < 0; });
    const std::string* before = nullptr;
    for (const std::string& path : only) {
      if (before != nullptr && is_at_or_below(path, *before)) continue;
      TRY(walk_below(path));
      before = &path;
    }
  }
  return {};
}

Result<void> Restorer::walk_below(const std::string& path) {
  repo::ChunkReader chunks(context_.repository, context_.log);
  if (!spec_.only.empty()) {
    // The directories above, for their attributes, unless the path before was below them too.
    close_directories(path);
    for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
      if (!stack_.empty() && is_at_or_below(stack_.back().entry.path, path.substr(0, at))) continue;
      const auto above = repo::find_entry(chunks, root_, path.substr(0, at), stop_);
      if (!above.ok()) TRY(go_on_behind(above.error(), path.substr(0, at)));
      if (above.ok() && above.value()) TRY(take(*above.value(), true));
    }
  }
  repo::TreeReader reader(context_.watch(chunks), root_);
  reader.seek(path);
  bool any = false;
  std::string last;
  for (;;) {
    const auto next = reader.next(stop_);
    if (!next.ok()) {
      TRY(go_on_behind(next.error(), last));
      continue;
    }
    const model::Entry* entry = next.value();
    if (entry == nullptr || !is_at_or_below(entry->path, path)) break;
    any = true;
    last = entry->path;
    TRY(take(*entry));
  }
  if (!any && !path.empty() && !torn_) return Error(Errc::not_found, "the snapshot has no /" + path);
  return {};
}

// A leaf of the tree is lost: names that nobody can tell any more. What lies behind it is restored.
Result<void> Restorer::go_on_behind(const Error& error, const std::string& last) {
  if (!only_a_part(error)) return error.copy();
  torn_ = true;
  if (!again_)
    context_.fail(last, "restore", error.copy().context("what comes next in the snapshot is lost"));
  return {};
}

// Where the tree is torn, directories that an entry lies in may be lost.
void Restorer::imply_directories(const model::Entry& entry) {
  for (std::size_t at = entry.path.find('/'); at != entry.path.npos; at = entry.path.find('/', at + 1)) {
    const std::string_view above = std::string_view(entry.path).substr(0, at);
    if (!stack_.empty() && is_at_or_below(stack_.back().entry.path, above)) continue;
    model::Entry directory;
    directory.path = above;
    directory.attributes = entry.attributes;
    directory.attributes.type = model::FileType::directory;
    directory.attributes.mode = 0700;
    directory.attributes.xattrs.clear();
    directory.attributes.flags = directory.attributes.project = 0;
    directory.mtime = entry.mtime;
    stack_.push_back({std::move(directory), false, true, {}, true});
  }
}

Result<void> Restorer::take(const model::Entry& found, bool partly) {
  model::Entry entry = found;
  if (!spec_.subpath.empty()) {
    if (entry.path == spec_.subpath) {
      if (entry.attributes.type == model::FileType::directory) {
        entry.path.clear();
        if (!again_) stack_.push_back({entry, !spec_.wanted || spec_.wanted(found), false, {}});
        return {};
      }
      entry.path = entry.path.substr(parent_of(entry.path).empty() ? 0 : parent_of(entry.path).size() + 1);
    } else {
      entry.path = entry.path.substr(spec_.subpath.size() + 1);
    }
  }
  if (again_) return take_again(entry, found);
  close_directories(entry.path);
  if (torn_) imply_directories(entry);
  if (spec_.delete_others && !stack_.empty()) {
    stack_.back().names.push_back(entry.path.substr(entry.path.rfind('/') + 1));
  }
  const bool directory = entry.attributes.type == model::FileType::directory;
  if (directory) stack_.push_back({entry, false, partly, {}});
  if (spec_.wanted && !spec_.wanted(found)) return {};
  open_directories();
  if (directory) return {};
  const bool regular = entry.attributes.type == model::FileType::regular;
  const bool now = regular && spec_.newest_first && newest_.meets(entry);
  const auto action = context_.sink.decide(entry);
  if (!action.ok()) {
    context_.fail(entry.path, "restore", action.error());
    return {};
  }
  if (regular) {
    ++report_.files;
    report_.bytes += entry.size_bytes;
    context_.observer.progress(
        {report_.files, context_.bytes_restored, root_.files, root_.bytes, context_.problems}, entry.path);
    if (action.value() == sink::Action::skip) {
      ++report_.files_skipped;
      return {};
    }
    if (spec_.dry_run) return {};
    if (!now) return take_regular(std::move(entry), action.value());
    newest_.add(entry, action.value());
    return {};
  }
  ++report_.others;
  if (spec_.dry_run || action.value() == sink::Action::skip || later_names_.take(entry)) return {};
  const auto made = context_.sink.make_special(entry, action.value());
  if (!made.ok()) context_.fail_file(entry, "restore", made.error());
  return {};
}

Result<void> Restorer::take_again(const model::Entry& entry, const model::Entry& found) {
  const bool regular = entry.attributes.type == model::FileType::regular;
  if (!regular || (spec_.wanted && !spec_.wanted(found)) || !newest_.meets(entry)) return {};
  const auto action = context_.sink.decide(entry);  // what went wrong was told the first time
  if (action.ok() && action.value() != sink::Action::skip) newest_.add(entry, action.value());
  return {};
}

// Makes the directories on the stack that are not there yet.
void Restorer::open_directories() {
  for (OpenDirectory& directory : stack_) {
    if (std::exchange(directory.made, true) || directory.entry.path.empty()) continue;
    ++report_.directories;
    make_directory(directory);
  }
}

void Restorer::make_directory(const OpenDirectory& directory) {
  const model::Entry& entry = directory.entry;
  const auto action = context_.sink.decide(entry);
  if (!action.ok()) {
    context_.fail(entry.path, "restore", action.error());
    return;
  }
  if (spec_.dry_run) return;
  const auto was = context_.sink.make_directory(entry, directory.implied);
  if (!was.ok()) {
    context_.fail(entry.path, "restore", was.error());
  } else if (was.value()) {
    kept_.add(*was.value());
  } else {
    made_.add(entry);
  }
}

// Leaves the directories that `path` is not below.
void Restorer::close_directories(std::string_view path) {
  while (!stack_.empty() && !is_at_or_below(path, stack_.back().entry.path)) close_directory();
}

void Restorer::close_directory() {
  OpenDirectory directory = std::move(stack_.back());
  stack_.pop_back();
  if (!spec_.delete_others || !directory.made || directory.partly || torn_) return;
  std::sort(directory.names.begin(), directory.names.end());
  const auto may_remove = [&](const std::string& name, bool) {
    ++report_.files_deleted;
    context_.observer.item("deleted", name, 0);
    return !spec_.dry_run;
  };
  const auto removed = context_.sink.remove_others(directory.entry.path, directory.names, may_remove);
  if (!removed.ok()) context_.fail(directory.entry.path, "delete", removed.error());
}

Result<void> Restorer::take_regular(model::Entry entry, sink::Action action) {
  if (later_names_.take(entry)) return {};
  if (entry.size_bytes > kPieceBytes && action != sink::Action::metadata) {
    if (spec_.newest_first) TRY(send_batch());
    return take_large(std::move(entry), action);
  }
  // A batch ends where a chunk does, so that no two workers open the same bundle.
  const bool goes_on = !batch_.files.empty() && !batch_.files.back().entry.content.empty() &&
                       !entry.content.empty() &&
                       batch_.files.back().entry.content.back().chunk == entry.content.front().chunk;
  if (!goes_on && (batch_bytes_ >= kBatchBytes || batch_.files.size() >= kBatchFiles)) TRY(send_batch());
  batch_bytes_ += entry.size_bytes;
  batch_.files.push_back({std::move(entry), action});
  return {};
}

Result<void> Restorer::take_large(model::Entry entry, sink::Action action) {
  auto writer = context_.sink.open_file(entry, action);
  if (!writer.ok()) {
    context_.fail_file(entry, "restore", writer.error());
    return {};
  }
  auto file = std::make_shared<SharedFile>();
  file->writer = std::move(writer).value();
  file->entry = std::move(entry);
  std::vector<RestoreTask> pieces;
  const auto& content = file->entry.content;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < content.size();) {
    RestoreTask piece;
    piece.shared = file;
    piece.first = i;
    piece.offset = offset;
    const std::uint64_t end = offset + kPieceBytes;
    while (i < content.size() && offset < end) offset += content[i++].length;
    piece.last = i;
    pieces.push_back(std::move(piece));
  }
  file->pieces_left = static_cast<std::uint32_t>(pieces.size());
  for (RestoreTask& piece : pieces) TRY(send(std::move(piece)));
  return {};
}

Result<void> Restorer::send(RestoreTask task) {
  if (!queue_.push(std::move(task), stop_)) return Error(Errc::stopped, "stopped");
  return {};
}

Result<void> Restorer::send_batch() {
  if (batch_.files.empty()) return {};
  batch_bytes_ = 0;
  return send(std::exchange(batch_, {}));
}

void Restorer::finish() {
  later_names_.link_all(context_, stop_);
  made_.take_in_reverse([&](const model::Entry& entry) {
    const auto finished = context_.sink.finish_directory(entry);
    if (!finished.ok()) context_.fail(entry.path, "restore", finished.error());
  });
}

// After what was made: a directory that was there is in none that was not.
void Restorer::put_back() {
  kept_.take_in_reverse([&](const model::Entry& was) {
    const auto done = context_.sink.put_back(was);
    if (!done.ok()) context_.fail(was.path, "restore", done.error());
  });
}

}  // namespace

Result<RestoreReport> restore(const repo::Repository& repository, const repo::LogState& log,
                              const model::Root& root, const RestoreSpec& spec, sink::DirectorySink& sink,
                              Observer& observer, std::stop_token stop) {
  RestoreReport report;
  RestoreContext context{repository, log, sink, observer, spec};
  Queue<RestoreTask> queue(kQueuedTasks);
  TaskGroup group(stop);  // after what its threads use
  const unsigned workers =
      spec.workers != 0 ? spec.workers : std::max(2u, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < workers; ++i) {
    group.spawn([&](std::stop_token inner) -> Result<void> {
      RestoreWorker worker(context);
      while (auto task = queue.pop(inner)) TRY(worker.run(*task, inner));
      return {};
    });
  }
  Restorer restorer(context, root, report, queue, group.token());
  const auto walked = restorer.walk();
  queue.close();
  if (!walked.ok()) group.stop();
  auto worked = group.wait();
  const bool stopped = stop.stop_requested();
  if (walked.ok() && worked.ok() && !stopped) restorer.finish();
  restorer.put_back();
  TRY(std::move(worked));
  if (!walked.ok()) return walked.error().copy();
  if (stopped) return Error(Errc::stopped, "stopped; run the same command again to go on");
  context.tell(report);
  return report;
}

}  // namespace holdfast::flow
