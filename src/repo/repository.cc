#include "repo/repository.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/hash.h"
#include "model/duration.h"
#include "repo/rights.h"

namespace holdfast::repo {

using model::TransactionId;

namespace {

model::Time time_of(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return {ns / kSecond, static_cast<std::uint32_t>(ns % kSecond)};
}

// Sessions remembered; each is 32 bytes and a map node.
constexpr std::size_t kSessionsMax = 65536;

}  // namespace

model::Time Repository::now() const { return time_of(doors_.clock.now_ns()); }

void Repository::derive() {
  keys_ = std::make_shared<const DomainKeys>(0, nullptr, secrets_.content ? &*secrets_.content : nullptr);
}

Result<std::optional<Snapshot>> Repository::read_fate(const TransactionId& id, std::stop_token stop) const {
  const std::string name = transaction_name(id, "fate");
  const Buffer object = TRY_AS(doors_.storage.get(name, {}, stop), "reading " + name);
  return decode_fate(id, object);
}

Result<std::optional<Snapshot>> Repository::decode_fate(const TransactionId& id, Bytes object) const {
  const std::string name = transaction_name(id, "fate");
  const Unwrapped vital = TRY(unwrap_vital(Vital::fate, object, name));
  const std::uint8_t decision = vital.body.empty() ? std::uint8_t{0} : vital.body.front();
  if (decision == 2) {
    TRY(verify_body(config_.log, config_.id, name, vital.body));
    return std::optional<Snapshot>();
  }
  if (decision == 3) {  // withdrawn by its writer
    TRY(verify_body(config_.commit, config_.id, name, vital.body));
    return std::optional<Snapshot>();
  }
  const Bytes body = TRY(verify_body(config_.commit, config_.id, name, vital.body));
  if (!secrets_.index) return lacks(Right::index);
  Decoder in(body);
  in.u8();
  const Bytes sealed = in.blob();
  if (decision != 1) in.fail();
  TRY_AS(in.finish("a fate"), name);
  const Buffer plain = TRY_AS(unseal(*secrets_.index, seal_context(config_.id, name), sealed), name);
  Snapshot snapshot;
  snapshot.commit = TRY_AS(model::decode_commit(plain), name);
  if (snapshot.commit.transaction != id) return Error(Errc::damaged, name + " is another transaction's");
  snapshot.hash = crypto::hash(vital.body);
  snapshot.id = hex(snapshot.hash);
  snapshot.tags = snapshot.commit.tags;
  return std::optional<Snapshot>(std::move(snapshot));
}

// What every decided transaction says; `vanished` are those that went while they were read.
Result<void> Repository::read_fates(History& history, std::vector<TransactionId>& vanished,
                                    std::stop_token stop) const {
  std::map<TransactionId, bool> decided;
  TRY_AS(doors_.storage.list(
             kTransactionPrefix,
             [&](const storage::ObjectInfo& info) -> Result<void> {
               const auto object = parse_transaction_name(info.name);
               if (!object) return {};
               bool& fate = decided[object->id];
               fate = fate || object->what == "fate";
               return {};
             },
             stop),
         "listing transactions");
  for (const auto& [id, has_fate] : decided) {
    if (!has_fate) {
      history.undecided.insert(id);
      continue;
    }
    auto fate = read_fate(id, stop);
    if (!fate.ok()) {
      // One that prune has removed since the listing is no loss; anything else is unknown, never absent.
      if (fate.error().kind() == Errc::not_found) {
        vanished.push_back(id);
        continue;
      }
      if (fate.error().kind() == Errc::stopped || retryable(fate.error().kind()))
        return std::move(fate).error();
      history.unreadable.push_back(fate.error().text());
    } else if (!fate.value()) {
      history.aborted.insert(id);
    } else {
      history.commits.push_back(std::move(*fate.value()));
    }
  }
  return {};
}

void Repository::apply_log(History& history, const std::vector<TransactionId>& vanished) {
  for (const TransactionId& id : vanished) {
    if (!history.log.retired(id)) history.unreadable.push_back(transaction_name(id, "fate") + " disappeared");
  }
  std::erase_if(history.commits,
                [&](const Snapshot& s) { return history.log.retired(s.commit.transaction); });
  std::erase_if(history.aborted, [&](const TransactionId& id) { return history.log.retired(id); });
  std::erase_if(history.undecided, [&](const TransactionId& id) { return history.log.retired(id); });
  for (Snapshot& snapshot : history.commits) {
    snapshot.erased = history.log.erased(snapshot.commit.domain);
    snapshot.forgotten = history.log.dropped(snapshot.commit);
    const auto tags = history.log.tags.find(snapshot.commit.transaction);
    if (tags != history.log.tags.end() && snapshot.commit.domain == 0) snapshot.tags = tags->second;
  }
  std::stable_sort(history.commits.begin(), history.commits.end(),
                   [](const Snapshot& a, const Snapshot& b) { return a.commit.start < b.commit.start; });
  for (std::size_t i = 0; i < history.commits.size(); ++i) {
    history.positions[history.commits[i].commit.transaction] = i;
  }
}

Result<History> Repository::history(std::stop_token stop) const {
  History history;
  std::vector<TransactionId> vanished;
  const auto seen = recall();
  if (!seen.ok() && seen.error().kind() != Errc::damaged) return seen.error().copy();
  TRY(read_fates(history, vanished, stop));
  TRY(log().follow(history.log, stop));
  apply_log(history, vanished);
  TRY(open_domains(history, stop));
  TRY(compare(seen, history, stop));
  if (!history.contradictions.empty()) return contradicted(history);
  return history;
}

Result<History> Repository::readable_history(std::stop_token stop) const {
  History history;
  std::vector<TransactionId> vanished;
  const auto seen = recall();
  TRY(read_fates(history, vanished, stop));
  const auto followed = log().follow(history.log, stop);
  if (!followed.ok() && followed.error().kind() != Errc::damaged) return followed.error().copy();
  if (!followed.ok()) history.log_trouble = followed.error().text();
  apply_log(history, vanished);
  TRY(open_domains(history, stop));
  TRY(compare(seen, history, stop));
  return history;
}

std::vector<const Snapshot*> History::snapshots() const {
  std::vector<const Snapshot*> out;
  for (const Snapshot& s : commits) {
    if (s.commit.kind == model::CommitKind::snapshot && !s.forgotten) out.push_back(&s);
  }
  return out;
}

void History::add(Snapshot snapshot) {
  positions[snapshot.commit.transaction] = commits.size();
  commits.push_back(std::move(snapshot));
}

const Snapshot* History::find(const TransactionId& id) const {
  const auto at = positions.find(id);
  return at == positions.end() ? nullptr : &commits[at->second];
}

namespace {

// The plain text of a vital object that is nothing but one sealed blob.
Result<Buffer> read_sealed(const Repository& repository, Vital kind, const std::string& name,
                           std::stop_token stop) {
  if (!repository.secrets().index) return lacks(Right::index);
  const Buffer object = TRY_AS(repository.storage().get(name, {}, stop), "reading " + name);
  const Unwrapped vital = TRY(unwrap_vital(kind, object, name));
  Decoder in(vital.body);
  const Bytes sealed = in.blob();
  TRY_AS(in.finish("the object"), name);
  return unseal(*repository.secrets().index, seal_context(repository.config().id, name), sealed);
}

}  // namespace

Result<model::Manifest> Repository::read_manifest(const TransactionId& id, std::stop_token stop) const {
  const std::string name = transaction_name(id, "man");
  const Buffer plain = TRY_AS(read_sealed(*this, Vital::manifest, name, stop), name);
  model::Manifest manifest = TRY_AS(model::decode_manifest(plain), name);
  if (manifest.transaction != id) return Error(Errc::damaged, name + " is another transaction's");
  return manifest;
}

Result<std::vector<Buffer>> Repository::read_pages(const TransactionId& id, std::stop_token stop) const {
  const std::string name = transaction_name(id, "refs");
  const Buffer plain = TRY_AS(read_sealed(*this, Vital::refs, name, stop), name);
  Decoder in(plain);
  std::vector<Buffer> pages(in.count(1));
  for (Buffer& page : pages) {
    const Bytes bytes = in.blob();
    page.assign(bytes.begin(), bytes.end());
  }
  TRY_AS(in.finish("the object"), name);
  return pages;
}

Result<model::References> Repository::read_references(const model::Commit& commit,
                                                      std::stop_token stop) const {
  std::map<TransactionId, std::vector<Buffer>> owners;
  model::References references;
  for (const model::PagePointer& pointer : commit.pages) {
    auto owner = owners.find(pointer.owner);
    if (owner == owners.end()) {
      auto pages = TRY(read_pages(pointer.owner, stop));
      owner = owners.emplace(pointer.owner, std::move(pages)).first;
    }
    if (pointer.index >= owner->second.size()) {
      return Error(Errc::damaged,
                   text(commit.transaction) + " refers to a reference page that does not exist");
    }
    TRY(model::decode_page(owner->second[pointer.index], references));
  }
  return references;
}

Result<Opening> Repository::read_opening(const TransactionId& id, std::stop_token stop) const {
  const std::string name = transaction_name(id, "open");
  const Buffer object = TRY_AS(doors_.storage.get(name, {}, stop), "reading " + name);
  const Unwrapped vital = TRY(unwrap_vital(Vital::open, object, name));
  const Bytes body = TRY(verify_body(config_.commit, config_.id, name, vital.body));
  Opening opening = TRY_AS(decode_opening(body), name);
  if (opening.transaction != id) return Error(Errc::damaged, name + " is another transaction's");
  return opening;
}

// Every epoch of the read key has a key pair of its own.
Result<crypto::Key> Repository::open_secret(const Opening& opening) const {
  const std::uint32_t epoch = opening.place.epoch;
  const auto later = secrets_.reads.find(epoch);
  const auto rotated = [&] {
    const model::CivilTime day = model::local_time(opening.time.seconds);
    const std::string opens =
        secrets_.epoch() == 0 ? "epoch 0" : fmt::format("epochs 0 to {}", secrets_.epoch());
    return Error(
               Errc::denied,
               fmt::format("it was written on {:04}-{:02}-{:02}, after the read key was rotated (epoch {}); "
                           "this key opens only {}",
                           day.year, day.month, day.day, epoch, opens))
        .hint("use a key that opens it (`holdfast key list`); its holder can add yours anew");
  };
  if (epoch != 0 && later == secrets_.reads.end()) return rotated();
  const crypto::Key& read = epoch == 0 ? *secrets_.read : later->second;
  const crypto::PublicKey reader = epoch == 0 ? config_.read : crypto::x25519_public(read);
  const std::string name = transaction_name(opening.transaction, "open");
  auto secret = open_as_reader(read, reader, seal_context(config_.id, name), opening.secret);
  // Of a rotation that came to nothing.
  if (epoch != 0 && !secret.ok() && secret.error().kind() == Errc::wrong_key) return rotated();
  return secret;
}

Result<SessionKey> Repository::session_key(const TransactionId& id, std::stop_token stop) const {
  {
    const std::lock_guard lock(mutex_);
    const auto known = sessions_.find(id);
    if (known != sessions_.end()) return SessionKey{known->second.place, known->second.secret.copy()};
  }
  if (!secrets_.read) return lacks(Right::read);
  const std::string name = transaction_name(id, "open");
  const auto opening = read_opening(id, stop);
  if (!opening.ok() && opening.error().kind() == Errc::not_found) {  // not to be taken for a pack that moved
    return Error(Errc::damaged, name + " is missing, without which no pack of its transaction opens");
  }
  if (!opening.ok()) return opening.error().copy();
  const KeyPlace place = opening.value().place;
  const SharedDomainKeys keys = TRY_AS(domain_keys(place.domain, stop), name);
  const crypto::Key sealed = TRY_AS(open_secret(opening.value()), name);
  SessionKey session{place, keys->session(sealed)};
  const std::lock_guard lock(mutex_);
  if (sessions_.size() >= kSessionsMax) sessions_.clear();
  sessions_.insert_or_assign(id, SessionKey{session.place, session.secret.copy()});
  return session;
}

}  // namespace holdfast::repo
