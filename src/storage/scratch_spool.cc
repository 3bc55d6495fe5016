#include "storage/scratch_spool.h"

#include "base/check.h"

namespace holdfast::storage {

Result<void> ScratchSpool::append(Bytes bytes) {
  HF_ASSERT(!sha256_);
  TRY(write_all(*file_, size_bytes_, bytes));
  hasher_.update(bytes);
  size_bytes_ += bytes.size();
  return {};
}

Result<void> ScratchSpool::read(std::uint64_t offset, MutableBytes out) const {
  HF_ASSERT(offset <= size_bytes_ && out.size() <= size_bytes_ - offset);
  return read_all(*file_, offset, out);
}

const Hash& ScratchSpool::sha256() {
  if (!sha256_) sha256_ = hasher_.finish();
  return *sha256_;
}

}  // namespace holdfast::storage
