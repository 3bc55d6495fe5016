// The stories of key domains (decision 16): made, listed, erased. Erasing appends one entry to the log, by
// which every commit of the domain is dead, then destroys the object that holds the domain's secret. Each
// step can be done again; whoever prunes finishes an erasure that was interrupted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "repo/local_state.h"
#include "repo/repository.h"

namespace holdfast::flow {

struct KeyDomain {
  model::Domain number = 0;
  std::string name;  // "" where it was erased, or its secret is missing
  model::Time created;
  std::optional<model::Time> erased;
  std::string trouble;        // why the name is not known, though it was not erased
  std::string label() const;  // the name, else "#3"
};

// All that the log knows, by number. Errors: of the store.
Result<std::vector<KeyDomain>> list_domains(const repo::Repository& repository, const repo::LogState& log,
                                            std::stop_token stop);
// The one of that name, or of that number as "#3". Errc::not_found.
Result<KeyDomain> find_domain(const std::vector<KeyDomain>& domains, std::string_view word);
// What is written and read under in the domain called so. Errc::not_found, denied where it was erased.
Result<repo::SharedDomainKeys> domain_named(const repo::Repository& repository, std::string_view word,
                                            std::stop_token stop);

// Errc::denied, exists where there is one of that name, usage for a name that can't be.
Result<KeyDomain> add_domain(const repo::Repository& repository, const std::string& name, bool dry_run,
                             std::stop_token stop);

struct EraseSpec {
  std::string word;             // name or "#3"
  std::string confirm;          // the same again, unless it is a dry run
  std::string cache_directory;  // of all repositories, where this machine has one
  bool dry_run = false;
};
struct Erasure {
  KeyDomain domain;
  repo::History history;                         // `snapshots` point into it
  std::vector<const repo::Snapshot*> snapshots;  // that are lost by it; forgotten ones too
  bool finished_before = false;                  // it had been erased, and nothing was left to be done
};
// Errc::guarded where it is not confirmed; what the store says where the secret can't be removed: the erasure
// then stands in the log all the same.
Result<Erasure> erase_domain(const repo::Repository& repository, const EraseSpec& spec, std::stop_token stop);

// Destroys what is left of secrets that the log says are erased, and puts the signed notice of it where there
// is none. How many secrets there were.
Result<std::uint64_t> destroy_erased(const repo::Repository& repository, const repo::LogState& log,
                                     std::stop_token stop);

}  // namespace holdfast::flow
