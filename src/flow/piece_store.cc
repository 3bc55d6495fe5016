#include "flow/piece_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/fd.h"
#include "base/names_in.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "repo/names.h"

namespace holdfast::flow {

namespace {

constexpr char kFolder[] = "/pieces/";
// Of one pack: 5 MiB of them. A pack of very compressible data may have more, which then are not remembered.
constexpr std::size_t kPiecesPerPackMax = 256 * 1024;
constexpr off_t kFileBytesMax = 16 * kMiB;
constexpr std::size_t kOverheadBytes = crypto::kNonceBytes + crypto::kTagBytes;
constexpr std::size_t kLoadedMax = 4;
constexpr std::int64_t kUnfinishedSeconds = 7 * 24 * 3600;

crypto::Aead aead_for(const repo::LocalState& local, const model::PackId& pack) {
  const std::string name = repo::text(pack);
  return crypto::Aead(crypto::derive_key("holdfast 0 pieces", {local.key().bytes(), as_bytes(name)}));
}

Buffer read_file(const std::string& name) {
  const Fd fd(::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || status.st_size > kFileBytesMax) return {};
  Buffer out(static_cast<std::size_t>(status.st_size));
  const ssize_t got = ::pread(fd.get(), out.data(), out.size(), 0);
  return got == static_cast<ssize_t>(out.size()) ? out : Buffer{};
}

// One chunk's record: its slot, the number of its pieces, and those.
std::vector<Piece> read_record(Decoder& in, std::uint32_t& slot) {
  slot = in.varint32();
  std::vector<Piece> pieces(std::min<std::uint64_t>(in.varint(), kPiecesPerPackMax));
  for (Piece& piece : pieces) {
    piece.length = in.varint32();
    piece.id = in.array<16>();
  }
  return pieces;
}

}  // namespace

std::string PieceStore::file_name(const model::PackId& pack) const {
  return local_.directory() + kFolder + repo::text(pack);
}

void PieceStore::add(const model::Address& chunk, const std::vector<Piece>& pieces) {
  if (local_.directory().empty()) return;
  const std::lock_guard lock(mutex_);
  Making& making = making_[chunk.pack];
  if (making.pieces + pieces.size() > kPiecesPerPackMax) return;
  making.pieces += pieces.size();
  making.records.varint(chunk.slot);
  making.records.varint(pieces.size());
  for (const Piece& piece : pieces) {
    making.records.varint(piece.length);
    making.records.raw(piece.id);
  }
}

void PieceStore::close(const model::PackId& pack) {
  Buffer plain;
  {
    const std::lock_guard lock(mutex_);
    const auto at = making_.find(pack);
    if (at == making_.end()) return;
    plain = at->second.records.take();
    making_.erase(at);
  }
  ::mkdir((local_.directory() + kFolder).c_str(), 0700);
  // What stands there belongs to a store that was put back to an earlier state.
  ::unlink(file_name(pack).c_str());
  const Fd fd(::open(file_name(pack).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return;
  // From the text, so that cloned machines don't put two texts under one nonce.
  const Hash hash = crypto::keyed_hash(local_.key(), plain);
  crypto::Nonce nonce;
  std::copy_n(hash.begin(), nonce.size(), nonce.begin());
  Buffer sealed(kOverheadBytes + plain.size());
  std::copy(nonce.begin(), nonce.end(), sealed.begin());
  aead_for(local_, pack).seal(nonce, {}, plain, MutableBytes(sealed).subspan(nonce.size()));
  // A short write leaves a file that does not open: not known.
  if (::write(fd.get(), sealed.data(), sealed.size()) < 0) return;
}

PieceStore::Loaded PieceStore::load(const model::PackId& pack) const {
  Loaded loaded{pack, {}, {}};
  const Buffer sealed = read_file(file_name(pack));
  if (sealed.size() < kOverheadBytes) return loaded;
  crypto::Nonce nonce;
  std::copy_n(sealed.begin(), nonce.size(), nonce.begin());
  loaded.records.resize(sealed.size() - kOverheadBytes);
  if (!aead_for(local_, pack).open(nonce, {}, Bytes(sealed).subspan(nonce.size()), loaded.records))
    return loaded;
  Decoder in(loaded.records);
  while (in.ok() && in.left() > 0) {
    const std::size_t at = loaded.records.size() - in.left();
    std::uint32_t slot = 0;
    read_record(in, slot);
    if (in.ok()) loaded.slots.emplace(slot, at);
  }
  return loaded;
}

std::vector<Piece> PieceStore::find(const model::Address& chunk) {
  if (local_.directory().empty()) return {};
  const std::lock_guard lock(mutex_);
  auto at = std::find_if(loaded_.begin(), loaded_.end(),
                         [&](const Loaded& loaded) { return loaded.pack == chunk.pack; });
  if (at == loaded_.end()) {
    if (loaded_.size() >= kLoadedMax) loaded_.pop_back();
    loaded_.push_front(load(chunk.pack));
  } else if (at != loaded_.begin()) {
    loaded_.splice(loaded_.begin(), loaded_, at);
  }
  const Loaded& loaded = loaded_.front();
  const auto record = loaded.slots.find(chunk.slot);
  if (record == loaded.slots.end()) return {};
  Decoder in(Bytes(loaded.records).subspan(record->second));
  std::uint32_t slot = 0;
  return read_record(in, slot);
}

void PieceStore::sweep(const std::function<Want(const model::PackId&)>& wanted, std::int64_t now_seconds) {
  if (local_.directory().empty()) return;
  const std::string folder = local_.directory() + kFolder;
  const auto files = names_in(folder);
  if (!files.ok()) return;
  for (const std::string& file : files.value()) {
    const auto pack = repo::parse_pack_id(file);
    const Want want = pack ? wanted(*pack) : Want::yes;
    if (want == Want::yes) continue;
    const std::string name = folder + file;
    struct stat status {};
    const bool recent =
        ::stat(name.c_str(), &status) == 0 && now_seconds - status.st_mtime < kUnfinishedSeconds;
    if (want == Want::no || !recent) ::unlink(name.c_str());
  }
}

}  // namespace holdfast::flow
