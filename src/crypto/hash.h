// BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs): plain, keyed and key derivation, 32 bytes out
// (or as many as asked: extended output). Nothing here fails; the one-shot forms allocate nothing.
// Pure; thread-safe but for one Hasher, which belongs to one thread.
#pragma once

#include <initializer_list>
#include <memory>

#include "crypto/secret.h"

namespace holdfast::crypto {

Hash hash(Bytes data);
Hash keyed_hash(const Key& key, Bytes data);
// Hash of the parts laid end to end.
Hash keyed_hash(const Key& key, std::initializer_list<Bytes> parts);
// BLAKE3's derive_key mode. `context` is a constant that names the use: "holdfast 0 pack".
Key derive_key(const char* context, std::initializer_list<Bytes> material);

// BLAKE3 keyed, extended output: `length` bytes for `data`.
Buffer expand(const Key& key, Bytes data, std::size_t length);

// Incremental. finish() does not disturb it: more may follow.
class Hasher {
 public:
  Hasher();                         // plain
  explicit Hasher(const Key& key);  // keyed
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(Bytes data);
  Hash finish() const;
  // As new, same mode and key.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto
