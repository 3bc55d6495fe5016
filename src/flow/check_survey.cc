#include "flow/check_survey.h"

#include <fmt/core.h>

#include "crypto/hash.h"
#include "flow/check_domains.h"
#include "repo/live.h"
#include "repo/rights.h"

namespace holdfast::flow {

using model::PackId;
using model::TransactionId;
using repo::Vital;

namespace {

constexpr const char* kOneCopy = "one of two copies inside is damaged";

class Surveyor {
 public:
  Surveyor(const repo::Repository& repository, CheckFindings& findings, CheckReport& report,
           std::stop_token stop)
      : repository_(repository), findings_(findings), report_(report), stop_(std::move(stop)) {}

  Result<Survey> run(const OnHistory& on_history);

 private:
  Result<void> list_transactions();
  Result<void> read_fates();
  Result<void> read_fate(const TransactionId& id);
  void read_log();
  Result<void> compare_with_memory(const Result<repo::Memory::Seen>& seen, const OnHistory& on_history);
  void choose_live();
  void check_keys();
  void check_transactions();
  void check_transaction(const repo::Snapshot& snapshot);
  void check_chain();
  void add_manifest(const model::Manifest& manifest);
  void gather_references();
  Result<void> adopt_generations();
  Result<void> compare_with_store();
  std::optional<Buffer> vital(Vital kind, const std::string& text_kind, const std::string& name);
  bool retired(const TransactionId& id) const { return log_.deleted.contains({id, repo::kOwnObjects}); }

  const repo::Repository& repository_;
  CheckFindings& findings_;
  CheckReport& report_;
  std::stop_token stop_;
  std::map<TransactionId, std::set<std::string>> listed_;  // the objects of each transaction
  std::vector<repo::Snapshot> commits_;                    // not retired
  std::map<TransactionId, Error> unreadable_;              // whose fate says nothing
  std::set<TransactionId> one_copy_;                       // of whose fate is damaged
  std::set<TransactionId> vanished_;                       // whose fate was removed since it was listed
  repo::LogState log_;
  std::string log_trouble_;
  std::set<model::Domain> lost_domains_;  // whose secret is not there
  std::vector<repo::Snapshot> live_;
  bool needs_known_ = true;
  std::map<PackId, PackPlan> packs_;
};

Result<Survey> Surveyor::run(const OnHistory& on_history) {
  TRY(repo::require(repository_.secrets(), {repo::Right::index}));
  const auto seen = repository_.recall();
  // Fates before the log (decision 2, R1): what the log has retired is then no loss.
  TRY(list_transactions());
  TRY(read_fates());
  read_log();
  if (on_history && repository_.remembers()) TRY(compare_with_memory(seen, on_history));
  choose_live();
  check_keys();
  lost_domains_ = check_domains(repository_, {log_, log_trouble_.empty(), live_}, findings_, stop_);
  check_transactions();
  check_chain();
  gather_references();
  if (stop_.stop_requested()) return Error(Errc::stopped, "stopped");
  TRY(compare_with_store());
  Survey out;
  for (auto& [id, plan] : packs_) out.packs.push_back(std::move(plan));
  out.log = std::move(log_);
  out.live = std::move(live_);
  out.needs_known = needs_known_;
  return out;
}

Result<void> Surveyor::list_transactions() {
  return repository_.storage().list(
      repo::kTransactionPrefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        if (auto object = repo::parse_transaction_name(info.name))
          listed_[object->id].insert(std::move(object->what));
        return {};
      },
      stop_);
}

// The object, if it is there and whole; both copies inside are looked at.
std::optional<Buffer> Surveyor::vital(Vital kind, const std::string& text_kind, const std::string& name) {
  auto object = repository_.storage().get(name, {}, stop_);
  if (!object.ok()) {
    const bool removed =
        kind == Vital::key && object.error().kind() == Errc::not_found;  // since it was listed
    if (!removed) findings_.add(text_kind, name, object.error());
    return std::nullopt;
  }
  const auto unwrapped = repo::unwrap_vital(kind, object.value(), name);
  if (!unwrapped.ok()) {
    findings_.add(text_kind, name, unwrapped.error());
    return std::nullopt;
  }
  if (unwrapped.value().one_copy_damaged) findings_.warn(text_kind, name, kOneCopy);
  return std::move(object).value();
}

Result<void> Surveyor::read_fates() {
  for (const auto& [id, objects] : listed_) {
    if (stop_.stop_requested()) return Error(Errc::stopped, "stopped");
    if (!objects.contains("fate")) {
      ++report_.undecided;
      continue;
    }
    const auto read = read_fate(id);
    if (read.ok()) continue;
    if (read.error().kind() == Errc::not_found) {
      vanished_.insert(id);
    } else {
      unreadable_.emplace(id, read.error().copy());
    }
  }
  return {};
}

// Both copies inside are looked at.
Result<void> Surveyor::read_fate(const TransactionId& id) {
  const std::string name = repo::transaction_name(id, "fate");
  const Buffer object = TRY(repository_.storage().get(name, {}, stop_));
  auto fate = TRY(repository_.decode_fate(id, object));
  if (fate) commits_.push_back(std::move(*fate));
  const auto unwrapped = repo::unwrap_vital(Vital::fate, object, name);
  if (unwrapped.ok() && unwrapped.value().one_copy_damaged) one_copy_.insert(id);
  return {};
}

// What was read is lent to a history for that.
Result<void> Surveyor::compare_with_memory(const Result<repo::Memory::Seen>& seen,
                                           const OnHistory& on_history) {
  std::erase_if(commits_, [&](const repo::Snapshot& s) { return retired(s.commit.transaction); });
  repo::History history;
  for (repo::Snapshot& s : commits_) history.add(std::move(s));
  history.log = std::move(log_);
  history.log_trouble = log_trouble_;
  for (const auto& [id, error] : unreadable_)
    history.unreadable.push_back(repo::transaction_name(id, "fate") + ": " + error.text());
  auto compared = repository_.compare(seen, history, stop_);
  if (compared.ok()) compared = on_history(history);
  commits_ = std::move(history.commits);
  log_ = std::move(history.log);
  return compared;
}

void Surveyor::read_log() {
  const auto followed = repository_.log().follow(log_, stop_);
  if (!followed.ok()) log_trouble_ = followed.error().text();
  findings_.excuse_removals_since(repository_, log_);
  if (!followed.ok()) findings_.add("log", repo::log_name(log_.next), followed.error());
  report_.log_entries = log_.next;
  report_.void_log_entries = log_.void_entries;
  for (const std::uint64_t number : log_.void_numbers) {
    findings_.warn("log", repo::log_name(number),
                   "it is void: not signed by whom may write the log, or the entry of another place");
  }
  for (std::uint64_t number = 0; number < log_.next; ++number)
    vital(Vital::log, "log", repo::log_name(number));
}

// Decision 2, "Live commits".
void Surveyor::choose_live() {
  std::erase_if(commits_, [&](const repo::Snapshot& s) { return retired(s.commit.transaction); });
  const repo::LastOfRuns last = repo::last_of_runs(commits_);
  for (repo::Snapshot& s : commits_) {
    s.forgotten = log_.dropped(s.commit);
    if (!repo::is_live(s, log_, last)) continue;
    ++(s.commit.kind == model::CommitKind::checkpoint ? report_.checkpoints : report_.snapshots);
    live_.push_back(s);
  }
}

void Surveyor::check_keys() {
  vital(Vital::config, "config", repo::kConfigName);
  const auto keys = repository_.storage().list(
      repo::kKeyPrefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        const auto object = vital(Vital::key, "key", info.name);
        if (!object) return {};
        const auto slot = repo::decode_slot(*object, info.name);
        if (!slot.ok()) findings_.add("key", info.name, slot.error());
        return {};
      },
      stop_);
  if (!keys.ok()) findings_.add("key", repo::kKeyPrefix, keys.error());
}

void Surveyor::check_transactions() {
  for (const auto& [id, objects] : listed_) {
    if (retired(id) || !objects.contains("fate")) continue;
    ++report_.transactions;
    const std::string name = repo::transaction_name(id, "fate");
    const auto unreadable = unreadable_.find(id);
    if (unreadable != unreadable_.end()) findings_.add("transaction", name, unreadable->second);
    if (vanished_.contains(id)) findings_.damaged("transaction", name, "it disappeared");
    if (one_copy_.contains(id)) findings_.warn("transaction", name, kOneCopy);
  }
  for (const repo::Snapshot& snapshot : commits_) {
    if (stop_.stop_requested()) return;
    check_transaction(snapshot);
  }
}

// What a commit stands on besides its packs: open, manifest, reference pages.
void Surveyor::check_transaction(const repo::Snapshot& snapshot) {
  const TransactionId& id = snapshot.commit.transaction;
  const auto name = [&](const char* what) { return repo::transaction_name(id, what); };
  const auto as_committed = [&](Vital kind, const Hash& hash, const std::string& object_name) {
    const auto object = vital(kind, "transaction", object_name);
    if (!object) return false;
    if (crypto::hash(*object) == hash) return true;
    // One damaged copy changes the hash but not what it says.
    const auto unwrapped = repo::unwrap_vital(kind, *object, object_name);
    if (unwrapped.ok() && crypto::hash(repo::wrap_vital(kind, unwrapped.value().body)) == hash) return true;
    findings_.damaged("transaction", object_name, "it is not the one that the commit names");
    return false;
  };
  const auto open = vital(Vital::open, "transaction", name("open"));
  const bool erased = log_.erased(snapshot.commit.domain);  // then nobody can know more, nor needs to
  if (open && repository_.secrets().read && !erased && !lost_domains_.contains(snapshot.commit.domain)) {
    const auto secret = repository_.session_key(id, stop_);
    if (!secret.ok()) findings_.add("transaction", name("open"), secret.error());
    if (secret.ok() && secret.value().place.domain != snapshot.commit.domain)
      findings_.damaged("transaction", name("open"), "it is of another key domain than its commit");
  }
  if (as_committed(Vital::manifest, snapshot.commit.manifest_hash, name("man"))) {
    const auto manifest = repository_.read_manifest(id, stop_);
    if (manifest.ok() && !erased) {
      add_manifest(manifest.value());
    } else if (!manifest.ok()) {
      findings_.add("transaction", name("man"), manifest.error());
    }
  }
  if (snapshot.commit.refs_hash == Hash{}) return;
  as_committed(Vital::refs, snapshot.commit.refs_hash, name("refs"));
}

void Surveyor::add_manifest(const model::Manifest& manifest) {
  for (const model::ManifestPack& pack : manifest.packs) {
    const PackId id{manifest.transaction, pack.pack};
    const auto generation = log_.generation(id);
    if (!generation) continue;
    PackPlan plan;
    plan.object = {id, *generation};
    plan.named = true;
    plan.object_bytes = pack.object_bytes;
    plan.root = pack.root;
    plan.listing = listing_hash(pack.chunks);
    plan.slots = static_cast<std::uint32_t>(pack.chunks.size());
    packs_.insert_or_assign(id, std::move(plan));
  }
}

// Every writer's commits name the one before, so that one that was removed without the log's consent shows.
void Surveyor::check_chain() {
  std::map<TransactionId, const Hash*> hashes;
  for (const repo::Snapshot& s : commits_) hashes[s.commit.transaction] = &s.hash;
  for (const repo::Snapshot& s : commits_) {
    if (s.commit.previous_sequence == 0) continue;
    const TransactionId before{s.commit.transaction.writer, s.commit.previous_sequence};
    if (retired(before) || unreadable_.contains(before)) continue;
    const auto at = hashes.find(before);
    if (at != hashes.end() && *at->second == s.commit.previous_hash) continue;
    findings_.damaged(
        "transaction", repo::transaction_name(before, "fate"),
        at == hashes.end()
            ? fmt::format("snapshot {} was made after it, but it is not there", s.id.substr(0, 8))
            : fmt::format("it is not the commit that snapshot {} was made after", s.id.substr(0, 8)));
  }
}

