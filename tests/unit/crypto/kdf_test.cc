#include "crypto/kdf.h"

#include <gtest/gtest.h>

#include "tests/unit/crypto/vectors.h"

namespace holdfast::crypto {
namespace {

TEST(Hkdf, wycheproof_and_rfc_5869) {
  int seen = 0;
  const auto all = test::vectors("wycheproof/hkdf_sha256_test.json");
  for (const auto& group : all["testGroups"]) {
    for (const auto& one : group["tests"]) {
      SCOPED_TRACE(one["tcId"].get<int>());
      auto out = hkdf_sha256(test::bytes_of(one["ikm"]), test::bytes_of(one["salt"]),
                             test::bytes_of(one["info"]), one["size"].get<std::size_t>());
      ASSERT_EQ(out.ok(), one["result"] == "valid");
      if (out.ok()) {
        EXPECT_EQ(hex(out.value()), one["okm"].get<std::string>());
      }
      if (!out.ok()) {
        EXPECT_EQ(out.error().kind(), Errc::unsupported);
      }
      ++seen;
    }
  }
  EXPECT_GE(seen, 80);
}

TEST(Hkdf, bounds) {
  EXPECT_EQ(hkdf_sha256(as_bytes("key"), {}, {}, 0).value().size(), 0u);
  EXPECT_EQ(hkdf_sha256(as_bytes("key"), {}, {}, 255 * 32).value().size(), 255u * 32);
  EXPECT_EQ(hkdf_sha256(as_bytes("key"), {}, {}, 255 * 32 + 1).error().kind(), Errc::unsupported);
  EXPECT_EQ(hkdf_sha256({}, {}, {}, 32).error().kind(), Errc::unsupported);
}

constexpr std::array<std::uint8_t, 16> kSalt = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// The expected keys were computed with another implementation, OpenSSL's: Python's
// cryptography 48, Argon2id(salt, length=32, iterations=passes, lanes=1, memory_cost=memory_kib).
TEST(Argon2id, known_answers) {
  const auto key = [](std::string_view password, Argon2Cost cost) {
    return hex(argon2id(as_bytes(password), kSalt, cost).value().bytes());
  };
  EXPECT_EQ(key("", {.passes = 1, .memory_kib = 8}),
            "31ed41e2d73f27fdfe4eb4bec651341e58ba43477051c6fe4adad735d82ee08a");
  EXPECT_EQ(key("correct horse battery staple", {.passes = 2, .memory_kib = 1024}),
            "58782fc96f06a6d7fcec4728099f6a788ee98a04f4cd8fa0a27af6db8b7a46b8");
}

TEST(Argon2id, known_answer_at_the_default_cost) {
  const auto salt = test::array_of<16>(as_bytes("somesaltsomesalt"));
  EXPECT_EQ(hex(argon2id(as_bytes("password"), salt, {}).value().bytes()),
            "7664ad4ba1a3c999fcdd0991ffc2270f78302d2383233db5e7befc85d1bb1819");
}

TEST(Argon2id, refuses_costs_that_are_none_or_would_exhaust_the_machine) {
  const std::array<Argon2Cost, 5> bad = {{{.passes = 0, .memory_kib = 1024},
                                          {.passes = 65, .memory_kib = 1024},
                                          {.passes = 3, .memory_kib = 7},
                                          {.passes = 3, .memory_kib = 4 * 1024 * 1024 + 1},
                                          {.passes = UINT32_MAX, .memory_kib = UINT32_MAX}}};
  for (const Argon2Cost& cost : bad) {
    const auto key = argon2id(as_bytes("password"), kSalt, cost);
    ASSERT_FALSE(key.ok());
    EXPECT_EQ(key.error().kind(), Errc::unsupported);
  }
}

}  // namespace
}  // namespace holdfast::crypto
