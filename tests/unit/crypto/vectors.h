// Reads the JSON test vectors of tests/vectors.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace holdfast::test {

inline nlohmann::json vectors(const std::string& name) {
  std::ifstream file(std::string(HOLDFAST_SOURCE_DIR "/tests/vectors/") + name);
  return nlohmann::json::parse(file);
}

inline Buffer bytes_of(const nlohmann::json& text) {
  const auto& digits = text.get_ref<const std::string&>();
  Buffer out(digits.size() / 2);
  EXPECT_TRUE(unhex(digits, out)) << digits;
  return out;
}

template <std::size_t N>
std::array<std::uint8_t, N> array_of(Bytes bytes) {
  std::array<std::uint8_t, N> out{};
  EXPECT_EQ(bytes.size(), N);
  std::copy_n(bytes.begin(), std::min(N, bytes.size()), out.begin());
  return out;
}

}  // namespace holdfast::test
