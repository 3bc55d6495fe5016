#include "flow/mirror.h"

#include <algorithm>

#include <fmt/core.h>

#include "flow/check_packs.h"
#include "flow/doctor.h"
#include "flow/mirror_listing.h"
#include "flow/mirror_objects.h"
#include "flow/prune_plan.h"
#include "repo/config.h"

namespace holdfast::flow {

namespace {

// A source whose log grows during each of so many passes, every one shorter than the one before, is not at
// rest.
constexpr std::uint64_t kPassesMax = 20;

class Mirror {
 public:
  Mirror(storage::Storage& from, storage::Storage& to, const MirrorSpec& spec, Observer& observer)
      : from_(from), to_(to), spec_(spec), observer_(observer), findings_(observer) {}

  Result<MirrorReport> run(std::stop_token stop);

 private:
  Result<void> identify(std::stop_token stop);
  Result<void> compare_logs(const Listing& listing, std::stop_token stop);
  Result<void> follow_erasures(Listing& listing, std::stop_token stop);
  Result<bool> pass(const Listing& listing, std::stop_token stop);
  Result<void> handle(const std::vector<std::string>& names, unsigned workers, std::stop_token stop);
  Result<void> handle_one(const std::string& name, std::stop_token stop);
  Result<void> copy_log(const std::vector<std::string>& names, std::stop_token stop);
  Result<void> confirm_sizes(std::stop_token stop);
  void count(const Listing& listing);

