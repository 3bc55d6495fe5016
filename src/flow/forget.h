// The story of forgetting: which snapshots a policy or an operator drops, as a plan that can be shown; then
// one entry in the log. Nothing is deleted: until a prune has, unforget (maintain.h) brings a snapshot back.
// And tags, log entries too. Everything is appended on the view by which it was decided; where somebody else
// was faster it is decided again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "flow/snapshot_list.h"
#include "model/retention.h"

namespace holdfast::flow {

struct ForgetSpec {
  std::vector<std::string> ids;  // these, instead of judging by the policy
  model::Filter filter;
  model::Policy policy;
  model::GroupBy group_by;
  bool dry_run = false;
};

struct ForgetPlan {
  SnapshotList snapshots;
  std::vector<model::Group> groups;  // by the policy; verdicts point into `snapshots`
  std::vector<const repo::Snapshot*> remove;
};

// Errc::usage where neither ids nor a policy are given, guarded where the policy would remove everything
// unasked, conflict where the log moved on too often.
Result<ForgetPlan> forget(const repo::Repository& repository, const ForgetSpec& spec, std::stop_token stop);

struct TagSpec {
  std::vector<std::string> ids;
  model::Filter filter;
  std::vector<std::string> add, remove;
  std::optional<std::vector<std::string>> set;
  bool dry_run = false;
};
// The ids of the snapshots that changed.
Result<std::vector<std::string>> tag(const repo::Repository& repository, const TagSpec& spec,
                                     std::stop_token stop);

}  // namespace holdfast::flow
