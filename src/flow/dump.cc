#include "flow/dump.h"

#include "base/beneath.h"

namespace holdfast::flow {

Result<model::Entry> entry_at(repo::ChunkReader& chunks, const model::Commit& commit, const std::string& path,
                              std::stop_token stop) {
  for (const model::Root& root : commit.roots) {
    auto entry = TRY(repo::find_entry(chunks, root, path, stop));
    if (entry) return std::move(*entry);
  }
  return Error(Errc::not_found, "the snapshot has no /" + path);
}

Result<void> dump_file(repo::ChunkReader& chunks, const model::Commit& commit, const std::string& path,
                       const ContentSink& sink, std::stop_token stop) {
  const model::Entry entry = TRY(entry_at(chunks, commit, path, stop));
  if (entry.attributes.type != model::FileType::regular) {
    return Error(Errc::usage, "/" + path + " is no regular file");
  }
  return read_content(chunks, entry, sink, stop);
}

namespace {

// One tree's entries below a path, as an archive.
class Archiver {
 public:
  Archiver(repo::ChunkReader& chunks, std::string top, sink::ArchiveSink& archive, const OnLoss& on_loss,
           const OnTorn& on_torn, DumpReport& report)
      : chunks_(chunks),
        top_(std::move(top)),
        archive_(archive),
        on_loss_(on_loss),
        on_torn_(on_torn),
        report_(report) {}

  Result<void> run(const model::Root& root, std::stop_token stop) {
    repo::TreeReader tree(chunks_, root);
    if (!top_.empty()) tree.seek(top_);
    std::string last = top_;
    const auto on_torn = [&](std::string_view after, const Error& error) {
      ++report_.torn;
      on_torn_(after, error);
    };
    for (;;) {
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped while dumping");
      const model::Entry* entry = TRY(next_readable(tree, last, on_torn, stop));
      if (entry == nullptr || !is_at_or_below(entry->path, top_)) return {};
      last = entry->path;
      if (!top_.empty() && entry->path.size() == top_.size()) continue;
      model::Entry renamed = *entry;
      if (!top_.empty()) renamed.path.erase(0, top_.size() + 1);
      TRY(add(renamed, stop));
    }
  }

 private:
  Result<void> add(const model::Entry& entry, std::stop_token stop) {
    std::string first;
    if (entry.link_group != 0) {
      const auto [at, is_first] = links_.emplace(entry.link_group, entry.path);
      if (!is_first && archive_.has_hard_links()) first = at->second;
      if (!is_first && !archive_.has_hard_links()) reduce(entry, "that it is one file with " + at->second);
    }
    auto begun = archive_.begin(entry, first);
    if (!begun.ok() && begun.error().kind() == Errc::unsupported) {
      ++report_.left_out;
      const auto named = links_.find(entry.link_group);  // no other name can be one of what isn't there
      if (named != links_.end() && named->second == entry.path) links_.erase(named);
      on_loss_(entry.path, "all of it");
      return {};
    }
    TRY(std::move(begun));
    ++report_.entries;
    const std::string_view dropped = archive_.drops(entry);
    if (!dropped.empty()) reduce(entry, dropped);
    if (first.empty() && entry.attributes.type == model::FileType::regular) {
      const ContentSink sink{[&](Bytes bytes) { return archive_.write(bytes); },
                             [&](std::uint64_t length) { return archive_.zeros(length); }};
      TRY(read_content(chunks_, entry, sink, stop));
    }
    return archive_.end();
  }

  void reduce(const model::Entry& entry, std::string_view what) {
    ++report_.reduced;
    on_loss_(entry.path, what);
  }

  repo::ChunkReader& chunks_;
  const std::string top_;
  sink::ArchiveSink& archive_;
  const OnLoss& on_loss_;
  const OnTorn& on_torn_;
  DumpReport& report_;
  std::map<std::uint64_t, std::string> links_;  // the first path of each group of hard links
};

}  // namespace

Result<DumpReport> dump_archive(repo::ChunkReader& chunks, const model::Commit& commit,
                                const std::string& path, sink::ArchiveSink& archive, const OnLoss& on_loss,
                                const OnTorn& on_torn, std::stop_token stop) {
  DumpReport report;
  Archiver archiver(chunks, path, archive, on_loss, on_torn, report);
  for (const model::Root& root : commit.roots) TRY(archiver.run(root, stop));
  TRY(archive.finish());
  return report;
}

}  // namespace holdfast::flow
