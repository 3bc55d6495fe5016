// How the history of a path is shown, and how a path of a command line is meant.
#pragma once

#include "cli/json.h"
#include "flow/path_log.h"

namespace holdfast::cli {

// As the tree of a snapshot has it: absolute, by its text, without '/' at either end.
std::string tree_path(const std::string& given);

std::string path_log_json(const flow::PathLog& log, const std::string& path);
// A table and a line that counts.
std::string path_log_text(const flow::PathLog& log, const std::string& path, bool human_readable);

}  // namespace holdfast::cli
