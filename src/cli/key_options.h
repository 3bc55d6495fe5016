// Options of `holdfast key`; see options.h.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

struct KeyOptions {
  std::string action;
  Words words;
  std::string new_password_file;
  std::string role;
  std::string recipient;
  std::string shares, threshold, target;
  std::string label;
  std::string user, host;
  std::string confirm;
  bool dry_run = false;
};

}  // namespace holdfast::cli
