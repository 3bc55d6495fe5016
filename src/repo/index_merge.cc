#include <algorithm>

#include "repo/index_writer.h"

namespace holdfast::repo {

namespace {

using model::TransactionId;

constexpr std::uint64_t kStopEvery = 4096;  // entries between two looks at the stop token

// The sorted union of `all` and one list of each input.
std::vector<TransactionId> united(const MergePlan& plan, std::vector<TransactionId> SegmentTables::*list,
                                  std::vector<TransactionId> all) {
  for (const auto& input : plan.inputs) {
    const auto& more = input->tables().*list;
    all.insert(all.end(), more.begin(), more.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

// The inputs as one ascending sequence, of one key the newest first: cursors under a binary heap.
class Merged {
 public:
  explicit Merged(const std::vector<TransactionId>& transactions) : transactions_(transactions) {}

  Result<void> add(const std::shared_ptr<const IndexSegment>& segment) {
    Way way{IndexSegment::Cursor(segment), {}, {}};
    way.ordinals.reserve(segment->tables().transactions.size());
    for (const TransactionId& id : segment->tables().transactions) {
      const auto at = std::lower_bound(transactions_.begin(), transactions_.end(), id);
      way.ordinals.push_back(static_cast<std::uint32_t>(at - transactions_.begin()));
    }
    way.head.age = static_cast<std::uint32_t>(ways_.size());
    const bool more = TRY(advance(way));
    if (more) heap_.push_back(way.head.age);
    ways_.push_back(std::move(way));
    std::push_heap(heap_.begin(), heap_.end(), [this](auto a, auto b) { return later(a, b); });
    return {};
  }

  bool empty() const { return heap_.empty(); }
  const IndexEntry& head() const { return ways_[heap_.front()].head; }

  Result<void> next() {
    const bool more = TRY(advance(ways_[heap_.front()]));
    if (!more) {
      std::swap(heap_.front(), heap_.back());
      heap_.pop_back();
    }
    sink();
    return {};
  }

 private:
  struct Way {
    IndexSegment::Cursor cursor;
    std::vector<std::uint32_t> ordinals;  // of its transactions in the output
    IndexEntry head;
  };

  bool later(std::uint32_t a, std::uint32_t b) const {
    const KeyHalves& key_a = ways_[a].head.key;
    const KeyHalves& key_b = ways_[b].head.key;
    return key_a != key_b ? key_a > key_b : a < b;
  }

  static Result<bool> advance(Way& way) {
    const bool more = TRY(way.cursor.next());
    if (!more) return false;
    way.head.key = way.cursor.entry().key;
    way.head.values = way.cursor.entry().values;
    std::uint32_t& transaction = way.head.values[IndexEntry::kTransaction];
    if (transaction >= way.ordinals.size()) return Error(Errc::damaged, "index entry without transaction");
    transaction = way.ordinals[transaction];
    return true;
  }

  // The root has grown: half the comparisons of a pop and a push.
  void sink() {
    std::size_t at = 0;
    while (true) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) return;
      if (child + 1 < heap_.size() && later(heap_[child], heap_[child + 1])) ++child;
      if (!later(heap_[at], heap_[child])) return;
      std::swap(heap_[at], heap_[child]);
      at = child;
    }
  }

  const std::vector<TransactionId>& transactions_;
  std::vector<Way> ways_;            // oldest first
  std::vector<std::uint32_t> heap_;  // of those that have entries left
};

}  // namespace

Result<std::shared_ptr<IndexSegment>> merge_segments(const MergePlan& plan, NewSegment output,
                                                     const crypto::Key& cache_key, std::stop_token stop) {
  std::vector<TransactionId> transactions = united(plan, &SegmentTables::transactions, {});
  SegmentWriter::Plan shape;
  shape.filter = plan.filter;
  Merged merged(transactions);
  for (const auto& input : plan.inputs) {
    shape.records_max += input->tables().records;
    shape.widths.cover(input->tables().widths);
    TRY(merged.add(input));
  }
  // Ordinals may grow by the union; no table is as long as 2^32.
  IndexEntry last;
  last.values[IndexEntry::kTransaction] = static_cast<std::uint32_t>(transactions.size());
  shape.widths.cover(last);

  SegmentWriter writer(output.file.get(), output.salt, cache_key, shape);
  std::optional<KeyHalves> written;
  for (std::uint64_t count = 0; !merged.empty(); ++count) {
    if (count % kStopEvery == 0 && stop.stop_requested()) return Error(Errc::stopped, "index merge");
    const IndexEntry& head = merged.head();
    const auto& values = head.values;
    const model::PackId pack{transactions[values[IndexEntry::kTransaction]], values[IndexEntry::kPack]};
    // An older record of the key takes the place of one that is gone.
    if (head.key != written && !(plan.gone && plan.gone(pack))) {
      written = head.key;
      TRY(writer.add(head));
    }
    TRY(merged.next());
  }
  TRY(writer.finish(std::move(transactions), united(plan, &SegmentTables::covered, plan.covered)));
  return IndexSegment::open(std::move(output.file), output.name, cache_key);
}

}  // namespace holdfast::repo
