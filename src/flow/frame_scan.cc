#include "flow/frame_scan.h"

#include <algorithm>

#include <fmt/core.h>

namespace holdfast::flow {

using repo::kPackHeaderBytes;
using repo::kPackTrailerBytes;

namespace {

// Long enough that a disk or a network reads at full speed, short enough for several threads in little
// memory.
constexpr std::uint64_t kWindowBytes = 4 * kMiB;

Error damaged(std::string what) { return Error(Errc::damaged, std::move(what)); }

}  // namespace

Result<FrameScan> FrameScan::open(storage::Storage& storage, const repo::RepositoryId& repository,
                                  const repo::PackObject& pack, std::stop_token stop) {
  FrameScan scan(storage, repo::pack_name(pack.id, pack.generation));
  TRY(scan.load_ends(repository, pack, stop));
  TRY(scan.load_table(stop));
  return scan;
}

Result<void> FrameScan::load_ends(const repo::RepositoryId& repository, const repo::PackObject& pack,
                                  std::stop_token stop) {
  const storage::ObjectInfo info = TRY(storage_->stat(name_, stop));
  object_bytes_ = info.size_bytes;
  if (object_bytes_ < kPackHeaderBytes + kPackTrailerBytes) return damaged("the object is too short");
  trailer_bytes_ = TRY(storage_->get(name_, {object_bytes_ - kPackTrailerBytes, kPackTrailerBytes}, stop));
  repo::DecodedTrailer decoded = TRY(repo::decode_trailer(trailer_bytes_));
  trailer_ = decoded.trailer;
  header_ = TRY(repo::decode_header(decoded.header));
  header_bytes_ = std::move(decoded.header);
  const Buffer front = TRY(storage_->get(name_, {0, kPackHeaderBytes}, stop));
  if (front != header_bytes_) warnings_.push_back("the header is damaged, its copy in the trailer is whole");
  const repo::Identity& identity = header_.identity;
  if (identity.repository != repository || identity.pack != pack.id ||
      header_.kept.generation != pack.generation) {
    return damaged("the object is another pack under this name");
  }
  if (trailer_.object_bytes(identity.frame_bytes()) != object_bytes_) {
    return damaged("the object's size is not what its trailer says");
  }
  const auto kept = std::count(header_.kept.kept.begin(), header_.kept.kept.end(), true);
  if (pack.generation != 0 && static_cast<std::uint64_t>(kept) != trailer_.frames()) {
    return damaged("its map of kept frames does not fit");
  }
  identity_hash_ = repo::identity_hash(header_bytes_);
  return {};
}

Result<void> FrameScan::load_table(std::stop_token stop) {
  const std::uint64_t bytes = (std::uint64_t{trailer_.frames()} + trailer_.parity_frames()) * sizeof(Hash);
  const std::uint64_t first = object_bytes_ - kPackTrailerBytes - 2 * bytes;
  Buffer both = TRY(storage_->get(name_, {first, 2 * bytes}, stop));
  bool whole[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const Bytes table = Bytes(both).subspan(i * bytes, bytes);
    whole[i] = repo::pack_root(header_bytes_, trailer_, table) == trailer_.root;
  }
  if (!whole[0] && !whole[1]) return damaged("both copies of its frame table are damaged");
  if (!whole[0] || !whole[1]) warnings_.push_back("one of two copies of the frame table is damaged");
  if (!whole[0]) both.erase(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(bytes));
  both.resize(bytes);
  table_ = std::move(both);
  return {};
}

Result<void> FrameScan::run(const Visit& visit, std::stop_token stop) {
  const std::size_t frame_bytes = header_.identity.frame_bytes();
  const std::uint32_t all = trailer_.frames() + trailer_.parity_frames();
  const auto step = static_cast<std::uint32_t>(kWindowBytes / frame_bytes);
  for (std::uint32_t first = 0; first < all; first += step) {
    const std::uint32_t count = std::min(step, all - first);
    const Buffer window = TRY(storage_->get(
        name_, {kPackHeaderBytes + std::uint64_t{first} * frame_bytes, std::uint64_t{count} * frame_bytes},
        stop));
    for (std::uint32_t i = 0; i < count; ++i) {
      const Bytes frame = Bytes(window).subspan(i * frame_bytes, frame_bytes);
      const Hash hash = crypto::hash(frame);
      const Bytes expected = Bytes(table_).subspan((first + i) * sizeof(Hash), sizeof(Hash));
      visit(first + i, frame, std::equal(hash.begin(), hash.end(), expected.begin()));
    }
  }
  return {};
}

bool FrameLosses::repairable() const {
  std::vector<std::uint32_t> losses(trailer_.stripes);
  for (const std::uint32_t position : lost_) {
    const bool is_parity = position >= trailer_.frames();
    const std::uint32_t stripe =
        is_parity ? (position - trailer_.frames()) / trailer_.parity_per_stripe : position % trailer_.stripes;
    if (++losses[stripe] > trailer_.parity_per_stripe) return false;
  }
  return true;
}

std::string FrameLosses::text() const {
  constexpr std::size_t kListed = 8;
  std::string at;
  for (std::size_t i = 0; i < std::min(lost_.size(), kListed); ++i) {
    at += (i == 0 ? "" : ", ") + std::to_string(lost_[i]);
  }
  if (lost_.size() > kListed) at += ", …";
  return fmt::format("{} of {} frames are damaged (at {}): {}", lost_.size(),
                     trailer_.frames() + trailer_.parity_frames(), at,
                     repairable() ? "parity can rebuild them" : "too many for parity to rebuild");
}

}  // namespace holdfast::flow
