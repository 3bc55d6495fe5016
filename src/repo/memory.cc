#include "repo/memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/codec.h"
#include "base/fd.h"
#include "base/small_file.h"
#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

constexpr std::size_t kMacBytes = 32;
constexpr std::uint64_t kFileBytesMax = 64 * kMiB;  // more than a million writers

Buffer encode(const Memory::Seen& seen, const crypto::Key& key) {
  Encoder out;
  out.u8(0);
  out.u64(seen.log_next);
  out.raw(seen.log_hash);
  out.varint(seen.newest.size());
  for (const auto& [writer, fate] : seen.newest) {
    out.u64(writer);
    out.u32(fate.sequence);
    out.raw(fate.hash);
  }
  out.raw(crypto::keyed_hash(key, out.bytes()));
  return out.take();
}

Result<Memory::Seen> decode(Bytes bytes, const crypto::Key& key, const std::string& file) {
  const Error unreadable(Errc::damaged, "what this machine remembers of the repository is damaged: " + file);
  if (bytes.size() < kMacBytes) return unreadable.copy();
  const Bytes body = bytes.first(bytes.size() - kMacBytes);
  if (!crypto::equal(crypto::keyed_hash(key, body), bytes.last(kMacBytes))) return unreadable.copy();
  Decoder in(body);
  Memory::Seen seen;
  if (in.u8() != 0) in.fail();
  seen.log_next = in.u64();
  seen.log_hash = in.array<32>();
  for (std::uint64_t n = in.count(44); n > 0 && in.ok(); --n) {
    const std::uint64_t writer = in.u64();
    Memory::Fate& fate = seen.newest[writer];
    fate.sequence = in.u32();
    fate.hash = in.array<32>();
  }
  TRY(in.finish(file));
  return seen;
}

Result<Fd> lock(const std::string& directory, const std::string& file) {
  for (std::size_t at = directory.find('/', 1); at != directory.npos; at = directory.find('/', at + 1)) {
    ::mkdir(directory.substr(0, at).c_str(), 0700);
  }
  ::mkdir(directory.c_str(), 0700);
  Fd held(::open((file + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!held.valid() || ::flock(held.get(), LOCK_EX) != 0) return errno_error(errno, "lock " + file);
  return held;
}

}  // namespace

Memory::Memory(const std::string& directory, const RepositoryId& id, std::string_view place, crypto::Key key)
    : directory_(directory), key_(std::move(key)) {
  Encoder name;
  name.raw(id);
  name.string(place);
  file_ = directory + "/" + hex(Bytes(crypto::hash(name.bytes())).first(16));
}

Result<Memory::Seen> Memory::recall() const {
  const auto bytes = TRY(read_small_file(file_, kFileBytesMax));
  if (!bytes) return Seen();
  return decode(*bytes, key_, file_);
}

Result<void> Memory::add(const Seen& seen) const {
  const Fd held = TRY(lock(directory_, file_));
  Seen merged = TRY(recall());
  bool newer = false;
  if (seen.log_next > merged.log_next) {
    merged.log_next = seen.log_next;
    merged.log_hash = seen.log_hash;
    newer = true;
  }
  for (const auto& [writer, fate] : seen.newest) {
    Fate& known = merged.newest[writer];
    if (fate.sequence <= known.sequence) continue;
    known = fate;
    newer = true;
  }
  if (!newer) return {};
  return replace_small_file(file_, encode(merged, key_));
}

Result<void> Memory::replace(const Seen& seen) const {
  const Fd held = TRY(lock(directory_, file_));
  return replace_small_file(file_, encode(seen, key_));
}

}  // namespace holdfast::repo
