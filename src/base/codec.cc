#include "base/codec.h"

namespace holdfast {

std::uint64_t Decoder::little(int count) {
  const Bytes bytes = raw(static_cast<std::uint64_t>(count));
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
  return value;
}

std::uint64_t Decoder::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; ok_ && at_ < in_.size() && shift < 70; shift += 7) {
    const std::uint8_t byte = in_[at_++];
    const bool overflows = shift == 63 && byte > 1;
    const bool superfluous = shift > 0 && byte == 0;
    if (overflows || superfluous) break;
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  ok_ = false;
  return 0;
}

Bytes Decoder::raw(std::uint64_t count) {
  if (!ok_ || count > left()) {
    ok_ = false;
    return {};
  }
  const Bytes out = in_.subspan(at_, count);
  at_ += count;
  return out;
}

std::uint64_t Decoder::count(std::uint64_t item_bytes_min) {
  const std::uint64_t n = varint();
  if (!ok_ || n > left() / item_bytes_min) {
    ok_ = false;
    return 0;
  }
  return n;
}

Result<void> Decoder::finish(std::string_view what, bool rest_allowed) const {
  if (!ok_) return Error(Errc::damaged, std::string(what) + " can't be decoded");
  if (!rest_allowed && at_ != in_.size()) {
    return Error(Errc::damaged, std::string(what) + " has bytes after its end");
  }
  return {};
}

}  // namespace holdfast
