#include "flow/du.h"

#include "base/beneath.h"

#include <algorithm>

namespace holdfast::flow {

namespace {

void add(DuSizes& sum, const DuSizes& more) {
  sum.entries += more.entries;
  sum.bytes += more.bytes;
  sum.stored_bytes += more.stored_bytes;
  sum.only_here_bytes += more.only_here_bytes;
}

class Walk {
 public:
  Walk(repo::ChunkReader& chunks, const DuSpec& spec, const OnSizes& on_sizes)
      : chunks_(chunks), spec_(spec), on_sizes_(on_sizes) {}

  Result<DuSizes> run(const model::Root& root, std::stop_token stop) {
    if (spec_.top.empty()) stack_.push_back({"", {}});
    repo::TreeReader tree(chunks_, root);
    if (!spec_.top.empty()) tree.seek(spec_.top);
    for (;;) {
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped while counting");
      const model::Entry* entry = TRY(tree.next(stop));
      if (entry == nullptr || !is_at_or_below(entry->path, spec_.top)) break;
      TRY(take(*entry, stop));
    }
    while (!stack_.empty()) leave();
    if (total_.entries == 0 && !spec_.top.empty())
      return Error(Errc::not_found, "the snapshot has no /" + spec_.top);
    return total_;
  }

 private:
  struct Open {
    std::string path;
    DuSizes sizes;
  };

  Result<void> take(const model::Entry& entry, std::stop_token stop) {
    while (!stack_.empty() && !is_at_or_below(entry.path, stack_.back().path)) leave();
    DuSizes sizes{.entries = 1};
    const bool again = entry.link_group != 0 && !linked_.insert(entry.link_group).second;
    if (!again) {
      sizes.bytes = entry.size_bytes;
      for (const model::Extent& extent : entry.content) {
        if (spec_.stored && !extent.hole) TRY(add_stored(sizes, extent, stop));
      }
    }
    if (entry.attributes.type == model::FileType::directory) {
      stack_.push_back({entry.path, sizes});
      return {};
    }
    if (spec_.files || entry.path == spec_.top) tell(entry.path, sizes);
    add(stack_.empty() ? total_ : stack_.back().sizes, sizes);
    return {};
  }

  Result<void> add_stored(DuSizes& sizes, const model::Extent& extent, std::stop_token stop) {
    const repo::DirectoryEntry chunk = TRY(chunks_.describe(extent.chunk, stop));
    if (chunk.plain_bytes == 0) return {};
    const std::uint64_t length = std::min<std::uint64_t>(extent.length, chunk.plain_bytes);
    const std::uint64_t share = (length * chunk.stored_bytes + chunk.plain_bytes - 1) / chunk.plain_bytes;
    sizes.stored_bytes += share;
    if (spec_.others == nullptr) return {};
    const auto pack = spec_.others->find(extent.chunk.pack);
    if (pack == spec_.others->end() || !pack->second.contains(extent.chunk.slot))
      sizes.only_here_bytes += share;
    return {};
  }

  void leave() {
    const Open done = std::move(stack_.back());
    stack_.pop_back();
    tell(done.path, done.sizes);
    add(stack_.empty() ? total_ : stack_.back().sizes, done.sizes);
  }

  void tell(const std::string& path, const DuSizes& sizes) {
    std::string_view below = std::string_view(path).substr(spec_.top.size());
    if (below.starts_with('/')) below.remove_prefix(1);
    const auto slashes = static_cast<std::uint64_t>(std::count(below.begin(), below.end(), '/'));
    if (below.empty() || slashes < spec_.depth_max) on_sizes_(path, sizes);
  }

  repo::ChunkReader& chunks_;
  const DuSpec& spec_;
  const OnSizes& on_sizes_;
  std::vector<Open> stack_;
  std::set<std::uint64_t> linked_;  // groups met
  DuSizes total_;
};

}  // namespace

Result<DuSizes> disk_usage(repo::ChunkReader& chunks, const model::Root& root, const DuSpec& spec,
                           const OnSizes& on_sizes, std::stop_token stop) {
  return Walk(chunks, spec, on_sizes).run(root, stop);
}

}  // namespace holdfast::flow
