#include "crypto/hash.h"

#include <blake3.h>

#include <cstddef>

namespace holdfast::crypto {
namespace {

void init_keyed(blake3_hasher& hasher, const Key& key) {
  blake3_hasher_init_keyed(&hasher, key.bytes().data());
}

void update(blake3_hasher& hasher, Bytes data) { blake3_hasher_update(&hasher, data.data(), data.size()); }

void finish(const blake3_hasher& hasher, MutableBytes out) {
  blake3_hasher_finalize(&hasher, out.data(), out.size());
}

// Overwrites the key and the chunk state, which starts from the key. The rest of the 1.9 KB is chaining
// values of finished chunks; wiping that too would cost small inputs dear and hide nothing.
void wipe_key(blake3_hasher& hasher) {
  wipe({reinterpret_cast<std::uint8_t*>(&hasher), offsetof(blake3_hasher, cv_stack)});
}

}  // namespace

Hash hash(Bytes data) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  update(hasher, data);
  Hash out;
  finish(hasher, out);
  return out;
}

Hash keyed_hash(const Key& key, Bytes data) { return keyed_hash(key, {data}); }

Hash keyed_hash(const Key& key, std::initializer_list<Bytes> parts) {
  blake3_hasher hasher;
  init_keyed(hasher, key);
  for (Bytes part : parts) update(hasher, part);
  Hash out;
  finish(hasher, out);
  wipe_key(hasher);
  return out;
}

Key derive_key(const char* context, std::initializer_list<Bytes> material) {
  blake3_hasher hasher;
  blake3_hasher_init_derive_key(&hasher, context);
  for (Bytes part : material) update(hasher, part);
  Key out;
  finish(hasher, out.writable());
  wipe({reinterpret_cast<std::uint8_t*>(&hasher), sizeof hasher});
  return out;
}

Buffer expand(const Key& key, Bytes data, std::size_t length) {
  blake3_hasher hasher;
  init_keyed(hasher, key);
  update(hasher, data);
  Buffer out(length);
  finish(hasher, out);
  wipe_key(hasher);
  return out;
}

struct Hasher::State {
  blake3_hasher hasher;
  ~State() { wipe_key(hasher); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) { blake3_hasher_init(&state_->hasher); }
Hasher::Hasher(const Key& key) : state_(std::make_unique<State>()) { init_keyed(state_->hasher, key); }
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(Bytes data) { crypto::update(state_->hasher, data); }

Hash Hasher::finish() const {
  Hash out;
  crypto::finish(state_->hasher, out);
  return out;
}

void Hasher::reset() { blake3_hasher_reset(&state_->hasher); }

}  // namespace holdfast::crypto
