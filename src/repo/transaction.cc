#include "repo/transaction.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/hash.h"
#include "repo/rights.h"

namespace holdfast::repo {

namespace {

// Names that were taken before one was free: only a copied cache gives any.
constexpr int kOpenTries = 8;

}  // namespace

Result<std::unique_ptr<Transaction>> Transaction::open(const Repository& repository, LocalState& local,
                                                       const model::RunId& run, std::stop_token stop) {
  TRY(require(repository.secrets(), {Right::deduplicate, Right::index, Right::commit}));
  for (int tries = 0; tries < kOpenTries; ++tries) {
    std::unique_ptr<Transaction> transaction(new Transaction(repository, local, run));  // NOLINT: private
    TRY_AS(repository.log().follow(transaction->log_, stop), "reading the log");
    const bool opened = TRY(transaction->try_open(stop));
    if (!opened) {
      local.renew_writer();
      continue;
    }
    TRY_AS(repository.log().follow(transaction->log_, stop), "reading the log");
    if (transaction->log_.erased(local.keys()->domain())) {
      // Where this fails a prune ends it.
      (void)transaction->withdraw("its key domain was erased", stop).ok();
      return erased_error("what this would be stored under", transaction->log_, local.keys()->domain());
    }
    if (transaction->log_.epoch() != transaction->session_.place.epoch) {  // rotated meanwhile
      TRY(transaction->withdraw("the read key was rotated", stop));
      continue;
    }
    if (!transaction->log_.deleted.contains({transaction->id_, kOwnObjects})) return transaction;
    local.renew_writer();
  }
  return Error(Errc::conflict, "no free name for a transaction")
      .hint("delete holdfast's cache folder and run again");
}

Result<std::unique_ptr<Transaction>> Transaction::rehearse(const Repository& repository, LocalState& local,
                                                           std::stop_token stop) {
  std::unique_ptr<Transaction> transaction(new Transaction(repository, local, {}));  // NOLINT: private
  transaction->rehearsal_ = true;
  TRY_AS(repository.log().follow(transaction->log_, stop), "reading the log");
  if (transaction->log_.erased(local.keys()->domain()))
    return erased_error("what this would be stored under", transaction->log_, local.keys()->domain());
  return transaction;
}

// W1. False where the name is taken.
Result<bool> Transaction::try_open(std::stop_token stop) {
  id_ = local_.next_transaction();
  repository_.random().fill(session_.secret.writable());
  session_.place.domain = keys().domain();
  const Config& config = repository_.config();
  session_.place.epoch = log_.epoch();
  const crypto::PublicKey& reader = log_.read_keys.empty() ? config.read : log_.read_keys.rbegin()->second;
  const std::string name = transaction_name(id_, "open");
  Opening opening{id_, run_, {}, repository_.now(), session_.place, {}};
  opening.secret =
      TRY(seal_to_reader(reader, seal_context(config.id, name), session_.secret, repository_.random()));
  session_.secret = keys().session(session_.secret);  // in force
  opening.nonce = repository_.random().array<16>();
  const Buffer object =
      wrap_vital(Vital::open, sign_body(*repository_.secrets().commit, config.id, name, encode(opening)));
  const auto put = repository_.storage().put(name, object, stop);
  if (!put.ok() && put.error().kind() == Errc::exists) return false;
  if (!put.ok()) return put.error().copy().context("opening a transaction");
  return true;
}

Result<void> Transaction::anchor(std::stop_token stop) {
  const std::lock_guard lock(anchor_mutex_);
  if (anchored_) return {};
  TRY_AS(repository_.storage().barrier(stop), "making the transaction's name durable");
  anchored_ = true;
  return {};
}

model::PackId Transaction::next_pack(bool metadata) {
  const std::lock_guard lock(mutex_);
  std::uint32_t& next = metadata ? next_metadata_ : next_data_;
  const model::PackId id{id_, next};
  next += 2;
  return id;
}

void Transaction::add(model::ManifestPack pack) {
  const std::lock_guard lock(mutex_);
  packs_.push_back(std::move(pack));
}

PackContext Transaction::pack_context() const {
  return {repository_.config().id, session_, *repository_.secrets().index, repository_.random()};
}

namespace {

// A vital object that is one blob sealed with the index secret.
Buffer sealed_object(const Repository& repository, Vital kind, const std::string& name, Bytes plain) {
  Encoder body;
  body.blob(seal(*repository.secrets().index, seal_context(repository.config().id, name), plain,
                 repository.random()));
  return wrap_vital(kind, body.bytes());
}

}  // namespace

Result<Hash> Transaction::put_manifest(std::stop_token stop) {
  model::Manifest manifest;
  {
    const std::lock_guard lock(mutex_);
    manifest.transaction = id_;
    manifest.packs = packs_;
  }
  std::sort(manifest.packs.begin(), manifest.packs.end(),
            [](const model::ManifestPack& a, const model::ManifestPack& b) { return a.pack < b.pack; });
  TRY(anchor(stop));
  const std::string name = transaction_name(id_, "man");
  const Buffer object = sealed_object(repository_, Vital::manifest, name, encode(manifest));
  TRY_AS(repository_.storage().put(name, object, stop), "putting the manifest");
  manifest_bytes_ = object.size();
  return crypto::hash(object);
}

namespace {

// The page that begins at `first`: its end.
model::References::const_iterator page_end(const model::References& references,
                                           model::References::const_iterator first) {
  std::size_t packs = 0;
  auto at = first;
  while (at != references.end()) {
    Encoder name;
    encode(name, at->first);
    ++at;
    if (++packs >= model::kPagePacksMax || model::page_ends(crypto::hash(name.bytes())[0])) break;
  }
  return at;
}

}  // namespace

// Writes the pages that `before` does not have; lists all of them in `commit`.
Result<Hash> Transaction::put_pages(const model::References& references, const model::Commit* before,
                                    model::Commit& commit, std::stop_token stop) {
  std::map<Hash, model::PagePointer> known;
  std::map<model::TransactionId, std::vector<Buffer>> owners;
  for (const model::PagePointer& pointer : before != nullptr ? before->pages : commit.pages) {
    auto owner = owners.find(pointer.owner);
    if (owner == owners.end()) {
      auto pages = repository_.read_pages(pointer.owner, stop);
      // Gone although usable when this transaction opened: it was aborted then, as its fate will tell.
      const bool gone = !pages.ok() && pages.error().kind() == Errc::not_found;
      if (!pages.ok() && !gone) return std::move(pages).error();
      owner = owners.emplace(pointer.owner, gone ? std::vector<Buffer>{} : std::move(pages).value()).first;
    }
    if (pointer.index < owner->second.size()) known[crypto::hash(owner->second[pointer.index])] = pointer;
  }
  std::vector<Buffer> fresh;
  for (auto first = references.begin(); first != references.end();) {
    const auto last = page_end(references, first);
    Buffer page = model::encode_page(first, last);
    const auto at = known.find(crypto::hash(page));
    if (at != known.end()) {
      commit.pages.push_back(at->second);
    } else {
      commit.pages.push_back({id_, fresh.size()});
      fresh.push_back(std::move(page));
    }
    first = last;
  }
  if (fresh.empty()) return Hash{};
  Encoder plain;
  plain.varint(fresh.size());
  for (const Buffer& page : fresh) plain.blob(page);
  const std::string name = transaction_name(id_, "refs");
  const Buffer object = sealed_object(repository_, Vital::refs, name, plain.bytes());
  TRY_AS(repository_.storage().put(name, object, stop), "putting the reference pages");
  refs_bytes_ = object.size();
  return crypto::hash(object);
}

// Ours where the fate that is there says exactly this.
Result<void> Transaction::put_fate(Bytes object, std::stop_token stop) {
  const std::string name = transaction_name(id_, "fate");
  const auto put = repository_.storage().put(name, object, stop);
  if (put.ok()) return {};
  if (put.error().kind() != Errc::exists) return put.error().copy().context("committing");
  const auto present = repository_.storage().get(name, {}, stop);
  // Gone again: an ABORT, which was removed with all of the transaction.
  const bool gone = !present.ok() && present.error().kind() == Errc::not_found;
  if (!present.ok() && !gone) return present.error().copy().context("reading back the fate");
  if (!gone && std::equal(present.value().begin(), present.value().end(), object.begin(), object.end()))
    return {};
  return Error(Errc::conflict, "a maintainer aborted this transaction").hint("run the command again");
}

bool Transaction::decided_by_others(std::stop_token stop) const {
  if (repository_.storage().stat(transaction_name(id_, "fate"), stop).ok()) return true;
  LogState log = log_;
  return repository_.log().follow(log, stop).ok() && log.retired(id_);
}

// A store that reports success and keeps a part of an object, or nothing, must be found out while the source
// is still there.
Result<void> Transaction::check_stored(const model::Commit& commit, std::stop_token stop) {
  std::vector<std::pair<std::string, std::uint64_t>> stored;
  {
    const std::lock_guard lock(mutex_);
    for (const model::ManifestPack& pack : packs_)
      stored.emplace_back(pack_name({id_, pack.pack}, 0), pack.object_bytes);
  }
  stored.emplace_back(transaction_name(id_, "man"), manifest_bytes_);
  if (commit.refs_hash != Hash{}) stored.emplace_back(transaction_name(id_, "refs"), refs_bytes_);
  for (const auto& [name, bytes] : stored) {
    const auto info = repository_.storage().stat(name, stop);
    const bool missing = !info.ok() && info.error().kind() == Errc::not_found;
    if (!info.ok() && !missing) return info.error().copy().context("looking at what was stored");
    if (!missing && info.value().size_bytes == bytes) continue;
    if (missing && decided_by_others(stop)) return {};  // so it was removed; the fate will tell
    const std::string has = missing ? "it is not there" : fmt::format("it has {}", info.value().size_bytes);
    return Error(Errc::damaged, fmt::format("{} was stored with {} bytes, and {}", name, bytes, has))
        .hint(
            "nothing was committed; this store does not keep what it says, do not use it before you know "
            "why");
  }
  return {};
}

Result<Snapshot> Transaction::commit(model::Commit commit, const model::References& references,
                                     const model::Commit* before, std::stop_token stop) {
  HF_ASSERT(!rehearsal_);
  commit.transaction = id_;
  commit.run = run_;
  commit.domain = keys().domain();
  const LocalState::Commit last = local_.last_commit();
  if (last.sequence != 0 && last.sequence < id_.sequence) {
    commit.previous_sequence = last.sequence;
    commit.previous_hash = last.hash;
  }
  commit.manifest_hash = TRY(put_manifest(stop));
  commit.pages.clear();
  commit.refs_hash = TRY(put_pages(references, before, commit, stop));
  TRY_AS(repository_.storage().barrier(stop), "making the data durable");
  TRY(check_stored(commit, stop));
  // Beyond this point everything the snapshot needs is durable; until the fate is put nobody can see it.
  const std::string name = transaction_name(id_, "fate");
  const Config& config = repository_.config();
  if (commit.domain != 0) {
    commit.sealed_labels =
        keys().seal_label(seal_context(config.id, name), encode_labels(commit), repository_.random());
  }
  Encoder body;
  body.u8(1);
  body.blob(seal(*repository_.secrets().index, seal_context(config.id, name), encode(commit),
                 repository_.random()));
  const Buffer fate = sign_body(*repository_.secrets().commit, config.id, name, body.take());
  TRY(put_fate(wrap_vital(Vital::fate, fate), stop));
  TRY_AS(repository_.storage().barrier(stop), "making the commit durable");
  TRY_AS(repository_.log().follow(log_, stop), "reading the log");
  if (log_.deleted.contains({id_, kOwnObjects})) {
    return Error(Errc::conflict, "this transaction was aborted and removed meanwhile")
        .hint("run the command again");
  }
  // It is committed, and dead by the log.
  if (log_.erased(commit.domain)) return erased_error("what was stored meanwhile", log_, commit.domain);
  Snapshot snapshot;
  snapshot.hash = crypto::hash(fate);
  snapshot.id = hex(snapshot.hash);
  snapshot.tags = commit.tags;
  snapshot.commit = std::move(commit);
  local_.set_last_commit(id_, snapshot.hash);
  repository_.remember(log_, snapshot);
  return snapshot;
}

Result<void> Transaction::withdraw(std::string_view reason, std::stop_token stop) {
  if (rehearsal_) return {};
  const std::string name = transaction_name(id_, "fate");
  Encoder body;
  body.u8(3);
  encode(body, id_);
  encode(body, repository_.now());
  body.string(reason);
  const Buffer object = wrap_vital(
      Vital::fate, sign_body(*repository_.secrets().commit, repository_.config().id, name, body.take()));
  const auto put = repository_.storage().put(name, object, stop);
  if (put.ok() || put.error().kind() == Errc::exists) return {};  // a maintainer may have been faster
  return put.error().copy().context("aborting a transaction");
}

Result<model::Address> ChunkWriter::put(const NewChunk& chunk, std::stop_token stop) {
  if (transaction_.rehearsal()) return model::Address{};
  if (pack_ == nullptr) {
    pack_ = std::make_unique<PackWriter>(transaction_.repository().storage(), transaction_.pack_context(),
                                         transaction_.next_pack(metadata_));
  }
  const model::PackId id = pack_->id();
  const std::uint32_t slot = TRY_AS(pack_->add(chunk), "filling a pack");
  if (pack_->full()) TRY(finish(stop));
  return model::Address{id, slot};
}

Result<void> ChunkWriter::finish(std::stop_token stop) {
  if (pack_ == nullptr || pack_->empty()) return {};
  TRY(transaction_.anchor(stop));
  model::ManifestPack pack = TRY_AS(pack_->finish(stop), "putting a pack");
  transaction_.add(std::move(pack));
  pack_.reset();
  return {};
}

}  // namespace holdfast::repo
