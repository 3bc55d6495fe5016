// Recovery kits, what a typing error in them is called, and files of recipients.
#include "repo/kit.h"

#include <gtest/gtest.h>

#include <fmt/core.h>

#include "repo/key_file.h"
#include "repo/kit_lines.h"
#include "tests/support/seeded_random.h"

namespace holdfast::repo {
namespace {

using testing::SeededRandom;

constexpr RepositoryId kId{1, 2, 3};
constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

Secrets secrets_of(std::uint64_t seed) {
  SeededRandom random(seed);
  return Secrets::generate(random);
}

std::vector<std::string> kit_of(const Secrets& secrets, KitShape shape, std::uint64_t seed = 5) {
  SeededRandom random(seed);
  return make_kit(kId, secrets, shape, "today", random).value();
}

std::string said(const Result<std::vector<Buffer>>& parsed) {
  return parsed.ok() ? "" : parsed.error().message();
}

Buffer sample(std::size_t size) {
  SeededRandom random(3);
  Buffer bytes(size);
  random.fill(bytes);
  return bytes;
}

TEST(KitLines, ComeBackAsTheyWereForEverySize) {
  for (std::size_t size = 1; size < 100; ++size) {
    const Buffer bytes = sample(size);
    auto blocks = parse_kit_lines(kit_lines(bytes));
    ASSERT_TRUE(blocks.ok()) << size << said(blocks);
    ASSERT_EQ(blocks.value().size(), 1u);
    Buffer padded = bytes;
    padded.resize((size + kKitLineBytes - 1) / kKitLineBytes * kKitLineBytes);
    EXPECT_EQ(blocks.value().front(), padded);
  }
}

// Where the i-th character of line n's 28 stands in the text.
std::size_t at_of(const std::string& text, std::size_t line, std::size_t i) {
  return line * text.find('\n') + line + 5 + i + i / 4;
}

TEST(KitLines, EverySingleTypoIsLocatedAndPutRight) {
  const std::string text = kit_lines(sample(45));
  for (std::size_t line = 0; line < 3; ++line) {
    for (std::size_t i = 0; i < 28; ++i) {
      const std::size_t at = at_of(text, line, i);
      const char right = text[at];
      for (const char wrong : kDigits) {
        if (wrong == right) continue;
        std::string typed = text;
        typed[at] = wrong;
        const std::string place =
            fmt::format("line {}, group {}, character {} is wrong", line + 1, i / 4 + 1, i % 4 + 1);
        const std::string message = said(parse_kit_lines(typed));
        ASSERT_TRUE(message.starts_with(place)) << message << " — not " << place;
        if (i < 24) {
          ASSERT_TRUE(message.ends_with(fmt::format(": '{}' should be '{}'", wrong, right))) << message;
        }
      }
    }
  }
}

TEST(KitLines, TwoAndThreeTyposAreFoundInTheirLine) {
  const std::string text = kit_lines(sample(45));
  SeededRandom random(9);
  for (int turn = 0; turn < 5000; ++turn) {
    const auto dice = random.array<8>();
    const std::size_t line = dice[0] % 3u;
    std::string typed = text;
    for (int k = 0; k < 2 + dice[1] % 2; ++k) {
      const std::size_t at = at_of(text, line, dice[static_cast<std::size_t>(2 + k)] % 28u);
      typed[at] = kDigits[(kDigits.find(text[at]) + 1 + dice[static_cast<std::size_t>(5 + k)] % 31u) % 32u];
    }
    const std::string message = said(parse_kit_lines(typed));
    ASSERT_EQ(message.starts_with(fmt::format("line {}", line + 1)), typed != text) << message;
  }
}

TEST(KitLines, ReadAsPeopleType) {
  const Buffer bytes = sample(45);
  std::string text = kit_lines(bytes);
  for (char& c : text) {
    if (c == '0')
      c = 'o';
    else if (c == '1')
      c = 'l';
    else
      c = static_cast<char>(std::tolower(c));
  }
  // The numbers in front are digits.
  std::string typed;
  for (std::size_t line = 0; line < 3; ++line) {
    std::string one = text.substr(line * (text.find('\n') + 1) + 4, text.find('\n') - 4);
    std::erase(one, ' ');
    typed += fmt::format("{} {}-{}\r\n", line + 1, one.substr(0, 9), one.substr(9));
  }
  const auto blocks = parse_kit_lines("words before\n\n" + typed);
  ASSERT_TRUE(blocks.ok()) << said(blocks);
  EXPECT_EQ(blocks.value().front(), bytes);
}

TEST(KitLines, WhatIsLeftOutOrSwappedIsNamed) {
  const std::string text = kit_lines(sample(45));
  const std::size_t length = text.find('\n') + 1;
  const std::string one = text.substr(0, length), two = text.substr(length, length),
                    three = text.substr(2 * length);
  EXPECT_EQ(said(parse_kit_lines(one + three)), "line 2 is missing: line 3 comes instead");
  EXPECT_EQ(said(parse_kit_lines(two + three)), "line 1 is missing: line 2 comes instead");
  EXPECT_EQ(said(parse_kit_lines(one + "  2" + three.substr(3))),
            "line 2, group 7, character 1 is wrong, or the line's number");
  EXPECT_EQ(said(parse_kit_lines(one.substr(0, length - 2) + "\n")),
            "line 1 has 27 characters after its number, not 28");
  std::string odd = one;
  odd[at_of(one, 0, 5)] = 'U';
  EXPECT_EQ(said(parse_kit_lines(odd)), "line 1, group 2, character 2: 'U' is no character of a kit");
  EXPECT_TRUE(parse_kit_lines("nothing here").value().empty());
}

Buffer bytes_of(const Secrets& secrets) { return encode_secrets(secrets); }

TEST(Kit, GivesAllSecretsBack) {
  const Secrets secrets = secrets_of(1);
  const auto texts = kit_of(secrets, {});
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find(hex(kId)), std::string::npos);
  const auto back = read_kit(kId, {texts[0]});
  ASSERT_TRUE(back.ok()) << back.error().text();
  EXPECT_EQ(bytes_of(back.value()), bytes_of(secrets));
  EXPECT_EQ(read_kit(RepositoryId{9}, {texts[0]}).error().kind(), Errc::wrong_key);
  EXPECT_EQ(read_kit(kId, {"no kit"}).error().kind(), Errc::usage);
  const std::string cut = texts[0].substr(0, texts[0].size() - 40);
  EXPECT_NE(read_kit(kId, {cut}).error().message().find("last lines are missing"), std::string::npos);
}

TEST(Kit, AnyThreeOfFiveSharesAndNoFewer) {
  const Secrets secrets = secrets_of(2);
  const auto texts = kit_of(secrets, {5, 3});
  ASSERT_EQ(texts.size(), 5u);
  for (unsigned subset = 1; subset < 32; ++subset) {
    std::vector<std::string_view> given;
    for (unsigned i = 0; i < 5; ++i) {
      if (subset >> i & 1) given.push_back(texts[i]);
    }
    const auto back = read_kit(kId, given);
    ASSERT_EQ(back.ok(), given.size() >= 3) << subset;
    if (back.ok()) {
      EXPECT_EQ(bytes_of(back.value()), bytes_of(secrets));
    }
  }
  EXPECT_EQ(read_kit(kId, {texts[0], texts[0], texts[0]}).error().message(),
            "1 of the 3 shares that are needed were given");
  EXPECT_TRUE(read_kit(kId, {texts[4] + texts[1], texts[2]}).ok());  // in one file, in any order
}

TEST(Kit, SharesOfTwoSetsAreNotMixed) {
  const Secrets secrets = secrets_of(2);
  const auto texts = kit_of(secrets, {3, 2}, 5), others = kit_of(secrets, {3, 2}, 6);
  const auto mixed = read_kit(kId, {texts[0], others[1]});
  ASSERT_FALSE(mixed.ok());
  EXPECT_EQ(mixed.error().kind(), Errc::usage);
  EXPECT_NE(mixed.error().message().find("shares of different sets are mixed"), std::string::npos);
}

TEST(Kit, ShapesThatCantBeAreRefused) {
  SeededRandom random(1);
  for (const KitShape shape : {KitShape{0, 0}, {2, 0}, {2, 3}, {256, 2}}) {
    EXPECT_EQ(make_kit(kId, secrets_of(1), shape, "", random).error().kind(), Errc::usage);
  }
}

TEST(RecipientFiles, KeepKeysApartAndWhole) {
  const crypto::Key secret{Bytes(sample(32))};
  const auto recipient = crypto::x25519_public(secret);
  const std::string text = "# a comment\n\n" + secret_key_text(secret);
  EXPECT_TRUE(crypto::equal(parse_secret_key(text).value().bytes(), secret.bytes()));
  EXPECT_EQ(parse_recipient(recipient_text(recipient)).value(), recipient);
  EXPECT_FALSE(parse_secret_key(recipient_text(recipient)).ok());
  EXPECT_FALSE(parse_recipient(text).ok());
  EXPECT_FALSE(parse_recipient("").ok());
  const std::string line = recipient_text(recipient);
  for (std::size_t at = 0; at + 1 < line.size(); ++at) {
    std::string bad = line;
    bad[at] = bad[at] == '0' ? '1' : '0';
    EXPECT_FALSE(parse_recipient(bad).ok()) << at;
  }
}

}  // namespace
}  // namespace holdfast::repo
