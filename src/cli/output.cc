#include "cli/output.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

namespace holdfast::cli {

void Output::flush() {
  std::string_view left = buffer_;
  while (!left.empty() && failed_ == 0) {
    const ssize_t wrote = ::write(fd_, left.data(), left.size());
    if (wrote >= 0) {
      left.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (errno != EINTR) {
      failed_ = errno;
    }
  }
  buffer_.clear();
}

Result<void> Output::finish() {
  flush();
  if (failed_ != 0) return errno_error(failed_, "write to the standard output");
  return {};
}

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < kKiB) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.3f} {}", value, kUnits[unit]);
}

namespace {

std::string zone_text(int minutes) {
  const std::int64_t size = std::abs(std::int64_t{minutes});
  return fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', size / 60, size % 60);
}

std::string calendar_text(std::int64_t seconds, int zone_minutes) {
  std::time_t shifted = 0;
  std::tm civil{};
  if (__builtin_add_overflow(seconds, std::int64_t{60} * zone_minutes, &shifted) ||
      ::gmtime_r(&shifted, &civil) == nullptr) {
    return fmt::format("@{}", seconds);
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", std::int64_t{civil.tm_year} + 1900,
                     civil.tm_mon + 1, civil.tm_mday, civil.tm_hour, civil.tm_min, civil.tm_sec);
}

}  // namespace

std::string time_text(const model::Time& time) {
  const std::time_t seconds = time.seconds;
  std::tm civil{};
  if (::localtime_r(&seconds, &civil) == nullptr) return fmt::format("@{}", time.seconds);
  const int zone = static_cast<int>(civil.tm_gmtoff / 60);
  return calendar_text(time.seconds, zone) + zone_text(zone);
}

std::string time_text_exact(const model::Time& time, int zone_minutes) {
  const std::string fraction = time.nanoseconds == 0 ? "" : fmt::format(".{:09}", time.nanoseconds);
  const std::string zone = zone_minutes == 0 ? "Z" : zone_text(zone_minutes);
  return calendar_text(time.seconds, zone_minutes) + fraction + zone;
}

std::string duration_text(std::uint64_t seconds) {
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string mode_text(const model::Attributes& attributes) {
  static constexpr std::string_view kTypes = "-dlpscb";
  std::string text(1, kTypes[static_cast<std::size_t>(attributes.type)]);
  for (int bit = 8; bit >= 0; --bit) text += (attributes.mode >> bit & 1) != 0 ? "xwr"[bit % 3] : '-';
  const auto special = [&](std::uint32_t flag, std::size_t at, char set, char lone) {
    if ((attributes.mode & flag) != 0) text[at] = text[at] == 'x' ? set : lone;
  };
  special(04000, 3, 's', 'S');
  special(02000, 6, 's', 'S');
  special(01000, 9, 't', 'T');
  return text;
}

namespace {

// The length of the UTF-8 character at the beginning of `text`, 0 where it is none (RFC 3629).
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xc2 && first < 0xe0   ? 2
                            : first >= 0xe0 && first < 0xf0 ? 3
                            : first >= 0xf0 && first < 0xf5 ? 4
                                                            : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return overlong || beyond ? 0 : bytes;
}

// Marks that change the order in which a terminal shows what follows: U+200E, U+200F, U+2028 to U+202E,
// U+2066 to U+2069. With them a name can be made to look like another one.
bool reorders(std::string_view character) {
  if (character.size() != 3 || character[0] != '\xe2') return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  if (second == 0x80) return third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae);
  return second == 0x81 && third >= 0xa6 && third <= 0xa9;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// Columns that a text takes: characters, not bytes.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

std::string printable(std::string_view name) {
  if (is_plain(name)) return std::string(name);
  std::string out;
  while (!name.empty()) {
    const std::size_t bytes = character_bytes(name);
    const auto first = static_cast<unsigned char>(name.front());
    // C1 controls are c2 80 to c2 9f.
    const bool control = first < 0x20 || first == 0x7f ||
                         (bytes == 2 && first == 0xc2 && static_cast<unsigned char>(name[1]) < 0xa0);
    const std::size_t taken = std::max<std::size_t>(bytes, 1);
    if (bytes == 0 || control || reorders(name.substr(0, taken))) {
      for (std::size_t i = 0; i < taken; ++i)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(name[i]));
    } else {
      out += name.substr(0, taken);
    }
    name.remove_prefix(taken);
  }
  return out;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

Table::Table(std::vector<std::string> titles) {
  for (std::string& title : titles) {
    right_.push_back(title.starts_with('>'));
    if (right_.back()) title.erase(0, 1);
  }
  rows_.push_back(std::move(titles));
}

void Table::row(std::vector<std::string> cells) {
  cells.resize(right_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(right_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      for (const std::string& line : lines_of(row[i])) widths[i] = std::max(widths[i], width(line));
    }
  }
  std::string out;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::vector<std::vector<std::string>> cells;
    std::size_t height = 1;
    for (const std::string& cell : rows_[r]) {
      cells.push_back(lines_of(cell));
      height = std::max(height, cells.back().size());
    }
    for (std::size_t line = 0; line < height; ++line) {
      std::string row;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string text = line < cells[i].size() ? cells[i][line] : "";
        const std::string padding(widths[i] - width(text), ' ');
        row += (i == 0 ? "" : "  ") + (right_[i] ? padding + text : text + padding);
      }
      row.erase(row.find_last_not_of(' ') + 1);
      out += row + "\n";
    }
    if (r != 0) continue;
    std::size_t total = 2 * (widths.size() - 1);
    for (const std::size_t w : widths) total += w;
    out += std::string(total, '-') + "\n";
  }
  return out;
}

}  // namespace holdfast::cli
