// The one reading of a ByteRange that all backends share.
#pragma once

#include "storage/storage.h"

namespace holdfast::storage {

// How many bytes `range` asks of an object: kToEnd resolved. Errc::damaged where the range does not
// lie within the object. An empty range may begin at the very end.
Result<std::uint64_t> length_within(ByteRange range, const ObjectInfo& object);

}  // namespace holdfast::storage
