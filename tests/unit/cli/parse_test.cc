#include "cli/parse.h"

#include "cli/commands.h"

namespace holdfast::cli {
namespace {

template <typename Options>
Result<Options> parsed(const std::vector<std::string>& words) {
  Options options;
  Syntax syntax;
  declare(syntax, options);
  TRY(parse_into(syntax, words));
  return options;
}

template <typename Options>
Errc failure(const std::vector<std::string>& words) {
  const auto result = parsed<Options>(words);
  return result.ok() ? Errc::failed : result.error().kind();
}

TEST(Parse, PatternsKeepTheirOrderAcrossOptions) {
  const auto options = parsed<BackupOptions>(
      {"-e", "*.o", "--include=keep.o", "/data", "--iexclude", "*.TMP", "--exclude=a=b"});
  ASSERT_TRUE(options.ok()) << options.error().text();
  EXPECT_EQ(options.value().patterns,
            (Words{"--exclude=*.o", "--include=keep.o", "--iexclude=*.TMP", "--exclude=a=b"}));
  EXPECT_EQ(options.value().paths, Words{"/data"});
}

TEST(Parse, TakesWordsAsTheyAre) {
  const auto options =
      parsed<SnapshotsOptions>({"--tag", "", "--tag=", "--tag", "[a]", "--path", "-x", "latest"});
  ASSERT_TRUE(options.ok()) << options.error().text();
  EXPECT_EQ(options.value().filter.tags, (Words{"", "", "[a]"}));
  EXPECT_EQ(options.value().filter.paths, Words{"-x"});
  EXPECT_EQ(options.value().ids, Words{"latest"});
}

TEST(Parse, WordsAfterTwoDashesAreNoOptions) {
  const auto options = parsed<BackupOptions>({"--stdin-from-command", "--", "sh", "-c", "exit", "--tag"});
  ASSERT_TRUE(options.ok()) << options.error().text();
  EXPECT_TRUE(options.value().from_command);
  EXPECT_EQ(options.value().paths, (Words{"sh", "-c", "exit", "--tag"}));
}

TEST(Parse, Numbers) {
  EXPECT_EQ(parsed<SnapshotsOptions>({"--latest", "3"}).value().latest, 3u);
  EXPECT_EQ(parsed<SnapshotsOptions>({}).value().latest, std::nullopt);
  for (const char* bad : {"", "x", "3x", "-1", "99999999999999999999"}) {
    EXPECT_EQ(failure<SnapshotsOptions>({"--latest", bad}), Errc::usage) << bad;
  }
}

TEST(Parse, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(failure<LsOptions>({"--no-such-option"}), Errc::usage);
  EXPECT_EQ(failure<StatsOptions>({"--mode", "guess"}), Errc::usage);
  EXPECT_EQ(failure<KeyOptions>({"steal"}), Errc::usage);
  EXPECT_EQ(failure<DiffOptions>({"latest"}), Errc::usage);
  EXPECT_EQ(failure<DiffOptions>({"a", "b", "c"}), Errc::usage);
  EXPECT_EQ(failure<SnapshotsOptions>({"--host"}), Errc::usage);
}

TEST(Parse, TheLastOfASingleOptionCounts) {
  EXPECT_EQ(parsed<RestoreOptions>({"latest", "-t", "/a", "--target", "/b"}).value().target, "/b");
}

TEST(Parse, GlobalOptionsStandAnywhere) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-r", "/repo", "ls", "-vv", "--json"},
        {"ls", "-v", "--repo=/repo", "--json", "-v"},
        {"--json", "ls", "-vv", "-r", "/repo"}}) {
    const auto invocation = parse(words);
    ASSERT_TRUE(invocation.ok()) << invocation.error().text();
    EXPECT_EQ(invocation.value().command->name, "ls");
    EXPECT_EQ(invocation.value().global.repository, "/repo");
    EXPECT_EQ(invocation.value().global.verbose, 2);
    EXPECT_TRUE(invocation.value().global.json);
  }
}

TEST(Parse, FindsCommandsByTheirAliases) {
  EXPECT_EQ(parse({"create", "/x"}).value().command->name, "backup");
  EXPECT_EQ(parse({"gc"}).value().command->name, "prune");
  EXPECT_EQ(parse({"extract", "latest"}).value().command->name, "restore");
  EXPECT_EQ(find_command("verify")->name, "check");
  EXPECT_EQ(find_command("nothing"), nullptr);
}

TEST(Parse, ACommandsNameMayBeAnArgument) {
  const auto invocation = parse({"backup", "ls"});
  ASSERT_TRUE(invocation.ok()) << invocation.error().text();
  EXPECT_EQ(invocation.value().command->name, "backup");
}

TEST(Parse, SaysWhatIsWrong) {
  const auto unknown = parse({"bakcup"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().text(), "there is no command 'bakcup'");
  const auto option = parse({"ls", "--lnog"});
  ASSERT_FALSE(option.ok());
  EXPECT_EQ(option.error().text(), "there is no option '--lnog'");
  EXPECT_EQ(option.error().hint(), "see `holdfast ls --help`");
  EXPECT_NE(parse({"prune", "--keep-daily", "7"}).error().hint().find("holdfast forget"), std::string::npos);
}

TEST(Parse, HelpNeedsNoArguments) {
  for (const Command& command : commands()) {
    for (const char* flag : {"-h", "--help"}) {
      const auto invocation = parse({command.name, flag});
      ASSERT_TRUE(invocation.ok()) << command.name << ": " << invocation.error().text();
      EXPECT_TRUE(invocation.value().help);
    }
  }
  EXPECT_TRUE(parse({"--version"}).value().version);
  EXPECT_EQ(parse({}).value().command, nullptr);
}

}  // namespace
}  // namespace holdfast::cli
