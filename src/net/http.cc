#include "net/http.h"

namespace holdfast::net {

HttpBody body_of(Bytes bytes) {
  return {bytes.size(), [bytes](std::uint64_t offset, MutableBytes out) -> Result<void> {
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
            return {};
          }};
}

std::string_view HttpAnswer::header(std::string_view name) const {
  for (const auto& [have, value] : headers) {
    if (have == name) return value;
  }
  return "";
}

}  // namespace holdfast::net
