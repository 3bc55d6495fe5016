// Pattern and Rules: which paths to leave out, in the language of gitignore(5). Pure; for any thread.
//
// A pattern without '/' (but at its end) is compared with the last component of a path, at any depth. With
// one, it is compared with the whole path below the base. `*`, `?` and `[a-z]` do not match '/'; `**` as a
// whole component does:
// `**/x` at any depth, `x/**` all below x, `a/**/b` with any number of directories between. A '/' at the end:
// only directories. `!` takes back; the last rule that matches decides; what is in a directory left out can't
// be taken back. `\` quotes; `#` begins a comment line. Two prefixes leave the language: `path:/a/b` is this
// path alone and literally, `re:expr` is a POSIX extended regular expression searched in the path with a
// leading '/'.
#pragma once

#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct re_pattern_buffer;  // regex_t

namespace holdfast::source {

struct PatternOptions {
  bool fold_case = false;  // ASCII letters
  // A '/' in the middle does not tie the pattern to the base: `a/b` is `**/a/b`, since on a command line
  // there is no base that users would expect. A leading '/' always does.
  bool floating = false;
};

class Pattern {
 public:
  // Nothing for blank lines and comments. Errors: usage, for sets that don't end, bad expressions, a lone
  // `\`.
  static Result<std::optional<Pattern>> parse(std::string_view line, PatternOptions options = {});

  // Whether `path`, relative to the base, is meant; negated() or not.
  bool matches(std::string_view path, bool is_directory) const;
  bool negated() const { return negated_; }

 private:
  struct Token {
    enum Kind : std::uint8_t { literal, any, star, set } kind = literal;
    char character = 0;
    std::uint32_t set_index = 0;
  };
  struct Component {
    bool any_depth = false;  // `**`
    std::vector<Token> tokens;
  };

  Result<void> compile(std::string_view text);
  Result<Component> compile_component(std::string_view text);
  Result<std::size_t> compile_set(std::string_view text, std::size_t at);
  bool matches_one(const Component& component, std::string_view name) const;
  bool matches_all(std::string_view path) const;
  char folded(char c) const;

  PatternOptions options_;
  bool negated_ = false;
  bool directories_only_ = false;
  bool last_only_ = false;  // one component, at any depth
  std::vector<Component> components_;
  std::vector<std::bitset<256>> sets_;
  std::optional<std::string> exact_;
  std::shared_ptr<const re_pattern_buffer> expression_;
};

struct Rule {
  Pattern pattern;
  std::string text;
  std::string origin;  // a file's name, or "--exclude"
  std::size_t line = 0;
};

class Rules {
 public:
  Result<void> add(std::string_view line, std::string origin, PatternOptions options, std::size_t number = 0);
  // Every line of a file. Where `skip_bad`, lines that are no pattern are left out instead of being an error.
  Result<void> add_lines(std::string_view text, const std::string& origin, PatternOptions options,
                         bool skip_bad = false);

  // The rule that decides on this path alone, or null.
  const Rule* match(std::string_view path, bool is_directory) const;
  // The same, where a directory above that is left out decides first. For paths that don't come from a walk.
  const Rule* match_with_parents(std::string_view path, bool is_directory) const;
  bool empty() const { return rules_.empty(); }

 private:
  std::vector<Rule> rules_;
};

}  // namespace holdfast::source
