// Lists on the command line and in the files it names: paths to back up, patterns of what to leave out.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "source/pattern.h"

namespace holdfast::cli {

// The paths that a backup names: as arguments and by --files-from and its kin.
Result<Words> listed_paths(const BackupOptions& options);

// Rules of "--exclude=…", "--include=…", "--exclude-file=…", …, in order. In files $NAME and ${NAME} are not
// expanded.
Result<source::Rules> rules_of(const Words& patterns);
// The same as texts, for the snapshot's record.
Result<Words> pattern_texts(const Words& patterns);

// All of a file; "-" is the standard input.
Result<std::string> read_text(const std::string& path);

}  // namespace holdfast::cli
