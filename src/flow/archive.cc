#include "flow/archive.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "flow/page_range.h"

namespace holdfast::flow {

namespace {

// Entries that may wait for content before them; about 300 bytes each.
constexpr std::size_t kPendingMax = 32 * 1024;
constexpr std::size_t kPendingJobsMax = 32;
// Ranges of large files with several names whose content is remembered for the names to come.
constexpr std::size_t kLinkedJobsMax = 256;
// How far content is looked for from where it was in a file.
constexpr std::uint64_t kShiftBytesMax = 4 * kMiB;
// A file is not patched into many more places than this: one leaf of the tree has to hold them.
constexpr std::uint64_t kFileExtents = 8 * kMiB;

std::uint64_t first_word(const Hash& hash) {
  std::uint64_t word;
  std::memcpy(&word, hash.data(), sizeof word);
  return word;
}

// Parts of a file's content, for ranges that ascend: each goes on from where the one before began.
class Slices {
 public:
  explicit Slices(const std::vector<model::Extent>& content) : content_(content) {}

  // The part [from, to).
  std::vector<model::Extent> slice(std::uint64_t from, std::uint64_t to) {
    while (next_ < content_.size() && begin_ + content_[next_].length <= from)
      begin_ += content_[next_++].length;
    std::vector<model::Extent> out;
    std::uint64_t at = begin_;
    for (std::size_t i = next_; i < content_.size() && at < to; at += content_[i++].length) {
      const std::uint64_t first = std::max(at, from);
      const std::uint64_t last = std::min(at + content_[i].length, to);
      out.push_back(content_[i]);
      out.back().offset += first - at;
      out.back().length = last - first;
    }
    return out;
  }

