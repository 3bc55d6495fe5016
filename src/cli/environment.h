// Environment: the environment variables of the process, as a value, so that tests can give others. A
// variable that is set to nothing counts as not set, as with restic and POSIX tools.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::cli {

class Environment {
 public:
  using Variables = std::map<std::string, std::string, std::less<>>;
  Environment() = default;
  explicit Environment(Variables variables) : variables_(std::move(variables)) {}
  static Environment of_process();

  std::optional<std::string> get(std::string_view name) const;

 private:
  Variables variables_;
};

}  // namespace holdfast::cli
