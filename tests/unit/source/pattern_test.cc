#include "source/pattern.h"

namespace holdfast::source {
namespace {

bool matches(std::string_view pattern, std::string_view path, bool is_directory = false,
             PatternOptions options = {}) {
  auto parsed = Pattern::parse(pattern, options);
  EXPECT_TRUE(parsed.ok()) << pattern;
  return parsed.ok() && parsed.value().has_value() && parsed.value()->matches(path, is_directory);
}

// The language once more, as short as possible: tries everything.
bool naive(std::string_view pattern, std::string_view text, bool at_component = true) {
  if (pattern.empty()) return text.empty();
  if (at_component && pattern == "**") return !text.empty();
  if (at_component && pattern.starts_with("**/")) {
    if (naive(pattern.substr(3), text)) return true;
    const std::size_t slash = text.find('/');
    return slash != text.npos && naive(pattern, text.substr(slash + 1));
  }
  const char c = pattern.front();
  if (c == '*') {
    return naive(pattern.substr(1), text, false) ||
           (!text.empty() && text.front() != '/' && naive(pattern, text.substr(1), false));
  }
  if (text.empty() || (c == '?' ? text.front() == '/' : c != text.front())) return false;
  return naive(pattern.substr(1), text.substr(1), c == '/');
}

bool naive_rule(std::string_view pattern, std::string_view path) {
  if (pattern.ends_with('/')) pattern.remove_suffix(1);
  const bool anchored = pattern.find('/') != pattern.npos;
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  if (anchored) return naive(pattern, path);
  return naive(pattern, path.substr(path.rfind('/') + 1), false);
}

// All strings over `alphabet` of up to `length` characters.
std::vector<std::string> all_strings(std::string_view alphabet, std::size_t length) {
  std::vector<std::string> out{""};
  for (std::size_t begin = 0; begin < out.size() && out[begin].size() < length; ++begin) {
    for (const char c : alphabet) out.push_back(out[begin] + c);
  }
  out.erase(out.begin());
  return out;
}

bool is_plain(const std::string& path) {
  return path.front() != '/' && path.back() != '/' && path.find("//") == path.npos;
}

TEST(Pattern, AgreesWithTheNaiveMatcherOnEverythingSmall) {
  std::vector<std::string> paths;
  for (const std::string& path : all_strings("ab/", 6)) {
    if (is_plain(path)) paths.push_back(path);
  }
  std::size_t matched = 0;
  for (const std::string& text : all_strings("ab*?/", 6)) {
    auto pattern = Pattern::parse(text);
    if (!pattern.ok()) {
      EXPECT_TRUE(text.find_first_not_of('/') == text.npos) << text;
      continue;
    }
    for (const std::string& path : paths) {
      const bool expected = naive_rule(text, path);
      matched += expected;
      if (pattern.value()->matches(path, true) != expected) {
        ADD_FAILURE() << text << " against " << path << " should be " << expected;
        return;
      }
    }
  }
  EXPECT_GT(matched, 10000u);
}

TEST(Pattern, LongRunsOfStarsTakeNoTime) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  EXPECT_FALSE(matches(pattern + "b", std::string(5000, 'a')));
  std::string deep = "x";
  std::string path = "a";
  for (int i = 0; i < 50; ++i) deep = "**/a/" + deep;
  for (int i = 0; i < 500; ++i) path += "/a";
  EXPECT_FALSE(matches(deep, path));
}

TEST(Pattern, ReadsTheManual) {
  EXPECT_TRUE(matches("*.o", "src/deep/x.o"));
  EXPECT_FALSE(matches("/*.o", "src/x.o"));
  EXPECT_TRUE(matches("/*.o", "x.o"));
  EXPECT_TRUE(matches("doc/frotz", "doc/frotz"));
  EXPECT_FALSE(matches("doc/frotz", "a/doc/frotz"));
  EXPECT_TRUE(matches("**/doc/frotz", "a/doc/frotz"));
  EXPECT_TRUE(matches("abc/**", "abc/x/y"));
  EXPECT_FALSE(matches("abc/**", "abc", true));
  EXPECT_TRUE(matches("a/**/b", "a/b"));
  EXPECT_TRUE(matches("a/**/b", "a/x/y/b"));
  EXPECT_TRUE(matches("build/", "x/build", true));
  EXPECT_FALSE(matches("build/", "x/build", false));
}

TEST(Pattern, QuotesAndSets) {
  EXPECT_TRUE(matches("\\#x", "#x"));
  EXPECT_TRUE(matches("\\!x", "!x"));
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "x"));
  EXPECT_TRUE(matches("end\\ ", "end "));
  EXPECT_TRUE(matches("end   ", "end"));
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_FALSE(matches("[!a-c]x", "bx"));
  EXPECT_TRUE(matches("[^a-c]x", "dx"));
  EXPECT_TRUE(matches("[]]", "]"));
  EXPECT_TRUE(matches("[]-a]", "_"));
  EXPECT_TRUE(matches("[a-]", "-"));
  EXPECT_TRUE(matches("[[:digit:]]", "7"));
  EXPECT_FALSE(matches("[[:digit:]]", "x"));
  EXPECT_TRUE(matches("[\\]]", "]"));
  EXPECT_TRUE(matches("?", "\xff"));
  EXPECT_TRUE(matches("[\xf0-\xff]", "\xff"));
  for (const char* text : {"[a", "x\\", "re:(", "/", "path:"})
    EXPECT_FALSE(Pattern::parse(text).ok()) << text;
  for (const char* text : {"", "  ", "# comment"})
    EXPECT_FALSE(Pattern::parse(text).value().has_value()) << text;
}

