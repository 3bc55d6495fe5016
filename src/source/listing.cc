#include "source/listing.h"

#include <dirent.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

namespace holdfast::source {

namespace {

std::uint64_t prefix_of(std::string_view name) {
  std::array<char, 8> bytes{};
  std::memcpy(bytes.data(), name.data(), std::min(name.size(), bytes.size()));
  std::uint64_t number;
  std::memcpy(&number, bytes.data(), sizeof(number));
  if constexpr (std::endian::native == std::endian::big) return number;
  return __builtin_bswap64(number);  // the first byte weighs most
}

}  // namespace

void Listing::clear() {
  names_.clear();
  text_.clear();
}

void Listing::add(std::string_view name, std::uint8_t type) {
  names_.push_back({prefix_of(name), text_.size() & ((1ull << 40) - 1), name.size() & 0xffff, type});
  text_.append(name);
  text_.push_back('\0');
}

int Listing::read(int fd) {
  clear();
  alignas(dirent64) std::array<char, 32768> buffer;
  int failure = 0;
  while (true) {
    const ssize_t got = ::getdents64(fd, buffer.data(), buffer.size());
    if (got < 0) failure = errno;
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      const auto* record = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += record->d_reclen;
      const std::string_view name(record->d_name);
      if (name != "." && name != "..") add(name, record->d_type);
    }
  }
  sort();
  return failure;
}

void Listing::sort() {
  std::sort(names_.begin(), names_.end(), [this](const Name& a, const Name& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return std::strcmp(text_.data() + a.offset, text_.data() + b.offset) < 0;
  });
}

void Listing::keep_only(std::string_view name) {
  std::erase_if(names_,
                [&](const Name& n) { return std::string_view(text_.data() + n.offset, n.length) != name; });
}

bool Listing::contains(std::string_view name) const {
  const auto at =
      std::lower_bound(names_.begin(), names_.end(), name, [this](const Name& a, std::string_view b) {
        return std::string_view(text_.data() + a.offset, a.length) < b;
      });
  return at != names_.end() && std::string_view(text_.data() + at->offset, at->length) == name;
}

}  // namespace holdfast::source
