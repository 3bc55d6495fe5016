#include "cli/help.h"

#include <set>

namespace holdfast::cli {
namespace {

TEST(Help, EveryCommandExplainsItsOptions) {
  for (const Command& command : commands()) {
    Syntax syntax;
    const auto run = command.prepare(syntax);
    const std::string help = command_help(command);
    EXPECT_NE(program_help().find("\n  " + command.name), std::string::npos);
    for (const Option& option : syntax.options) {
      EXPECT_FALSE(option.help.empty()) << command.name << " " << option.names.back();
      EXPECT_NE(help.find(names_text(option)), std::string::npos)
          << command.name << " " << option.names.back();
    }
    EXPECT_FALSE(command.summary.ends_with('.')) << command.name;
  }
}

TEST(Help, NamesAreUniqueAndDoNotHideGlobalOptions) {
  GlobalOptions values;
  Syntax global;
  declare(global, values);
  std::set<std::string> commands_seen;
  for (const Command& command : commands()) {
    std::set<std::string> names = {"-h", "--help"};
    for (const Option& option : global.options) names.insert(option.names.begin(), option.names.end());
    Syntax syntax;
    const auto run = command.prepare(syntax);
    for (const Option& option : syntax.options) {
      for (const std::string& name : option.names)
        EXPECT_TRUE(names.insert(name).second) << command.name << " " << name;
    }
    EXPECT_TRUE(commands_seen.insert(command.name).second) << command.name;
    for (const std::string& alias : command.aliases) EXPECT_TRUE(commands_seen.insert(alias).second) << alias;
  }
}

TEST(Help, Wraps) {
  EXPECT_EQ(wrapped("one two three", 8, 0), "one two\nthree\n");
  EXPECT_EQ(wrapped("one two\n\nthree", 80, 2), "  one two\n\n  three\n");
  EXPECT_EQ(wrapped("averyveryverylongword", 5, 1), " averyveryverylongword\n");
  EXPECT_EQ(wrapped("", 5, 1), "\n");
}

TEST(Help, ManPagesForAll) {
  const auto pages = man_pages();
  ASSERT_EQ(pages.size(), commands().size() + 1);
  for (const auto& [name, text] : pages) {
    EXPECT_TRUE(text.starts_with(".TH \"")) << name;
    EXPECT_NE(text.find("\n.SH NAME\n"), std::string::npos) << name;
    EXPECT_EQ(text.find("\n\n"), std::string::npos) << name << " has a blank line";
  }
  EXPECT_NE(pages.front().second.find("HOLDFAST_PASSWORD_COMMAND"), std::string::npos);
}

TEST(Help, CompletionKnowsCommandsAndOptions) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion(shell);
    EXPECT_NE(script.find("snapshots"), std::string::npos) << shell;
    EXPECT_NE(script.find("exclude-caches"), std::string::npos) << shell;
    EXPECT_NE(script.find("files-by-contents"), std::string::npos) << shell;
  }
}

}  // namespace
}  // namespace holdfast::cli
