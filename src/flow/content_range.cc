#include "flow/content_range.h"

#include "repo/pack_reader.h"

namespace holdfast::flow {

Result<void> Storer::store_by_content(Range& range, source::Content& content, std::stop_token stop) {
  return ContentRange(*this, range, content).store(stop);
}

ContentRange::ContentRange(Storer& storer, Range& range, source::Content& content)
    : storer_(storer), range_(range), content_(content), patch_([&storer](Bytes data, std::stop_token stop) {
        return storer.store_data(data, Storer::Remember::pieces, stop);
      }) {}

Result<void> ContentRange::store(std::stop_token stop) {
  const auto runs = content_.data_runs(range_.from, range_.to);
  if (!runs.ok()) {
    range_.result.error = runs.error().copy();
    return {};
  }
  FileResult& result = range_.result;
  std::uint64_t at = range_.from;
  for (const auto& [from, to] : runs.value()) {
    patch_.keep(hole(from - at));
    result.size_bytes += from - at;
    TRY(cut_run(from, to, stop));
    at = to;
    if (result.error || result.changed) break;
  }
  if (!result.error && !result.changed) {
    patch_.keep(hole(range_.to - at));
    result.size_bytes += range_.to - at;
  }
  result.content = TRY(patch_.finish(stop));
  return {};
}

// Reads on from `at` where the window lacks bytes for a chunk. False where the file can't be read.
Result<bool> ContentRange::fill(std::uint64_t& at, std::uint64_t& to) {
  Buffer& window = storer_.window_;
  if (end_ - begin_ >= storer_.limits_.size_max || at >= to) return true;
  std::copy(window.begin() + static_cast<std::ptrdiff_t>(begin_),
            window.begin() + static_cast<std::ptrdiff_t>(end_), window.begin());
  end_ -= begin_;
  begin_ = 0;
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(window.size() - end_, to - at));
  const auto got = content_.read(at, MutableBytes(window).subspan(end_, want));
  if (!got.ok()) {
    range_.result.error = got.error().copy();
    return false;
  }
  end_ += got.value();
  at += got.value();
  if (got.value() < want) {  // the end of a stream; or the file became shorter
    range_.result.changed = !range_.item.stream;
    to = at;
  }
  return true;
}

// Cuts [from, to) by content.
Result<void> ContentRange::cut_run(std::uint64_t from, std::uint64_t to, std::stop_token stop) {
  storer_.window_.resize(2 * std::size_t{storer_.limits_.size_max});
  begin_ = end_ = 0;
  std::uint64_t at = from;  // read so far
  while (at < to || begin_ < end_) {
    if (storer_.halted(stop)) return Error(Errc::stopped, "stopped");
    const bool readable = TRY(fill(at, to));
    if (!readable) return {};
    const Bytes bytes = Bytes(storer_.window_).subspan(begin_, end_ - begin_);
    if (bytes.empty()) continue;
    const std::size_t length = chunk::cut(storer_.context_.gear, storer_.limits_, bytes, at >= to);
    if (length == 0) continue;
    TRY(store_chunk(bytes.first(length), stop));
    range_.result.size_bytes += length;
    begin_ += length;
  }
  return {};
}

// Not before the first chunk that is not known: most changed files have few of them.
void ContentRange::load_old_pieces() {
  if (std::exchange(old_loaded_, true)) return;
  const std::vector<model::Address> sparse = sparse_chunks(range_.before);
  for (const model::Extent& extent : range_.before) {
    if (extent.hole || std::binary_search(sparse.begin(), sparse.end(), extent.chunk)) continue;
    old_.add(extent, storer_.context_.pieces.find(extent.chunk));
  }
}

// A chunk that is not known, as parts that are and parts that are new; nothing where it is not worth it.
std::vector<Part> ContentRange::divide(Bytes data) {
  if (range_.before.empty() || patch_.extents() >= range_.extents_max) return {};
  load_old_pieces();
  return storer_.divide(old_, data);
}

Result<void> ContentRange::store_chunk(Bytes data, std::stop_token stop) {
  const Storer::Data found = storer_.look_up(data);
  if (found.known) {
    patch_.keep(*found.known);
    return {};
  }
  const std::vector<Part> parts = divide(data);
  if (parts.empty()) {
    const model::Extent stored = TRY(storer_.store_unknown(found.name, data, Storer::Remember::pieces, stop));
    patch_.keep(stored);
  }
  for (const Part& part : parts) {
    if (part.known) {
      patch_.keep(part.where);
    } else {
      TRY(patch_.add(data.subspan(part.begin, part.length), stop));
    }
  }
  return {};
}

}  // namespace holdfast::flow
