#include "flow/check_domains.h"

#include <fmt/core.h>

namespace holdfast::flow {

using repo::Vital;

namespace {

// Whether the secret opens, and is the one that the domain was made with.
Result<void> look(const repo::Repository& repository, const repo::AddDomain& made, CheckFindings& findings,
                  std::stop_token stop) {
  const std::string name = repo::domain_name(made.domain);
  const Buffer object = TRY(repository.storage().get(name, {}, stop));
  const repo::Unwrapped vital = TRY(repo::unwrap_vital(Vital::domain, object, name));
  if (vital.one_copy_damaged) findings.warn("domain", name, "one of two copies inside is damaged");
  const repo::SharedDomainKeys keys = TRY(repository.domain_keys(made.domain, stop));
  TRY(repo::open_domain_name(repository.config(), *keys, made));
  return {};
}

}  // namespace

std::set<model::Domain> check_domains(const repo::Repository& repository, const DomainView& view,
                                      CheckFindings& findings, std::stop_token stop) {
  std::set<model::Domain> lost;
  std::map<model::Domain, std::vector<std::string>> users;
  for (const repo::Snapshot& s : view.live) users[s.commit.domain].push_back(s.id);
  for (const auto& [domain, state] : view.log.domains) {
    const std::string name = repo::domain_name(domain);
    if (state.erased) {
      if (repository.storage().stat(name, stop).ok())
        findings.warn("domain", name, "it was erased and is still there; a prune destroys it");
      continue;
    }
    const auto known = look(repository, state.made, findings, stop);
    if (known.ok()) continue;
    lost.insert(domain);
    // Then its secret is gone on purpose, and nobody must bring it back: the log lost what it said, or, of a
    // mirror, has not come yet.
    const auto notice = repository.erasure_notice(domain, stop);
    if (notice.ok() && notice.value()) {
      findings.warn("domain", name, "it was erased, and the log does not say so (yet)");
      continue;
    }
    findings.add_for(users[domain], "domain", name, known.error());
  }
  for (const repo::Snapshot& s : view.live) {
    if (s.commit.domain == 0 || view.log.domains.contains(s.commit.domain) || !view.log_whole) continue;
    findings.damaged("transaction", repo::transaction_name(s.commit.transaction, "fate"),
                     fmt::format("it is in key domain {}, which the log does not know", s.commit.domain));
  }
  return lost;
}

void expect_one_domain(const model::References& page, const std::vector<const repo::Snapshot*>& users,
                       const std::map<model::TransactionId, model::Domain>& domains,
                       CheckFindings& findings) {
  for (const auto& [pack, slots] : page) {
    const auto of_pack = domains.find(pack.transaction);
    if (of_pack == domains.end()) continue;
    for (const repo::Snapshot* user : users) {
      if (user->commit.domain == of_pack->second) continue;
      const std::string name = repo::transaction_name(user->commit.transaction, "fate");
      findings.damaged("transaction", name, "it refers to what is of another key domain");
    }
  }
}

}  // namespace holdfast::flow
