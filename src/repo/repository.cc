#include "repo/repository.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/hash.h"

namespace holdfast::repo {

using model::TransactionId;

namespace {

model::Time time_of(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return {ns / kSecond, static_cast<std::uint32_t>(ns % kSecond)};
}

std::string random_key_name(Random& random) { return kKeyPrefix + hex(random.array<16>()); }

// Sessions remembered; each is 32 bytes and a map node.
constexpr std::size_t kSessionsMax = 65536;

}  // namespace

model::Time Repository::now() const { return time_of(doors_.clock.now_ns()); }

Result<void> Repository::create(const Doors& doors, Bytes password, const CreateOptions& options,
                                std::stop_token stop) {
  const auto present = doors.storage.stat(kConfigName, stop);
  if (present.ok()) {
    return Error(Errc::exists, fmt::format("{} holds a repository already", doors.storage.describe()));
  }
  if (present.error().kind() != Errc::not_found) return present.error().copy();
  Secrets secrets = Secrets::generate(doors.random);
  Config config;
  config.id = doors.random.array<16>();
  config.created = time_of(doors.clock.now_ns());
  if (options.content_like != nullptr) secrets.content = options.content_like->copy();
  if (options.chunks_like != nullptr) config.chunks = options.chunks_like->chunks;
  config.admin = crypto::sign_public(*secrets.admin);
  config.commit = crypto::sign_public(*secrets.commit);
  config.log = crypto::sign_public(*secrets.log);
  config.read = crypto::x25519_public(*secrets.read);
  // The key slot first, the config last: what has a config can be opened.
  const std::string key_name = random_key_name(doors.random);
  const Buffer slot = TRY(make_slot(config.id, key_name, secrets, password, options.label, config.created,
                                    options.cost, doors.random));
  TRY(doors.storage.put(key_name, slot, stop));
  const auto spec = doors.storage.put(kSpecName, as_bytes(options.specification), stop);
  if (!spec.ok() && spec.error().kind() != Errc::exists) return spec.error().copy();
  TRY(doors.storage.barrier(stop));
  TRY(doors.storage.put(kConfigName, encode_config(config, secrets), stop));
  return doors.storage.barrier(stop);
}

Result<std::unique_ptr<Repository>> Repository::open(const Doors& doors, Bytes password,
                                                     std::stop_token stop) {
  const auto config = doors.storage.get(kConfigName, {}, stop);
  if (!config.ok() && config.error().kind() == Errc::not_found) {
    return Error(Errc::no_repository, fmt::format("there is no repository in {}", doors.storage.describe()))
        .hint("`holdfast init` makes one; or correct --repo / HOLDFAST_REPOSITORY");
  }
  if (!config.ok()) return config.error().copy().context("reading the repository's config");
  std::unique_ptr<Repository> repository(new Repository(doors));  // NOLINT: private
  repository->config_ = TRY(decode_config(config.value()));
  std::vector<std::string> names;
  TRY(doors.storage.list(
      kKeyPrefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        names.push_back(info.name);
        return {};
      },
      stop));
  std::optional<Error> trouble;
  for (const std::string& name : names) {
    const auto object = doors.storage.get(name, {}, stop);
    if (!object.ok()) {
      trouble = object.error().copy();
      continue;
    }
    const auto slot = decode_slot(object.value(), name);
    if (!slot.ok()) {
      trouble = slot.error().copy();
      continue;
    }
    auto secrets = open_slot(repository->config_.id, name, slot.value(), password);
    if (secrets.ok()) {
      repository->secrets_ = std::move(secrets).value();
      repository->key_name_ = name;
      repository->derive();
      return repository;
    }
    if (secrets.error().kind() != Errc::wrong_key) trouble = std::move(secrets).error();
  }
  if (trouble) return std::move(*trouble).context("opening the key slots");
  return Error(Errc::wrong_key,
               fmt::format("no key slot of {} opens with this password", doors.storage.describe()))
      .hint("check HOLDFAST_PASSWORD, --password-file or what you typed");
}

void Repository::derive() {
  if (!secrets_.content) return;
  const Bytes content = secrets_.content->bytes();
  chunk_id_key_ = crypto::derive_key("holdfast 0 chunk id", {content});
  member_id_key_ = crypto::derive_key("holdfast 0 member id", {content});
  bundle_key_ = crypto::derive_key("holdfast 0 bundle boundary", {content});
  tree_key_ = crypto::derive_key("holdfast 0 tree boundary", {content});
}

chunk::GearTable Repository::gear_table() const {
  const crypto::Key key = crypto::derive_key("holdfast 0 gear", {secrets_.content->bytes()});
  Buffer words = crypto::expand(key, as_bytes("gear"), 2048);
  const chunk::GearTable table = chunk::gear_table(words);
  crypto::wipe(words);
  return table;
}

