// Key domains, for check: whether the secret of each that was not erased is there and opens. A function.
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

}  // namespace holdfast::flow
