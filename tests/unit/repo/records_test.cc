// Sealed and vital objects, key slots and the config.
#include <gtest/gtest.h>

#include "crypto/sign.h"
#include "repo/config.h"
#include "repo/names.h"
#include "tests/support/seeded_random.h"

namespace holdfast::repo {

namespace {

using testing::SeededRandom;

crypto::Key key_of(std::uint8_t byte) {
  const Buffer bytes(32, byte);
  return crypto::Key(Bytes(bytes));
}

Buffer flipped(Bytes bytes, std::size_t at, int bit = 3) {
  Buffer out(bytes.begin(), bytes.end());
  out[at] = static_cast<std::uint8_t>(out[at] ^ 1u << bit);
  return out;
}

constexpr RepositoryId kId{1, 2, 3};

}  // namespace

TEST(Seal, OpensWithItsKeyAndContextOnly) {
  SeededRandom random(1);
  const crypto::Key key = key_of(1), other = key_of(2);
  const Buffer aad = seal_context(kId, "name");
  for (const std::size_t size : {0u, 1u, 1000u}) {
    const Buffer plain(size, 0x5a);
    const Buffer sealed = seal(key, aad, plain, random);
    EXPECT_EQ(sealed.size(), plain.size() + kSealOverheadBytes);
    const auto opened = unseal(key, aad, sealed);
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(opened.value(), plain);
    EXPECT_EQ(unseal(other, aad, sealed).error().kind(), Errc::wrong_key);
    EXPECT_EQ(unseal(key, seal_context(kId, "other"), sealed).error().kind(), Errc::damaged);
    EXPECT_NE(seal(key, aad, plain, random), sealed);
    for (std::size_t n = 0; n < sealed.size(); ++n)
      EXPECT_FALSE(unseal(key, aad, Bytes(sealed).first(n)).ok());
  }
}

TEST(Seal, AnyFlippedBitIsFound) {
  SeededRandom random(2);
  const crypto::Key key = key_of(1);
  const Buffer sealed = seal(key, {}, as_bytes("some plain text"), random);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      const auto opened = unseal(key, {}, flipped(sealed, at, bit));
      ASSERT_FALSE(opened.ok());
      // Salt and commitment tell the key; nonce and text are under it.
      EXPECT_EQ(opened.error().kind(), at < 64 ? Errc::wrong_key : Errc::damaged);
    }
  }
}

TEST(Vital, SurvivesTheLossOfAnyOneCopy) {
  for (const std::size_t size : {0u, 1u, 77u}) {
    const Buffer body(size, 0x77);
    const Buffer object = wrap_vital(Vital::fate, body);
    const auto whole = unwrap_vital(Vital::fate, object, "x");
    ASSERT_TRUE(whole.ok());
    EXPECT_EQ(whole.value().body, body);
    EXPECT_FALSE(whole.value().one_copy_damaged);
    EXPECT_FALSE(unwrap_vital(Vital::log, object, "x").ok());
    const std::size_t half = object.size() / 2;
    for (std::size_t at = 0; at < object.size(); ++at) {
      const Buffer once = flipped(object, at);
      const auto survived = unwrap_vital(Vital::fate, once, "x");
      ASSERT_TRUE(survived.ok()) << at;
      EXPECT_EQ(survived.value().body, body);
      EXPECT_TRUE(survived.value().one_copy_damaged);
      const std::size_t in_other = (at * 7 + 3) % half + (at < half ? half : 0);
      const auto lost = unwrap_vital(Vital::fate, flipped(once, in_other), "x");
      ASSERT_FALSE(lost.ok()) << at;
      EXPECT_EQ(lost.error().kind(), Errc::damaged);
    }
  }
}

TEST(Vital, NoiseAndEmptinessAreDamage) {
  const Buffer object = wrap_vital(Vital::key, Buffer(5));
  EXPECT_FALSE(unwrap_vital(Vital::key, {}, "x").ok());
  EXPECT_FALSE(unwrap_vital(Vital::key, Buffer(1), "x").ok());
  EXPECT_FALSE(unwrap_vital(Vital::key, Buffer(1000, 0xff), "x").ok());
}

