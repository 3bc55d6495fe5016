#include "repo/append.h"

namespace holdfast::repo {

Result<void> append_decided(const Repository& repository, LogState& log,
                            const std::function<Result<std::optional<LogEntry>>()>& decide, int turns_max,
                            std::stop_token stop) {
  for (int turns = 0; turns < turns_max; ++turns) {
    const std::optional<LogEntry> entry = TRY(decide());
    if (!entry) return {};
    const auto done = repository.log().append(log, *entry, repository.now(), repository.random(), stop);
    if (done.ok() || done.error().kind() != Errc::conflict)
      return done.ok() ? Result<void>() : done.error().copy();
    TRY_AS(repository.log().follow(log, stop), "reading the log");
  }
  return Error(Errc::conflict, "the log moved on again and again").hint("run the command again");
}

}  // namespace holdfast::repo
