// `holdfast key kit` and `key recover`.
#include <fmt/core.h>
#include <unistd.h>

#include <charconv>

#include "cli/json.h"
#include "cli/key_commands.h"
#include "repo/kit.h"

namespace holdfast::cli {

namespace {

constexpr char kStandardInput[] = "/dev/stdin";

Result<unsigned> count_of(const std::string& text, const char* option) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return Error(Errc::usage, fmt::format("{}: '{}' is no number", option, text));
}

Result<repo::KitShape> shape_of(const KeyOptions& options) {
  if (options.shares.empty() != options.threshold.empty()) {
    return Error(Errc::usage, "--shares and --threshold belong together");
  }
  repo::KitShape shape;
  if (options.shares.empty()) return shape;
  shape.shares = TRY(count_of(options.shares, "--shares"));
  shape.threshold = TRY(count_of(options.threshold, "--threshold"));
  return shape;
}

Result<void> write_files(Context& context, const KeyOptions& options, const std::vector<std::string>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string file = fmt::format("{}/share-{}.txt", options.target, i + 1);
    if (!options.dry_run) TRY(write_new_file(file, texts[i], 0600));
    if (context.global.quiet) continue;
    JsonObject object;
    object.add("message_type", "kit_written").add("file", file);
    const char* const verb = options.dry_run ? "would write" : "wrote";
    context.out.line(context.global.json ? object.text() : fmt::format("{} {}", verb, printable(file)));
  }
  return {};
}

}  // namespace

Result<int> print_kit(Context& context, const KeyOptions& options) {
  const repo::KitShape shape = TRY(shape_of(options));
  const Session session = TRY(open_session(context, {repo::Right::admin, repo::Right::read}));
  const repo::Repository& repository = *session.repository;
  std::vector<std::string> texts = TRY(repo::make_kit(repository.config().id, repository.secrets(), shape,
                                                      time_text(repository.now()), repository.random()));
  if (!options.target.empty()) {
    TRY(write_files(context, options, texts));
  } else if (context.global.json) {
    context.out.line(JsonObject().add("message_type", "kit").add("texts", texts).text());
  } else {
    for (std::size_t i = 0; i < texts.size(); ++i) context.out.write((i == 0 ? "" : "\f") + texts[i]);
  }
  for (std::string& text : texts) {
    crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  }
  return 0;
}

Result<int> recover(Context& context, const KeyOptions& options) {
  const RepositoryChoice choice = choice_of(context.global);
  const std::string location = TRY(location_of(choice, context.environment));
  const auto storage =
      TRY(open_storage(context.global, context.environment, location, storage::IfMissing::fail));
  const Words files = options.words.empty() ? Words{kStandardInput} : options.words;
  std::vector<Password> contents;
  std::vector<std::string_view> texts;
  for (const std::string& file : files) {
    Password content = TRY(read_secret_file(file, "the kit"));
    contents.push_back(std::move(content));
  }
  for (const Password& content : contents) texts.push_back(as_text(content.bytes()));
  const repo::Doors doors = doors_of(*storage);
  const repo::Config config = TRY(repo::Repository::read_config(doors, context.stop));
  repo::Secrets secrets = TRY(repo::read_kit(config.id, texts));
  const auto repository = TRY(repo::Repository::open_with_secrets(doors, std::move(secrets), context.stop));
  if (options.dry_run) {
    tell_key(context, "key_recovered", true, "the kit is whole; would add a key", "");
    return 0;
  }
  const Password password = TRY(new_password(context, options));
  const std::string name =
      TRY(repository->add_key(password.bytes(), key_label(context, options), {}, context.stop));
  const std::string id = key_id(name);
  tell_key(context, "key_recovered", false, "added key", id);
  return 0;
}

}  // namespace holdfast::cli
