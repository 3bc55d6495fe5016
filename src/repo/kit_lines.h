// How a recovery kit is written so that people can type it in: numbered lines of base32, each with a
// Reed–Solomon check that finds any three wrong characters of a line and says which one a single wrong one
// is. docs/format/keys.md, "Recovery kit". Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::repo {

inline constexpr std::size_t kKitLineBytes = 15;

// `bytes`, zero bytes after the last, as lines numbered from 1.
std::string kit_lines(Bytes bytes);
// The bytes of every block of lines in the text: a line with number 1 begins the next one. Lines that begin
// with no number are passed over. Errc::usage, with the place, where a line was mistyped or left out.
Result<std::vector<Buffer>> parse_kit_lines(std::string_view text);

}  // namespace holdfast::repo
