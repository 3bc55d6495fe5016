// Secret<N>: N bytes of key material that wipe themselves. Compares in constant time; copies are
// explicit, so that each is seen. Built from bytes of another length it stops the process: a silently
// empty key would be worse. Not thread-safe beyond const access.
#pragma once

#include "base/bytes.h"
#include "base/check.h"

namespace holdfast::crypto {

// Overwrites memory in a way that the compiler keeps.
void wipe(MutableBytes bytes);
// Constant-time for equal lengths.
bool equal(Bytes a, Bytes b);

template <std::size_t N>
class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) {
    HF_ASSERT(bytes.size() == N);
    std::memcpy(bytes_.data(), bytes.data(), N);
  }
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  ~Secret() { wipe(bytes_); }
  Secret copy() const { return Secret(bytes_); }

  Bytes bytes() const { return bytes_; }
  MutableBytes writable() { return bytes_; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

using Key = Secret<32>;

}  // namespace holdfast::crypto
