// Wiring: the only place that chooses implementations: the clock, randomness, stores by their URL, where
// secrets come from.
#pragma once

#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/password.h"
#include "repo/local_state.h"
#include "repo/repository.h"
#include "repo/rights.h"
#include "storage/local.h"

namespace holdfast::cli {

// An opened repository with what it stands on.
struct Session {
  std::unique_ptr<storage::Storage> storage;
  std::unique_ptr<repo::Repository> repository;
  std::unique_ptr<repo::LocalState> local;
};

// Which repository, and how its password is found; of copy and init there are two.
struct RepositoryChoice {
  std::string location;
  std::string location_file;
  std::string password_file;
  std::string password_command;
  std::string variable_prefix;  // "HOLDFAST_" or "HOLDFAST_FROM_"
  std::string key_file;
};
RepositoryChoice choice_of(const GlobalOptions& options);

// Flag before environment. Errc::usage where no repository is named.
Result<std::string> location_of(const RepositoryChoice& choice, const Environment& environment);
// The folder that a location names; nothing where it is another kind of place.
std::optional<std::string> local_path(const std::string& location);
// Under the limits of `global`, trying again what may pass by itself. Errc::unsupported for a
// scheme that is not built in; usage. `environment` must outlive it.
Result<std::unique_ptr<storage::Storage>> open_storage(const GlobalOptions& global,
                                                       const Environment& environment,
                                                       const std::string& location,
                                                       storage::IfMissing if_missing);
// "512" is KiB a second; "10M", "1.5GiB" bytes a second. 0: no limit.
Result<std::uint64_t> parse_rate(const std::string& text);

// By key file or password, whichever is named. What this machine saw of it before is not held against it.
Result<std::unique_ptr<repo::Repository>> open_repository(const Context& context,
                                                          const RepositoryChoice& choice,
                                                          const std::string& location,
                                                          storage::Storage& storage);

// Errc::denied where the key lacks a right that is needed.
using Needed = std::initializer_list<repo::Right>;
Result<Session> open_session(const Context& context, const RepositoryChoice& choice, Needed needed);
inline Result<Session> open_session(const Context& context, Needed needed) {
  return open_session(context, choice_of(context.global), needed);
}
// What this machine remembers about one key domain of the session's repository; "" stands for none.
Result<std::unique_ptr<repo::LocalState>> local_of_domain(const Context& context, const Session& session,
                                                          const std::string& domain);
Result<std::unique_ptr<repo::LocalState>> local_of_domain(const Context& context, const Session& session,
                                                          model::Domain domain);
// What commands that look into snapshots need.
inline constexpr Needed kReading = {repo::Right::index, repo::Right::read, repo::Right::deduplicate};

// The password of a repository that is there, or, where `is_new`, to be: asked for twice.
Result<Password> password_of(const Context& context, const RepositoryChoice& choice,
                             const std::string& location, bool is_new);

// Where it is kept what this machine saw of repositories; "" where there is no place. Beside the caches,
// where a place for those is named.
std::string state_directory(const GlobalOptions& options, const Environment& environment);

repo::Doors doors_of(storage::Storage& storage);
// Where the caches of all repositories are; "" where there is to be none.
std::string cache_directory(const GlobalOptions& options, const Environment& environment);
// The name of this machine: HOLDFAST_HOST, or what the system says.
std::string host_name(const Environment& environment);
std::string user_name();
// "holdfast 0.1.0".
std::string program_version();
// The format's documents, as stored with every repository.
std::string_view specification();

}  // namespace holdfast::cli
