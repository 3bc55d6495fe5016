#include "flow/doctor.h"

#include <algorithm>

#include <fmt/core.h>

#include "repo/collector.h"

namespace holdfast::flow {

const char* word(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::warn:
      return "warn";
    case Health::bad:
      return "bad";
  }
  return "";
}

namespace {

constexpr std::int64_t kDayS = 24 * 60 * 60;
constexpr std::int64_t kClockSlackS = 5 * 60;
constexpr std::uint64_t kRunsSeen = 10;  // how many of the last runs say how much one takes

// Runs one question after the other at an object of the doctor's own.
class StoreProbe {
 public:
  StoreProbe(storage::Storage& storage, Random& random, std::stop_token stop)
      : storage_(storage), stop_(std::move(stop)), name_(std::string(kProbePrefix) + hex(random.array<8>())) {
    const auto noise = random.array<32>();
    bytes_.assign(noise.begin(), noise.end());
  }

  Diagnoses run(const std::function<void(const std::string& name)>& while_there) {
    const auto put = storage_.put(name_, bytes_, stop_);
    if (!put.ok()) {
      bad("writing: " + put.error().text(),
          put.error().hint().empty() ? "see to it that this user may write there" : put.error().hint());
      return std::move(out_);
    }
    ok("objects can be written");
    put_again();
    read_back();
    if (while_there) while_there(name_);
    const auto barrier = storage_.barrier(stop_);
    barrier.ok() ? ok("what was written is made durable on demand")
                 : bad("making durable: " + barrier.error().text(), "look at the disk or its server");
    remove();
    return std::move(out_);
  }

 private:
  void ok(std::string text) { out_.push_back({Health::ok, "store", std::move(text), ""}); }
  void bad(std::string text, std::string advice) {
    out_.push_back({Health::bad, "store", std::move(text), std::move(advice)});
  }

  void put_again() {
    Buffer other = bytes_;
    other.front() ^= 1;
    const auto again = storage_.put(name_, other, stop_);
    if (!again.ok() && again.error().kind() == Errc::exists) return ok("an object is never overwritten");
    if (again.ok())
      return bad("a second put of one name was not refused", "use another store: this one loses snapshots");
    bad("putting again: " + again.error().text(), "look at the store");
  }

  void read_back() {
    const auto got = storage_.get(name_, {}, stop_);
    const auto part = storage_.get(name_, {8, 16}, stop_);
    if (!got.ok() || !part.ok()) {
      const Error& error = got.ok() ? part.error() : got.error();
      return bad("reading back: " + error.text(), "look at the store");
    }
    const Bytes expected = Bytes(bytes_).subspan(8, 16);
    if (got.value() != bytes_ ||
        !std::equal(expected.begin(), expected.end(), part.value().begin(), part.value().end()))
      return bad("what was written is read back as something else", "use another store");
    bool listed = false;
    const auto visit = [&](const storage::ObjectInfo& info) -> Result<void> {
      listed = listed || (info.name == name_ && info.size_bytes == bytes_.size());
      return {};
    };
    const auto list = storage_.list(name_, visit, stop_);
    const auto stat = storage_.stat(name_, stop_);
    if (!list.ok() || !listed || !stat.ok() || stat.value().size_bytes != bytes_.size())
      return bad("what was written does not show in a listing at once", "use another store");
    ok("what was written is read and listed at once");
  }

  void remove() {
    const auto removed = storage_.remove(name_, stop_);
    if (!removed.ok()) {
      out_.push_back({Health::warn, "store", "removing: " + removed.error().text(),
                      "prune needs the right to remove; remove " + name_ + " by hand"});
      return;
    }
    const auto gone = storage_.stat(name_, stop_);
    if (gone.ok()) return bad("a removed object is still there", "look at the store");
    ok("objects can be removed");
  }

