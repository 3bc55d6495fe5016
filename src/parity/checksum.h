// checksum: CRC-64 (ECMA-182, reflected; ISA-L), which notices every burst of wrong bits up to 64 bits long,
// at a tenth of the price of a hash. It guards bytes on their way through this machine's own memory; it says
// nothing of what somebody could do on purpose, and no format has it. Any thread.
#pragma once

#include "base/bytes.h"

namespace holdfast::parity {

// Of bytes that follow others: `so_far` is the checksum of those.
std::uint64_t checksum(Bytes bytes, std::uint64_t so_far = 0);

}  // namespace holdfast::parity
