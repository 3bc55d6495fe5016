// Pieces: the parts of a file, about 4 KiB each and cut by content, by which a later backup recognises
// what of a changed file it has stored before. They are remembered locally (piece_store.h), never in the
// repository, so how they are cut is no part of the format. Pure.
#pragma once

#include <vector>

#include "crypto/fingerprint.h"
#include "model/commit.h"

namespace holdfast::flow {

// Smaller files are stored anew as a whole: nearly all of their few pieces would be changed.
inline constexpr std::uint64_t kPiecedBytesMin = 8 * kKiB;

using PieceId = std::array<std::uint8_t, 16>;

struct Piece {
  std::uint32_t length = 0;
  PieceId id{};  // a fingerprint of its bytes; all zero: not known
};

// A piece has 1 to 16 KiB. It ends after 8 bytes, as four little-endian u16 w, for which the sum of w[i]
// times the i-th factor, plus a term, modulo 2^16, is below 2^6; before 4 KiB below 2^2 (FastCDC's
// normalisation). Windows that don't depend on each other can be looked at many at once, unlike those of a
// rolling hash. One thread at a time.
class PieceCutter {
 public:
  static constexpr std::size_t kLengthMin = 1 * kKiB;
  static constexpr std::size_t kLengthUsual = 4 * kKiB;
  static constexpr std::size_t kLengthMax = 16 * kKiB;

  // Equal keys cut equally.
  explicit PieceCutter(const crypto::Key& key);
  // Appends the pieces of `data`, which is one file's, or one chunk of it.
  void cut(Bytes data, std::vector<Piece>& pieces);

 private:
  std::size_t length_of_first(Bytes data) const;

  std::array<std::uint16_t, 4> factors_;
  std::uint16_t term_;
  crypto::Fingerprint fingerprint_;
};

// A part of a file: `length` bytes that lie in the repository already, or that don't.
struct Part {
  std::size_t begin = 0, length = 0;
  bool known = false;
  model::Extent where;  // if known
};

// The pieces of a file as it was, by their ids.
class OldPieces {
 public:
  // A part of the old content, and the pieces of the chunk that it lies in, which lie end to end there.
  void add(const model::Extent& extent, const std::vector<Piece>& of_chunk);
  bool empty() const { return places_.empty(); }
  // `data`, which consists of `pieces`, as known and unknown parts in turn.
  std::vector<Part> divide(const std::vector<Piece>& pieces);

 private:
  struct Place {
    Piece piece;
    model::Extent where;
  };
  const model::Extent* find(const Piece& piece, const Part* before) const;
  void sort();
  std::vector<Place> places_;
  bool sorted_ = false;
};

// Whether storing only the unknown parts is worth the extents: at least half is known, and it does not
// scatter the file over more places than a restore would like.
bool worth_dividing(const std::vector<Part>& parts);

// Chunks of which `content` uses less than half, as far as it knows them: what it has there had better be
// stored anew. Sorted.
std::vector<model::Address> sparse_chunks(const std::vector<model::Extent>& content);

}  // namespace holdfast::flow
