#include "storage/range.h"

#include <fmt/core.h>

namespace holdfast::storage {

Result<std::uint64_t> length_within(ByteRange range, const ObjectInfo& object) {
  if (range.offset <= object.size_bytes) {
    const std::uint64_t rest = object.size_bytes - range.offset;
    if (range.length == ByteRange::kToEnd) return rest;
    if (range.length <= rest) return range.length;
  }
  const bool to_end = range.length == ByteRange::kToEnd;
  const std::string asked = to_end ? "the rest" : fmt::format("{} bytes", range.length);
  return Error(Errc::damaged, fmt::format("{} has {} bytes, {} from offset {} were asked for", object.name,
                                          object.size_bytes, asked, range.offset));
}

}  // namespace holdfast::storage
