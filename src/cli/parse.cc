#include "cli/parse.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <map>

namespace holdfast::cli {

namespace {

// Stores a value that was given; false where it can't be one.
struct Store {
  std::string text;

  bool operator()(bool* to) const { return *to = true; }
  bool operator()(int* to) const { return ++*to > 0; }
  bool operator()(std::string* to) const { return *to = text, true; }
  bool operator()(std::optional<std::string>* to) const { return *to = text, true; }
  bool operator()(std::vector<std::string>* to) const { return to->push_back(text), true; }
  bool operator()(std::optional<std::uint64_t>* to) const {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    *to = value;
    return error == std::errc() && at == end;
  }
};

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

Error usage(std::string message) { return Error(Errc::usage, std::move(message)); }

Result<void> check_choice(const std::vector<std::string>& choices, const std::string& what,
                          const std::string& value) {
  if (choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return {};
  return usage(fmt::format("{}: '{}' is not one of {}", what, value, joined(choices, ", ")));
}

// One level of the command line: the program or a command. CLI11 takes it apart; values are stored by us, in
// the order in which they were given, and never as the lists that CLI11 would make of "" and "[a]".
class Level {
 public:
  Level(CLI::App& app, const Syntax& syntax) : app_(app), syntax_(syntax) {
    app.set_help_flag();
    for (const Option& option : syntax.options) add(option);
    const auto ignore = [](const CLI::results_t&) { return true; };
    if (syntax.arguments.empty()) return;
    words_ = app.add_option("words", ignore)->expected(0, CLI::detail::expected_max_vector_size);
    words_->allow_extra_args(true);
  }

  // `more`: words after "--".
  Result<void> store(const std::vector<std::string>& more) const {
    std::map<const CLI::Option*, std::size_t> seen;
    for (const CLI::Option* parsed : app_.parse_order()) {
      const auto at = options_.find(parsed);
      if (at == options_.end()) continue;
      const Option& option = *at->second;
      const std::size_t occurrence = seen[parsed]++;
      if (occurrence >= parsed->results().size()) continue;
      TRY(store(option, option.takes_value() ? parsed->results()[occurrence] : ""));
    }
    return store_arguments(more);
  }

 private:
  void add(const Option& option) {
    const std::string names = joined(option.names, ",");
    CLI::Option* added = nullptr;
    if (option.takes_value()) {
      added = app_.add_option(names, [](const CLI::results_t&) { return true; });
      added->expected(1)->allow_extra_args(false);
    } else {
      added = app_.add_flag(names);
    }
    added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    options_.emplace(added, &option);
  }

  static Result<void> store(const Option& option, const std::string& value) {
    const std::string& name = option.names.back();
    TRY(check_choice(option.choices, name, value));
    const std::string stored = option.with_name ? name + "=" + value : value;
    if (!std::visit(Store{stored}, option.target)) {
      return usage(fmt::format("{}: '{}' is not a number", name, value));
    }
    return {};
  }

  Result<void> store_arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> words = words_ == nullptr ? std::vector<std::string>() : words_->results();
    words.insert(words.end(), more.begin(), more.end());
    std::size_t at = 0;
    for (const Argument& argument : syntax_.arguments) {
      if (argument.required && at == words.size()) return usage(argument.name + " is missing");
      const std::size_t end = argument.repeats() ? words.size() : std::min(at + 1, words.size());
      for (; at < end; ++at) {
        TRY(check_choice(argument.choices, argument.name, words[at]));
        std::visit(Store{words[at]}, argument.target);
      }
    }
    if (at < words.size()) return usage(fmt::format("one word too many: '{}'", words[at]));
    return {};
  }

  CLI::App& app_;
  const Syntax& syntax_;
  CLI::Option* words_ = nullptr;
  std::map<const CLI::Option*, const Option*> options_;
};

struct Prepared {
  std::vector<std::string> reversed;  // as CLI11 wants them
  std::vector<std::string> more;      // after "--": never options
};

// "--name=" is the empty value: CLI11 would take the next word for it, so the two are parted here. So are the
// words after
// "--", which CLI11 would not give to a command that needs none.
Prepared prepared(const std::vector<std::string>& words) {
  Prepared out;
  const auto dashes = std::find(words.begin(), words.end(), "--");
  if (dashes != words.end()) out.more.assign(dashes + 1, words.end());
  for (auto at = words.begin(); at != dashes; ++at) {
    const bool empty_value = at->size() > 3 && at->starts_with("--") && at->find('=') == at->size() - 1;
    out.reversed.push_back(empty_value ? at->substr(0, at->size() - 1) : *at);
    if (empty_value) out.reversed.emplace_back();
  }
  std::reverse(out.reversed.begin(), out.reversed.end());
  return out;
}

Result<void> run_parser(CLI::App& app, Prepared& words) {
  try {
    app.parse(words.reversed);
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> left = app.remaining(true);
    const auto option =
        std::find_if(left.begin(), left.end(), [](const auto& word) { return word.starts_with('-'); });
    if (option != left.end()) return usage(fmt::format("there is no option '{}'", *option));
    const bool no_command = app.get_subcommands().empty();
    return usage(
        fmt::format("{} '{}'", no_command ? "there is no command" : "one word too many:", left.front()));
  } catch (const CLI::Error& error) {
    return usage(error.what());
  }
  return {};
}

}  // namespace

Result<void> parse_into(const Syntax& syntax, const std::vector<std::string>& words) {
  CLI::App app;
  const Level level(app, syntax);
  Prepared given = prepared(words);
  TRY(run_parser(app, given));
  return level.store(given.more);
}

Result<Invocation> parse(const std::vector<std::string>& given_words) {
  // `help backup` is `backup --help`.
  std::vector<std::string> words = given_words;
  if (!words.empty() && words.front() == "help") std::rotate(words.begin(), words.begin() + 1, words.end());
  if (!words.empty() && words.back() == "help" && given_words.front() == "help") words.back() = "--help";
  Invocation invocation;
  CLI::App app;
  Syntax global;
  declare(global, invocation.global);
  global.flag("-h,--help", &invocation.help, "");
  global.flag("--version", &invocation.version, "");
  const Level top(app, global);

  struct Choice {
    const Command* command;
    CLI::App* app;
    Syntax syntax;
    Run run;
    std::optional<Level> level;
  };
  std::vector<Choice> choices(commands().size());
  for (std::size_t i = 0; i < choices.size(); ++i) {
    Choice& choice = choices[i];
    choice.command = &commands()[i];
    choice.app = app.add_subcommand(choice.command->name);
    for (const std::string& alias : choice.command->aliases) choice.app->alias(alias);
    choice.app->fallthrough();
    choice.run = choice.command->prepare(choice.syntax);
    choice.level.emplace(*choice.app, choice.syntax);
  }
  app.require_subcommand(0, 1);
  Prepared given = prepared(words);
  auto parsed = run_parser(app, given);
  for (const Choice& choice : choices) {
    if (!choice.app->parsed()) continue;
    invocation.command = choice.command;
    invocation.run = choice.run;
  }
  const std::string about = invocation.command == nullptr ? "" : invocation.command->name + " ";
  if (parsed.ok()) parsed = top.store({});
  if (parsed.ok() && !invocation.help) {
    for (const Choice& choice : choices) {
      if (choice.command == invocation.command && parsed.ok()) parsed = choice.level->store(given.more);
    }
  }
  if (!parsed.ok()) {
    // What borg calls prune is restic's forget, and ours.
    const bool means_forget =
        about == "prune " && std::any_of(words.begin(), words.end(),
                                         [](const std::string& word) { return word.starts_with("--keep-"); });
    return std::move(parsed).error().hint(means_forget ? "rules of what to keep belong to `holdfast forget`"
                                                       : fmt::format("see `holdfast {}--help`", about));
  }
  return invocation;
}

}  // namespace holdfast::cli
