#include "repo/kit_lines.h"

#include <fmt/core.h>

#include <array>
#include <cctype>

namespace holdfast::repo {

namespace {

// Crockford's base32: no I, L, O, U.
constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kData = 24, kChecks = 4, kLength = kData + kChecks, kGroup = 4;
constexpr unsigned kLinesMax = 999;
using Symbols = std::array<std::uint8_t, kLength>;

// GF(2^5) with x^5 + x^2 + 1, in which x generates all but 0.
struct Field {
  std::array<std::uint8_t, 62> power{};
  std::array<std::uint8_t, 32> log{};
  constexpr Field() {
    unsigned value = 1;
    for (unsigned i = 0; i < 31; ++i) {
      power[i] = power[i + 31] = static_cast<std::uint8_t>(value);
      log[value] = static_cast<std::uint8_t>(i);
      value = value << 1 ^ (value & 16u ? 0x25u : 0u);
    }
  }
  constexpr std::uint8_t times(std::uint8_t a, std::uint8_t b) const {
    if (a == 0 || b == 0) return 0;
    return power[static_cast<std::size_t>(log[a] + log[b])];
  }
};
constexpr Field kField;

// (x - 1)(x - α)(x - α²)(x - α³), the coefficient of x^0 first, without that of x^4, which is 1.
constexpr std::array<std::uint8_t, kChecks> generator() {
  std::array<std::uint8_t, kChecks + 1> g{1};
  for (std::size_t root = 0; root < kChecks; ++root) {
    for (std::size_t i = kChecks; i > 0; --i) {
      g[i] = static_cast<std::uint8_t>(g[i - 1] ^ kField.times(g[i], kField.power[root]));
    }
    g[0] = kField.times(g[0], kField.power[root]);
  }
  return {g[0], g[1], g[2], g[3]};
}

// The number of a line is part of what its check is about.
void mix_number(Symbols& line, unsigned number) {
  line[kData] = static_cast<std::uint8_t>(line[kData] ^ (number & 31));
  line[kData + 1] = static_cast<std::uint8_t>(line[kData + 1] ^ (number >> 5 & 31));
}

void add_checks(Symbols& line) {
  constexpr auto kGenerator = generator();
  std::array<std::uint8_t, kChecks> rest{};  // x^3 first
  for (std::size_t i = 0; i < kData; ++i) {
    const auto lead = static_cast<std::uint8_t>(line[i] ^ rest[0]);
    for (std::size_t k = 0; k < kChecks; ++k) {
      const std::uint8_t next = k + 1 < kChecks ? rest[k + 1] : std::uint8_t{0};
      rest[k] = static_cast<std::uint8_t>(next ^ kField.times(lead, kGenerator[kChecks - 1 - k]));
    }
  }
  for (std::size_t k = 0; k < kChecks; ++k) line[kData + k] = rest[k];
}

struct Slip {
  std::size_t at = 0;
  std::uint8_t right = 0;
};
enum class Look { good, one_wrong, many_wrong };

Look look_at(const Symbols& line, Slip& slip) {
  std::array<std::uint8_t, kChecks> sums{};  // the line's polynomial at the roots
  bool good = true;
  for (std::size_t root = 0; root < kChecks; ++root) {
    for (const std::uint8_t symbol : line) {
      sums[root] = static_cast<std::uint8_t>(kField.times(sums[root], kField.power[root]) ^ symbol);
    }
    good = good && sums[root] == 0;
  }
  if (good) return Look::good;
  for (std::size_t at = 0; at < kLength; ++at) {
    const std::size_t exponent = kLength - 1 - at;
    bool fits = sums[0] != 0;
    for (std::size_t root = 1; root < kChecks; ++root) {
      fits = fits && sums[root] == kField.times(sums[0], kField.power[root * exponent % 31]);
    }
    if (!fits) continue;
    slip = {at, static_cast<std::uint8_t>(line[at] ^ sums[0])};
    return Look::one_wrong;
  }
  return Look::many_wrong;
}

int value_of(char c) {
  const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (upper == 'O') return 0;
  if (upper == 'I' || upper == 'L') return 1;
  const std::size_t at = kDigits.find(upper);
  return at == kDigits.npos ? -1 : static_cast<int>(at);
}

std::string place(unsigned line, std::size_t at) {
  return fmt::format("line {}, group {}, character {}", line, at / kGroup + 1, at % kGroup + 1);
}

Error mistyped(std::string text) {
  return Error(Errc::usage, std::move(text)).hint("compare that line with the paper, and correct it");
}

// The symbols of a line after its number.
Result<Symbols> parse_line(unsigned number, std::string_view text) {
  Symbols line{};
  std::size_t count = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '-') continue;
    const int value = value_of(c);
    if (value < 0) return mistyped(fmt::format("{}: '{}' is no character of a kit", place(number, count), c));
    if (count < kLength) line[count] = static_cast<std::uint8_t>(value);
    ++count;
  }
  if (count != kLength)
    return mistyped(
        fmt::format("line {} has {} characters after its number, not {}", number, count, kLength));
  mix_number(line, number);
  Slip slip;
  const Look look = look_at(line, slip);
  mix_number(line, number);
  if (look == Look::many_wrong) return mistyped(fmt::format("line {} has several wrong characters", number));
  if (look == Look::one_wrong && slip.at < kData) {
    return mistyped(fmt::format("{} is wrong: '{}' should be '{}'", place(number, slip.at),
                                kDigits[line[slip.at]], kDigits[slip.right]));
  }
  if (look == Look::one_wrong) return mistyped(place(number, slip.at) + " is wrong, or the line's number");
  return line;
}

