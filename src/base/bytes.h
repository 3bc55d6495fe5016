// Bytes: a borrowed, read-only run of bytes. MutableBytes: the same to be written. Buffer: an owned
// one. Hash: 32 bytes of a digest or an id, compared bytewise.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;
using Hash = std::array<std::uint8_t, 32>;

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline void append(Buffer& to, Bytes more) { to.insert(to.end(), more.begin(), more.end()); }

std::string hex(Bytes bytes);
// False where `text` is not exactly 2 × out.size() lower- or upper-case hex digits.
bool unhex(std::string_view text, MutableBytes out);

}  // namespace holdfast
