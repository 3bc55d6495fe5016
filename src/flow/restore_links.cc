#include "flow/restore_links.h"

namespace holdfast::flow {

bool LaterNames::take(model::Entry& entry) {
  if (entry.link_group == 0) return false;
  const auto [file, is_first] = files_.try_emplace(entry.link_group, File{entry.path, {}});
  if (is_first) return false;
  // Kept once for all names: there may be many of a file of many pieces.
  if (file->second.content.empty()) file->second.content = std::move(entry.content);
  entry.content.clear();
  names_.push_back(std::move(entry));
  return true;
}

void LaterNames::link_all(RestoreContext& context, std::stop_token stop) {
  for (const model::Entry& entry : names_) {
    if (context.failed_groups.contains(entry.link_group)) {
      const std::string& first = files_[entry.link_group].first;
      context.fail(entry.path, "restore",
                   Error(Errc::failed, entry.path + ": left as it is, since " + first +
                                           ", of which it is another name, was not restored"));
      continue;
    }
    const auto linked = context.sink.link(entry, files_[entry.link_group].first);
    if (!linked.ok()) {
      context.fail(entry.path, "restore", linked.error());
    } else if (linked.value()) {
      ++context.files_restored;
    } else {
      make_copy(entry, context, stop);
    }
  }
}

void LaterNames::make_copy(const model::Entry& entry, RestoreContext& context, std::stop_token stop) {
  context.fail(entry.path, "restore of links",
               Error(Errc::unsupported, entry.path + ": the target allows no more names of one file"));
  const auto action = context.sink.decide(entry);
  if (!action.ok()) return context.fail(entry.path, "restore", action.error());
  File& file = files_[entry.link_group];
  file.first = entry.path;
  if (entry.attributes.type != model::FileType::regular) {
    const auto made = context.sink.make_special(entry, action.value());
    if (!made.ok()) context.fail_file(entry, "restore", made.error());
    return;
  }
  RestoreTask task;
  task.files.push_back({entry, action.value()});
  task.files.back().entry.content = file.content;
  // Errors of the file are told by the worker; a stop by the one who asked for it.
  if (copier_ == nullptr) copier_ = std::make_unique<RestoreWorker>(context);
  static_cast<void>(copier_->run(task, std::move(stop)));
}

}  // namespace holdfast::flow