// The union of what live commits need. Pages that they share are read once.
void Surveyor::gather_references() {
  std::map<TransactionId, std::map<std::uint64_t, std::vector<const repo::Snapshot*>>> wanted;
  for (const repo::Snapshot& s : live_) {
    for (const model::PagePointer& page : s.commit.pages) wanted[page.owner][page.index].push_back(&s);
  }
  std::map<TransactionId, model::Domain> domains;
  for (const repo::Snapshot& s : commits_) domains[s.commit.transaction] = s.commit.domain;
  model::References all;
  for (const auto& [owner, pages] : wanted) {
    const std::string name = repo::transaction_name(owner, "refs");
    const auto read = repository_.read_pages(owner, stop_);
    for (const auto& [index, users] : pages) {
      model::References of_page;
      Result<void> decoded;
      if (!read.ok()) {
        decoded = read.error().copy();
      } else if (index >= read.value().size()) {
        decoded = Error(Errc::damaged, fmt::format("it has no page {}, which a commit refers to", index));
      } else {
        decoded = model::decode_page(read.value()[index], of_page);
      }
      if (decoded.ok()) {
        expect_one_domain(of_page, users, domains, findings_);
        model::unite(all, of_page);
        continue;
      }
      needs_known_ = false;
      for (const repo::Snapshot* user : users)
        findings_.add_for(user->id, "transaction", name, decoded.error());
    }
  }
  for (auto& [id, slots] : all) {
    const auto generation = log_.generation(id);
    if (!generation) {
      findings_.damaged("pack", repo::pack_name(id, 0), "it was deleted, but live snapshots refer to it",
                        DamagedSlots{id, slots});
      continue;
    }
    PackPlan& plan = packs_.try_emplace(id).first->second;
    plan.object = {id, *generation};
    plan.needed = std::move(slots);
  }
}

// Where the log can't be read to its end nobody can say which generation of a pack holds: the newest one that
// is there is taken for it.
Result<void> Surveyor::adopt_generations() {
  const auto visit = [&](const storage::ObjectInfo& info) -> Result<void> {
    const auto object = repo::parse_pack_name(info.name);
    const auto at = object ? packs_.find(object->id) : packs_.end();
    if (at == packs_.end()) return {};
    std::uint32_t& generation = at->second.object.generation;
    generation = std::max(generation, object->generation);
    return {};
  };
  TRY(repository_.storage().list(repo::kDataPrefix, visit, stop_));
  return repository_.storage().list(repo::kMetadataPrefix, visit, stop_);
}

// Which packs are there, with which sizes; all else is left over.
Result<void> Surveyor::compare_with_store() {
  if (!log_trouble_.empty()) TRY(adopt_generations());
  std::set<PackId> present;
  const auto visit = [&](const storage::ObjectInfo& info) -> Result<void> {
    const auto object = repo::parse_pack_name(info.name);
    const auto at = object ? packs_.find(object->id) : packs_.end();
    if (at == packs_.end() || at->second.object.generation != object->generation) {
      ++report_.leftovers;
      report_.leftover_bytes += info.size_bytes;
      return {};
    }
    present.insert(object->id);
    PackPlan& plan = at->second;
    if (plan.named && object->generation == 0 && info.size_bytes != plan.object_bytes)
      plan.wrong_size = fmt::format("it has {} bytes, must have {}", info.size_bytes, plan.object_bytes);
    return {};
  };
  TRY(repository_.storage().list(repo::kDataPrefix, visit, stop_));
  TRY(repository_.storage().list(repo::kMetadataPrefix, visit, stop_));
  report_.packs = packs_.size();
  for (const auto& [id, plan] : packs_) {
    if (present.contains(id)) continue;
    // Relocated or deleted since the log was read?
    const auto now = findings_.generation_now(id, stop_);
    if (now.ok() && now.value() != plan.object.generation) continue;
    findings_.damaged("pack", repo::pack_name(id, plan.object.generation), "the pack is missing",
                      DamagedSlots{id, {}, plan.slots});
  }
  return {};
}

}  // namespace

Result<Survey> survey(const repo::Repository& repository, CheckFindings& findings, CheckReport& report,
                      std::stop_token stop, const OnHistory& on_history) {
  return Surveyor(repository, findings, report, std::move(stop)).run(on_history);
}

}  // namespace holdfast::flow
