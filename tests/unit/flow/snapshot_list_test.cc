#include "flow/snapshot_list.h"

#include <gtest/gtest.h>

namespace holdfast::flow {

namespace {

repo::History history_with(const std::string& id) {
  repo::Snapshot snapshot;
  snapshot.id = id;
  repo::History history;
  history.add(std::move(snapshot));
  return history;
}

TEST(SnapshotList, SaysThatTheOneThatIsMissingMayBeUnreadable) {
  repo::History history = history_with("4bba301e");
  EXPECT_EQ(SnapshotList::present(std::move(history)).pick("8db1fbec", {}).error().text(),
            "no snapshot 8db1fbec");

  history = history_with("4bba301e");
  history.unreadable.assign(1, "t/1: Input/output error");
  const SnapshotList list = SnapshotList::present(std::move(history));
  EXPECT_EQ(list.pick("4bba", {}).value().snapshot->id, "4bba301e");
  const auto missing = list.pick("8db1fbec", {});
  EXPECT_EQ(missing.error().kind(), Errc::not_found);
  EXPECT_EQ(missing.error().text(),
            "no snapshot 8db1fbec among those that can be read; 1 can't: t/1: Input/output error");
}

}  // namespace

}  // namespace holdfast::flow