 private:
  const std::vector<model::Extent>& content_;
  std::size_t next_ = 0;
  std::uint64_t begin_ = 0;  // where that extent begins in the file
};

}  // namespace

Archive::Archive(const Context& context) : context_(context), keys_(context.transaction.keys()) {
  const repo::LocalSummary& summary = context_.previous.summary();
  const Previous& last = context_.baseline != nullptr ? *context_.baseline : context_.previous;
  if (last.snapshot() != nullptr) expected_ = last.snapshot()->commit.roots.front();
  racy_from_ = context_.previous.racy_from();
  for (const repo::LocalBundle& bundle : summary.bundles) {
    bundle_totals_[bundle.address] = bundle.total_bytes;
    if (bundle.live_bytes * 2ull < bundle.total_bytes) sparse_.push_back(bundle.address);
  }
  std::sort(sparse_.begin(), sparse_.end());
  old_pages_.insert(summary.pages.begin(), summary.pages.end());
  for (const std::string& path : context_.spec.paths) {
    roots_.push_back({path.substr(std::min<std::size_t>(path.size(), path.starts_with('/') ? 1 : 0)), 0, 0});
  }
}

Result<Archive::End> Archive::run(std::stop_token stop) {
  source::Item item;
  while (!stop.stop_requested()) {
    if (context_.pace.due() && ends_here()) {
      TRY(end_early());
      return End::due;
    }
    auto next = context_.source.next(item, stop);
    // A source that was asked to stop in the middle of its work ends with an error, but no other than ours.
    if (!next.ok() && next.error().kind() == Errc::stopped && stop.stop_requested()) break;
    const bool more = TRY_AS(std::move(next), "reading the source");
    context_.pace.walked();
    if (!more) {
      while (repo::LocalEntry* old = context_.previous.peek()) match(old->entry.path + '\xff');
      TRY(close_bundle());
      TRY(drain(0));
      return left_out_ ? End::stopped : End::complete;
    }
    if (!resumed_ && model::compare_paths(item.entry.path, context_.told.reached) > 0) {
      resumed_ = true;
      context_.pace.resumed();
    }
    reached_ = item.entry.path;
    TRY(take(item, stop));
  }
  TRY(end_early());
  return End::stopped;
}

// Moves the previous tree's cursor to `path`; what it passes is no longer there.
repo::LocalEntry* Archive::match(const std::string& path) {
  for (;;) {
    repo::LocalEntry* old = context_.previous.peek();
    const int order = old == nullptr ? 1 : model::compare_paths(old->entry.path, path);
    if (order > 0) return nullptr;
    if (old->entry.attributes.type == model::FileType::regular) count_before(old->entry.path);
    if (order == 0) return old;
    changes_ = true;
    context_.observer.item("removed", old->entry.path, old->entry.size_bytes);
    context_.previous.pop();
  }
}

bool Archive::lies_in_sparse_bundle(const model::Entry& entry) const {
  return entry.size_bytes <= kBundledFileBytesMax &&
         std::any_of(entry.content.begin(), entry.content.end(), [&](const model::Extent& extent) {
           return !extent.hole && std::binary_search(sparse_.begin(), sparse_.end(), extent.chunk);
         });
}

Result<void> Archive::take(source::Item& item, std::stop_token) {
  if (!item.problem.empty()) {
    fail(item.entry.path, "scan", Error(Errc::denied, item.problem));
    if (item.entry.attributes.type != model::FileType::directory) return {};
  }
  const bool regular = item.entry.attributes.type == model::FileType::regular;
  Pending pending;
  pending.stamp = item.stamp;
  repo::LocalEntry* old = match(item.entry.path);
  repo::LocalEntry previous;
  const bool lost = old != nullptr && context_.previous.lost(*old);
  if (lost) ++read_for_loss_;
  if (old != nullptr) {
    pending.known = true;
    pending.provenance = {context_.previous.leaf(), old->base,
                          !lost && is_same(*old, item.entry, item.stamp, racy_from_)};
    // What the repository has of this part of the tree is lost: a snapshot that has it again is a change.
    if (pending.provenance.leaf == nullptr) changes_ = true;
    previous = std::move(*old);
    context_.previous.pop();
    if (pending.provenance.unchanged) {
      const bool rescue = regular && changes_ && lies_in_sparse_bundle(previous.entry);
      if (!rescue) {
        pending.entry = std::move(previous.entry);
        return enqueue(std::move(pending));
      }
      pending.provenance.unchanged = false;
      item.entry = std::move(previous.entry);
      return queue_small(item, std::move(pending), true, {});
    }
  }
  changes_ = true;
  const auto completed = context_.source.complete(item);
  if (!completed.ok()) fail(item.entry.path, "scan", completed.error());
  // A link without its target can't be made again.
  if (item.entry.attributes.type == model::FileType::symlink && item.entry.target.empty()) return {};
  if (!make_fit(item.entry)) return {};
  item.entry.content.clear();
  item.entry.link_group = 0;
  if (item.entry.attributes.type != model::FileType::directory && item.links > 1) {
    Encoder name;
    name.u64(item.device);
    name.u64(item.stamp.inode);
    item.entry.link_group = first_word(crypto::keyed_hash(keys_.tree(), name.bytes())) | 1;
  }
  if (regular && item.entry.size_bytes > 0 && item.entry.size_bytes <= kBundledFileBytesMax) {
    // A file that was large may lie in a great many places; of a bundle that is mostly dead nothing is kept.
    std::vector<model::Extent> before =
        Slices(previous.entry.content).slice(0, kBundledFileBytesMax + kShiftBytesMax);
    std::erase_if(before, [&](const model::Extent& extent) {
      return extent.hole || !context_.transaction.log().usable(extent.chunk) ||
             std::binary_search(sparse_.begin(), sparse_.end(), extent.chunk);
    });
    return queue_small(item, std::move(pending), false, std::move(before));
  }
  pending.entry = item.entry;
  if (item.stream) return queue_large(item, std::move(pending), nullptr);
  if (!regular || item.entry.size_bytes == 0) return enqueue(std::move(pending));
  return queue_large(item, std::move(pending), pending.known && !lost ? &previous : nullptr);
}

// False where the entry has to be left out, since no leaf of a tree can hold it.
bool Archive::make_fit(model::Entry& entry) {
  if (model::fits_leaf(entry)) return true;
  fail(entry.path, "scan", Error(Errc::unsupported, "its path or its extended attributes are too large"));
  entry.attributes.xattrs.clear();
  return model::fits_leaf(entry);
}

// A bundle ends after a file whose name and size say so, so that equal directories make equal bundles
// wherever they are; with a chance proportional to its size, 1 MiB on average. (Decision 3.)
bool Archive::bundle_ends(const model::Entry& entry) const {
  const std::size_t slash = entry.path.rfind('/');
  Encoder name;
  name.u64(entry.size_bytes);
  name.raw(as_bytes(entry.path.substr(slash == entry.path.npos ? 0 : slash + 1)));
  const std::uint64_t word = first_word(crypto::keyed_hash(keys_.bundle(), name.bytes()));
  return (word >> 32) < ((entry.size_bytes + 256) << 32) / kBundleBytes;
}

Result<void> Archive::queue_small(source::Item& item, Pending pending, bool fresh,
                                  std::vector<model::Extent> before) {
  const std::uint64_t size = item.entry.size_bytes;
  if (open_bundle_ != nullptr && open_bundle_bytes_ + size > kBundleBytesMax) TRY(close_bundle());
  if (open_bundle_ == nullptr) {
    open_bundle_ = std::make_shared<Job>();
    open_bundle_bytes_ = 0;
    ++pending_jobs_;
  }
  pending.bundle = open_bundle_;
  pending.member = open_bundle_->members.size();
  open_bundle_->members.push_back({item, fresh, std::move(before), {}});
  open_bundle_bytes_ += size;
  const bool ends = bundle_ends(item.entry) || open_bundle_->members.size() >= kBundleMembersMax;
  TRY(enqueue(std::move(pending)));
  return ends ? close_bundle() : Result<void>();
}

Result<void> Archive::close_bundle() {
  if (open_bundle_ == nullptr) return {};
  return context_.pipeline.submit(std::exchange(open_bundle_, nullptr));
}

Result<void> Archive::queue_large(source::Item& item, Pending pending, const repo::LocalEntry* old) {
  // A stream is one range: only one thread can read it.
  const std::uint64_t size = item.stream ? kStreamBytesMax : item.entry.size_bytes;
  const std::uint64_t step = item.stream ? kStreamBytesMax : kRangeBytes;
  const bool paged = !item.stream && is_paged(size);
  std::unique_ptr<PageFile> before;
  if (paged && old != nullptr) {
    const std::uint64_t path = path_hash(context_.local, item.entry.path);
    const auto at = old_pages_.find(path);
    if (at != old_pages_.end()) before = PageFile::open(context_.local, path, at->second);
  }
  static const std::vector<model::Extent> kNothing;
  Slices old_content(old == nullptr ? kNothing : old->entry.content);
  std::vector<std::shared_ptr<Job>> jobs;
  if (item.entry.link_group != 0) {
    // Another name of a file that is being stored: the same content.
    const auto same = linked_.find(item.entry.link_group);
    if (same != linked_.end() && same->second.front()->range->item.stamp == item.stamp) {
      pending.ranges = same->second;
      pending.shares_jobs = true;
      return enqueue(std::move(pending));
    }
  }
  for (std::uint64_t from = 0; from < size; from += step) {
    auto job = std::make_shared<Job>();
    Range& range = job->range.emplace();
    range.item = item;
    range.from = from;
    range.to = std::min(from + step, size);
    range.last = range.to == size;
    range.paged = paged;
    range.extents_max = std::clamp<std::uint64_t>(kFileExtents / (size / step + 1), 256, 16 * kKiB);
    if (before != nullptr) {
      range.pages.before = before->read(from / kRangeBytes);
      range.before = old_content.slice(range.from, range.to);
    } else if (!paged && !item.stream && old != nullptr) {
      range.before = old_content.slice(from - std::min(from, kShiftBytesMax), range.to + kShiftBytesMax);
    }
    jobs.push_back(job);
    ++pending_jobs_;
    TRY(context_.pipeline.submit(job));
  }
  if (item.entry.link_group != 0) {
    linked_jobs_ += jobs.size();
    if (linked_jobs_ >= kLinkedJobsMax) {
      linked_.clear();
      linked_jobs_ = jobs.size();
    }
    linked_[item.entry.link_group] = jobs;
  }
  if (old != nullptr) pending.old = std::make_unique<repo::LocalEntry>(*old);
  pending.ranges = std::move(jobs);
  return enqueue(std::move(pending));
}

Result<void> Archive::enqueue(Pending pending) {
  const bool ready = pending_.empty() && pending.bundle == nullptr && pending.ranges.empty();
  if (ready) return emit(std::move(pending));
  pending_.push_back(std::move(pending));
  if (pending_.size() >= kPendingMax) {
    TRY(close_bundle());
    return drain(kPendingMax / 2);
  }
  return pending_jobs_ > kPendingJobsMax ? drain(pending_.size() - 1) : Result<void>();
}

// Emits what is ready at the front, and waits until no more than `left_max` are left.
Result<void> Archive::drain(std::size_t left_max) {
  while (!pending_.empty()) {
    Pending& front = pending_.front();
    std::vector<std::shared_ptr<Job>> jobs = front.ranges;
    if (front.bundle != nullptr) jobs.push_back(front.bundle);
    for (const auto& job : jobs) {
      if (pending_.size() <= left_max && (job == open_bundle_ || !context_.pipeline.done(*job))) return {};
      if (job == open_bundle_) TRY(close_bundle());
      TRY(context_.pipeline.wait(*job));
    }
    Pending ready = std::move(front);
    pending_.pop_front();
    // Other entries lie between the members of a bundle; its job is done with once the last of them has gone.
    const bool last_of_bundle = ready.bundle != nullptr && ready.member + 1 == ready.bundle->members.size();
    pending_jobs_ -= (ready.shares_jobs ? 0 : ready.ranges.size()) + (last_of_bundle ? 1 : 0);
    TRY(emit(std::move(ready)));
  }
  return {};
}

}  // namespace holdfast::flow
