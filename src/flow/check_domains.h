// Key domains, for check: whether the secret of each that was not erased is there and opens, and whether
// commits keep to theirs. Functions.
#pragma once

#include <set>
#include <vector>

#include "flow/check_findings.h"
#include "repo/repository.h"

namespace holdfast::flow {

struct DomainView {
  const repo::LogState& log;
  bool log_whole;
  const std::vector<repo::Snapshot>& live;
};

// A secret that is lost takes everything of its key domain with it: these domains. One that is there though
// it was erased is a warning.
std::set<model::Domain> check_domains(const repo::Repository& repository, const DomainView& view,
                                      CheckFindings& findings, std::stop_token stop);

// What a commit refers to is of its own key domain, or the erasure of another one would take it along.
// `users` refer to `page`; `domains` are those of transactions.
void expect_one_domain(const model::References& page, const std::vector<const repo::Snapshot*>& users,
                       const std::map<model::TransactionId, model::Domain>& domains, CheckFindings& findings);

}  // namespace holdfast::flow
