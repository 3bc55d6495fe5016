// Object names: 1–200 bytes of [a-z0-9.-] in components parted by single '/', none of them "." or
// "..". Whatever else lies in a store's directory is not an object.
#pragma once

#include <string_view>

#include "base/result.h"

namespace holdfast::storage {

bool valid_name(std::string_view name);
// The same as a Result: Errc::usage for a name that no store takes.
Result<void> check_name(std::string_view name);

}  // namespace holdfast::storage