TEST(Vital, TheFirstCopyOutlivesTheLossOfTheEnd) {
  const Buffer body{1, 2, 3, 4, 5};
  const Buffer object = wrap_vital(Vital::key, body);
  for (std::size_t n = 0; n < object.size(); ++n) {
    const auto left = unwrap_vital(Vital::key, Bytes(object).first(n), "x");
    ASSERT_EQ(left.ok(), n >= object.size() / 2) << n;
    if (!left.ok()) continue;
    EXPECT_EQ(left.value().body, body);
    EXPECT_TRUE(left.value().one_copy_damaged);
  }
}

TEST(Signature, BindsSignerRepositoryNameAndBody) {
  const crypto::Key seed = key_of(9);
  const auto signer = crypto::sign_public(seed);
  const Buffer signed_body = sign_body(seed, kId, "name", Buffer{1, 2, 3});
  const auto body = verify_body(signer, kId, "name", signed_body);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(Buffer(body.value().begin(), body.value().end()), (Buffer{1, 2, 3}));
  EXPECT_FALSE(verify_body(crypto::sign_public(key_of(8)), kId, "name", signed_body).ok());
  EXPECT_FALSE(verify_body(signer, RepositoryId{}, "name", signed_body).ok());
  EXPECT_FALSE(verify_body(signer, kId, "mane", signed_body).ok());
  for (std::size_t at = 0; at < signed_body.size(); ++at) {
    EXPECT_FALSE(verify_body(signer, kId, "name", flipped(signed_body, at)).ok());
    EXPECT_FALSE(verify_body(signer, kId, "name", Bytes(signed_body).first(at)).ok());
  }
}

namespace {

constexpr crypto::Argon2Cost kCheap{1, 8};

Buffer slot_object(const Secrets& secrets, SeededRandom& random) {
  return make_slot(kId, "keys/a", secrets, as_bytes("secret"), "label", {5, 6}, kCheap, random).value();
}

Buffer bytes_of(const std::optional<crypto::Key>& key) {
  return key ? Buffer(key->bytes().begin(), key->bytes().end()) : Buffer{};
}

}  // namespace

TEST(KeySlots, GiveTheSecretsToThePasswordOnly) {
  SeededRandom random(3);
  Secrets secrets = Secrets::generate(random);
  secrets.read.reset();  // rights that this key lacks
  secrets.log.reset();
  const auto slot = decode_slot(slot_object(secrets, random), "keys/a");
  ASSERT_TRUE(slot.ok());
  EXPECT_EQ(slot.value().label, "label");
  EXPECT_EQ(slot.value().created, (model::Time{5, 6}));
  EXPECT_EQ(slot.value().cost.passes, 1u);
  EXPECT_EQ(slot.value().cost.memory_kib, 8u);
  const auto opened = open_slot(kId, "keys/a", slot.value(), as_bytes("secret"));
  ASSERT_TRUE(opened.ok());
  const Secrets &a = opened.value(), &b = secrets;
  for (const auto& [x, y] : {std::pair{&a.content, &b.content},
                             {&a.index, &b.index},
                             {&a.read, &b.read},
                             {&a.admin, &b.admin},
                             {&a.commit, &b.commit},
                             {&a.log, &b.log}}) {
    EXPECT_EQ(bytes_of(*x), bytes_of(*y));
  }
  for (const char* wrong : {"", "Secret", "secret "}) {
    EXPECT_EQ(open_slot(kId, "keys/a", slot.value(), as_bytes(wrong)).error().kind(), Errc::wrong_key);
  }
  EXPECT_FALSE(open_slot(kId, "keys/b", slot.value(), as_bytes("secret")).ok());
  EXPECT_FALSE(open_slot(RepositoryId{}, "keys/a", slot.value(), as_bytes("secret")).ok());
}

TEST(KeySlots, ASlotThatWouldExhaustTheMachineIsRefused) {
  SeededRandom random(4);
  auto slot = decode_slot(slot_object(Secrets::generate(random), random), "keys/a").value();
  slot.cost = {~0u, 8};
  EXPECT_EQ(open_slot(kId, "keys/a", slot, as_bytes("secret")).error().kind(), Errc::unsupported);
  slot.cost = {1, ~0u};
  EXPECT_EQ(open_slot(kId, "keys/a", slot, as_bytes("secret")).error().kind(), Errc::unsupported);
}

