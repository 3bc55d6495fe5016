#include "sink/file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sink/attributes.h"

namespace holdfast::sink {

namespace {

constexpr std::size_t kBlock = 4096;         // the unit of holes
constexpr std::size_t kCompare = 64 * kKiB;  // read at once for comparison; fits into L1 and L2

bool is_zero(Bytes bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

FileWriter::~FileWriter() {
  if (!fd_.valid() || made_with_ < 0) return;
  const auto directory = beneath_.directory(parent_of(path_));
  if (!directory.ok()) return;
  const std::string name(leaf_of(path_));
  struct stat ours;
  struct stat there;
  const bool same = ::fstat(fd_.get(), &ours) == 0 &&
                    ::fstatat(directory.value()->get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
  if (same) ::unlinkat(directory.value()->get(), name.c_str(), 0);
}

Result<void> FileWriter::put(std::uint64_t offset, Bytes bytes) {
  written_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error(errno, "write " + path_);
    offset += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  std::uint64_t end = end_;
  while (end < offset && !end_.compare_exchange_weak(end, offset)) {
  }
  return {};
}

Result<void> FileWriter::write(std::uint64_t offset, Bytes bytes) {
  if (offset < old_size_) return put_where_different(offset, bytes);
  return sparse_ ? put_without_zeros(offset, bytes) : put(offset, bytes);
}

Result<std::size_t> FileWriter::read(std::uint64_t offset, MutableBytes out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> FileWriter::put_where_different(std::uint64_t offset, Bytes bytes) {
  std::array<std::uint8_t, kCompare> there;
  while (!bytes.empty()) {
    const std::size_t length = std::min(bytes.size(), there.size());
    const ssize_t got = ::pread(fd_.get(), there.data(), length, static_cast<off_t>(offset));
    const std::size_t known = got < 0 ? 0 : static_cast<std::size_t>(got);
    const auto differs = [&](std::size_t at) {
      const Bytes block = bytes.subspan(at, std::min(kBlock, length - at));
      return at + block.size() > known || std::memcmp(there.data() + at, block.data(), block.size()) != 0;
    };
    for (std::size_t at = 0; at < length;) {
      std::size_t end = at;
      while (end < length && differs(end)) end = std::min(end + kBlock, length);
      if (end > at) TRY(put(offset + at, bytes.subspan(at, end - at)));
      at = end + kBlock;  // the block at `end` is equal
    }
    offset += length;
    bytes = bytes.subspan(length);
  }
  return {};
}

Result<void> FileWriter::put_without_zeros(std::uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    // Runs of whole zero blocks are left out, what is between them is written at once.
    std::size_t run = 0;
    std::size_t zeros = 0;
    while (run < bytes.size()) {
      zeros = 0;
      std::size_t step = std::min(bytes.size() - run, kBlock - (offset + run) % kBlock);
      while (run + zeros < bytes.size() && step == kBlock && is_zero(bytes.subspan(run + zeros, step))) {
        zeros += step;
        step = std::min(bytes.size() - run - zeros, kBlock);
      }
      if (zeros > 0) break;
      run += step;
    }
    if (run > 0) TRY(put(offset, bytes.first(run)));
    offset += run + zeros;
    bytes = bytes.subspan(run + zeros);
  }
  return {};
}

Result<void> FileWriter::hole(std::uint64_t offset, std::uint64_t length) {
  if (offset >= old_size_) return {};
  length = std::min(length, old_size_ - offset);
  constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (::fallocate(fd_.get(), kPunch, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0) return {};
  static constexpr std::array<std::uint8_t, kCompare> kZeros{};
  while (length > 0) {
    const std::size_t step = std::min<std::uint64_t>(length, kZeros.size());
    TRY(put_where_different(offset, Bytes(kZeros).first(step)));
    offset += step;
    length -= step;
  }
  return {};
}

Result<void> FileWriter::finish(const model::Entry& entry) {
  const std::uint64_t size = std::max<std::uint64_t>(old_size_, end_);
  if (!keep_content_ && size != entry.size_bytes) {
    if (::ftruncate(fd_.get(), static_cast<off_t>(entry.size_bytes)) != 0) {
      return errno_error(errno, "set the size of " + path_);
    }
  }
  attributes_.set({.fd = fd_.get()}, entry, made_with_);
  const Fd done = std::move(fd_);  // closed here, and not removed by the destructor
  return {};
}

}  // namespace holdfast::sink
