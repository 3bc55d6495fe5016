#include "source/threaded.h"

namespace holdfast::source {
namespace {

// As many files as told, then an error where one is wanted.
class Files final : public Source {
 public:
  explicit Files(int count, bool fails = false) : count_(count), fails_(fails) {}

  int restarts = 0;

  Result<bool> next(Item& item, std::stop_token) override {
    if (at_ == count_) return fails_ ? Result<bool>(Error(Errc::denied, "the disk is gone")) : false;
    item.entry.path = fmt::format("{:06}", at_++);
    return true;
  }
  Result<void> complete(Item& item) override {
    item.entry.target = "completed";
    return {};
  }
  Result<std::unique_ptr<Content>> open(const Item&) override { return Error(Errc::denied, "no"); }
  bool repeatable() const override { return true; }
  Result<void> restart() override {
    ++restarts;
    at_ = 0;
    return {};
  }

 private:
  const int count_;
  const bool fails_;
  int at_ = 0;
};

// Takes items until the end or an error, which must come in order from the first; returns how many.
int take(Source& source, Error* error = nullptr) {
  Item item;
  for (int n = 0;; ++n) {
    auto more = source.next(item, {});
    if (!more.ok()) {
      if (error == nullptr) ADD_FAILURE() << more.error().text();
      if (error != nullptr) *error = std::move(more).error();
      return n;
    }
    if (!more.value()) return n;
    EXPECT_EQ(item.entry.path, fmt::format("{:06}", n));
  }
}

TEST(ThreadedSource, GivesWhatTheOtherGives) {
  for (const int count : {0, 1, 249, 250, 251, 1000, 5003}) {
    ThreadedSource source(std::make_unique<Files>(count));
    EXPECT_EQ(take(source), count);
    Item item;
    EXPECT_FALSE(source.next(item, {}).value()) << "after the end is the end";
  }
}

TEST(ThreadedSource, AnErrorComesAfterWhatWasFoundBeforeIt) {
  for (const int count : {0, 250, 1300}) {
    ThreadedSource source(std::make_unique<Files>(count, true));
    Error error(Errc::failed, "none");
    EXPECT_EQ(take(source, &error), count);
    EXPECT_EQ(error.kind(), Errc::denied);
    EXPECT_EQ(error.message(), "the disk is gone");
  }
}

TEST(ThreadedSource, BeginsAgainFromAnywhere) {
  auto files = std::make_unique<Files>(3000);
  Files& inner = *files;
  ThreadedSource source(std::move(files));
  Item item;
  for (int i = 0; i < 700; ++i) ASSERT_TRUE(source.next(item, {}).value());
  ASSERT_TRUE(source.restart().ok());
  EXPECT_EQ(take(source), 3000);
  ASSERT_TRUE(source.restart().ok());
  EXPECT_EQ(take(source), 3000);
  EXPECT_EQ(inner.restarts, 2);
}

TEST(ThreadedSource, EndsWithItsOwnerInTheMiddleAndWhenAskedToStop) {
  ThreadedSource source(std::make_unique<Files>(100'000));
  Item item;
  ASSERT_TRUE(source.next(item, {}).value());
  std::stop_source stop;
  stop.request_stop();
  Result<bool> last = true;
  while (last.ok()) last = source.next(item, stop.get_token());
  EXPECT_EQ(last.error().kind(), Errc::stopped);
}

TEST(ThreadedSource, PassesTheRestOn) {
  ThreadedSource source(std::make_unique<Files>(1));
  Item item;
  ASSERT_TRUE(source.complete(item).ok());
  EXPECT_EQ(item.entry.target, "completed");
  EXPECT_EQ(source.open(item).error().kind(), Errc::denied);
  EXPECT_TRUE(source.repeatable());
}

}  // namespace
}  // namespace holdfast::source
