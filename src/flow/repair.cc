#include "flow/repair.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/hash.h"
#include "flow/check_findings.h"
#include "flow/frame_scan.h"
#include "flow/mirror_objects.h"
#include "repo/append.h"
#include "repo/pack_reader.h"
#include "repo/relocate.h"
#include "repo/rights.h"

namespace holdfast::flow {

using model::PackId;
using repo::Vital;

namespace {

using Step = RepairPlan::Step;

// Plans until nothing new came to light, and nobody came between; entries of others between our own.
constexpr int kPlansMax = 5;
constexpr int kTurnsMax = 200;
constexpr std::uint64_t kCopyBytes = 4 * kMiB;

// That the next entry that is here knows it: by the one after it, or where more are missing, by those that
// the replica has between.
Result<void> verify_chained(const repo::Repository& repository, storage::Storage& replica,
                            std::uint64_t number, Bytes body, std::stop_token stop) {
  const repo::Config& config = repository.config();
  for (Hash hash = crypto::hash(body);;) {
    const std::string after = repo::log_name(++number);
    auto next = repository.storage().get(after, {}, stop);
    const bool missing = !next.ok() && next.error().kind() == Errc::not_found;
    if (missing) next = replica.get(after, {}, stop);
    const Buffer object = TRY(std::move(next));
    const repo::Unwrapped vital = TRY(repo::unwrap_vital(Vital::log, object, after));
    if (missing) TRY(repo::verify_body(config.log, config.id, after, vital.body));
    Decoder in(vital.body);
    in.u64();
    if (in.array<32>() != hash) return Error(Errc::damaged, after + " was written after another");
    if (!missing) return {};
    hash = crypto::hash(vital.body);
  }
}

// Whether a small object is what its name says, in both copies, and written by who may.
Result<void> verify_small(const repo::Repository& repository, storage::Storage& replica,
                          const std::string& name, const Buffer& object, std::stop_token stop) {
  const repo::Config& config = repository.config();
  const auto number = repo::parse_log_name(name);
  const auto kind = vital_kind(name);
  const auto domain = repo::parse_domain_name(name);
  if (!kind || (!number && !domain && !repo::parse_transaction_name(name)))
    return Error(Errc::damaged, "nobody knows what this is");
  const repo::Unwrapped vital = TRY(repo::unwrap_vital(*kind, object, name));
  if (vital.one_copy_damaged) return Error(Errc::damaged, "one of two copies inside is damaged");
  if (number) {
    TRY(repo::verify_body(config.log, config.id, name, vital.body));
    return verify_chained(repository, replica, *number, vital.body, stop);
  }
  if (*kind == Vital::domain) {
    TRY(repo::decode_domain_secret(config, *repository.secrets().index, domain->domain, object));
    return {};
  }
  if (*kind == Vital::open || *kind == Vital::fate) {
    TRY(repo::verify_body(config.commit, config.id, name, vital.body));
    return {};
  }
  Decoder in(vital.body);
  const Bytes sealed = in.blob();
  TRY(in.finish("the object"));
  TRY(repo::unseal(*repository.secrets().index, repo::seal_context(config.id, name), sealed));
  return {};
}

class Repairer {
 public:
  Repairer(const repo::Repository& repository, const RepairOptions& options, std::stop_token stop)
      : repository_(repository), storage_(repository.storage()), options_(options), stop_(std::move(stop)) {}

  // Errc::conflict where somebody gave the pack another object since the plan was made: there must be a new
  // one.
  Result<void> perform(const Step& step) {
    auto done = attempt(step);
    const bool missing = !done.ok() && done.error().kind() == Errc::not_found;
    if (!missing || !step.pack || step.from_replica) return done;
    repo::LogState now;
    TRY_AS(repository_.log().follow(now, stop_), "reading the log");
    if (now.generation(*step.pack) == step.generation) return done;
    return moved();
  }

 private:
  static Error moved() {
    return Error(Errc::conflict, "a prune moved or removed it meanwhile").hint("run the command again");
  }
  Result<void> attempt(const Step& step) {
    if (step.action == RepairPlan::Action::rewrite) return rewrite(step);
    if (step.action == RepairPlan::Action::fill) return fill_in(step);
    return step.pack ? fetch_pack(step) : fetch_small(step);
  }
  Result<void> fetch_small(const Step& step);
  Result<void> fetch_pack(const Step& step);
  Result<void> rewrite(const Step& step);
  Result<void> fill_in(const Step& step);
  Result<void> end(const Step& step, repo::LogState& log, std::uint64_t entry, const model::Slots& kept,
                   Result<void> made);
  Result<std::uint64_t> condemn(const Step& step, repo::LogState& log, model::Slots& kept);
  Result<void> conclude(const Step& step, repo::LogState& log, std::uint64_t entry, const model::Slots& kept);
  Result<void> expect_whole(const Step& step, std::uint32_t generation);
  Result<model::Slots> all_slots(const Step& step);
  storage::Storage& source(const Step& step) { return step.from_replica ? *options_.replica : storage_; }
  std::optional<Hash> root(const Step& step) const {
    return step.root == Hash{} ? std::nullopt : std::optional(step.root);
  }

