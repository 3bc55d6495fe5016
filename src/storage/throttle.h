// Keeps a store's traffic below rates of bytes per second, one for each direction, on the average of
// all threads: whoever would exceed it waits before his put, or after his get. A short burst passes at once.
#pragma once

#include "base/clock.h"
#include "storage/storage.h"

namespace holdfast::storage {

struct Rates {
  std::uint64_t upload_bytes_per_second = 0;  // 0: no limit
  std::uint64_t download_bytes_per_second = 0;
};

// `clock` must outlive the storage.
std::unique_ptr<Storage> throttled(std::unique_ptr<Storage> inner, Rates rates, Clock& clock);

}  // namespace holdfast::storage
