#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>

#include "cli/backup_input.h"
#include "cli/password.h"
#include "cli/path_lists.h"
#include "cli/wire.h"
#include "tests/support/scratch_dir.h"

namespace holdfast::cli {
namespace {

TEST(Input, Sizes) {
  EXPECT_EQ(parse_size("0").value(), 0u);
  EXPECT_EQ(parse_size("10M").value(), 10 * kMiB);
  EXPECT_EQ(parse_size("1.5GiB").value(), 3 * kGiB / 2);
  EXPECT_EQ(parse_size("2kb").value(), 2048u);
  for (const char* bad : {"", "M", "-1", "1X", "1MM", "99999999T"}) EXPECT_FALSE(parse_size(bad).ok()) << bad;
}

TEST(Input, RatesAreKibibytesUnlessTheySayOtherwise) {
  EXPECT_EQ(parse_rate("0").value(), 0u);
  EXPECT_EQ(parse_rate("512").value(), 512 * kKiB);
  EXPECT_EQ(parse_rate("1.5").value(), 1536u);
  EXPECT_EQ(parse_rate("10M").value(), 10 * kMiB);
  EXPECT_EQ(parse_rate("100B").value(), 100u);
  for (const char* bad : {"", "-1", "fast", "1X", "M"}) EXPECT_FALSE(parse_rate(bad).ok()) << bad;
}

TEST(Input, Times) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(parse_time("2026-08-01 10:34:56").value().seconds, 1785580496);
  EXPECT_EQ(parse_time("2026-08-01T10:34:56").value().seconds, 1785580496);
  EXPECT_EQ(parse_time("1970-01-02").value().seconds, 86400);
  for (const char* bad : {"", "yesterday", "2026-13-01", "2026-08-01 10:34:56x"}) {
    EXPECT_FALSE(parse_time(bad).ok()) << bad;
  }
}

TEST(Input, Intervals) {
  EXPECT_EQ(parse_interval("90s").value(), 90u);
  EXPECT_EQ(parse_interval("15m").value(), 900u);
  EXPECT_EQ(parse_interval("1h30m").value(), 5400u);
  for (const char* never : {"0", "off", "0m"}) EXPECT_EQ(parse_interval(never).value(), 0u) << never;
  for (const char* bad : {"", "15", "m", "-1m", "1m1h", "1m1m", "1d", "1h ", "99999999999999h"})
    EXPECT_FALSE(parse_interval(bad).ok()) << bad;
}

TEST(Input, Compression) {
  using Mode = flow::Compression::Mode;
  EXPECT_EQ(parse_compression("auto").value().mode, Mode::automatic);
  EXPECT_EQ(parse_compression("off").value().mode, Mode::off);
  EXPECT_EQ(parse_compression("zstd:7").value().zstd_level, 7);
  for (const char* bad : {"zstd", "zstd:0", "zstd:23", "gzip"})
    EXPECT_FALSE(parse_compression(bad).ok()) << bad;
}

bool left_out(const source::Rules& rules, const char* path) {
  const auto* rule = rules.match(path, false);
  return rule != nullptr && !rule->pattern.negated();
}

TEST(Input, TheLastPatternDecides) {
  const auto rules = std::move(rules_of({"--exclude=*.o", "--include=keep.o", "--iexclude=*.tmp"})).value();
  EXPECT_TRUE(left_out(rules, "a/b.o"));
  EXPECT_FALSE(left_out(rules, "a/keep.o"));
  EXPECT_TRUE(left_out(rules, "a/X.TMP"));
  EXPECT_FALSE(left_out(rules, "a/X.O"));
  EXPECT_FALSE(rules_of({"--exclude=[a"}).ok());
}

TEST(Input, ListsOfPaths) {
  const testing::ScratchDir scratch;
  const std::string file = scratch.path() + "/list";
  std::ofstream(file, std::ios::binary) << "a b\n# no comment here\n";
  BackupOptions options;
  options.paths = {"x"};
  options.files_from_verbatim = {file};
  EXPECT_EQ(listed_paths(options).value(), (Words{"x", "a b", "# no comment here"}));
  std::ofstream(file, std::ios::binary) << std::string("a\nb\0c", 5);
  options = {};
  options.files_from_raw = {file};
  EXPECT_EQ(listed_paths(options).value(), (Words{"a\nb", "c"}));
  std::ofstream(file, std::ios::binary) << "# a comment\n\n  " << scratch.path() << "/li*  \n";
  options = {};
  options.files_from = {file};
  EXPECT_EQ(listed_paths(options).value(), Words{file});
  std::ofstream(file, std::ios::binary) << "/no/such*\n";
  EXPECT_EQ(listed_paths(options).error().kind(), Errc::not_found);
}

std::string text(const Password& password) { return std::string(as_text(password.bytes())); }

TEST(Input, PasswordsComeFromTheFirstThatIsGiven) {
  const testing::ScratchDir scratch;
  const std::string file = scratch.path() + "/password";
  std::ofstream(file, std::ios::binary) << "from file\r\n";
  const Environment all(
      Environment::Variables{{"HOLDFAST_PASSWORD", "from variable"}, {"HOLDFAST_PASSWORD_FILE", file}});
  const Environment one(Environment::Variables{{"HOLDFAST_PASSWORD", "from variable"}});
  PasswordSources sources;
  sources.variable_prefix = "HOLDFAST_";
  EXPECT_EQ(text(read_password(sources, one, {}).value()), "from variable");
  EXPECT_EQ(text(read_password(sources, all, {}).value()), "from file");
  sources.command = "printf 'from\\ncommand\\n'";
  EXPECT_EQ(text(read_password(sources, all, {}).value()), "from\ncommand");
  sources.file = file;
  EXPECT_EQ(text(read_password(sources, one, {}).value()), "from file");
  sources.file = scratch.path() + "/missing";
  EXPECT_EQ(read_password(sources, one, {}).error().kind(), Errc::not_found);
  sources.file.clear();
  sources.command = "echo secret; exit 3";
  EXPECT_FALSE(read_password(sources, one, {}).ok());
  sources.command = "true";
  EXPECT_EQ(read_password(sources, one, {}).error().kind(), Errc::usage);
}

TEST(Input, Locations) {
  const Environment environment(Environment::Variables{{"HOLDFAST_REPOSITORY", "/by/variable"}});
  RepositoryChoice choice{"", "", "", "", "HOLDFAST_", ""};
  EXPECT_EQ(location_of(choice, environment).value(), "/by/variable");
  choice.location = "/by/option";
  EXPECT_EQ(location_of(choice, environment).value(), "/by/option");
  choice.location.clear();
  EXPECT_EQ(location_of(choice, Environment()).error().kind(), Errc::usage);
  EXPECT_EQ(open_storage({}, {}, "gopher:host/x", storage::IfMissing::fail).error().kind(),
            Errc::unsupported);
  EXPECT_EQ(open_storage({}, {}, "/no/such/folder", storage::IfMissing::fail).error().kind(),
            Errc::no_repository);
}

TEST(Input, CacheFolders) {
  const Environment home(Environment::Variables{{"HOME", "/home/ann"}});
  const Environment xdg(Environment::Variables{{"HOME", "/home/ann"}, {"XDG_CACHE_HOME", "/cache"}});
  GlobalOptions options;
  EXPECT_EQ(cache_directory(options, home), "/home/ann/.cache/holdfast");
  EXPECT_EQ(cache_directory(options, xdg), "/cache/holdfast");
  options.cache_dir = "/mine";
  EXPECT_EQ(cache_directory(options, xdg), "/mine");
  options.no_cache = true;
  EXPECT_EQ(cache_directory(options, xdg), "");
}

}  // namespace
}  // namespace holdfast::cli
