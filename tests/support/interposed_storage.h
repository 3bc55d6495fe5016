// A store whose calls somebody may do something between.
#pragma once

#include "storage/storage.h"

namespace holdfast::testing {

// Called with "put NAME", "get NAME", … before each call of a store is performed.
using Interposer = std::function<void(std::string_view call)>;
std::unique_ptr<storage::Storage> interpose(std::unique_ptr<storage::Storage> inner, Interposer before);

}  // namespace holdfast::testing
