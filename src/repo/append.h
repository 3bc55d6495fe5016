// append_decided: appends to the log what is to be said on the view of it as it is by then. Where somebody
// else was faster the log is followed and it is decided anew. Functions; thread-safe for different views.
#pragma once

#include <functional>
#include <optional>

#include "repo/repository.h"

namespace holdfast::repo {

// `decide` looks at `log`, which is followed, and gives the entry: nothing where there is nothing to be said.
// Errors: those of `decide`; Errc::conflict where others were faster `turns_max` times.
Result<void> append_decided(const Repository& repository, LogState& log,
                            const std::function<Result<std::optional<LogEntry>>()>& decide, int turns_max,
                            std::stop_token stop);

}  // namespace holdfast::repo
