#include "repo/memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/codec.h"
#include "base/fd.h"
#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

constexpr std::size_t kMacBytes = 32;

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

// Of a small file; empty where there is none.
Result<std::optional<Buffer>> read_all(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::optional<Buffer>();
  if (!file.valid()) return errno_error(errno, "open " + path);
  Buffer out;
  for (;;) {
    std::array<std::uint8_t, 8192> piece{};
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + path);
    if (got == 0) return std::optional<Buffer>(std::move(out));
    append(out, Bytes(piece).first(static_cast<std::size_t>(got)));
  }
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
  const auto bytes = TRY(read_all(file_));
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
  return write(merged);
}

Result<void> Memory::replace(const Seen& seen) const {
  const Fd held = TRY(lock(directory_, file_));
  return write(seen);
}

// Under the lock. Whole or not at all, also where the power fails.
Result<void> Memory::write(const Seen& seen) const {
  const std::string fresh = file_ + ".new";
  const Buffer bytes = encode(seen, key_);
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return errno_error(errno, "make " + fresh);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t done = ::write(file.get(), bytes.data() + at, bytes.size() - at);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(errno, "write " + fresh);
    at += static_cast<std::size_t>(done);
  }
  if (::fsync(file.get()) != 0) return errno_error(errno, "write " + fresh);
  if (::rename(fresh.c_str(), file_.c_str()) != 0) return errno_error(errno, "rename " + fresh);
  return {};
}

}  // namespace holdfast::repo
