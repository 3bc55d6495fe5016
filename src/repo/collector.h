// What a garbage collector must know before it removes anything: decision 2, G0, G3–G5. A Mark is one reading
// of the repository; a Marker makes them, and remembers what can't change (fates, reference pages), so that
// marking again costs a listing. docs/decisions/0002-garbage-collection.md. A Marker belongs to one thread.
#pragma once

#include <memory>

#include "repo/repository.h"

namespace holdfast::repo {

struct Mark {
  LogState log;  // the view; everything else was read after it
  std::map<model::TransactionId, std::shared_ptr<const Snapshot>> commits;  // retired ones are not here …
  std::set<model::TransactionId> aborted;
  std::set<model::TransactionId> undecided;
  std::set<model::TransactionId> retired;      // … but here, as long as objects of their names are there
  std::set<model::TransactionId> live;         // commits that pin what they refer to
  std::set<model::TransactionId> page_owners;  // of the pages of live commits
  model::References needed;                    // by live commits

  bool decided(const model::TransactionId& id) const { return commits.contains(id) || aborted.contains(id); }
  // Whether anything live needs what deleting `item` would remove (G5).
  bool needs(const Item& item) const;
};

// Commits that pin what they refer to: snapshots that are not forgotten, checkpoints that nothing has
// superseded; of an erased key domain none.
bool is_live(const Mark& mark, const Snapshot& commit);

class Marker {
 public:
  explicit Marker(const Repository& repository) : repository_(repository) {}

  // Errc::damaged, with a list, while anything that must be known can't be read (G0): then nothing may be
  // deleted.
  Result<Mark> mark(std::stop_token stop);

 private:
  struct Trouble {
    std::vector<std::string> unreadable;
    std::vector<std::pair<model::TransactionId, std::string>> vanished;
  };
  Result<Mark> try_mark(Trouble& trouble, std::stop_token stop);
  Result<void> read_fates(Mark& mark, const std::map<model::TransactionId, bool>& listed, Trouble& trouble,
                          std::stop_token stop);
  void check_chains(const Mark& mark, Trouble& trouble) const;
  Result<void> read_needed(Mark& mark, Trouble& trouble, std::stop_token stop);

  const Repository& repository_;
  LogState log_;
  std::map<model::TransactionId, std::shared_ptr<const Snapshot>> fates_;  // null: ABORT
  std::set<model::PagePointer> pages_;                                     // that needed_ is made of
  model::References needed_;
};

// When a transaction began, by its own clock. Errc::not_found where there is no `open`.
Result<model::Time> opened_at(const Repository& repository, const model::TransactionId& id,
                              std::stop_token stop);
// Decides an undecided transaction (G4). No error where it is decided already, whichever way.
Result<void> abort_transaction(const Repository& repository, const model::TransactionId& id,
                               std::string_view reason, std::stop_token stop);

}  // namespace holdfast::repo