// The number that the line begins with; 0 where it begins with none. `line` is then what follows.
unsigned take_number(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  std::size_t end = begin;
  unsigned number = 0;
  while (end < line.size() && line[end] >= '0' && line[end] <= '9' && number <= kLinesMax) {
    number = number * 10 + static_cast<unsigned>(line[end++] - '0');
  }
  const bool alone = end > begin && end < line.size() && (line[end] == ' ' || line[end] == '\t');
  if (!alone || number > kLinesMax) return 0;
  line.remove_prefix(end);
  return number;
}

void append_bytes(Buffer& out, const Symbols& line) {
  for (std::size_t i = 0; i < kData; i += 8) {
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < 8; ++k) bits = bits << 5 | line[i + k];
    for (int shift = 32; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
}

}  // namespace

std::string kit_lines(Bytes bytes) {
  std::string out;
  unsigned number = 0;
  for (std::size_t from = 0; from < bytes.size(); from += kKitLineBytes) {
    Symbols line{};
    for (std::size_t bit = 0; bit < kData * 5; ++bit) {
      const std::size_t at = from + bit / 8;
      const unsigned one = at < bytes.size() ? bytes[at] >> (7 - bit % 8) & 1u : 0u;
      line[bit / 5] = static_cast<std::uint8_t>(static_cast<unsigned>(line[bit / 5]) << 1 | one);
    }
    add_checks(line);
    mix_number(line, ++number);
    out += fmt::format("{:3} ", number);
    for (std::size_t i = 0; i < kLength; ++i) {
      if (i % kGroup == 0) out += ' ';
      out += kDigits[line[i]];
    }
    out += '\n';
  }
  return out;
}

Result<std::vector<Buffer>> parse_kit_lines(std::string_view text) {
  std::vector<Buffer> blocks;
  unsigned last = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\n\f"), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const unsigned number = take_number(line);
    if (number == 0) continue;
    if (number == 1) {
      blocks.emplace_back();
    } else if (blocks.empty() || number != last + 1) {
      return mistyped(
          fmt::format("line {} is missing: line {} comes instead", blocks.empty() ? 1 : last + 1, number));
    }
    last = number;
    const Symbols symbols = TRY(parse_line(number, line));
    append_bytes(blocks.back(), symbols);
  }
  return blocks;
}

}  // namespace holdfast::repo
