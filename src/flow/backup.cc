#include "flow/backup.h"

#include "flow/leg.h"

namespace holdfast::flow {

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

}  // namespace

Result<BackupReport> backup(source::Source& source, const repo::Repository& repository,
                            repo::LocalState& local, const BackupSpec& spec, Observer& observer,
                            std::stop_token stop) {
  repo::History history = TRY(repository.history(stop));
  Run run{.source = source,
          .repository = repository,
          .local = local,
          .spec = spec,
          .observer = observer,
          .history = std::move(history),
          .id = repository.random().array<16>(),
          .start = repository.now()};
  if (spec.remember) run.series = local.series_file(spec.host, spec.paths);
  if (!run.series.empty() && !spec.dry_run && source.repeatable()) {
    run.interval_ns = static_cast<std::int64_t>(spec.checkpoint_interval_s) * kSecondNs;
  }
  for (;;) {
    LegResult leg = TRY(run_leg(run, stop));
    const std::string trouble = repository.memory_trouble();
    if (!trouble.empty())
      observer.note("this machine can't remember what it saw of the repository: " + trouble);
    if (leg.end == Archive::End::complete) return std::move(leg.report);
    if (leg.end == Archive::End::stopped || stop.stop_requested()) {
      return Error(Errc::stopped,
                   run.checkpoint ? "stopped; what was stored so far is kept for the next run" : "stopped");
    }
    TRY_AS(source.restart(), "reading the source again after a checkpoint");
  }
}

}  // namespace holdfast::flow
