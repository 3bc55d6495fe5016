#include "flow/key_domains.h"

#include <fmt/core.h>

#include <algorithm>

#include "repo/append.h"
#include "repo/rights.h"

namespace holdfast::flow {

using model::Domain;
using repo::Right;

namespace {

constexpr int kTurnsMax = 100;
constexpr std::size_t kNameBytesMax = 255;

// The highest number before one that neither an object nor the log has. Not simply the highest: whoever may
// write could put an object under the last one there is.
Result<Domain> last_number(const repo::Repository& repository, const repo::LogState& log,
                           std::stop_token stop) {
  std::set<Domain> taken;
  TRY(repository.storage().list(
      repo::kDomainPrefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        if (const auto object = repo::parse_domain_name(info.name)) taken.insert(object->domain);
        return {};
      },
      stop));
  Domain last = log.domains.empty() ? 0 : log.domains.rbegin()->first;
  while (taken.contains(last + 1)) ++last;
  return last;
}

Result<void> check_name(const std::string& name) {
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  const bool word = name == "none";  // `copy --to-domain none`
  if (!name.empty() && name.size() <= kNameBytesMax && !control && !name.starts_with('#') && !word) return {};
  return Error(Errc::usage, fmt::format("\"{}\" can't be the name of a key domain", name))
      .hint("1 to 255 bytes, no control characters, not beginning with #, not the word none");
}

Result<void> expect_free(const repo::Repository& repository, const repo::LogState& log,
                         const std::string& name, std::stop_token stop) {
  const std::vector<KeyDomain> domains = TRY(list_domains(repository, log, stop));
  const bool taken = std::any_of(domains.begin(), domains.end(),
                                 [&](const KeyDomain& domain) { return domain.name == name; });
  for (const KeyDomain& domain : domains) {
    if (taken || domain.trouble.empty()) continue;
    return Error(Errc::damaged,
                 fmt::format("key domain #{} may have that name: {}", domain.number, domain.trouble))
        .hint("bring its secret back, or erase it by its number, first");
  }
  if (!taken) return {};
  return Error(Errc::exists, fmt::format("there is a key domain {} already", name));
}

// Puts a secret under a number that nobody has. It is durable, and was read back: with it all would be lost.
Result<std::shared_ptr<const repo::DomainKeys>> put_secret(const repo::Repository& repository, Domain after,
                                                           std::stop_token stop) {
  const crypto::Key& index = *repository.secrets().index;
  for (Domain number = after + 1; number != 0; ++number) {
    // Another one each time: a name that is taken may be taken by our own put, sent twice, and what lies
    // under a number that the log does not know is never erased.
    crypto::Key secret;
    repository.random().fill(secret.writable());
    const std::string name = repo::domain_name(number);
    const Buffer object =
        repo::encode_domain_secret(repository.config(), index, number, secret, repository.random());
    const auto put = repository.storage().put(name, object, stop);
    if (!put.ok() && put.error().kind() == Errc::exists) continue;
    if (!put.ok()) return put.error().copy().context("writing " + name);
    TRY(repository.storage().barrier(stop));
    const Buffer there = TRY_AS(repository.storage().get(name, {}, stop), "reading back " + name);
    if (there != object) return Error(Errc::damaged, name + " is not what was written");
    return std::make_shared<const repo::DomainKeys>(number, &secret, nullptr);
  }
  return Error(Errc::failed, "no number is left for a key domain");
}

}  // namespace

std::string KeyDomain::label() const { return name.empty() ? fmt::format("#{}", number) : name; }

