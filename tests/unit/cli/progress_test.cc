#include "cli/progress.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/fd.h"
#include "tests/support/scratch_dir.h"

namespace holdfast::cli {
namespace {

// Stands still unless told.
class FakeClock final : public Clock {
 public:
  std::int64_t now_ns() const override { return ticks; }
  std::int64_t ticks_ns() const override { return ticks; }
  bool sleep_ns(std::int64_t, std::stop_token) override { return true; }
  std::int64_t ticks = 0;
};

constexpr std::int64_t kSecondNs = 1'000'000'000;

class ProgressTest : public ::testing::Test {
 protected:
  ProgressTest() : file_(::open(path().c_str(), O_RDWR | O_CREAT, 0600)), out_(file_.get()) {}

  std::string path() const { return scratch_.path() + "/out"; }
  // What was written, so far.
  std::string shown() {
    out_.flush();
    std::ostringstream text;
    text << std::ifstream(path()).rdbuf();
    return text.str();
  }

  const testing::ScratchDir scratch_;
  const Fd file_;
  Output out_;
  Signals signals_;
  FakeClock clock_;
  flow::Progress half_{
      .files_done = 1, .bytes_done = 512, .files_total = 2, .bytes_total = 1024, .errors = 0};
};

TEST_F(ProgressTest, IsSilentWithoutATerminal) {
  Progress progress({.per_second = {}}, clock_, out_, signals_);
  clock_.ticks = 100 * kSecondNs;
  progress.progress(half_, "x");
  EXPECT_EQ(shown(), "");
}

TEST_F(ProgressTest, ALinePerIntervalWhereAskedFor) {
  Progress progress({.per_second = 0.5}, clock_, out_, signals_);
  for (clock_.ticks = 0; clock_.ticks < 10 * kSecondNs; clock_.ticks += kSecondNs / 4)
    progress.progress(half_, "a\nb");
  const std::string text = shown();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);  // at 2, 4, 6 and 8 s
  EXPECT_TRUE(text.starts_with("[0:02] 50.0%  1 file, 512 B of 1.000 KiB, ETA 0:02  a\\x0ab\n")) << text;
}

TEST_F(ProgressTest, AtMostTenATimeOnATerminal) {
  Progress progress({.terminal = true, .per_second = {}}, clock_, out_, signals_);
  for (int i = 0; i < 1000; ++i) {
    clock_.ticks += kSecondNs / 1000;
    progress.progress(half_, "x");
  }
  const std::string text = shown();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 10);
  progress.finish();
  EXPECT_TRUE(shown().ends_with("\r\x1b[K"));
}

TEST_F(ProgressTest, JsonLinesUseTheWordsOfRestic) {
  Progress progress({.json = true, .verbose = 1, .per_second = {}}, clock_, out_, signals_);
  clock_.ticks = 4 * kSecondNs;
  progress.progress(half_, "a");
  progress.item("new", "b", 7);
  std::istringstream lines(shown());
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto status = nlohmann::json::parse(line);
  EXPECT_EQ(status["message_type"], "status");
  EXPECT_EQ(status["percent_done"], 0.5);
  EXPECT_EQ(status["seconds_elapsed"], 4);
  EXPECT_EQ(status["seconds_remaining"], 4);
  EXPECT_EQ(status["current_files"][0], "a");
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["message_type"], "verbose_status");
}

TEST_F(ProgressTest, ItemsOnlyWhereWanted) {
  {
    Progress quiet({.verbose = 0, .per_second = {}}, clock_, out_, signals_);
    quiet.item("new", "a", 1);
  }
  Progress once({.verbose = 1, .per_second = {}}, clock_, out_, signals_);
  once.item("unchanged", "b", 1);
  once.item("new", "c", 1);
  EXPECT_EQ(shown(), "new        c\n");
}

TEST_F(ProgressTest, PathsOfABackupAreAbsolute) {
  Progress progress({.absolute = true, .verbose = 1, .per_second = {}}, clock_, out_, signals_);
  progress.item("new", "home/ann", 1);
  EXPECT_EQ(shown(), "new        /home/ann\n");
}

TEST_F(ProgressTest, RefusesABadRate) {
  const GlobalOptions global;
  for (const char* bad : {"x", "-1", "61", "1e9", "nan", "1 "}) {
    const Environment environment(Environment::Variables{{"HOLDFAST_PROGRESS_FPS", bad}});
    const Context context{global, environment, out_, signals_, {}};
    EXPECT_FALSE(progress_options(context).ok()) << bad;
  }
  const Environment environment(Environment::Variables{{"HOLDFAST_PROGRESS_FPS", "0.2"}});
  const Context context{global, environment, out_, signals_, {}};
  EXPECT_EQ(progress_options(context).value().per_second, 0.2);
}

}  // namespace
}  // namespace holdfast::cli
