// JsonObject: one JSON object built member by member, in the order given, as text. Streams of 80,000 small
// objects don't pay for a document tree, and no file but json.cc pays for the library's header. Bytes that
// are no UTF-8 become U+FFFD.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

// With the quotes.
std::string json_string(std::string_view text);
// "[a,b]" of JSON texts.
std::string json_array(const std::vector<std::string>& values);
std::string json_strings(const std::vector<std::string>& texts);

class JsonObject {
 public:
  JsonObject& add(std::string_view name, std::string_view text) { return raw(name, json_string(text)); }
  JsonObject& add(std::string_view name, const char* text) { return raw(name, json_string(text)); }
  JsonObject& add(std::string_view name, const std::string& text) { return raw(name, json_string(text)); }
  JsonObject& add(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  JsonObject& add(std::string_view name, double value);
  JsonObject& add(std::string_view name, const std::vector<std::string>& texts) {
    return raw(name, json_strings(texts));
  }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) JsonObject& add(std::string_view name, Number value) {
    return raw(name, std::to_string(value));
  }
  // `json` is a JSON text.
  JsonObject& raw(std::string_view name, std::string_view json);
  std::string text() const { return body_ + "}"; }

 private:
  std::string body_ = "{";
};

}  // namespace holdfast::cli
