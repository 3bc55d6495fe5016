#include "flow/find.h"

namespace holdfast::flow {

namespace {

bool lies_below(std::string_view path, std::string_view top) {
  return top.empty() || (path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/'));
}

bool matches(const FindSpec& spec, const model::Entry& entry) {
  if (spec.type && entry.attributes.type != *spec.type) return false;
  if (spec.oldest && entry.mtime < *spec.oldest) return false;
  if (spec.newest && *spec.newest < entry.mtime) return false;
  if (spec.patterns.empty()) return true;
  const source::Rule* rule =
      spec.patterns.match(entry.path, entry.attributes.type == model::FileType::directory);
  return rule != nullptr && !rule->pattern.negated();
}

}  // namespace

Result<std::uint64_t> find(repo::ChunkReader& chunks, const model::Commit& commit, const FindSpec& spec,
                           const std::function<void(const model::Entry&)>& on_match, std::stop_token stop) {
  std::uint64_t found = 0;
  for (const model::Root& root : commit.roots) {
    repo::TreeReader tree(chunks, root);
    if (!spec.below.empty()) tree.seek(spec.below);
    for (;;) {
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped while looking");
      const model::Entry* entry = TRY(tree.next(stop));
      if (entry == nullptr || !lies_below(entry->path, spec.below)) break;
      if (!matches(spec, *entry)) continue;
      ++found;
      on_match(*entry);
    }
  }
  return found;
}

}  // namespace holdfast::flow