  storage::Storage& storage_;
  const std::stop_token stop_;
  const std::string name_;
  Buffer bytes_;
  Diagnoses out_;
};

Diagnosis judge_clock(const repo::History& history, model::Time now) {
  std::int64_t newest = 0;
  for (const repo::Snapshot& commit : history.commits)
    newest = std::max({newest, commit.commit.start.seconds, commit.commit.end.seconds});
  if (newest > now.seconds + kClockSlackS) {
    return {Health::bad, "clock",
            fmt::format("a snapshot is {} s ahead of this machine's clock", newest - now.seconds),
            "set the clock (NTP); else retention and schedules judge wrongly"};
  }
  if (newest == 0) return {Health::ok, "clock", "no snapshot to compare it with", ""};
  return {Health::ok, "clock", "not behind any snapshot", ""};
}

void judge_history(const repo::History& history, Diagnoses& out) {
  for (const std::string& why : history.unreadable)
    out.push_back({Health::bad, "snapshots", why, "run `holdfast check`; nothing is deleted meanwhile"});
  if (!history.log_trouble.empty())
    out.push_back(
        {Health::bad, "log", history.log_trouble, "run `holdfast check`; backups and prune refuse"});
  for (const std::string& why : history.contradictions)
    out.push_back({Health::bad, "history", why, "find out why and by whom before anything else is done"});
  if (history.log.void_entries > 0) {
    out.push_back(
        {Health::warn, "log",
         fmt::format("{} entries by somebody without the right to write them", history.log.void_entries),
         "find out who may write into the store"});
  }
  const std::vector<const repo::Snapshot*> snapshots = history.snapshots();
  const auto partial = std::count_if(snapshots.begin(), snapshots.end(),
                                     [](const repo::Snapshot* s) { return s->commit.partial; });
  if (history.unreadable.empty() && history.log_trouble.empty() && history.contradictions.empty())
    out.push_back({Health::ok, "snapshots", fmt::format("{}, all readable", snapshots.size()), ""});
  if (partial > 0)
    out.push_back({Health::warn, "snapshots", fmt::format("{} are partial: files could not be read", partial),
                   "look at what backup says of them"});
}

void judge_transactions(const repo::Repository& repository, const repo::History& history, Diagnoses& out,
                        std::stop_token stop) {
  const std::int64_t now = repository.now().seconds;
  std::uint64_t old = 0;
  for (const model::TransactionId& id : history.undecided) {
    const auto opened = repo::opened_at(repository, id, stop);
    if (!opened.ok() || now - opened.value().seconds > kDayS) ++old;
  }
  if (old > 0) {
    out.push_back({Health::warn, "transactions",
                   fmt::format("{} begun more than a day ago and never ended", old),
                   "the next prune ends them and removes what they left"});
  } else {
    out.push_back({Health::ok, "transactions",
                   fmt::format("{} under way, none left behind", history.undecided.size()), ""});
  }
}

void judge_keys(const repo::Repository& repository, Diagnoses& out, std::stop_token stop) {
  const auto keys = repository.keys(stop);
  if (!keys.ok()) {
    out.push_back(
        {Health::bad, "keys", keys.error().text(), "run `holdfast check`; make another with `key add`"});
    return;
  }
  std::size_t readable = 0;
  for (const auto& key : keys.value()) {
    readable += key.trouble.empty() ? 1 : 0;
    if (!key.trouble.empty())
      out.push_back({Health::bad, "keys", key.name + ": " + key.trouble,
                     "make another with `key add`, and `key remove` this one"});
  }
  if (readable <= 1) {
    out.push_back({Health::warn, "keys",
                   "one key slot: if its password or the object is lost, so is everything",
                   "`holdfast key add` a second password, and keep it elsewhere"});
  } else {
    out.push_back({Health::ok, "keys", fmt::format("{} key slots", readable), ""});
  }
}

Diagnosis judge_checks(const repo::Ledger* ledger, std::int64_t now, bool any_snapshot) {
  constexpr const char* kAdvice = "`holdfast check --max-duration 10m`, every day";
  if (ledger == nullptr)
    return {Health::warn, "checks", "not known: nothing is remembered on this machine",
            "allow a cache folder"};
  const auto newest = ledger->newest();
  if (!newest && !any_snapshot) return {Health::ok, "checks", "nothing to check yet", ""};
  if (!newest)
    return {Health::warn, "checks", "no data was ever verified in full from this machine", kAdvice};
  const std::int64_t days = (now - *newest) / kDayS;
  const std::string text = fmt::format("data was last verified in full {} days ago", days);
  return days > 30 ? Diagnosis{Health::warn, "checks", text, kAdvice}
                   : Diagnosis{Health::ok, "checks", text, ""};
}

}  // namespace

Diagnoses examine_store(storage::Storage& storage, Random& random,
                        const std::function<void(const std::string& name)>& while_there,
                        std::stop_token stop) {
  return StoreProbe(storage, random, std::move(stop)).run(while_there);
}

Diagnoses examine_repository(const repo::Repository& repository, const repo::History& history,
                             const repo::Ledger* ledger, std::stop_token stop) {
  Diagnoses out;
  judge_history(history, out);
  out.push_back(judge_clock(history, repository.now()));
  judge_transactions(repository, history, out, stop);
  judge_keys(repository, out, stop);
  out.push_back(judge_checks(ledger, repository.now().seconds, !history.commits.empty()));
  return out;
}

Diagnosis judge_space(std::uint64_t free_bytes, const repo::History& history) {
  std::uint64_t largest = 0;
  std::uint64_t seen = 0;
  for (auto at = history.commits.rbegin(); at != history.commits.rend() && seen < kRunsSeen; ++at, ++seen)
    largest = std::max(largest, at->commit.statistic("data_added_packed"));
  const std::string text = fmt::format("{} MiB free; the largest of the last {} runs took {} MiB",
                                       free_bytes / kMiB, seen, largest / kMiB);
  if (free_bytes < largest)
    return {Health::bad, "space", text, "make room, or the next run may fail: forget and prune"};
  if (free_bytes / 10 < largest)
    return {Health::warn, "space", text, "make room within ten runs: forget and prune, or a larger disk"};
  return {Health::ok, "space", text, ""};
}

}  // namespace holdfast::flow
