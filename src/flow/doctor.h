// What a repository's doctor can tell without reading data: whether the store does what it must, what the
// clock looks like beside the snapshots, what was left behind, what this machine knows of earlier checks.
// Only facts: a failure to find one out is itself a line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "repo/ledger.h"
#include "repo/repository.h"

namespace holdfast::flow {

// Names of objects by which doctor tries a store; it removes them.
inline constexpr char kProbePrefix[] = "doctor-";

enum class Health : std::uint8_t { ok, warn, bad };
const char* word(Health health);

struct Diagnosis {
  Health health = Health::ok;
  std::string topic;   // "store", "clock", …
  std::string text;    // what is so
  std::string advice;  // what to do; "" where nothing
};
using Diagnoses = std::vector<Diagnosis>;

// Puts a small object of its own, reads it in all ways, tries to put it again, and removes it. `while_there`
// is told its name as long as it is there; may be empty.
Diagnoses examine_store(storage::Storage& storage, Random& random,
                        const std::function<void(const std::string& name)>& while_there,
                        std::stop_token stop);

// Clock, history, transactions left behind, key slots, earlier checks. `ledger` may be null: nothing is
// remembered on this machine.
Diagnoses examine_repository(const repo::Repository& repository, const repo::History& history,
                             const repo::Ledger* ledger, std::stop_token stop);

// What is to be said of a place that has `free_bytes`, given the snapshots.
Diagnosis judge_space(std::uint64_t free_bytes, const repo::History& history);

}  // namespace holdfast::flow