Result<std::vector<KeyDomain>> list_domains(const repo::Repository& repository, const repo::LogState& log,
                                            std::stop_token stop) {
  std::vector<KeyDomain> out;
  for (const auto& [number, state] : log.domains) {
    KeyDomain& domain = out.emplace_back();
    domain.number = number;
    domain.created = state.made.created;
    if (state.erased) {
      domain.erased = state.erased->time;
      continue;
    }
    const auto keys = repository.domain_keys(number, stop);
    const auto name = keys.ok() ? repo::open_domain_name(repository.config(), *keys.value(), state.made)
                                : Result<std::string>(keys.error().copy());
    if (name.ok()) {
      domain.name = name.value();
    } else if (name.error().kind() == Errc::stopped || retryable(name.error().kind())) {
      return name.error().copy();
    } else {
      domain.trouble = name.error().text();
    }
  }
  return out;
}

Result<KeyDomain> find_domain(const std::vector<KeyDomain>& domains, std::string_view word) {
  bool nameless = false;
  for (const KeyDomain& domain : domains) {
    if (!domain.name.empty() ? domain.name == word : domain.label() == word) return domain;
    if (fmt::format("#{}", domain.number) == word) return domain;
    nameless = nameless || domain.name.empty();
  }
  return Error(Errc::not_found, fmt::format("there is no key domain {}", word))
      .hint(nameless ? "`holdfast key domain list` shows all; what was erased has only a number, as #3"
                     : "`holdfast key domain list` shows all; `key domain add` makes one");
}

Result<repo::SharedDomainKeys> domain_named(const repo::Repository& repository, std::string_view word,
                                            std::stop_token stop) {
  repo::LogState log;
  TRY_AS(repository.log().follow(log, stop), "reading the log");
  const std::vector<KeyDomain> domains = TRY(list_domains(repository, log, stop));
  const KeyDomain domain = TRY(find_domain(domains, word));
  if (domain.erased) return repo::erased_error("key domain " + domain.label(), log, domain.number);
  if (!domain.trouble.empty()) return Error(Errc::damaged, domain.trouble);
  return repository.domain_keys(domain.number, stop);
}

Result<KeyDomain> add_domain(const repo::Repository& repository, const std::string& name, bool dry_run,
                             std::stop_token stop) {
  TRY(repo::require(repository.secrets(), {Right::admin, Right::index, Right::log}));
  TRY(check_name(name));
  repo::LogState log;
  TRY_AS(repository.log().follow(log, stop), "reading the log");
  TRY(expect_free(repository, log, name, stop));
  const Domain last = TRY(last_number(repository, log, stop));
  if (dry_run) return KeyDomain{last + 1, name, repository.now(), {}, {}};
  // The secret first: what the log names can be opened.
  const repo::SharedDomainKeys keys = TRY(put_secret(repository, last, stop));
  repo::AddDomain entry{keys->domain(), repository.now(), {}, {}};
  entry.sealed_name = repo::seal_domain_name(repository.config(), *keys, name, repository.random());
  repo::sign(entry, repository.config(), *repository.secrets().admin);
  const auto decide = [&]() -> Result<std::optional<repo::LogEntry>> {
    const auto ours = log.domains.find(entry.domain);  // there already, where the answer got lost
    if (ours != log.domains.end() && ours->second.made.signature == entry.signature)
      return std::optional<repo::LogEntry>();
    TRY(expect_free(repository, log, name, stop));
    return std::optional<repo::LogEntry>(entry);
  };
  TRY(repo::append_decided(repository, log, decide, kTurnsMax, stop));
  return KeyDomain{entry.domain, name, entry.created, {}, {}};
}