TEST(Pattern, FoldsCaseWhereAsked) {
  const PatternOptions fold{.fold_case = true};
  EXPECT_TRUE(matches("*.JPG", "a/x.jpg", false, fold));
  EXPECT_TRUE(matches("*.jpg", "a/X.JPG", false, fold));
  EXPECT_TRUE(matches("[A-C]", "b", false, fold));
  EXPECT_TRUE(matches("re:\\.JPG$", "a/x.jpg", false, fold));
  EXPECT_TRUE(matches("path:/A/B", "a/b", false, fold));
  EXPECT_FALSE(matches("*.JPG", "a/x.jpg"));
}

TEST(Pattern, OnTheCommandLineASlashInTheMiddleDoesNotTie) {
  const PatternOptions floating{.floating = true};
  EXPECT_TRUE(matches("node_modules/.cache", "home/ann/x/node_modules/.cache", true, floating));
  EXPECT_TRUE(matches("/home/ann", "home/ann", true, floating));
  EXPECT_FALSE(matches("/ann", "home/ann", true, floating));
}

TEST(Pattern, PathsAndExpressions) {
  EXPECT_TRUE(matches("path:/a/*", "a/*"));
  EXPECT_FALSE(matches("path:/a/*", "a/b"));
  EXPECT_TRUE(matches("re:^/home/[^/]+/\\.cache$", "home/ann/.cache"));
  EXPECT_FALSE(matches("re:^/home/[^/]+/\\.cache$", "home/ann/x/.cache"));
}

TEST(Rules, TheLastMatchDecides) {
  Rules rules;
  ASSERT_TRUE(rules.add_lines("*.log\n# note\n\n!keep.log\n/keep.log\r\n", "list", {}).ok());
  ASSERT_NE(rules.match("x/a.log", false), nullptr);
  EXPECT_FALSE(rules.match("x/a.log", false)->pattern.negated());
  EXPECT_TRUE(rules.match("x/keep.log", false)->pattern.negated());
  EXPECT_FALSE(rules.match("keep.log", false)->pattern.negated());
  EXPECT_EQ(rules.match("keep.log", false)->line, 5u);
  EXPECT_EQ(rules.match("keep.txt", false), nullptr);
}

TEST(Rules, WhatIsInADirectoryLeftOutCannotBeTakenBack) {
  Rules rules;
  ASSERT_TRUE(rules.add_lines("build/\n!build/keep\n", "list", {}).ok());
  EXPECT_FALSE(rules.match_with_parents("build/keep", false)->pattern.negated());
  EXPECT_TRUE(rules.match("build/keep", false)->pattern.negated());
}

TEST(Rules, NameTheBadLine) {
  Rules rules;
  auto added = rules.add_lines("good\n[bad\n", "list", {});
  ASSERT_FALSE(added.ok());
  EXPECT_NE(added.error().text().find("list:2"), std::string::npos) << added.error().text();
  EXPECT_TRUE(rules.add_lines("[bad\nfine\n", "list", {}, true).ok());
  EXPECT_NE(rules.match("fine", false), nullptr);
}

}  // namespace
}  // namespace holdfast::source
