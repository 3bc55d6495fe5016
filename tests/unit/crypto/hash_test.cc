#include "crypto/hash.h"

#include <gtest/gtest.h>

#include "tests/unit/crypto/vectors.h"

namespace holdfast::crypto {
namespace {

Buffer official_input(std::size_t size) {
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i % 251);
  return out;
}

TEST(Blake3, official_vectors) {
  const auto all = test::vectors("blake3/test_vectors.json");
  const Key key(as_bytes(all["key"].get_ref<const std::string&>()));
  const auto context = all["context_string"].get<std::string>();
  for (const auto& one : all["cases"]) {
    const Buffer input = official_input(one["input_len"].get<std::size_t>());
    const Buffer plain = test::bytes_of(one["hash"]);
    const Buffer keyed = test::bytes_of(one["keyed_hash"]);
    const Buffer derived = test::bytes_of(one["derive_key"]);
    EXPECT_EQ(hex(hash(input)), hex(Bytes(plain).first(32)));
    EXPECT_EQ(hex(keyed_hash(key, input)), hex(Bytes(keyed).first(32)));
    EXPECT_EQ(hex(derive_key(context.c_str(), {input}).bytes()), hex(Bytes(derived).first(32)));
    EXPECT_EQ(hex(expand(key, input, keyed.size())), hex(keyed));
    EXPECT_EQ(hex(expand(key, input, 33)), hex(Bytes(keyed).first(33)));
  }
  EXPECT_EQ(all["cases"].size(), 35u);
}

TEST(Blake3, parts_are_laid_end_to_end) {
  const Key key(official_input(32));
  const Buffer data = official_input(5000);
  const Bytes all(data);
  for (std::size_t at : {0u, 1u, 63u, 64u, 1023u, 1024u, 1025u, 4096u, 5000u}) {
    const Bytes head = all.first(at);
    const Bytes tail = all.subspan(at);
    EXPECT_EQ(keyed_hash(key, {head, tail}), keyed_hash(key, all));
    EXPECT_EQ(hex(derive_key("test", {head, {}, tail}).bytes()), hex(derive_key("test", {all}).bytes()));
    Hasher plain;
    plain.update(head);
    plain.update(tail);
    EXPECT_EQ(plain.finish(), hash(all));
  }
}

TEST(Blake3, hasher_starts_over_in_its_mode) {
  const Key key(official_input(32));
  const Buffer data = official_input(3000);
  Hasher hasher(key);
  hasher.update(as_bytes("something before"));
  EXPECT_EQ(hasher.finish(), keyed_hash(key, as_bytes("something before")));
  hasher.reset();
  hasher.update(data);
  EXPECT_EQ(hasher.finish(), keyed_hash(key, data));
  Hasher moved = std::move(hasher);
  moved.update(data);
  EXPECT_EQ(moved.finish(), keyed_hash(key, {data, data}));
}

TEST(Blake3, contexts_and_keys_part_the_outputs) {
  const Buffer data = official_input(100);
  EXPECT_NE(hex(derive_key("a", {data}).bytes()), hex(derive_key("b", {data}).bytes()));
  EXPECT_NE(keyed_hash(Key(), data), hash(data));
}

}  // namespace
}  // namespace holdfast::crypto
