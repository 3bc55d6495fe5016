// check: does the repository hold what it promises? Three answers are kept apart: damaged (something is not
// as it was written), unreachable (it could not be read, so nothing is known), and not checked (this level or
// subset did not look). Only what decided transactions left counts; leftovers of undecided, aborted and
// retired ones are counted, never damage.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "flow/observer.h"
#include "repo/ledger.h"
#include "repo/repository.h"

namespace holdfast::flow {

enum class CheckLevel : std::uint8_t {
  quick,      // every commit, manifest, reference page and log entry; packs are there with the right size
  structure,  // and the ends of packs, directories against manifests, all trees, references against trees
  full,       // and every byte: frames against their table, decryption, decompression, chunk ids
};

// Which packs to read all of; the others only as by CheckLevel::structure.
struct CheckPart {
  double percent = 100;     // of the packs, chosen at random …
  std::uint64_t bytes = 0;  // … or, if not 0, as many at random as come to that size
  std::uint32_t part = 0;   // … or, if not 0, part 1 … parts of a division by name
  std::uint32_t parts = 0;
};
// "5%", "2.5%" or "3/7". (The words for a size are the command line's.)
Result<CheckPart> parse_check_part(std::string_view text);

enum class Severity : std::uint8_t {
  warning,  // a spare copy is damaged: nothing is lost yet
  unreachable,
  damaged,
};
const char* word(Severity severity);

struct Finding {
  Severity severity = Severity::damaged;
  std::string kind;                    // "config", "key", "transaction", "log", "pack", "tree"
  std::string object;                  // its name in the store
  std::vector<std::string> snapshots;  // ids of live commits that need what is damaged
  std::string text;
  bool wanted = false;  // known before: the wanted list has all that is lost (decision 14)
};

// How long ago the packs that must be there were read and verified in full, by what this machine remembers.
struct Freshness {
  struct Amount {
    std::uint64_t packs = 0, bytes = 0;
  };
  Amount within_30_days, from_30_to_90_days, longer_ago;  // each pack counts once
  Amount never;                                           // not checked, as far as is known
};

struct CheckReport {
  std::uint64_t snapshots = 0, checkpoints = 0;  // live ones
  std::uint64_t transactions = 0;                // decided ones that were looked at
  std::uint64_t undecided = 0;                   // transactions under way or left behind
  std::uint64_t log_entries = 0, void_log_entries = 0;
  std::uint64_t packs = 0;         // that must be there
  std::uint64_t packs_opened = 0;  // whose ends and directory were checked
  std::uint64_t packs_read = 0;    // of which every frame was checked
  std::uint64_t frames = 0, chunks = 0, bytes_read = 0;
  std::uint64_t entries = 0;                        // of trees; a leaf that snapshots share counts once
  std::uint64_t leftovers = 0, leftover_bytes = 0;  // packs that nothing decided needs
  std::vector<Finding> findings;
  std::optional<Freshness> freshness;  // where there is a ledger
  bool out_of_time = false;            // the time was over before everything was read
  bool trees_checked = false;

  std::uint64_t count(Severity severity) const;
  std::uint64_t packs_not_read() const { return packs - packs_read; }
  // 13 where anything is damaged, else 16 where anything was unreachable, else 0.
  int exit_code() const;
};

struct CheckSpec {
  CheckLevel level = CheckLevel::structure;
  CheckPart part;               // CheckLevel::full and scrub
  unsigned workers = 0;         // 0: one per processor
  bool accept_history = false;  // what contradicts what this machine saw before is taken for what was seen
  // Where not empty: packs and trees of these snapshots only. What is small is looked at of all, and whether
  // packs are there.
  std::set<model::TransactionId> only{};
  // What was verified when: read, and written as the check goes on. May be null.
  repo::Ledger* ledger = nullptr;
  // Not 0: commits, manifests and the log, then packs, the stalest first, until so long after the beginning;
  // what was begun is ended. Trees are walked where time was left when all packs had been read. Level and
  // part count for nothing.
  std::int64_t max_duration_ns = 0;
};

// Findings are told to `observer` as they are made. An error means that nothing could be said: no right to
// look (Errc::denied), the store can't be listed, stopped.
Result<CheckReport> check(const repo::Repository& repository, const CheckSpec& spec, Observer& observer,
                          std::stop_token stop);

// Needs no key: checks every frame, parity included, of every pack object that is in the store against the
// pack's table, and header, trailer and root. Only parts, workers of `spec` are used. What packs there should
// be it can't know.
Result<CheckReport> scrub(storage::Storage& storage, Random& random, const CheckSpec& spec,
                          Observer& observer, std::stop_token stop);

}  // namespace holdfast::flow
