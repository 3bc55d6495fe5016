#include "cli/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace holdfast::cli {

namespace {

bool needs_no_escape(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

}  // namespace

std::string json_string(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), needs_no_escape)) return '"' + std::string(text) + '"';
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_array(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) {
    if (out.size() > 1) out += ',';
    out += value;
  }
  return out + "]";
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::vector<std::string> values;
  for (const std::string& text : texts) values.push_back(json_string(text));
  return json_array(values);
}

JsonObject& JsonObject::add(std::string_view name, double value) {
  return raw(name, nlohmann::json(std::isfinite(value) ? value : 0.0).dump());
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  if (body_.size() > 1) body_ += ',';
  body_ += json_string(name);
  body_ += ':';
  body_ += json;
  return *this;
}

}  // namespace holdfast::cli
