// LocalState: what this machine remembers about a repository, or one key domain of it, so that the next run
// is quick: the name it writes under, the previous trees, the index. All of it is a cache: lost or damaged,
// it costs time, never data, and never fails a backup. Everything in it is sealed under a key from the
// repository.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "model/address.h"
#include "repo/repository.h"

namespace holdfast::repo {

class LocalState {
 public:
  // `directory` is the cache folder of all repositories; empty: remember nothing. Never fails: what can't be
  // used is done without. Keys that may not deduplicate remember nothing.
  static std::unique_ptr<LocalState> open(const std::string& directory, const Repository& repository) {
    return open(directory, repository, repository.keys());
  }
  // Of one key domain, whose snapshots then are made by it: with names to write under, trees and an index of
  // its own.
  static std::unique_ptr<LocalState> open(const std::string& directory, const Repository& repository,
                                          SharedDomainKeys keys);
  // Removes what is remembered of domains that were erased.
  static void drop_erased(const std::string& directory, const RepositoryId& id, const LogState& log);

  const SharedDomainKeys& keys() const { return keys_; }
  // The folder of this repository and domain, "" where nothing can be remembered.
  const std::string& directory() const { return directory_; }
  // Why it can't be, where a folder was given; nothing where all is well.
  const std::optional<Error>& trouble() const { return trouble_; }

  // The next name of a transaction of this writer. Two processes never get the same one.
  model::TransactionId next_transaction();
  // The name was taken (a cloned machine, a restored cache): write under a new one from now on.
  void renew_writer();
  // Remembers where this writer's chain of commits stands.
  struct Commit {
    std::uint32_t sequence = 0;
    Hash hash{};
  };
  Commit last_commit() const;
  void set_last_commit(model::TransactionId id, const Hash& hash);

  // File name for what is remembered of one series of snapshots (same host and paths): "" where nothing can
  // be.
  std::string series_file(std::string_view host, const std::vector<std::string>& paths) const;
  const crypto::Key& key() const { return key_; }

 private:
  LocalState(std::string directory, const Repository& repository, SharedDomainKeys keys);
  struct Writer {
    std::uint64_t id = 0;
    std::uint32_t sequence = 0;
    Commit last;
  };
  template <typename Change>
  Writer update(Change change);

  std::string directory_;
  std::optional<Error> trouble_;
  Random& random_;
  SharedDomainKeys keys_;
  crypto::Key key_;
  Writer fallback_;  // used where the folder can't be
};

}  // namespace holdfast::repo
