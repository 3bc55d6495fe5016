// Environment: the environment variables of the process, as a value, so that tests can give others. A variable that is
// set to nothing counts as not set, as with restic and POSIX tools.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::cli {

class Environment {
 public:
  Environment() = default;
  explicit Environment(std::map<std::string, std::string, std::less<>> variables)
      : variables_(std::move(variables)) {}
  static Environment of_process();

  std::optional<std::string> get(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace holdfast::cli
