// How an entry gets its content from the jobs that stored it, and what is kept of large files for the next
// run.
#include "flow/archive.h"
#include "flow/page_range.h"

namespace holdfast::flow {

// Takes the content from the finished jobs. False where the file could not be read: it is left out.
bool Archive::collect_content(Pending& pending) {
  model::Entry& entry = pending.entry;
  std::vector<FileResult*> results;
  if (pending.bundle != nullptr) {
    Member& member = pending.bundle->members[pending.member];
    entry = std::move(member.item.entry);
    results.push_back(&member.result);
  }
  if (!pending.ranges.empty()) {
    const model::Attributes& opened = pending.ranges.front()->range->item.entry.attributes;
    entry.attributes.flags = opened.flags;
    entry.attributes.project = opened.project;
  }
  for (const auto& job : pending.ranges) results.push_back(&job->range->result);
  if (results.empty()) return true;
  entry.content.clear();
  entry.size_bytes = 0;
  for (FileResult* result : results) {
    if (result->error) {
      // A file that vanished since it was listed is not part of this snapshot; anything else is a fault.
      if (result->error->kind() != Errc::not_found) fail(entry.path, "read", *result->error);
      return false;
    }
    if (result->incomplete) fail(entry.path, "scan", *result->incomplete);
    entry.changed_while_read = entry.changed_while_read || result->changed;
    entry.size_bytes += result->size_bytes;
    for (const model::Extent& extent : result->content) append_extent(entry.content, extent);
    if (result->changed && results.size() > 1 && result->size_bytes < kRangeBytes)
      break;  // it became shorter here
  }
  if (pending.bundle == nullptr) return true;
  for (const model::Extent& extent : entry.content) {
    if (extent.hole) continue;
    std::uint32_t& total = bundle_totals_[extent.chunk];
    total = std::max(total, static_cast<std::uint32_t>(extent.offset + extent.length));
  }
  return true;
}

void Archive::keep_page_hashes(const Pending& pending) {
  if (pending.entry.attributes.type != model::FileType::regular || !is_paged(pending.entry.size_bytes))
    return;
  const std::uint64_t path = path_hash(context_.local, pending.entry.path);
  if (pending.ranges.empty()) {
    const auto old = old_pages_.find(path);
    if (old != old_pages_.end()) pages_.emplace_back(*old);
    return;
  }
  if (context_.spec.dry_run || !pending.ranges.front()->range->paged || pending.entry.changed_while_read)
    return;
  const auto file = PageFile::create(context_.local, path, context_.transaction.id());
  if (file == nullptr) return;
  for (const auto& job : pending.ranges) {
    const auto& now = job->range->pages.now;
    if (!now.empty()) file->write(job->range->from / kRangeBytes, now);
  }
  pages_.emplace_back(path, context_.transaction.id());
}

}  // namespace holdfast::flow
