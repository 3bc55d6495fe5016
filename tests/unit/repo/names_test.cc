// Names of objects: what is printed parses back, and nothing else parses.
#include <gtest/gtest.h>

#include "repo/names.h"

namespace holdfast::repo {

namespace {

const std::vector<model::TransactionId> kTransactions{
    {0, 0}, {0x0123456789abcdef, 0x89abcdef}, {~std::uint64_t{0}, ~0u}};

// Every single-character change and every prefix of a name.
std::vector<std::string> neighbours(const std::string& name) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    out.push_back(name.substr(0, i));
    for (const char c : {'0', '9', 'a', 'f', 'g', 'A', '-', '+', '/', '.', ' ', 'x'}) {
      out.push_back(name);
      out.back()[i] = c;
    }
    out.push_back(name);
    out.back().insert(i, "0");
  }
  return out;
}

}  // namespace

TEST(Names, OfTransactionsParseBack) {
  for (const model::TransactionId& id : kTransactions) {
    for (const char* what : {"open", "man", "refs", "fate"}) {
      const std::string name = transaction_name(id, what);
      const auto parsed = parse_transaction_name(name);
      ASSERT_TRUE(parsed.has_value()) << name;
      EXPECT_EQ(parsed->id, id);
      EXPECT_EQ(parsed->what, what);
      for (const std::string& other : neighbours(name)) {
        const auto accepted = parse_transaction_name(other);
        if (accepted) {
          EXPECT_EQ(transaction_name(accepted->id, accepted->what), other);
        }
      }
    }
  }
  EXPECT_EQ(transaction_name({1, 2}, "open"), "t/0000000000000001-00000002/open");
  EXPECT_FALSE(parse_transaction_name("t/0000000000000001-00000002/").has_value());
}

TEST(Names, OfPacksParseBack) {
  for (const model::TransactionId& id : kTransactions) {
    for (const std::uint32_t pack : {0u, 1u, 2u, 513u, ~0u - 1}) {
      for (const std::uint32_t generation : {0u, 1u, 12u, ~0u}) {
        const std::string name = pack_name({id, pack}, generation);
        const auto parsed = parse_pack_name(name);
        ASSERT_TRUE(parsed.has_value()) << name;
        EXPECT_EQ(parsed->id, (model::PackId{id, pack}));
        EXPECT_EQ(parsed->generation, generation);
        EXPECT_TRUE(name.starts_with(is_metadata(pack) ? "m/" : "d/"));
        for (const std::string& other : neighbours(name)) {
          const auto accepted = parse_pack_name(other);
          if (accepted) {
            EXPECT_EQ(pack_name(accepted->id, accepted->generation), other);
          }
        }
      }
    }
  }
}

TEST(Names, OfLogEntriesParseBack) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{0xabcdef}, ~std::uint64_t{0}}) {
    const std::string name = log_name(number);
    EXPECT_EQ(parse_log_name(name), number);
    for (const std::string& other : neighbours(name)) {
      const auto accepted = parse_log_name(other);
      if (accepted) {
        EXPECT_EQ(log_name(*accepted), other);
      }
    }
  }
  EXPECT_EQ(parse_log_name(""), std::nullopt);
  EXPECT_EQ(parse_log_name("log/"), std::nullopt);
}

}  // namespace holdfast::repo
