// Index::Addition: an external merge sort whose runs are segments without filter and without name.
#include <algorithm>

#include "repo/index_directory.h"
#include "repo/index_state.h"

namespace holdfast::repo {

namespace {

constexpr std::size_t kRunsMax = 64;  // then they become one: bounds descriptors and buffers

bool newest_first_of_key(const IndexEntry& a, const IndexEntry& b) {
  return a.key != b.key ? a.key < b.key : a.age > b.age;
}

std::vector<model::TransactionId> ascending(std::span<const model::TransactionId> ids) {
  std::vector<model::TransactionId> sorted(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

}  // namespace

struct Index::Run {
  std::vector<IndexEntry> entries;
  std::vector<model::TransactionId> transactions;  // by ordinal
  std::map<model::TransactionId, std::uint32_t> ordinals;
  std::vector<std::shared_ptr<const IndexSegment>> spilled;  // oldest first
  bool failed = false;

  // Most records come transaction by transaction.
  std::uint32_t ordinal(const model::TransactionId& id) {
    if (!transactions.empty() && transactions.back() == id) {
      return static_cast<std::uint32_t>(transactions.size() - 1);
    }
    const auto [at, is_new] = ordinals.try_emplace(id, static_cast<std::uint32_t>(transactions.size()));
    if (is_new) transactions.push_back(id);
    return at->second;
  }

  // Writes what is in memory, and empties it.
  Result<std::shared_ptr<IndexSegment>> write(NewSegment output, const crypto::Key& key, bool filter,
                                              std::vector<model::TransactionId> covered) {
    std::sort(entries.begin(), entries.end(), newest_first_of_key);
    SegmentWriter::Plan plan;
    plan.filter = filter;
    plan.records_max = entries.size();
    for (const IndexEntry& entry : entries) plan.widths.cover(entry);
    SegmentWriter writer(output.file.get(), output.salt, key, plan);
    const IndexEntry* last = nullptr;
    for (const IndexEntry& entry : entries) {
      if (last == nullptr || last->key != entry.key) TRY(writer.add(entry));
      last = &entry;
    }
    entries.clear();
    ordinals.clear();
    TRY(writer.finish(std::exchange(transactions, {}), std::move(covered)));
    return IndexSegment::open(std::move(output.file), output.name, key);
  }
};

Index::Addition Index::addition() { return Addition(*this); }

Index::Addition::Addition(Index& index) : index_(index), run_(std::make_unique<Run>()) {}
Index::Addition::~Addition() = default;
Index::Addition::Addition(Addition&&) noexcept = default;

void Index::Addition::put(const IndexRecord& record) {
  if (run_->failed) return;
  if (run_->entries.size() >= std::max<std::size_t>(index_.limits_.run_records, 1)) spill();
  IndexEntry entry;
  entry.key = load_key(record.key.data());
  entry.values = {run_->ordinal(record.address.pack.transaction), record.address.pack.pack,
                  record.address.slot, record.offset, record.length};
  entry.age = static_cast<std::uint32_t>(run_->entries.size());
  run_->entries.push_back(entry);
}

void Index::Addition::spill() {
  const auto spilled = [&]() -> Result<void> {
    const IndexDirectory& directory = *index_.directory_;
    if (run_->spilled.size() == kRunsMax) {
      NewSegment output = TRY(directory.create_run());
      MergePlan plan;
      plan.inputs = std::exchange(run_->spilled, {});
      plan.filter = false;
      auto merged = TRY(merge_segments(plan, std::move(output), directory.key(), {}));
      run_->spilled.push_back(std::move(merged));
    }
    NewSegment output = TRY(directory.create_run());
    auto segment = TRY(run_->write(std::move(output), directory.key(), false, {}));
    run_->spilled.push_back(std::move(segment));
    return {};
  };
  run_->failed = !spilled().ok();
  if (run_->failed) run_ = std::make_unique<Run>(Run{{}, {}, {}, {}, true});
}

bool Index::Addition::commit(std::span<const model::TransactionId> covered, std::stop_token stop) {
  const std::vector<model::TransactionId> sorted = ascending(covered);
  if (!run_->spilled.empty() && !run_->entries.empty()) spill();
  if (run_->failed) {
    index_.healthy_ = false;
    return false;
  }
  if (run_->spilled.empty() && run_->entries.empty()) return index_.publish(nullptr, sorted);

  const IndexDirectory& directory = *index_.directory_;
  std::string name;
  const auto write = [&]() -> Result<std::shared_ptr<IndexSegment>> {
    NewSegment output = TRY(directory.create_segment());
    name = output.name;
    if (run_->spilled.empty()) return run_->write(std::move(output), directory.key(), true, sorted);
    MergePlan plan;
    plan.inputs = std::exchange(run_->spilled, {});
    plan.covered = sorted;
    return merge_segments(plan, std::move(output), directory.key(), stop);
  };
  auto written = write();
  run_ = std::make_unique<Run>();
  if (written.ok() && index_.publish(std::move(written).value(), {})) return true;
  if (!name.empty()) directory.remove(name);
  if (written.ok() || written.error().kind() != Errc::stopped) index_.healthy_ = false;
  return false;
}

bool Index::add(std::span<const IndexRecord> records, std::span<const model::TransactionId> covered,
                std::stop_token stop) {
  Addition batch = addition();
  for (const IndexRecord& record : records) batch.put(record);
  return batch.commit(covered, stop);
}

}  // namespace holdfast::repo
