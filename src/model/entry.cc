#include "model/entry.h"

#include <algorithm>

namespace holdfast::model {

int compare_paths(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  const auto end_a = a.begin() + static_cast<std::ptrdiff_t>(common);
  const auto [at_a, at_b] = std::mismatch(a.begin(), end_a, b.begin());
  if (at_a == a.begin() + static_cast<std::ptrdiff_t>(common)) {
    return a.size() == b.size() ? 0 : (a.size() < b.size() ? -1 : 1);
  }
  const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<int>(static_cast<unsigned char>(c)); };
  return rank(*at_a) - rank(*at_b);
}

}  // namespace holdfast::model