  const repo::Repository& repository_;
  storage::Storage& storage_;
  const RepairOptions& options_;
  std::stop_token stop_;
};

Result<void> Repairer::fetch_small(const Step& step) {
  const Buffer object = TRY_AS(options_.replica->get(step.object, {}, stop_), "the replica");
  TRY_AS(verify_small(repository_, *options_.replica, step.object, object, stop_),
         "the replica's " + step.object);
  TRY_AS(storage_.put(step.object, object, stop_), "putting " + step.object);
  return storage_.barrier(stop_);
}

// The plan has looked at every frame of it; what has arrived is looked at again.
Result<void> Repairer::fetch_pack(const Step& step) {
  const storage::ObjectInfo info = TRY_AS(options_.replica->stat(step.object, stop_), "the replica");
  const auto spool = TRY(storage_.spool());
  for (std::uint64_t at = 0; at < info.size_bytes; at += kCopyBytes) {
    const std::uint64_t length = std::min(kCopyBytes, info.size_bytes - at);
    const Buffer part = TRY_AS(options_.replica->get(step.object, {at, length}, stop_), "the replica");
    TRY(spool->append(part));
  }
  TRY_AS(storage_.put(step.object, *spool, stop_), "putting " + step.object);
  TRY(storage_.barrier(stop_));
  return expect_whole(step, step.generation);
}

Result<void> Repairer::expect_whole(const Step& step, std::uint32_t generation) {
  const auto frames = TRY(repo::PackFrames::open(
      storage_,
      {repository_.config().id, repository_.secrets().index ? &*repository_.secrets().index : nullptr,
       root(step)},
      {*step.pack, generation}, stop_));
  const FrameLosses losses = TRY(find_losses(*frames, stop_));
  if (frames->refused()) return frames->refused()->copy().context("reading back " + frames->name());
  if (losses.empty() && frames->take_notes().empty()) return {};
  return Error(Errc::damaged, frames->name() + " was written anew and does not read back as it was written")
      .hint("this store does not keep what it says; do not use it before you know why");
}

Result<model::Slots> Repairer::all_slots(const Step& step) {
  if (step.filling != nullptr)
    return model::Slots::first(static_cast<std::uint32_t>(step.filling->chunks.size()));
  const auto pack = TRY(repo::PackReader::open(
      source(step), {repository_.config().id, nullptr, *repository_.secrets().index, root(step)}, *step.pack,
      step.generation, stop_));
  return model::Slots::first(static_cast<std::uint32_t>(pack->directory().size()));
}

// A condemnation that keeps all that the log says is there: nothing comes to be forbidden by it, it only
// gives the new object its number. One in force that a prune made is replaced; its DELETE is void then, and
// it plans anew.
Result<std::uint64_t> Repairer::condemn(const Step& step, repo::LogState& log, model::Slots& kept) {
  const model::Slots all = TRY(all_slots(step));
  const std::uint32_t expected = repo::parse_pack_name(step.object)->generation;
  std::uint64_t number = 0;
  const auto decide = [&]() -> Result<std::optional<repo::LogEntry>> {
    const auto present = log.generation(*step.pack);
    const bool elsewhere = !present || (!step.from_replica && *present != expected);
    if (elsewhere || log.condemned.contains({step.pack->transaction, repo::kOwnObjects})) return moved();
    const auto gone = log.deleted.find(*step.pack);
    kept = gone == log.deleted.end() ? all : gone->second.kept;
    repo::Condemn entry;
    entry.items.push_back({*step.pack, kept});
    number = log.next;
    return std::optional<repo::LogEntry>(std::move(entry));
  };
  TRY_AS(repository_.log().follow(log, stop_), "reading the log");
  TRY(repo::append_decided(repository_, log, decide, kTurnsMax, stop_));
  return number;
}

// What is kept is all there is: no mark has to be made, but the condemnation must be in force.
Result<void> Repairer::conclude(const Step& step, repo::LogState& log, std::uint64_t entry,
                                const model::Slots& kept) {
  const auto decide = [&]() -> Result<std::optional<repo::LogEntry>> {
    const auto force = log.condemned.find(*step.pack);
    if (force == log.condemned.end() || force->second.entry != entry || log.retired(step.pack->transaction)) {
      return Error(Errc::conflict, "a prune took it over meanwhile").hint("run the command again");
    }
    repo::Delete final;
    final.condemning = entry;
    final.head = log.next - 1;
    final.items.push_back({{*step.pack, kept}, static_cast<std::uint32_t>(entry + 1)});
    return std::optional<repo::LogEntry>(std::move(final));
  };
  TRY_AS(repository_.log().follow(log, stop_), "reading the log");
  return repo::append_decided(repository_, log, decide, kTurnsMax, stop_);
}

Result<void> Repairer::rewrite(const Step& step) {
  repo::LogState log;
  model::Slots kept;
  const std::uint64_t entry = TRY(condemn(step, log, kept));
  const auto generation = static_cast<std::uint32_t>(entry + 1);
  repo::Relocation relocation{*step.pack, step.generation,        generation, kept, &source(step),
                              root(step), log.lost_of(*step.pack)};
  const auto made =
      repo::relocate(storage_, repository_.config().id, *repository_.secrets().index, relocation, stop_);
  Result<void> good = made.ok() ? storage_.barrier(stop_) : Result<void>(made.error().copy());
  if (good.ok()) good = expect_whole(step, generation);
  return end(step, log, entry, kept, std::move(good));
}

Result<void> Repairer::fill_in(const Step& step) {
  repo::LogState log;
  model::Slots kept;
  const std::uint64_t entry = TRY(condemn(step, log, kept));
  const auto filled = fill(repository_, log, *step.filling,
                           {step.generation, static_cast<std::uint32_t>(entry + 1), kept}, stop_);
  return end(step, log, entry, kept, filled.ok() ? Result<void>() : filled.error().copy());
}

// The new object counts from now on; or the condemnation is lifted.
Result<void> Repairer::end(const Step& step, repo::LogState& log, std::uint64_t entry,
                           const model::Slots& kept, Result<void> good) {
  if (good.ok()) return conclude(step, log, entry, kept);
  repo::Uncondemn lift;  // tidy; harmless where it fails
  lift.condemning = entry;
  lift.items.push_back(*step.pack);
  if (repository_.log().follow(log, stop_).ok()) {
    const auto lifted = repository_.log().append(log, lift, repository_.now(), repository_.random(), stop_);
    if (!lifted.ok())
      return good.error().copy().context("a condemnation that keeps everything stays in force");
  }
  return good;
}

// What can't be appended for damage of the log itself is told with the rest.
Result<void> keep_list(RepairReport& report, std::uint64_t& count, Result<std::uint64_t> recorded) {
  if (recorded.ok()) {
    count += recorded.value();
  } else if (recorded.error().kind() == Errc::damaged) {
    report.failed.push_back(
        {Severity::damaged, "log", repo::kLogPrefix, {}, "the wanted list: " + recorded.error().text()});
  } else {
    return std::move(recorded).error();
  }
  return {};
}

}  // namespace

Result<RepairReport> repair(const repo::Repository& repository, const RepairOptions& options,
                            Observer& observer, std::stop_token stop) {
  TRY(repo::require(repository.secrets(), {repo::Right::index, repo::Right::log}));
  RepairReport report;
  for (int plans = 0; plans < kPlansMax; ++plans) {
    report.plan = TRY(plan_repair(repository, options, observer, stop));
    // Small objects first: what they say decides about packs.
    const bool small = std::any_of(report.plan.steps.begin(), report.plan.steps.end(),
                                   [](const Step& step) { return !step.pack; });
    bool any = false;
    std::optional<Error> overtaken;
    report.failed.clear();
    // What was taken away may be put back; but nothing is decided on top of a history that was altered.
    if (!small && repository.remembers()) {
      const repo::History history = TRY(repository.readable_history(stop));
      if (!history.contradictions.empty()) return repo::Repository::contradicted(history);
    }
    if (!small) TRY(keep_list(report, report.wanted, record_lost(repository, report.plan, stop)));
    Repairer repairer(repository, options, stop);
    for (const Step& step : report.plan.steps) {
      if (small && step.pack) continue;
      const auto done = repairer.perform(step);
      if (done.ok()) {
        observer.item(word(step.action), step.object, step.bytes);
        report.done.push_back(step);
        any = true;
        continue;
      }
      if (done.error().kind() == Errc::stopped) return done.error().copy();
      if (done.error().kind() == Errc::conflict) {
        overtaken = done.error().copy();
        continue;
      }
      observer.problem(step.object, "repair", done.error());
      report.failed.push_back(
          {severity_of(done.error().kind()), "pack", step.object, {}, done.error().text()});
    }
    if (!small)
      TRY(keep_list(report, report.found, record_found(repository, report.plan, report.done, stop)));
    if (overtaken && plans + 1 == kPlansMax) return *std::move(overtaken);
    if (!overtaken && (!small || !any)) break;
  }
  return report;
}

}  // namespace holdfast::flow
