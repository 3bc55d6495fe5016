#include "cli/wire.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "cli/backup_input.h"
#include "flow/key_domains.h"
#include "net/curl.h"
#include "repo/key_file.h"
#include "storage/posix_disk.h"
#include "storage/retry.h"
#include "storage/s3.h"
#include "storage/throttle.h"

namespace holdfast::cli {

namespace {

// "sftp" of "sftp:user@host:/p"; "" of a path.
std::string_view scheme_of(std::string_view location) {
  const std::size_t colon = location.find(':');
  if (colon == location.npos || location.find('/') < colon) return "";
  return location.substr(0, colon);
}

// Has no state of its own, like the clock.
storage::Disk& posix_disk() {
  static storage::PosixDisk disk;
  return disk;
}

Result<std::string> first_line(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno_error(errno, "open the repository file " + path);
  std::array<char, 4096> text{};
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return errno_error(errno, "read the repository file " + path);
  const std::string_view all(text.data(), static_cast<std::size_t>(got));
  return std::string(all.substr(0, all.find_first_of("\r\n")));
}

}  // namespace

RepositoryChoice choice_of(const GlobalOptions& options) {
  return {options.repository, options.repository_file, options.password_file, options.password_command,
          "HOLDFAST_",        options.key_file};
}

Result<std::string> location_of(const RepositoryChoice& choice, const Environment& environment) {
  if (!choice.location.empty()) return choice.location;
  std::string location;
  if (!choice.location_file.empty()) {
    location = TRY(first_line(choice.location_file));
  } else if (const auto variable = environment.get(choice.variable_prefix + "REPOSITORY")) {
    location = *variable;
  } else if (const auto file = environment.get(choice.variable_prefix + "REPOSITORY_FILE")) {
    location = TRY(first_line(*file));
  }
  if (!location.empty()) return location;
  const bool from = choice.variable_prefix != "HOLDFAST_";
  return Error(Errc::usage, from ? "no repository named to read from" : "no repository named")
      .hint(fmt::format("use {} or {}REPOSITORY", from ? "--from-repo" : "--repo", choice.variable_prefix));
}

Result<std::uint64_t> parse_rate(const std::string& text) {
  const bool has_unit = text.empty() || text.find_first_not_of("0123456789.") != text.npos;
  return parse_size(has_unit ? text : text + "K");
}

namespace {

// Of a store on a local path only network file systems fail so that trying again helps. Not for long: an
// operator who sits before it wants to be told.
constexpr storage::RetryPolicy kLocalRetry = {.budget_ns = 60'000'000'000};

Result<storage::Rates> rates_of(const GlobalOptions& global) {
  storage::Rates rates;
  if (!global.limit_upload.empty()) {
    rates.upload_bytes_per_second = TRY_AS(parse_rate(global.limit_upload), "--limit-upload");
  }
  if (!global.limit_download.empty()) {
    rates.download_bytes_per_second = TRY_AS(parse_rate(global.limit_download), "--limit-download");
  }
  return rates;
}

// What -o says of stores: "s3.region=eu-west-1".
struct StoreOptions {
  std::string s3_region, s3_bucket_lookup;
};

Result<StoreOptions> parse_store_options(const Words& words) {
  StoreOptions out;
  for (const std::string& word : words) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = word.substr(0, equals);
    if (name != "s3.region" && name != "s3.bucket-lookup")
      return Error(Errc::usage, fmt::format("-o {}: there is no such option", word))
          .hint("there are s3.region and s3.bucket-lookup");
    (name == "s3.region" ? out.s3_region : out.s3_bucket_lookup) =
        word.substr(std::min(equals + 1, word.size()));
  }
  return out;
}

}  // namespace

std::optional<std::string> local_path(const std::string& location) {
  const std::string_view scheme = scheme_of(location);
  if (!scheme.empty() && scheme != "local") return std::nullopt;
  std::string path = location.substr(scheme.empty() ? 0 : scheme.size() + 1);
  if (path.starts_with("//")) path.erase(0, 2);  // local:///path
  return path;
}

namespace {

Result<std::unique_ptr<storage::Storage>> open_folder(const std::string& path,
                                                      storage::IfMissing if_missing) {
  auto opened = storage::open_local(posix_disk(), path, if_missing);
  if (!opened.ok() && opened.error().kind() == Errc::not_found) {
    return Error(Errc::no_repository, fmt::format("there is no repository in {}", path))
        .hint("`holdfast init` makes one; or correct --repo / HOLDFAST_REPOSITORY");
  }
  return opened;
}

Result<storage::BucketIn> bucket_in(const std::string& word) {
  if (word.empty() || word == "auto") return storage::BucketIn::host_at_aws;
  if (word == "dns") return storage::BucketIn::host;
  if (word == "path") return storage::BucketIn::path;
  return Error(Errc::usage, fmt::format("-o s3.bucket-lookup={}: it is auto, dns or path", word));
}

Result<std::unique_ptr<storage::Storage>> open_bucket(const GlobalOptions& global,
                                                      const Environment& environment,
                                                      const std::string& location) {
  const StoreOptions options = TRY(parse_store_options(global.store_options));
  const net::HttpOptions http_options{global.ca_file, "holdfast/" + program_version()};
  const std::shared_ptr<net::Http> http = net::make_curl_http(http_options);
  const auto credentials = std::make_shared<storage::S3CredentialSource>(
      http, system_clock(), [&environment](std::string_view name) { return environment.get(name); });
  std::string region = options.s3_region;
  if (region.empty()) region = TRY(credentials->region());
  const storage::BucketIn where = TRY(bucket_in(options.s3_bucket_lookup));
  storage::S3Location place = TRY(storage::parse_s3_location(location, region, where));
  storage::S3Doors doors{http,           credentials,
                         system_clock(), system_random(),
                         posix_disk(),   environment.get("TMPDIR").value_or("/tmp")};
  return storage::open_s3(std::move(place), std::move(region), std::move(doors));
}

}  // namespace

Result<std::unique_ptr<storage::Storage>> open_storage(const GlobalOptions& global,
                                                       const Environment& environment,
                                                       const std::string& location,
                                                       storage::IfMissing if_missing) {
  const storage::Rates rates = TRY(rates_of(global));
  const auto path = local_path(location);
  const std::string_view scheme = scheme_of(location);
  if (!path && scheme != "s3") {
    return Error(Errc::unsupported, fmt::format("{}: the scheme '{}' is not supported yet", location, scheme))
        .hint("use a path, local:/path, or s3:https://host/bucket/prefix");
  }
  auto store = TRY(path ? open_folder(*path, if_missing) : open_bucket(global, environment, location));
  if (rates.upload_bytes_per_second != 0 || rates.download_bytes_per_second != 0) {
    store = storage::throttled(std::move(store), rates, system_clock());
  }
  const storage::RetryPolicy policy = path ? kLocalRetry : storage::RetryPolicy();
  return storage::retrying(std::move(store), policy, system_clock(), system_random());
}

Result<Password> password_of(const Context& context, const RepositoryChoice& choice,
                             const std::string& location, bool is_new) {
  PasswordSources sources;
  sources.file = choice.password_file;
  sources.command = choice.password_command;
  sources.variable_prefix = choice.variable_prefix;
  sources.prompt = fmt::format("{} for {}", is_new ? "new password" : "password", printable(location));
  sources.twice = is_new;
  return read_password(sources, context.environment, context.stop);
}

namespace {

// The file with a secret key, where that is what opens the repository; flags before variables.
Result<std::string> key_file_of(const Context& context, const RepositoryChoice& choice) {
  const bool password_named = !choice.password_file.empty() || !choice.password_command.empty();
  if (!choice.key_file.empty() && password_named) {
    return Error(Errc::usage, "a key file and a password were given: which of the two?");
  }
  if (!choice.key_file.empty() || password_named) return choice.key_file;
  return context.environment.get(choice.variable_prefix + "KEY_FILE").value_or("");
}

}  // namespace

Result<std::unique_ptr<repo::Repository>> open_repository(const Context& context,
                                                          const RepositoryChoice& choice,
                                                          const std::string& location,
                                                          storage::Storage& storage) {
  const std::string key_file = TRY(key_file_of(context, choice));
  if (!key_file.empty()) {
    const Password text = TRY(read_secret_file(key_file, "the key file"));
    const crypto::Key secret = TRY_AS(repo::parse_secret_key(as_text(text.bytes())), key_file);
    return repo::Repository::open_as_recipient(doors_of(storage), secret, context.stop);
  }
  const Password password = TRY(password_of(context, choice, location, false));
  return repo::Repository::open(doors_of(storage), password.bytes(), context.stop);
}

namespace {

// One name for a place, however it is written.
std::string place_of(const std::string& location) {
  std::error_code failure;
  const auto canonical = std::filesystem::canonical(location, failure);
  return failure ? location : canonical.string();
}

}  // namespace

Result<Session> open_session(const Context& context, const RepositoryChoice& choice, Needed needed) {
  const std::string location = TRY(location_of(choice, context.environment));
  Session session;
  session.storage =
      TRY(open_storage(context.global, context.environment, location, storage::IfMissing::fail));
  // Before the password is asked for: nobody should type one for a place that is empty.
  const auto config = session.storage->stat(repo::kConfigName, context.stop);
  if (!config.ok() && config.error().kind() == Errc::not_found) {
    return Error(Errc::no_repository, fmt::format("there is no repository in {}", location))
        .hint("`holdfast init` makes one; or correct --repo / HOLDFAST_REPOSITORY");
  }
  session.repository = TRY(open_repository(context, choice, location, *session.storage));
  TRY(repo::require(session.repository->secrets(), needed));
  session.repository->remember_in(state_directory(context.global, context.environment),
                                  place_of(session.storage->describe()));
  const std::string caches = cache_directory(context.global, context.environment);
  session.repository->on_log = [caches, id = session.repository->config().id](const repo::LogState& log) {
    repo::LocalState::drop_erased(caches, id, log);
  };
  session.local = repo::LocalState::open(caches, *session.repository);
  return session;
}

namespace {

Result<std::unique_ptr<repo::LocalState>> local_under(const Context& context, const Session& session,
                                                      Result<repo::SharedDomainKeys> keys) {
  repo::SharedDomainKeys found = TRY(std::move(keys));
  return repo::LocalState::open(cache_directory(context.global, context.environment), *session.repository,
                                std::move(found));
}

}  // namespace

Result<std::unique_ptr<repo::LocalState>> local_of_domain(const Context& context, const Session& session,
                                                          const std::string& domain) {
  if (domain.empty()) return local_of_domain(context, session, model::Domain{0});
  return local_under(context, session, flow::domain_named(*session.repository, domain, context.stop));
}

Result<std::unique_ptr<repo::LocalState>> local_of_domain(const Context& context, const Session& session,
                                                          model::Domain domain) {
  return local_under(context, session, session.repository->domain_keys(domain, context.stop));
}

repo::Doors doors_of(storage::Storage& storage) { return {storage, system_clock(), system_random()}; }

std::string cache_directory(const GlobalOptions& options, const Environment& environment) {
  if (options.no_cache) return "";
  if (!options.cache_dir.empty()) return options.cache_dir;
  if (const auto directory = environment.get("HOLDFAST_CACHE_DIR")) return *directory;
  if (const auto directory = environment.get("XDG_CACHE_HOME")) return *directory + "/holdfast";
  if (const auto home = environment.get("HOME")) return *home + "/.cache/holdfast";
  return "";
}

std::string state_directory(const GlobalOptions& options, const Environment& environment) {
  if (const auto directory = environment.get("HOLDFAST_STATE_DIR")) return *directory;
  if (!options.cache_dir.empty()) return options.cache_dir + "-state";
  if (const auto directory = environment.get("HOLDFAST_CACHE_DIR")) return *directory + "-state";
  if (const auto directory = environment.get("XDG_STATE_HOME")) return *directory + "/holdfast";
  if (const auto home = environment.get("HOME")) return *home + "/.local/state/holdfast";
  return "";
}

std::string host_name(const Environment& environment) {
  if (const auto host = environment.get("HOLDFAST_HOST")) return *host;
  utsname name{};
  return ::uname(&name) == 0 ? name.nodename : "localhost";
}

std::string user_name() {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_name;
  }
  return std::to_string(::geteuid());
}

std::string program_version() { return "holdfast " HOLDFAST_VERSION; }

}  // namespace holdfast::cli
