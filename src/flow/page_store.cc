#include "flow/page_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/hash.h"
#include "flow/job.h"
#include "flow/page_range.h"
#include "repo/names.h"

namespace holdfast::flow {

namespace {

constexpr std::size_t kRecordBytes = 4 + kRangeBytes / kPageBytes * 8 + crypto::kTagBytes;

std::string file_name(const repo::LocalState& local, std::uint64_t path,
                      const model::TransactionId& transaction) {
  return fmt::format("{}/pages-{:016x}-{}", local.directory(), path, repo::text(transaction));
}

// A name is used once, so each range of it is sealed once under this key.
crypto::Key file_key(const repo::LocalState& local, const std::string& name) {
  return crypto::derive_key("holdfast 0 page hashes", {local.key().bytes(), as_bytes(name)});
}

crypto::Nonce nonce(std::uint64_t range) {
  crypto::Nonce out{};
  std::memcpy(out.data(), &range, sizeof range);
  return out;
}

}  // namespace

std::uint64_t path_hash(const repo::LocalState& local, std::string_view path) {
  const Hash hash = crypto::keyed_hash(local.key(), as_bytes(path));
  std::uint64_t out;
  std::memcpy(&out, hash.data(), sizeof out);
  return out;
}

std::unique_ptr<PageFile> PageFile::create(const repo::LocalState& local, std::uint64_t path,
                                           const model::TransactionId& transaction) {
  if (local.directory().empty()) return nullptr;
  const std::string name = file_name(local, path, transaction);
  Fd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return nullptr;
  return std::unique_ptr<PageFile>(new PageFile(std::move(fd), file_key(local, name)));  // NOLINT: private
}

std::unique_ptr<PageFile> PageFile::open(const repo::LocalState& local, std::uint64_t path,
                                         const model::TransactionId& transaction) {
  if (local.directory().empty()) return nullptr;
  const std::string name = file_name(local, path, transaction);
  Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return nullptr;
  return std::unique_ptr<PageFile>(new PageFile(std::move(fd), file_key(local, name)));  // NOLINT: private
}

void PageFile::remove(const repo::LocalState& local, std::uint64_t path,
                      const model::TransactionId& transaction) {
  if (!local.directory().empty()) ::unlink(file_name(local, path, transaction).c_str());
}

std::vector<std::uint64_t> PageFile::read(std::uint64_t range) {
  Buffer sealed(kRecordBytes);
  Buffer plain(kRecordBytes - crypto::kTagBytes);
  const auto offset = static_cast<off_t>(range * kRecordBytes);
  if (::pread(fd_.get(), sealed.data(), sealed.size(), offset) != static_cast<ssize_t>(sealed.size()))
    return {};
  if (all_zero(Bytes(sealed).first(64))) return {};  // a hole: nothing was written there
  if (!aead_.open(nonce(range), {}, sealed, plain)) return {};
  Decoder in(plain);
  std::vector<std::uint64_t> hashes(std::min<std::uint64_t>(in.u32(), kRangeBytes / kPageBytes));
  for (std::uint64_t& hash : hashes) hash = in.u64();
  return hashes;
}

void PageFile::write(std::uint64_t range, const std::vector<std::uint64_t>& hashes) {
  Encoder out;
  out.u32(static_cast<std::uint32_t>(hashes.size()));
  for (const std::uint64_t hash : hashes) out.u64(hash);
  Buffer plain = out.take();
  plain.resize(kRecordBytes - crypto::kTagBytes);
  Buffer sealed(kRecordBytes);
  aead_.seal(nonce(range), {}, plain, sealed);
  // A short write leaves a record that does not open: not known.
  if (::pwrite(fd_.get(), sealed.data(), sealed.size(), static_cast<off_t>(range * kRecordBytes)) < 0) return;
}

}  // namespace holdfast::flow
