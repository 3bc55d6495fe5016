// A read-through cache of small, immutable objects in a local directory. Whole objects that were read are
// kept; later reads of them, whole or in part, don't ask the store. The directory may be deleted or
// damaged at any time and shared by several processes: whatever goes wrong with it, a read falls back to the
// store. Damage is noticed by a checksum (against accidents; forgery is for the caller's seals).
//
// A cached object can still be read after it was removed by another client or during the read; stat and list
// always ask the store. One directory serves one store.
#pragma once

#include "storage/disk.h"
#include "storage/storage.h"

namespace holdfast::storage {

struct CachePolicy {
  std::function<bool(std::string_view name)> accepts;  // which objects are worth it
  std::uint64_t bytes_max = 256 * kMiB;                // of all objects of the cache
  std::uint64_t object_bytes_max = 8 * kMiB;
};

// `disk` must outlive the storage. A directory that can't be made leaves a cache that holds nothing.
std::unique_ptr<Storage> cached(std::unique_ptr<Storage> inner, Disk& disk, std::string directory,
                                CachePolicy policy);

}  // namespace holdfast::storage
