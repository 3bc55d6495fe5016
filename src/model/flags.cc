#include "model/flags.h"

#include <array>

namespace holdfast::model {

namespace {

struct Flag {
  std::uint32_t bit;
  char letter;
};

constexpr std::array<Flag, 19> kFlags = {{
    {0x1, 's'},
    {0x2, 'u'},
    {kFlagCompressed, 'c'},
    {0x8, 'S'},
    {kFlagImmutable, 'i'},
    {kFlagAppendOnly, 'a'},
    {0x40, 'd'},
    {0x80, 'A'},
    {kFlagUncompressed, 'm'},
    {kFlagEncrypted, 'E'},
    {0x4000, 'j'},
    {0x8000, 't'},
    {0x10000, 'D'},
    {0x20000, 'T'},
    {0x100000, 'V'},
    {kFlagNoCow, 'C'},
    {0x2000000, 'x'},
    {kFlagProjectInherit, 'P'},
    {kFlagCasefold, 'F'},
}};

}  // namespace

std::string flags_text(std::uint32_t flags) {
  std::string text;
  for (const Flag& flag : kFlags) {
    if ((flags & flag.bit) != 0) text += flag.letter;
  }
  return text;
}

std::uint32_t kept_flags() {
  std::uint32_t all = 0;
  for (const Flag& flag : kFlags) all |= flag.bit;
  return all;
}

std::uint32_t flags_over(std::uint32_t there, std::uint32_t kept) {
  return (there & ~kept_flags()) | (there & kFlagEncrypted) | kept;
}

}  // namespace holdfast::model
