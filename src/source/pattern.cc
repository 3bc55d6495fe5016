#include "source/pattern.h"

#include <fmt/core.h>
#include <regex.h>

#include <array>
#include <cctype>

namespace holdfast::source {

namespace {

unsigned char index_of(char c) { return static_cast<unsigned char>(c); }

Error bad(std::string_view text, std::string_view why) {
  return Error(Errc::usage, fmt::format("bad pattern \"{}\": {}", text, why));
}

// Blanks at the end don't count unless they are quoted.
std::string_view without_trailing_blanks(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\n')) {
    std::size_t quotes = 0;
    while (quotes + 1 < line.size() && line[line.size() - 2 - quotes] == '\\') ++quotes;
    if (line.back() == ' ' && quotes % 2 == 1) break;
    line.remove_suffix(1);
  }
  return line;
}

}  // namespace

char Pattern::folded(char c) const {
  return options_.fold_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

Result<std::optional<Pattern>> Pattern::parse(std::string_view line, PatternOptions options) {
  line = without_trailing_blanks(line);
  if (line.empty() || line.front() == '#') return std::optional<Pattern>();
  Pattern pattern;
  pattern.options_ = options;
  if (line.front() == '!') {
    pattern.negated_ = true;
    line.remove_prefix(1);
  }
  if (line.starts_with("path:")) {
    std::string_view path = line.substr(5);
    while (path.starts_with('/')) path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    if (path.empty()) return bad(line, "no path");
    pattern.exact_.emplace();
    for (const char c : path) *pattern.exact_ += pattern.folded(c);
  } else if (line.starts_with("re:")) {
    const std::string text(line.substr(3));
    std::unique_ptr<regex_t> expression = std::make_unique<regex_t>();
    const int flags = REG_EXTENDED | REG_NOSUB | (options.fold_case ? REG_ICASE : 0);
    if (const int failure = ::regcomp(expression.get(), text.c_str(), flags); failure != 0) {
      std::array<char, 256> why{};
      ::regerror(failure, expression.get(), why.data(), why.size());
      return bad(line, why.data());
    }
    pattern.expression_ = {expression.release(), [](const regex_t* done) {
                             const std::unique_ptr<regex_t> owned(const_cast<regex_t*>(done));
                             ::regfree(owned.get());
                           }};
  } else {
    TRY(pattern.compile(line));
  }
  return std::optional<Pattern>(std::move(pattern));
}

Result<void> Pattern::compile(std::string_view text) {
  const std::string_view whole = text;
  if (text.ends_with('/')) {
    directories_only_ = true;
    text.remove_suffix(1);
  }
  const bool anchored = text.starts_with('/');
  if (anchored) text.remove_prefix(1);
  if (text.empty()) return bad(whole, "no name in it");
  last_only_ = !anchored && text.find('/') == text.npos;
  if (!anchored && options_.floating && !last_only_) components_.push_back({.any_depth = true, .tokens = {}});
  while (true) {
    const std::size_t slash = text.find('/');
    Component component = TRY(compile_component(text.substr(0, slash)));
    components_.push_back(std::move(component));
    if (slash == text.npos) return {};
    text.remove_prefix(slash + 1);
  }
}

Result<Pattern::Component> Pattern::compile_component(std::string_view text) {
  Component component;
  if (text == "**" && !last_only_) {
    component.any_depth = true;
    return component;
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    Token token{.kind = Token::literal, .character = folded(text[at])};
    switch (text[at]) {
      case '*':
        if (!component.tokens.empty() && component.tokens.back().kind == Token::star) continue;
        token.kind = Token::star;
        break;
      case '?':
        token.kind = Token::any;
        break;
      case '[':
        at = TRY(compile_set(text, at));
        token.kind = Token::set;
        token.set_index = static_cast<std::uint32_t>(sets_.size() - 1);
        break;
      case '\\':
        if (++at == text.size()) return bad(text, "nothing after the last \\");
        token.character = folded(text[at]);
        break;
      default:
        break;
    }
    component.tokens.push_back(token);
  }
  return component;
}

namespace {

struct Class {
  std::string_view name;
  int (*test)(int);
};
constexpr std::array<Class, 12> kClasses{{{"alnum", std::isalnum},
                                          {"alpha", std::isalpha},
                                          {"blank", std::isblank},
                                          {"cntrl", std::iscntrl},
                                          {"digit", std::isdigit},
                                          {"graph", std::isgraph},
                                          {"lower", std::islower},
                                          {"print", std::isprint},
                                          {"punct", std::ispunct},
                                          {"space", std::isspace},
                                          {"upper", std::isupper},
                                          {"xdigit", std::isxdigit}}};

// Adds the class at `text`, "[:name:]…", to `set`; returns its length, or 0 where there is none.
std::size_t add_class(std::string_view text, std::bitset<256>& set) {
  const std::size_t end = text.find(":]", 2);
  if (!text.starts_with("[:") || end == text.npos) return 0;
  for (const Class& known : kClasses) {
    if (known.name != text.substr(2, end - 2)) continue;
    for (int c = 0; c < 128; ++c) {
      if (known.test(c) != 0) set.set(static_cast<std::size_t>(c));
    }
    return end + 2;
  }
  return 0;
}

void add_other_case(std::bitset<256>& set) {
  for (std::size_t lower = 'a'; lower <= 'z'; ++lower) {
    const std::size_t upper = lower - 'a' + 'A';
    if (set[lower] || set[upper]) set.set(lower).set(upper);
  }
}

}  // namespace

// Compiles the set that begins at text[at] == '['; returns where its ']' is.
Result<std::size_t> Pattern::compile_set(std::string_view text, std::size_t at) {
  std::bitset<256> set;
  std::size_t i = at + 1;
  const bool inverted = i < text.size() && (text[i] == '!' || text[i] == '^');
  if (inverted) ++i;
  const std::size_t first = i;
  for (; i < text.size() && (text[i] != ']' || i == first); ++i) {
    if (const std::size_t length = add_class(text.substr(i), set); length > 0) {
      i += length - 1;
      continue;
    }
    if (text[i] == '\\' && ++i == text.size()) break;
    const unsigned char low = index_of(text[i]);
    unsigned char high = low;
    if (i + 2 < text.size() && text[i + 1] == '-' && text[i + 2] != ']') {
      i += 2;
      if (text[i] == '\\' && ++i == text.size()) break;
      high = index_of(text[i]);
    }
    for (std::size_t c = low; c <= high; ++c) set.set(c);
  }
  if (i >= text.size()) return bad(text, "[ without ]");
  if (options_.fold_case) add_other_case(set);
  sets_.push_back(inverted ? ~set : set);
  return i;
}

// Wildcards in one component: a mismatch goes back to the last star, which then takes one character more;
// earlier stars never need to be reconsidered.
bool Pattern::matches_one(const Component& component, std::string_view name) const {
  const std::vector<Token>& tokens = component.tokens;
  std::size_t t = 0;
  std::size_t n = 0;
  std::size_t star = tokens.size();  // none yet
  std::size_t star_end = 0;          // what the star has taken ends here
  while (n < name.size() || t < tokens.size()) {
    if (t < tokens.size() && tokens[t].kind == Token::star) {
      star = t++;
      star_end = n;
      continue;
    }
    const bool fits = t < tokens.size() && n < name.size() &&
                      (tokens[t].kind == Token::any ||
                       (tokens[t].kind == Token::set && sets_[tokens[t].set_index][index_of(name[n])]) ||
                       (tokens[t].kind == Token::literal && tokens[t].character == folded(name[n])));
    if (fits) {
      ++t;
      ++n;
      continue;
    }
    if (star == tokens.size() || star_end == name.size()) return false;
    n = ++star_end;
    t = star + 1;
  }
  return true;
}

// The same one level up: components are the characters, `**` is the star. One at the end takes at least one.
bool Pattern::matches_all(std::string_view path) const {
  std::size_t c = 0;
  std::size_t at = 0;  // begin of a component of the path; past the end: none is left
  const std::size_t end = path.size() + 1;
  const auto component_end = [&](std::size_t from) { return std::min(path.find('/', from), path.size()); };
  std::size_t star = components_.size();
  std::size_t star_end = 0;
  while (at < end || c < components_.size()) {
    if (c < components_.size() && components_[c].any_depth) {
      if (c + 1 == components_.size()) return at < end;
      star = c++;
      star_end = at;
      continue;
    }
    if (c < components_.size() && at < end &&
        matches_one(components_[c], path.substr(at, component_end(at) - at))) {
      ++c;
      at = component_end(at) + 1;
      continue;
    }
    if (star == components_.size() || star_end >= end) return false;
    at = star_end = component_end(star_end) + 1;
    c = star + 1;
  }
  return true;
}

bool Pattern::matches(std::string_view path, bool is_directory) const {
  if (directories_only_ && !is_directory) return false;
  if (exact_) {
    return exact_->size() == path.size() && std::equal(path.begin(), path.end(), exact_->begin(),
                                                       [&](char a, char b) { return folded(a) == b; });
  }
  if (expression_ != nullptr) {
    const std::string text = "/" + std::string(path);
    return ::regexec(expression_.get(), text.c_str(), 0, nullptr, 0) == 0;
  }
  if (!last_only_) return matches_all(path);
  const std::size_t slash = path.rfind('/');
  return matches_one(components_.front(), slash == path.npos ? path : path.substr(slash + 1));
}

Result<void> Rules::add(std::string_view line, std::string origin, PatternOptions options,
                        std::size_t number) {
  std::optional<Pattern> pattern = TRY(Pattern::parse(line, options));
  if (pattern) rules_.push_back({std::move(*pattern), std::string(line), std::move(origin), number});
  return {};
}

Result<void> Rules::add_lines(std::string_view text, const std::string& origin, PatternOptions options,
                              bool skip_bad) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    auto added = add(text.substr(0, end), origin, options, number);
    if (!added.ok() && !skip_bad)
      return std::move(added).error().context(fmt::format("{}:{}", origin, number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

const Rule* Rules::match(std::string_view path, bool is_directory) const {
  for (std::size_t i = rules_.size(); i-- > 0;) {
    if (rules_[i].pattern.matches(path, is_directory)) return &rules_[i];
  }
  return nullptr;
}

const Rule* Rules::match_with_parents(std::string_view path, bool is_directory) const {
  for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    const Rule* rule = match(path.substr(0, slash), true);
    if (rule != nullptr && !rule->pattern.negated()) return rule;
  }
  return match(path, is_directory);
}

}  // namespace holdfast::source
