#include "storage/name.h"

#include <algorithm>

#include <fmt/core.h>

namespace holdfast::storage {

namespace {

constexpr std::size_t kNameBytesMax = 200;

bool valid_component(std::string_view part) {
  if (part.empty() || part == "." || part == "..") return false;
  return std::all_of(part.begin(), part.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  });
}

}  // namespace

bool valid_name(std::string_view name) {
  if (name.size() > kNameBytesMax) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    if (!valid_component(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Result<void> check_name(std::string_view name) {
  if (valid_name(name)) return {};
  return Error(Errc::usage, fmt::format("'{}' can't be the name of an object", name));
}

}  // namespace holdfast::storage
