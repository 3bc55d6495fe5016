#include "crypto/sign.h"

#include <gtest/gtest.h>

#include "tests/unit/crypto/vectors.h"

namespace holdfast::crypto {
namespace {

TEST(Ed25519, wycheproof) {
  int seen = 0;
  const auto all = test::vectors("wycheproof/ed25519_test.json");
  for (const auto& group : all["testGroups"]) {
    const auto key = test::array_of<32>(test::bytes_of(group["publicKey"]["pk"]));
    for (const auto& one : group["tests"]) {
      SCOPED_TRACE(one["tcId"].get<int>());
      ++seen;
      const Buffer signature = test::bytes_of(one["sig"]);
      const bool valid = one["result"] == "valid";
      if (signature.size() != 64) {  // not expressible: Signature has one length
        EXPECT_FALSE(valid);
        continue;
      }
      EXPECT_EQ(verify(key, test::bytes_of(one["msg"]), test::array_of<64>(signature)), valid);
    }
  }
  EXPECT_GE(seen, 100);
}

// RFC 8032 §7.1, tests 1 to 3.
TEST(Ed25519, rfc_8032) {
  struct Case {
    const char *seed, *key, *message, *signature;
  };
  const Case cases[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
       "d25bf5f0595bbe24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
       "387b2eaeb4302aeeb00d291612bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
       "4a7c15e9716ed28dc027beceea1ec40a"},
  };
  for (const Case& one : cases) {
    const Key seed(test::bytes_of(one.seed));
    const Buffer message = test::bytes_of(one.message);
    EXPECT_EQ(hex(sign_public(seed)), one.key);
    const Signature signature = sign(seed, message);
    EXPECT_EQ(hex(signature), one.signature);
    EXPECT_TRUE(verify(sign_public(seed), message, signature));
  }
}

TEST(Ed25519, refuses_other_texts_keys_and_signatures) {
  const Key seed(as_bytes("0123456789abcdef0123456789abcdef"));
  const PublicKey key = sign_public(seed);
  Signature signature = sign(seed, as_bytes("commit"));
  EXPECT_TRUE(verify(key, as_bytes("commit"), signature));
  EXPECT_FALSE(verify(key, as_bytes("Commit"), signature));
  EXPECT_FALSE(verify(PublicKey{}, as_bytes("commit"), signature));
  signature[40] ^= 1;
  EXPECT_FALSE(verify(key, as_bytes("commit"), signature));
}

TEST(X25519, wycheproof) {
  int refused = 0;
  const auto all = test::vectors("wycheproof/x25519_test.json");
  for (const auto& group : all["testGroups"]) {
    for (const auto& one : group["tests"]) {
      SCOPED_TRACE(one["tcId"].get<int>());
      const Key secret(test::bytes_of(one["private"]));
      const auto peer = test::array_of<32>(test::bytes_of(one["public"]));
      const Buffer shared = test::bytes_of(one["shared"]);
      const auto got = x25519(secret, peer);
      // Vectors call low-order keys "acceptable"; we don't accept a secret that everybody knows.
      const bool zero = shared == Buffer(32, 0);
      ASSERT_EQ(got.ok(), !zero);
      if (got.ok()) {
        EXPECT_EQ(hex(got.value().bytes()), hex(shared));
      }
      if (!got.ok()) {
        EXPECT_EQ(got.error().kind(), Errc::damaged);
      }
      refused += zero ? 1 : 0;
    }
  }
  EXPECT_GE(refused, 10);
}

TEST(X25519, both_sides_agree) {
  const Key a(as_bytes("fedcba9876543210fedcba9876543210"));
  const Key b(as_bytes("0123456789abcdef0123456789abcdef"));
  const auto one = x25519(a, x25519_public(b));
  const auto other = x25519(b, x25519_public(a));
  EXPECT_EQ(hex(one.value().bytes()), hex(other.value().bytes()));
}

}  // namespace
}  // namespace holdfast::crypto