namespace {

// Appends the entry by which the domain is erased, unless it stands there.
Result<void> append_erasure(const repo::Repository& repository, Domain domain, repo::LogState& log,
                            std::stop_token stop) {
  const auto decide = [&]() -> Result<std::optional<repo::LogEntry>> {
    if (log.erased(domain)) return std::optional<repo::LogEntry>();
    repo::EraseDomain entry{domain, repository.now(), {}};
    repo::sign(entry, repository.config(), *repository.secrets().admin);
    return std::optional<repo::LogEntry>(entry);
  };
  return repo::append_decided(repository, log, decide, kTurnsMax, stop);
}

// What is there in its place and says nothing was put by somebody else, so that mirrors should not hear of
// it.
Result<void> put_notice(const repo::Repository& repository, const repo::EraseDomain& erased, bool there,
                        std::stop_token stop) {
  const std::string notice = repo::erasure_name(erased.domain);
  if (there) {
    const auto stands = TRY(repository.erasure_notice(erased.domain, stop));
    if (stands) return {};
    TRY_AS(repository.storage().remove(notice, stop), "removing what is no notice, " + notice);
  }
  const auto put = repository.storage().put(notice, repo::encode_erasure(erased), stop);
  if (!put.ok() && put.error().kind() != Errc::exists) return put.error().copy().context("writing " + notice);
  return {};
}

}  // namespace

Result<std::uint64_t> destroy_erased(const repo::Repository& repository, const repo::LogState& log,
                                     std::stop_token stop) {
  const bool any = std::any_of(log.domains.begin(), log.domains.end(),
                               [](const auto& domain) { return domain.second.erased.has_value(); });
  if (!any) return std::uint64_t{0};
  std::set<std::string> there;
  TRY(repository.storage().list(
      repo::kDomainPrefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        there.insert(info.name);
        return {};
      },
      stop));
  std::uint64_t destroyed = 0;
  std::optional<Error> trouble;  // the first; one that can't be removed keeps no other from going
  const auto note = [&](Error error) {
    if (!trouble) trouble = std::move(error);
  };
  for (const auto& [domain, state] : log.domains) {
    if (!state.erased) continue;
    const std::string notice = repo::erasure_name(domain);
    const std::string secret = repo::domain_name(domain);
    auto noticed = put_notice(repository, *state.erased, there.contains(notice), stop);
    if (!noticed.ok()) note(std::move(noticed).error());
    if (!there.contains(secret)) continue;
    const auto gone = repository.storage().remove(secret, stop);
    if (gone.ok() || gone.error().kind() == Errc::not_found) {
      ++destroyed;
    } else {
      note(gone.error().copy().context(fmt::format("the secret of an erased key domain stays, {}", secret)));
    }
  }
  TRY(repository.storage().barrier(stop));
  if (trouble) return std::move(*trouble);
  return destroyed;
}

Result<Erasure> erase_domain(const repo::Repository& repository, const EraseSpec& spec,
                             std::stop_token stop) {
  TRY(repo::require(repository.secrets(), {Right::admin, Right::index, Right::log}));
  Erasure out;
  out.history = TRY(repository.history(stop));
  const std::vector<KeyDomain> domains = TRY(list_domains(repository, out.history.log, stop));
  out.domain = TRY(find_domain(domains, spec.word));
  const Domain number = out.domain.number;
  for (const repo::Snapshot& snapshot : out.history.commits) {
    const model::Commit& commit = snapshot.commit;
    if (commit.domain == number && commit.kind == model::CommitKind::snapshot && !snapshot.erased)
      out.snapshots.push_back(&snapshot);
  }
  if (spec.dry_run) return out;
  if (!out.domain.erased && spec.confirm != out.domain.label()) {
    return Error(Errc::guarded,
                 fmt::format("this destroys key domain {} for ever, with {} snapshot{}", out.domain.label(),
                             out.snapshots.size(), out.snapshots.size() == 1 ? "" : "s"))
        .hint(fmt::format("--dry-run lists them; if it is meant, add --confirm '{}'", out.domain.label()));
  }
  // Decided first, for everybody; then there is nothing left that could be read by it.
  repo::LogState log = out.history.log;
  TRY(append_erasure(repository, number, log, stop));
  const std::uint64_t destroyed = TRY(destroy_erased(repository, log, stop));
  out.finished_before = out.domain.erased && destroyed == 0;
  out.domain.erased = log.domains.at(number).erased->time;
  repo::LocalState::drop_erased(spec.cache_directory, repository.config().id, log);
  return out;
}

}  // namespace holdfast::flow
