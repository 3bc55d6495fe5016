#include "crypto/secret.h"

#include <sodium.h>

namespace holdfast::crypto {

void wipe(MutableBytes bytes) { sodium_memzero(bytes.data(), bytes.size()); }

bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace holdfast::crypto
