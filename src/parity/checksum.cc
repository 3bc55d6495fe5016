#include "parity/checksum.h"

#include <isa-l/crc64.h>

namespace holdfast::parity {

std::uint64_t checksum(Bytes bytes, std::uint64_t so_far) {
  return crc64_ecma_refl(so_far, bytes.data(), bytes.size());
}

}  // namespace holdfast::parity
