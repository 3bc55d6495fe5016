// Transaction: one write to a repository, from `open` to its fate. The order of what it does is what makes
// concurrent garbage collection safe: docs/decisions/0002-garbage-collection.md, W1–W5. And ChunkWriter,
// which fills packs for it.
#pragma once

#include <mutex>

#include "repo/local_state.h"
#include "repo/pack_writer.h"
#include "repo/repository.h"

namespace holdfast::repo {

class Transaction {
 public:
  // W1, W2: puts `open` under a fresh name, then reads the log. Errc::damaged where the log can't be read.
  // The log is read before, too: it tells the read key to seal to.
  static Result<std::unique_ptr<Transaction>> open(const Repository& repository, LocalState& local,
                                                   const model::RunId& run, std::stop_token stop);
  // One that writes nothing, to see what a real one would do: chunks that are put to it are dropped; it can't
  // commit.
  static Result<std::unique_ptr<Transaction>> rehearse(const Repository& repository, LocalState& local,
                                                       std::stop_token stop);
  bool rehearsal() const { return rehearsal_; }

  const model::TransactionId& id() const { return id_; }
  // The log as of just after `open`: what may be referred to (W3).
  const LogState& log() const { return log_; }
  const Repository& repository() const { return repository_; }
  // Of the key domain that it is in: that of `local`.
  const DomainKeys& keys() const { return *local_.keys(); }

  // Makes `open` durable, once; before anything else of the transaction is put. Else a loss of power could
  // keep a pack and not the name, and the next transaction would take the name and find the pack there.
  // Thread-safe.
  Result<void> anchor(std::stop_token stop);
  // Thread-safe: number for a new pack; record of a finished one.
  model::PackId next_pack(bool metadata);
  void add(model::ManifestPack pack);
  PackContext pack_context() const;

  // W4, W5: manifest, reference pages, barrier, a look whether all is there, COMMIT, barrier. `commit` comes
  // without transaction, previous, manifest, refs and pages, which are filled in. `before`, where given, is a
  // commit whose equal pages are shared; it must be usable under W3. Errc::conflict where a maintainer
  // aborted the transaction meanwhile: begin again.
  Result<Snapshot> commit(model::Commit commit, const model::References& references,
                          const model::Commit* before, std::stop_token stop);
  // Ends it without a commit, so that no maintainer waits for it.
  Result<void> withdraw(std::string_view reason, std::stop_token stop);

 private:
  Transaction(const Repository& repository, LocalState& local, const model::RunId& run)
      : repository_(repository), local_(local), run_(run) {}
  Result<bool> try_open(std::stop_token stop);
  Result<Hash> put_manifest(std::stop_token stop);
  Result<Hash> put_pages(const model::References& references, const model::Commit* before,
                         model::Commit& commit, std::stop_token stop);
  bool decided_by_others(std::stop_token stop) const;
  Result<void> check_stored(const model::Commit& commit, std::stop_token stop);
  Result<void> put_fate(Bytes object, std::stop_token stop);

  const Repository& repository_;
  LocalState& local_;
  model::RunId run_;
  bool rehearsal_ = false;
  model::TransactionId id_;
  SessionKey session_;
  LogState log_;
  std::uint64_t manifest_bytes_ = 0, refs_bytes_ = 0;  // of the objects, once they are put
  std::mutex anchor_mutex_;                            // guards anchored_
  bool anchored_ = false;
  std::mutex mutex_;  // guards what follows
  std::uint32_t next_data_ = 0;
  std::uint32_t next_metadata_ = 1;
  std::vector<model::ManifestPack> packs_;
};

// Fills packs with chunks, one at a time; a full one is put at once. One thread at a time.
class ChunkWriter {
 public:
  ChunkWriter(Transaction& transaction, bool metadata) : transaction_(transaction), metadata_(metadata) {}

  Result<model::Address> put(const NewChunk& chunk, std::stop_token stop);
  const DomainKeys& keys() const { return transaction_.keys(); }
  // Puts the pack in the making, if any.
  Result<void> finish(std::stop_token stop);

 private:
  Transaction& transaction_;
  const bool metadata_;
  std::unique_ptr<PackWriter> pack_;
};

}  // namespace holdfast::repo