TEST(KeySlots, SessionSecretsOpenForTheReaderOnly) {
  SeededRandom random(5);
  const crypto::Key read = key_of(3), other = key_of(4), session = key_of(5);
  const auto reader = crypto::x25519_public(read);
  const auto sealed = seal_to_reader(reader, kId, session, random);
  ASSERT_TRUE(sealed.ok());
  const auto opened = open_as_reader(read, reader, kId, sealed.value());
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(crypto::equal(opened.value().bytes(), session.bytes()));
  EXPECT_FALSE(open_as_reader(other, crypto::x25519_public(other), kId, sealed.value()).ok());
  EXPECT_FALSE(open_as_reader(read, reader, RepositoryId{}, sealed.value()).ok());
}

namespace {

struct MadeConfig {
  Secrets secrets;
  Config config;
  Buffer object;
};

MadeConfig make_config(std::uint64_t seed) {
  SeededRandom random(seed);
  MadeConfig out;
  out.secrets = Secrets::generate(random);
  Config& c = out.config;
  random.fill(c.id);
  c.created = {1'700'000'000, 5};
  c.admin = crypto::sign_public(*out.secrets.admin);
  c.commit = crypto::sign_public(*out.secrets.commit);
  c.log = crypto::sign_public(*out.secrets.log);
  c.read = crypto::x25519_public(*out.secrets.read);
  out.object = encode_config(c, out.secrets);
  return out;
}

// The config with body bytes changed and signed anew by the admin.
Buffer altered(const MadeConfig& made, std::size_t at, std::uint8_t value) {
  Buffer body = unwrap_vital(Vital::config, made.object, "x").value().body;
  body.resize(body.size() - crypto::Signature{}.size());
  body[at] = value;
  return wrap_vital(Vital::config,
                    sign_body(*made.secrets.admin, made.config.id, kConfigName, std::move(body)));
}

}  // namespace

TEST(ConfigRecord, RoundTripsAndIsItsAdminsOnly) {
  const MadeConfig made = make_config(6);
  const auto decoded = decode_config(made.object);
  ASSERT_TRUE(decoded.ok()) << decoded.error().text();
  const Config &a = decoded.value(), &b = made.config;
  EXPECT_EQ(std::tie(a.id, a.created, a.admin, a.commit, a.log, a.read),
            std::tie(b.id, b.created, b.admin, b.commit, b.log, b.read));
  EXPECT_EQ(a.chunks.size_max, b.chunks.size_max);
  const std::size_t half = made.object.size() / 2;
  for (std::size_t at = 0; at < half; ++at) {
    EXPECT_TRUE(decode_config(flipped(made.object, at)).ok());
    EXPECT_FALSE(decode_config(flipped(flipped(made.object, at), half + at)).ok());
  }
  // Whole as a vital object, but not as it was signed.
  const Buffer body = unwrap_vital(Vital::config, made.object, "x").value().body;
  for (std::size_t at = 0; at < body.size(); ++at) {
    ASSERT_FALSE(decode_config(wrap_vital(Vital::config, flipped(body, at))).ok()) << at;
  }
}

TEST(ConfigRecord, NewerVersionsAndFeaturesAreUnsupported) {
  const MadeConfig made = make_config(7);
  EXPECT_TRUE(decode_config(altered(made, 9, 0)).ok());
  constexpr std::size_t kVersionAt = 9;  // after the string "holdfast"
  const std::size_t masks =
      kVersionAt + 2 + 16 + 5 + 1;  // id, seconds (zigzag varint of 5 bytes), nanoseconds (1 byte)
  for (const std::size_t at : {kVersionAt, masks, masks + 7, masks + 8, masks + 32, masks + 34}) {
    const auto decoded = decode_config(altered(made, at, 0x7f));
    ASSERT_FALSE(decoded.ok()) << at;
    EXPECT_EQ(decoded.error().kind(), Errc::unsupported) << at << decoded.error().text();
    EXPECT_FALSE(decoded.error().hint().empty());
  }
  EXPECT_TRUE(decode_config(altered(made, masks + 16, 1)).ok());  // a compatible feature
}

}  // namespace holdfast::repo
