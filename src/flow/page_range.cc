#include "flow/page_range.h"

#include "crypto/hash.h"

namespace holdfast::flow {

Result<void> Storer::store_by_pages(Range& range, source::Content& content, std::stop_token stop) {
  return PageRange(*this, range, content).store(stop);
}

PageRange::PageRange(Storer& storer, Range& range, source::Content& content)
    : storer_(storer),
      range_(range),
      content_(content),
      patch_([&storer](Bytes data, std::stop_token stop) {
        return storer.store_data(data, Storer::Remember::nothing, stop);
      }),
      sparse_(sparse_chunks(range.before)),
      old_from_(range.from) {}

Result<bool> PageRange::read_block(std::uint64_t from, std::size_t length) {
  block_.resize(length);
  const auto got = content_.read(from, block_);
  if (!got.ok()) {
    range_.result.error = got.error().copy();
    return false;
  }
  if (got.value() < length) {
    range_.result.changed = true;  // became shorter: what is missing reads as zeros
    std::fill(block_.begin() + static_cast<std::ptrdiff_t>(got.value()), block_.end(), std::uint8_t{0});
  }
  return true;
}

Result<void> PageRange::store(std::stop_token stop) {
  const auto runs = content_.data_runs(range_.from, range_.to);
  if (!runs.ok()) {
    range_.result.error = runs.error().copy();
    return {};
  }
  auto run = runs.value().begin();
  for (std::uint64_t from = range_.from; from < range_.to; from += kBlockBytes) {
    if (storer_.halted(stop)) return Error(Errc::stopped, "stopped");
    const std::uint64_t to = std::min<std::uint64_t>(from + kBlockBytes, range_.to);
    while (run != runs.value().end() && run->second <= from) ++run;
    const bool has_data = run != runs.value().end() && run->first < to;
    if (!has_data) {
      patch_.keep(hole(to - from));
      continue;
    }
    // A range that is one hole has none, so that a huge file of holes costs nothing.
    if (range_.pages.now.empty()) range_.pages.now.assign((range_.to - range_.from) / kPageBytes, 0);
    const bool read = TRY(read_block(from, static_cast<std::size_t>(to - from)));
    if (!read) return {};
    hash_pages((from - range_.from) / kPageBytes, block_);
    TRY(store_block(from, block_, stop));
  }
  range_.result.size_bytes = range_.to - range_.from;
  range_.result.content = TRY(patch_.finish(stop));
  return {};
}

void PageRange::hash_pages(std::size_t first_page, Bytes block) {
  for (std::size_t i = 0; i * kPageBytes < block.size(); ++i) {
    const Bytes page = block.subspan(i * kPageBytes, kPageBytes);
    std::uint64_t word = 0;
    if (!all_zero(page)) {
      const Hash hash = crypto::keyed_hash(storer_.keys_.member_id(), page);
      std::memcpy(&word, hash.data(), sizeof word);
      word = std::max<std::uint64_t>(word, 1);
    }
    range_.pages.now[first_page + i] = word;
  }
}

// The old content of [from, to), which ascends from call to call.
std::vector<model::Extent> PageRange::old_extents(std::uint64_t from, std::uint64_t to) {
  std::vector<model::Extent> out;
  const auto& before = range_.before;
  while (old_at_ < before.size() && old_from_ + before[old_at_].length <= from)
    old_from_ += before[old_at_++].length;
  std::uint64_t begins = old_from_;
  for (std::size_t i = old_at_; i < before.size() && begins < to; begins += before[i++].length) {
    const std::uint64_t first = std::max(begins, from);
    const std::uint64_t last = std::min(begins + before[i].length, to);
    if (first >= last) continue;
    model::Extent piece = before[i];
    piece.offset += first - begins;
    piece.length = last - first;
    out.push_back(piece);
  }
  return out;
}

Result<void> PageRange::store_block(std::uint64_t from, Bytes block, std::stop_token stop) {
  const std::size_t first_page = (from - range_.from) / kPageBytes;
  const std::size_t pages = block.size() / kPageBytes;
  const auto& before = range_.pages.before;
  if (before.size() >= first_page + pages && patch_.extents() < range_.extents_max) {
    const std::vector<model::Extent> old = old_extents(from, from + block.size());
    std::uint64_t covered = 0;
    std::vector<bool> changed(pages);
    for (std::size_t i = 0; i < pages; ++i)
      changed[i] = before[first_page + i] != range_.pages.now[first_page + i];
    for (const model::Extent& extent : old) {
      if (!extent.hole && std::binary_search(sparse_.begin(), sparse_.end(), extent.chunk)) {
        for (std::uint64_t at = covered; at < covered + extent.length; at += kPageBytes)
          changed[at / kPageBytes] = true;
      }
      covered += extent.length;
    }
    if (covered == block.size() && worth_patching(old, changed)) {
      return store_changed(old, changed, block, stop);
    }
  }
  const model::Extent stored = TRY(storer_.store_data(block, Storer::Remember::nothing, stop));
  patch_.keep(stored);
  return {};
}

// A block is patched while at least half of it stays where it was.
bool PageRange::worth_patching(const std::vector<model::Extent>& old,
                               const std::vector<bool>& changed) const {
  std::map<model::Address, std::size_t> stays;
  std::size_t at = 0;
  std::size_t most = 0;
  for (const model::Extent& extent : old) {
    for (std::uint64_t i = 0; i < extent.length / kPageBytes; ++i, ++at) {
      if (!changed[at]) most = std::max(most, ++stays[extent.chunk]);
    }
  }
  return most * 2 >= changed.size();
}

Result<void> PageRange::store_changed(const std::vector<model::Extent>& old, const std::vector<bool>& changed,
                                      Bytes block, std::stop_token stop) {
  std::size_t page = 0;
  for (const model::Extent& extent : old) {
    for (std::uint64_t i = 0; i < extent.length / kPageBytes; ++i, ++page) {
      const Bytes bytes = block.subspan(page * kPageBytes, kPageBytes);
      model::Extent piece = extent;
      piece.offset += i * kPageBytes;
      piece.length = kPageBytes;
      if (!changed[page]) {
        patch_.keep(piece);
      } else if (all_zero(bytes)) {
        patch_.keep(hole(kPageBytes));
      } else {
        TRY(patch_.add(bytes, stop));
      }
    }
  }
  return {};
}

}  // namespace holdfast::flow
