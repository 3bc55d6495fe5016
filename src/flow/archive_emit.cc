// From what is ready to the new tree: counted, told, added. And how a leg ends before the walk does.
#include "base/beneath.h"
#include "base/codec.h"
#include "flow/archive.h"

namespace holdfast::flow {

bool Archive::is_same(const repo::LocalEntry& old, const model::Entry& entry, const model::Stamp& stamp,
                      const model::Time& racy_from) {
  const model::Entry& a = old.entry;
  return old.stamp == stamp && a.mtime == entry.mtime && a.attributes.type == entry.attributes.type &&
         a.size_bytes == entry.size_bytes && a.attributes.mode == entry.attributes.mode &&
         a.attributes.uid == entry.attributes.uid && a.attributes.gid == entry.attributes.gid &&
         stamp.ctime < racy_from && !a.changed_while_read;
}

// A file of the previous tree.
void Archive::count_before(std::string_view path) {
  for (RootCount& root : roots_) root.before += is_at_or_below(path, root.path) ? 1 : 0;
}

// Whether the last snapshot has the entry, and the same one: what is built upon is a checkpoint.
void Archive::compare_with_baseline(Pending& pending, bool& same) {
  Previous& baseline = *context_.baseline;
  const repo::LocalEntry* old = baseline.peek();
  while (old != nullptr && model::compare_paths(old->entry.path, pending.entry.path) < 0) {
    baseline.pop();
    old = baseline.peek();
  }
  pending.known = old != nullptr && old->entry.path == pending.entry.path;
  same = same && pending.known && is_same(*old, pending.entry, pending.stamp, baseline.racy_from());
}

void Archive::count(Pending& pending) {
  BackupReport& report = context_.report;
  bool same = pending.provenance.unchanged;
  if (context_.baseline != nullptr) compare_with_baseline(pending, same);
  const model::Entry& entry = pending.entry;
  switch (entry.attributes.type) {
    case model::FileType::regular:
      ++(same ? report.files_unmodified : pending.known ? report.files_changed : report.files_new);
      ++report.total_files;
      report.total_bytes += entry.size_bytes;
      for (RootCount& root : roots_) root.now += is_at_or_below(entry.path, root.path) ? 1 : 0;
      break;
    case model::FileType::directory:
      ++(same ? report.dirs_unmodified : pending.known ? report.dirs_changed : report.dirs_new);
      break;
    default:
      ++report.others;
  }
  if (!pending.carried) tell(pending, same);
}

void Archive::tell(const Pending& pending, bool same) {
  BackupReport& report = context_.report;
  const model::Entry& entry = pending.entry;
  Told& told = context_.told;
  if (entry.changed_while_read) {
    ++report.changed_while_read;
    context_.observer.note(entry.path + " changed while it was read");
  }
  const bool again = pending.provenance.unchanged && !told.reached.empty() &&
                     model::compare_paths(entry.path, told.reached) <= 0;
  const char* const action = same ? "unchanged" : pending.known ? "changed" : "new";
  if (!again) context_.observer.item(action, entry.path, entry.size_bytes);
  told.files = std::max(told.files, report.total_files);
  told.bytes = std::max(told.bytes, report.total_bytes);
  context_.observer.progress({told.files, told.bytes, expected_.files, expected_.bytes, told.problems.size()},
                             entry.path);
}

void Archive::fail(std::string_view path, std::string_view during, const Error& error) {
  ++context_.report.problems;
  context_.report.partial = true;
  Encoder name;
  name.string(path);
  name.string(during);
  const std::uint64_t word = path_hash(context_.local, as_text(name.bytes()));
  if (context_.told.problems.insert(word).second) context_.observer.problem(path, during, error);
}

// A stop came before all of its content was stored.
bool Archive::incomplete(const Pending& pending) {
  const auto given_up = [](const std::shared_ptr<Job>& job) { return job->incomplete; };
  return (pending.bundle != nullptr && given_up(pending.bundle)) ||
         std::any_of(pending.ranges.begin(), pending.ranges.end(), given_up);
}

Result<void> Archive::emit(Pending pending) {
  if (incomplete(pending)) return emit_old(std::move(pending));
  if (!collect_content(pending)) return {};
  keep_page_hashes(pending);
  count(pending);
  const model::Entry& entry = pending.entry;
  if (entry.size_bytes <= kBundledFileBytesMax) {
    for (const model::Extent& extent : entry.content) {
      if (!extent.hole) bundles_[extent.chunk].live_bytes += static_cast<std::uint32_t>(extent.length);
    }
  }
  return context_.tree.add(std::move(pending.entry), pending.stamp, std::move(pending.provenance), {});
}

// What the previous tree has in place of an incomplete file, to be read again; without it the file is left
// out.
Result<void> Archive::emit_old(Pending pending) {
  left_out_ = true;
  if (pending.old == nullptr) return {};
  pending.entry = std::move(pending.old->entry);
  pending.stamp = {};
  pending.provenance.unchanged = false;
  pending.carried = true;
  pending.bundle.reset();
  pending.ranges.clear();
  return emit(std::move(pending));
}

bool Archive::stored_anything() const {
  return context_.counters.chunks > 0 || context_.counters.bytes_read > 0;
}

// A checkpoint is due: whether it may be here. Not where nothing was stored, nor while all files of a path of
// the source seem gone: it would lack what the guard compares with.
bool Archive::ends_here() {
  if (!stored_anything()) {
    context_.pace.postpone();
    return false;
  }
  return std::all_of(roots_.begin(), roots_.end(), [&](const RootCount& root) {
    if (root.before == 0 || root.now > 0) return true;
    return std::any_of(pending_.begin(), pending_.end(), [&](const Pending& p) {
      const bool small = p.bundle != nullptr;
      return is_at_or_below(small ? p.bundle->members[p.member].item.entry.path : p.entry.path, root.path);
    });
  });
}

// What the walk has reached goes into the tree, and after it what the previous tree had.
Result<void> Archive::end_early() {
  TRY(close_bundle());
  TRY(drain(0));
  context_.told.reached = reached_;
  while (repo::LocalEntry* old = context_.previous.peek()) {
    Pending pending;
    pending.provenance = {context_.previous.leaf(), old->base, true};
    pending.known = true;
    pending.carried = true;
    // What may have changed unseen during the run that stored it must be read again by the next one too.
    if (!(old->stamp.ctime < racy_from_)) {
      old->stamp = {};
      pending.provenance.unchanged = false;
    }
    pending.stamp = old->stamp;
    pending.entry = std::move(old->entry);
    context_.previous.pop();
    TRY(emit(std::move(pending)));
  }
  return {};
}

std::vector<repo::LocalBundle> Archive::bundles() const {
  std::vector<repo::LocalBundle> out;
  for (const auto& [address, bundle] : bundles_) {
    const auto total = bundle_totals_.find(address);
    out.push_back(
        {address, total == bundle_totals_.end() ? bundle.live_bytes : total->second, bundle.live_bytes});
  }
  return out;
}

std::string Archive::vanished_root() const {
  for (const RootCount& root : roots_) {
    if (root.before > 0 && root.now == 0) return "/" + root.path;
  }
  return "";
}

}  // namespace holdfast::flow
