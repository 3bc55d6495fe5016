#include "cli/path_lists.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <glob.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "base/fd.h"

namespace holdfast::cli {

namespace {

constexpr std::size_t kListBytesMax = 256 * kMiB;

std::vector<std::string> split(const std::string& text, char end) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t stop = std::min(text.find(end, at), text.size());
    if (stop > at) parts.push_back(text.substr(at, stop - at));
    at = stop + 1;
  }
  return parts;
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \t\r") + 1);
  text.erase(0, text.find_first_not_of(" \t"));
  return text;
}

// Paths with wildcards, comments and blank lines.
Result<void> add_patterns(const std::string& file, Words& paths) {
  const std::string text = TRY_AS(read_text(file), "--files-from");
  for (const std::string& raw : split(text, '\n')) {
    const std::string line = trimmed(raw);
    if (line.empty() || line.starts_with('#')) continue;
    glob_t found{};
    const int failed = ::glob(line.c_str(), 0, nullptr, &found);
    for (std::size_t i = 0; failed == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
    if (failed != 0) return Error(Errc::not_found, fmt::format("{}: nothing matches '{}'", file, line));
  }
  return {};
}

struct Given {
  std::string option;
  std::string value;
};

Given taken_apart(const std::string& word) {
  const std::size_t equals = word.find('=');
  return {word.substr(0, equals), word.substr(equals + 1)};
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
  const Fd opened(path == "-" ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (path != "-" && !opened.valid()) return errno_error(errno, "open " + path);
  const int fd = path == "-" ? STDIN_FILENO : opened.get();
  std::string text;
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + path);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > kListBytesMax) return Error(Errc::usage, path + " is too long");
  }
}

Result<Words> listed_paths(const BackupOptions& options) {
  Words paths = options.paths;
  for (const std::string& file : options.files_from) TRY(add_patterns(file, paths));
  for (const std::string& file : options.files_from_verbatim) {
    const std::string text = TRY_AS(read_text(file), "--files-from-verbatim");
    for (std::string& line : split(text, '\n')) paths.push_back(std::move(line));
  }
  for (const std::string& file : options.files_from_raw) {
    const std::string text = TRY_AS(read_text(file), "--files-from-raw");
    for (std::string& line : split(text, '\0')) paths.push_back(std::move(line));
  }
  return paths;
}

Result<source::Rules> rules_of(const Words& patterns) {
  source::Rules rules;
  for (const std::string& word : patterns) {
    const Given given = taken_apart(word);
    const source::PatternOptions options{
        .fold_case = given.option.starts_with("--i") && given.option != "--include", .floating = true};
    if (given.option.ends_with("-file")) {
      const std::string text = TRY_AS(read_text(given.value), given.option);
      TRY_AS(rules.add_lines(text, given.value, options), given.option);
    } else {
      const bool takes_back = given.option == "--include" || given.option == "--iinclude";
      TRY_AS(rules.add((takes_back ? "!" : "") + given.value, given.option, options), given.option);
    }
  }
  return rules;
}

Result<Words> pattern_texts(const Words& patterns) {
  Words texts;
  for (const std::string& word : patterns) {
    const Given given = taken_apart(word);
    if (given.option.ends_with("-file")) {
      const std::string text = TRY(read_text(given.value));
      for (std::string& line : split(text, '\n')) texts.push_back(std::move(line));
    } else {
      texts.push_back((given.option == "--include" ? "!" : "") + given.value);
    }
  }
  return texts;
}

}  // namespace holdfast::cli