crypto::Key Repository::local_key() const {
  HF_ASSERT(secrets_.content.has_value());
  return crypto::derive_key("holdfast 0 local cache", {secrets_.content->bytes(), config_.id});
}

Result<std::optional<Snapshot>> Repository::read_fate(const TransactionId& id, std::stop_token stop) const {
  const std::string name = transaction_name(id, "fate");
  const Buffer object = TRY_AS(doors_.storage.get(name, {}, stop), "reading " + name);
  const Unwrapped vital = TRY(unwrap_vital(Vital::fate, object, name));
  const std::uint8_t decision = vital.body.empty() ? std::uint8_t{0} : vital.body.front();
  if (decision == 2) {
    TRY(verify_body(config_.log, config_.id, name, vital.body));
    return std::optional<Snapshot>();
  }
  const Bytes body = TRY(verify_body(config_.commit, config_.id, name, vital.body));
  if (!secrets_.index) return Error(Errc::denied, "this key may not read commits");
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
    snapshot.forgotten = history.log.forgotten.contains(snapshot.commit.transaction);
    const auto tags = history.log.tags.find(snapshot.commit.transaction);
    if (tags != history.log.tags.end()) snapshot.tags = tags->second;
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
  TRY(read_fates(history, vanished, stop));
  TRY(log().follow(history.log, stop));
  apply_log(history, vanished);
  return history;
}

Result<History> Repository::readable_history(std::stop_token stop) const {
  History history;
  std::vector<TransactionId> vanished;
  TRY(read_fates(history, vanished, stop));
  const auto followed = log().follow(history.log, stop);
  if (!followed.ok() && followed.error().kind() != Errc::damaged) return followed.error().copy();
  if (!followed.ok()) history.log_trouble = followed.error().text();
  apply_log(history, vanished);
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
  if (!repository.secrets().index) return Error(Errc::denied, "this key may not read " + name);
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

Result<crypto::Key> Repository::session_secret(const TransactionId& id, std::stop_token stop) const {
  {
    const std::lock_guard lock(mutex_);
    const auto known = sessions_.find(id);
    if (known != sessions_.end()) return known->second.copy();
  }
  if (!secrets_.read) return Error(Errc::denied, "this key may not read content");
  const std::string name = transaction_name(id, "open");
  const auto object = doors_.storage.get(name, {}, stop);
  if (!object.ok() && object.error().kind() == Errc::not_found) {  // not to be taken for a pack that moved
    return Error(Errc::damaged, name + " is missing, without which no pack of its transaction opens");
  }
  if (!object.ok()) return object.error().copy().context("reading " + name);
  const Unwrapped vital = TRY(unwrap_vital(Vital::open, object.value(), name));
  const Bytes body = TRY(verify_body(config_.commit, config_.id, name, vital.body));
  Decoder in(body);
  const TransactionId stored = model::decode_transaction(in);
  in.raw(16 + 16);
  model::decode_time(in);
  SealedSecret sealed;
  sealed.ephemeral = in.array<32>();
  const Bytes blob = in.blob();
  sealed.sealed.assign(blob.begin(), blob.end());
  if (stored != id) in.fail();
  TRY_AS(in.finish("the object"), name);
  crypto::Key secret =
      TRY_AS(open_as_reader(*secrets_.read, config_.read, seal_context(config_.id, name), sealed), name);
  const std::lock_guard lock(mutex_);
  if (sessions_.size() >= kSessionsMax) sessions_.clear();
  sessions_.insert_or_assign(id, secret.copy());
  return secret;
}

Result<std::vector<Repository::KeyInfo>> Repository::keys(std::stop_token stop) const {
  std::vector<std::string> names;
  TRY(doors_.storage.list(
      kKeyPrefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        names.push_back(info.name);
        return {};
      },
      stop));
  std::vector<KeyInfo> keys;
  for (const std::string& name : names) {
    const Buffer object = TRY(doors_.storage.get(name, {}, stop));
    KeySlot slot = TRY(decode_slot(object, name));
    keys.push_back({name, std::move(slot), name == key_name_});
  }
  return keys;
}

Result<std::string> Repository::add_key(Bytes password, std::string label, crypto::Argon2Cost cost,
                                        std::stop_token stop) const {
  const std::string name = random_key_name(doors_.random);
  const Buffer slot =
      TRY(make_slot(config_.id, name, secrets_, password, std::move(label), now(), cost, doors_.random));
  TRY(doors_.storage.put(name, slot, stop));
  TRY(doors_.storage.barrier(stop));
  return name;
}

Result<void> Repository::remove_key(const std::string& name, std::stop_token stop) const {
  if (name == key_name_) {
    return Error(Errc::usage, "that key is the one in use")
        .hint("open the repository with another password first");
  }
  TRY(doors_.storage.stat(name, stop));
  TRY(doors_.storage.remove(name, stop));
  return doors_.storage.barrier(stop);
}

}  // namespace holdfast::repo