  storage::Storage& from_;
  storage::Storage& to_;
  const MirrorSpec& spec_;
  Observer& observer_;
  CheckFindings findings_;
  std::unique_ptr<ObjectMirror> objects_;
  Buffer config_;  // as it was written
  repo::Config identity_;
  Sizes had_;         // what the target held before this run
  Sizes source_;      // sizes of the present pass
  std::mutex mutex_;  // guards what is below
  Sizes done_;        // there for sure, or given up on, by this run
  Sizes written_;     // of the target's
  MirrorReport report_;
  Progress progress_;
};

// The target must be a mirror of this very repository, or nothing.
Result<void> Mirror::identify(std::stop_token stop) {
  const auto object = from_.get(repo::kConfigName, {}, stop);
  if (!object.ok() && object.error().kind() == Errc::not_found)
    return Error(Errc::no_repository, "there is no repository in " + from_.describe());
  if (!object.ok()) return object.error().copy().context("reading the source's config");
  const repo::Config config = TRY_AS(repo::decode_config(object.value()), "the source");
  const repo::Unwrapped body =
      TRY(repo::unwrap_vital(repo::Vital::config, object.value(), repo::kConfigName));
  identity_ = config;
  config_ = repo::wrap_vital(repo::Vital::config, body.body);
  objects_ = std::make_unique<ObjectMirror>(from_, to_, config.id, findings_);
  had_ = TRY(list_sizes(to_, "", stop));
  if (had_.contains(repo::kConfigName)) {
    const Buffer theirs = TRY_AS(to_.get(repo::kConfigName, {}, stop), "reading the target's config");
    const repo::Config other = TRY_AS(repo::decode_config(theirs), "the target");
    if (other.id == config.id) return {};
    return Error(Errc::usage, to_.describe() + " holds another repository").hint("mirror to an empty place");
  }
  for (const auto& [name, bytes] : had_) {
    if (name == repo::kSpecName || name.starts_with(repo::kKeyPrefix)) continue;
    return Error(Errc::usage, fmt::format("{} holds no repository, but {}", to_.describe(), name))
        .hint("mirror to an empty place");
  }
  return {};
}

// The administrator's signed notice that a key domain was erased is positive evidence, without any key: its
// secret is not copied, and destroyed in the target.
Result<void> Mirror::follow_erasures(Listing& listing, std::stop_token stop) {
  const std::vector<std::string> names = listing.keys;
  for (const std::string& name : names) {
    const auto notice = repo::parse_domain_name(name);
    if (!notice || !notice->erasure) continue;
    const auto object = from_.get(name, {}, stop);
    if (!object.ok() && severity_of(object.error().kind()) != Severity::damaged) return object.error().copy();
    if (!object.ok() || !repo::decode_erasure(identity_, notice->domain, object.value()).ok()) continue;
    const std::string secret = repo::domain_name(notice->domain);
    std::erase(listing.keys, secret);
    listing.sizes.erase(secret);
    if (!to_.stat(secret, stop).ok()) continue;
    const auto gone = spec_.dry_run ? Result<void>() : to_.remove(secret, stop);
    if (!gone.ok()) {
      auto& left = report_.secrets_left;
      if (std::find(left.begin(), left.end(), secret) != left.end()) continue;  // told in an earlier pass
      left.push_back(secret);
      observer_.problem(secret, "destroying the secret of an erased key domain", gone.error());
      continue;
    }
    ++report_.secrets_destroyed;
    if (spec_.dry_run) continue;
    had_.erase(secret);
    written_.erase(secret);
    observer_.item("removed", secret, 0);
    TRY(to_.barrier(stop));
  }
  return {};
}

// Entries are chained: where the target's last one is the source's, so are all before it.
Result<void> Mirror::compare_logs(const Listing& listing, std::stop_token stop) {
  std::string last;
  for (const auto& [name, bytes] : had_) {
    if (is_log(name)) last = std::max(last, name);
  }
  if (last.empty()) return {};
  constexpr char kHint[] =
      "a mirror is written by nobody else, and never mirrored from an older state; "
      "if the source was set back, the target is the better copy";
  if (listing.log.empty() || listing.log.back() < last) {
    return Error(Errc::conflict, fmt::format("the target has {}, which the source lacks", last)).hint(kHint);
  }
  const Mirrored compared = TRY(objects_->compare(last, stop));
  if (compared == Mirrored::same) return {};
  return Error(Errc::conflict, fmt::format("{} of the target is not the source's", last)).hint(kHint);
}

Result<void> Mirror::handle_one(const std::string& name, std::stop_token stop) {
  const auto there = had_.find(name);
  const std::uint64_t bytes = source_.at(name);
  MirroredObject object;
  // What a run before this one put may lie behind no barrier, if it was killed: the next one covers it.
  if (there != had_.end()) TRY_AS(to_.cover(name, stop), "the target's " + name);
  if (there == had_.end()) {
    object = TRY(objects_->copy(name, stop));
  } else if (spec_.verify || there->second != bytes) {
    object.what = TRY(objects_->compare(name, stop));
  }
  const Mirrored outcome = object.what;
  const bool copied = outcome == Mirrored::copied;
  const std::lock_guard lock(mutex_);
  done_[name] = bytes;
  if (copied) written_[name] = object.size_bytes;
  report_.copied += copied ? 1 : 0;
  report_.copied_bytes += copied ? bytes : 0;
  report_.verified += outcome == Mirrored::same && spec_.verify ? 1 : 0;
  report_.vanished += outcome == Mirrored::vanished ? 1 : 0;
  report_.not_copied += outcome == Mirrored::damaged && there == had_.end() ? 1 : 0;
  progress_.files_done += copied ? 1 : 0;
  progress_.bytes_done += copied ? bytes : 0;
  observer_.progress(progress_, name);
  if (copied) observer_.item("copied", name, bytes);
  return {};
}

Result<void> Mirror::handle(const std::vector<std::string>& names, unsigned workers, std::stop_token stop) {
  std::vector<std::string> open;
  for (const std::string& name : names) {
    if (!done_.contains(name)) open.push_back(name);
  }
  return for_each_of(
      open.size(), workers, [&](std::size_t i, std::stop_token inner) { return handle_one(open[i], inner); },
      stop);
}

// In order, to the first that is damaged. Where snapshots stand on the log, no power loss may leave a hole in
// it.
Result<void> Mirror::copy_log(const std::vector<std::string>& names, std::stop_token stop) {
  const bool stood_on = std::any_of(had_.begin(), had_.end(), [](const auto& o) { return is_fate(o.first); });
  for (const std::string& name : names) {
    if (done_.contains(name)) continue;
    TRY(handle({name}, 1, stop));
    if (had_.contains(name)) continue;
    if (!written_.contains(name)) {
      return Error(Errc::damaged, fmt::format("{} of the source can't be copied", name))
          .hint("the target stays at an older state; `holdfast check` tells about the source");
    }
    if (stood_on) TRY(to_.barrier(stop));
  }
  return to_.barrier(stop);
}

// A store that kept less than it said must be found out before anything refers to what it should have.
Result<void> Mirror::confirm_sizes(std::stop_token stop) {
  if (written_.empty()) return {};
  const Sizes now = TRY(list_sizes(to_, "", stop));
  for (const auto& [name, bytes] : written_) {
    const auto at = now.find(name);
    if (at != now.end() && at->second == bytes) continue;
    return Error(Errc::damaged, fmt::format("the target did not keep {} as it was written", name))
        .hint("its store can't be trusted");
  }
  return {};
}

// True where the target is at the state of the source as listed; false where the log went on meanwhile.
Result<bool> Mirror::pass(const Listing& listing, std::stop_token stop) {
  const unsigned workers = worker_count(spec_.workers);
  TRY(handle(listing.keys, 1, stop));
  if (had_.contains(repo::kConfigName)) TRY(handle({repo::kConfigName}, 1, stop));
  if (!had_.contains(repo::kConfigName) && !written_.contains(repo::kConfigName)) {
    TRY(to_.barrier(stop));
    const auto put = to_.put(repo::kConfigName, config_, stop);
    if (!put.ok() && put.error().kind() != Errc::exists)
      return put.error().copy().context("writing the config");
    written_[repo::kConfigName] = config_.size();
    ++report_.copied;
    report_.copied_bytes += config_.size();
    TRY(to_.barrier(stop));  // by it the next run knows what the rest is
  }
  TRY(handle(listing.data, workers, stop));
  TRY(handle(listing.tables, workers, stop));
  const Sizes log = TRY(list_sizes(from_, repo::kLogPrefix, stop));
  if (log.size() != listing.log.size()) return false;
  TRY(to_.barrier(stop));
  TRY(confirm_sizes(stop));
  TRY(copy_log(listing.log, stop));
  TRY(handle(listing.fates, 1, stop));
  TRY(to_.barrier(stop));
  return true;
}

void Mirror::count(const Listing& listing) {
  report_.objects = listing.sizes.size();
  report_.there = 0;
  progress_.files_total = progress_.files_done;
  progress_.bytes_total = progress_.bytes_done;
  for (const auto& [name, bytes] : listing.sizes) {
    if (had_.contains(name)) {
      ++report_.there;
    } else if (!written_.contains(name)) {
      ++progress_.files_total;
      progress_.bytes_total += bytes;
    }
  }
}

Result<MirrorReport> Mirror::run(std::stop_token stop) {
  TRY(identify(stop));
  bool complete = false;
  for (; !complete && report_.passes < kPassesMax; ++report_.passes) {
    Listing listing = TRY(list_source(from_, stop));
    listing.sizes[repo::kConfigName] = config_.size();
    TRY(require_whole_log(listing));
    if (report_.passes == 0) TRY(compare_logs(listing, stop));
    TRY(follow_erasures(listing, stop));
    source_ = listing.sizes;
    count(listing);
    if (spec_.dry_run) {
      report_.copied = progress_.files_total;
      report_.copied_bytes = progress_.bytes_total;
      complete = true;
    } else {
      complete = TRY(pass(listing, stop));
    }
  }
  if (!complete) {
    return Error(Errc::conflict, "the source's log grew during every pass")
        .hint("run it again while no prune or forget runs");
  }
  for (const auto& [name, bytes] : had_) {
    if (!source_.contains(name)) report_.only_in_target.push_back(name);
  }
  report_.findings = findings_.take();
  return std::move(report_);
}

}  // namespace

int MirrorReport::exit_code() const {
  const bool damaged = std::any_of(findings.begin(), findings.end(),
                                   [](const Finding& f) { return f.severity == Severity::damaged; });
  return damaged ? holdfast::exit_code(Errc::damaged) : 0;
}

Result<MirrorReport> mirror(storage::Storage& from, storage::Storage& to, const MirrorSpec& spec,
                            Observer& observer, std::stop_token stop) {
  return Mirror(from, to, spec, observer).run(stop);
}

namespace {

// Whether the log says that this object of the target is garbage, and what took its place is there.
bool is_deleted(const repo::LogState& log, const std::string& name, const Sizes& target) {
  if (const auto object = repo::parse_transaction_name(name)) return log.retired(object->id);
  const auto pack = repo::parse_pack_name(name);
  if (!pack || !is_garbage(log, pack->id, pack->generation)) return false;
  const auto present = log.generation(pack->id);
  return !present || target.contains(repo::pack_name(pack->id, *present));
}

}  // namespace

Result<MirrorRemovals> mirror_removals(const repo::Repository& target, storage::Storage& from, bool dry_run,
                                       Observer& observer, std::stop_token stop) {
  const Sizes theirs = TRY(list_sizes(from, "", stop));
  if (!theirs.contains(repo::kConfigName))
    return Error(Errc::no_repository, "there is no repository in " + from.describe());
  const Sizes mine = TRY(list_sizes(target.storage(), "", stop));
  repo::LogState log;
  TRY_AS(target.log().follow(log, stop), "the target's log");
  MirrorRemovals removals;
  for (const auto& [name, bytes] : mine) {
    if (theirs.contains(name)) continue;
    if (!is_deleted(log, name, mine)) {
      removals.unexplained.push_back(name);
      continue;
    }
    if (!dry_run) TRY_AS(target.storage().remove(name, stop), "removing " + name);
    observer.item("removed", name, bytes);
    ++removals.objects;
    removals.bytes += bytes;
  }
  if (!dry_run && removals.objects > 0) TRY(target.storage().barrier(stop));
  return removals;
}

}  // namespace holdfast::flow
