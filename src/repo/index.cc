#include "repo/index.h"

#include <sys/file.h>

#include <algorithm>
#include <bit>

#include "repo/index_directory.h"
#include "repo/index_state.h"

namespace holdfast::repo {

namespace {

constexpr std::size_t kFanOut = 8;
constexpr std::size_t kMergeMax = 64;  // segments at once: 8 MiB of buffers
constexpr std::uint64_t kSmallestLevelRecords = 4096;

// Segments of one level differ in size less than by the fan-out.
int level(const IndexSegment& segment) {
  const std::uint64_t units = segment.tables().records / kSmallestLevelRecords;
  return static_cast<int>((std::bit_width(units) + 2) / 3);
}

// The first kFanOut or more neighbours in age of which none is above the lowest possible level. Only
// neighbours may be merged, for the newest record of a key must win.
IndexSegments due(const IndexSegments& segments) {
  int highest = 0;
  for (const auto& segment : segments) highest = std::max(highest, level(*segment));
  for (int limit = 0; limit <= highest; ++limit) {
    IndexSegments run;
    for (const auto& segment : segments) {
      if (level(*segment) <= limit && run.size() < kMergeMax) {
        run.push_back(segment);
      } else if (run.size() < kFanOut) {
        run.clear();
      } else {
        break;
      }
    }
    if (run.size() >= kFanOut) return run;
  }
  return {};
}

}  // namespace

std::unique_ptr<Index> Index::open(const std::string& directory, crypto::Key cache_key,
                                   const IndexLimits& limits, Random& random) {
  auto files = std::make_unique<IndexDirectory>(directory, std::move(cache_key), random);
  const bool prepared = files->prepare();
  std::unique_ptr<Index> index(new Index(std::move(files), limits));
  if (!prepared) index->healthy_ = false;
  const Fd lock = index->directory_->lock();
  index->state_ = std::make_shared<const State>(index->load());
  return index;
}

Index::Index(std::unique_ptr<IndexDirectory> directory, const IndexLimits& limits)
    : directory_(std::move(directory)), limits_(limits), state_(std::make_shared<const State>()) {}

Index::~Index() = default;

std::shared_ptr<const Index::State> Index::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::optional<IndexRecord> Index::find(const IndexKey& key) const { return find_in(*state(), key); }

std::optional<IndexRecord> Index::find_in(const State& state, const IndexKey& key) const {
  const KeyHalves halves = load_key(key.data());
  for (auto at = state.segments.rbegin(); at != state.segments.rend(); ++at) {
    const IndexSegment& segment = **at;
    if (segment.damaged()) continue;
    const auto found = segment.find(halves);
    if (!found.ok()) {
      forget(segment);
      continue;
    }
    if (!found.value()) continue;
    const auto& values = found.value()->values;
    IndexRecord record;
    record.key = key;
    record.address.pack.transaction = segment.transaction(values[IndexEntry::kTransaction]);
    record.address.pack.pack = values[IndexEntry::kPack];
    record.address.slot = values[IndexEntry::kSlot];
    record.offset = values[IndexEntry::kOffset];
    record.length = values[IndexEntry::kLength];
    return record;
  }
  return std::nullopt;
}

std::vector<std::optional<IndexRecord>> Index::find_batch(std::span<const IndexKey> keys) const {
  const std::shared_ptr<const State> now = state();
  std::vector<std::optional<IndexRecord>> found;
  found.reserve(keys.size());
  // Each segment keeps its last page decrypted: ascending keys read a page once.
  for (const IndexKey& key : keys) found.push_back(find_in(*now, key));
  return found;
}

bool Index::covers(const model::TransactionId& id) const {
  const std::shared_ptr<const State> now = state();
  if (std::binary_search(now->forgotten.begin(), now->forgotten.end(), id)) return true;
  return std::any_of(now->segments.begin(), now->segments.end(),
                     [&](const auto& segment) { return !segment->damaged() && segment->covers(id); });
}

// The file goes at once: so the next to open this cache doesn't believe it to cover anything.
void Index::forget(const IndexSegment& segment) const {
  healthy_ = false;
  directory_->remove(segment.name());
}

IndexUsage Index::usage() const {
  IndexUsage usage;
  for (const auto& segment : state()->segments) {
    if (segment->damaged()) continue;
    ++usage.segments;
    usage.records += segment->tables().records;
    usage.bytes_disk += segment->bytes();
    usage.bytes_resident += segment->bytes_resident();
  }
  return usage;
}

// What the manifest lists and is there, using segments already open.
Index::State Index::load() const {
  State next;
  auto manifest = directory_->read_manifest();
  if (!manifest.ok()) {
    healthy_ = false;
    return next;
  }
  next.forgotten = std::move(manifest.value().forgotten);
  const std::shared_ptr<const State> now = state();
  for (const std::string& name : manifest.value().segments) {
    const auto known = std::find_if(now->segments.begin(), now->segments.end(),
                                    [&](const auto& segment) { return segment->name() == name; });
    if (known != now->segments.end()) {
      if (!(*known)->damaged()) next.segments.push_back(*known);
      continue;
    }
    auto opened = directory_->open_segment(name);
    if (opened.ok()) {
      next.segments.push_back(std::move(opened).value());
    } else {
      healthy_ = false;
    }
  }
  return next;
}

void Index::trim(State& state) const {
  std::uint64_t bytes = 0;
  for (const auto& segment : state.segments) bytes += segment->bytes();
  while (bytes > limits_.bytes_max) {
    const IndexSegment& oldest = *state.segments.front();
    bytes -= oldest.bytes();
    // Still covered: read again, its records would only be dropped again.
    state.forget_records_of(oldest.tables().covered);
    state.segments.erase(state.segments.begin());
  }
}

// Changes what the manifest lists, as another process may have left it, and shows that to find().
bool Index::commit(const std::function<bool(State&)>& change) {
  const Fd lock = directory_->lock();
  State next = load();
  if (!change(next)) return false;
  trim(next);
  IndexManifest manifest;
  for (const auto& segment : next.segments) manifest.segments.push_back(segment->name());
  manifest.forgotten = next.forgotten;
  if (!directory_->write_manifest(manifest).ok()) {
    healthy_ = false;
    return false;
  }
  for (const auto& segment : next.segments) ::flock(segment->file().get(), LOCK_UN);
  directory_->sweep(manifest);
  const std::lock_guard guard(mutex_);
  state_ = std::make_shared<const State>(std::move(next));
  return true;
}

bool Index::publish(std::shared_ptr<IndexSegment> segment, std::vector<model::TransactionId> covered) {
  return commit([&](State& next) {
    if (segment) {
      next.segments.push_back(segment);
    } else {
      next.forget_records_of(covered);
    }
    return true;
  });
}

bool Index::merge(Merge which, const PackGone& gone, std::stop_token stop) {
  while (true) {
    const std::shared_ptr<const State> now = state();
    IndexSegments inputs = which == Merge::due ? due(now->segments) : now->segments;
    if (inputs.size() > kMergeMax) inputs.resize(kMergeMax);
    if (inputs.empty()) return true;
    if (!merge_some(inputs, gone, stop)) return false;
    if (which == Merge::all && inputs.size() == now->segments.size()) return true;
  }
}

bool Index::merge_some(const IndexSegments& inputs, const PackGone& gone, std::stop_token stop) {
  auto made = directory_->create_segment();
  if (!made.ok()) {
    healthy_ = false;
    return false;
  }
  const std::string name = made.value().name;
  MergePlan plan;
  plan.inputs.assign(inputs.begin(), inputs.end());
  plan.gone = gone;
  auto merged = merge_segments(plan, std::move(made).value(), directory_->key(), stop);
  if (!merged.ok()) {
    directory_->remove(name);
    if (merged.error().kind() != Errc::stopped) healthy_ = false;
    for (const auto& input : inputs) {
      if (input->damaged()) forget(*input);
    }
    return false;
  }
  const std::shared_ptr<IndexSegment>& segment = merged.value();
  const bool done = commit([&](State& next) {
    const auto at = std::search(next.segments.begin(), next.segments.end(), inputs.begin(), inputs.end());
    if (at == next.segments.end()) return false;  // another process was faster
    const auto rest = next.segments.erase(at, at + static_cast<std::ptrdiff_t>(inputs.size()));
    if (segment->tables().records == 0) {
      next.forget_records_of(segment->tables().covered);
    } else {
      next.segments.insert(rest, segment);
    }
    return true;
  });
  if (!done || segment->tables().records == 0) directory_->remove(name);
  return done;
}

}  // namespace holdfast::repo
