#include "cli/commands.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/json.h"

namespace holdfast::cli {

void declare(Syntax& syntax, GlobalOptions& options) {
  syntax.option("-r,--repo", "REPOSITORY", &options.repository,
                "the repository: /path, local:/path, or s3:https://host/bucket/prefix");
  syntax.option("--repository-file", "FILE", &options.repository_file,
                "a file whose first line names the repository");
  syntax.option("-p,--password-file", "FILE", &options.password_file,
                "a file with the repository's password");
  syntax.option("--password-command", "COMMAND", &options.password_command,
                "a shell command that prints the password");
  syntax.option("--key-file", "FILE", &options.key_file,
                "the secret key of a recipient, instead of a password");
  syntax.option("--cache-dir", "DIR", &options.cache_dir, "where caches are kept");
  syntax.flag("--no-cache", &options.no_cache, "use and keep no cache");
  syntax.option("--limit-upload", "RATE", &options.limit_upload,
                "write no faster to the repository: KiB a second, or with a unit as 10M; 0: no limit");
  syntax.option("--limit-download", "RATE", &options.limit_download, "the same for reading from it");
  syntax.option("--cacert", "FILE", &options.ca_file,
                "certificates (PEM) that servers are trusted by, instead of the system's");
  syntax.option("-o,--option", "NAME=VALUE", &options.store_options,
                "of the store: s3.region, s3.bucket-lookup (auto, dns or path)");
  syntax.flag("--json", &options.json, "write JSON");
  syntax.flag("-q,--quiet", &options.quiet, "no progress and no summary");
  syntax.flag("-v,--verbose", &options.verbose, "tell more; twice: still more");
}

namespace {

constexpr char kCheckDetails[] =
    "Exit code 13 means damage, 16 that something could not be reached. In JSON a finding has severity "
    "(warning, unreachable or damaged), kind, object, snapshots, message and wanted (the wanted list has it "
    "already), here and in what repair and mirror write.";
constexpr char kRepairDetails[] =
    "Only adds objects: what they replace is removed by the next prune. Reading mends by itself what parity "
    "reaches; repair packs makes that last. What it can't replace goes on a wanted list: the next backup "
    "that meets it stores it again, and the next repair packs, by a key that may read, puts it where it was "
    "lost. Exit code 13 means that something stays lost.";
constexpr char kRekeyDetails[] =
    "After `key rotate`, which protects only what is written from then on. Each snapshot is stored again and "
    "compared, and the old one forgotten: the next prune removes it. Running it again goes on where an "
    "interrupted run was. The repository needs room for both until the prune.";
constexpr char kDumpDetails[] =
    "What a format can't hold is told, and makes the exit code 3. A tar archive holds everything but "
    "sockets, flags, projects and birth times. Zip and cpio know whole seconds and no names of owners; zip "
    "no hard links, which become "
    "files of their own, and neither devices nor fifos.";
constexpr char kMountDetails[] =
    "Needs FUSE. There are folders by id, time, host, tag and path, with links to the latest. Read "
    "only. New snapshots appear by themselves within seconds. What can't be read gives EIO to its "
    "reader and a line on standard error, and makes the exit code 3; everything else goes on.";
constexpr char kDuDetails[] =
    "Sizes in bytes: of the files as a restore gives them back, a hard-linked one once; with --stored "
    "of their shares of what lies in the repository; with --only-here of what of that a prune could "
    "remove if this snapshot were forgotten.";
constexpr char kBenchmarkDetails[] =
    "What a backup does to its data, each part by itself, and the store with objects of its own below "
    "benchmark/, which it removes again. Needs no password.";

std::vector<Command> about_snapshots() {
  return {
      make_command<InitOptions>({"init"}, "Make a new repository", "", &declare, &run),
      make_command<BackupOptions>(
          {"backup", "create"}, "Back up files, folders or a stream",
          "Every snapshot is complete and restores alone; --full, --incremental and --differential "
          "only choose how changes are found. Patterns are those of .gitignore: the last one that "
          "matches decides, ! takes back, a trailing / means folders. Files named .holdfastignore "
          "hold patterns for the folder they lie in.",
          &declare, &run),
      make_command<SnapshotsOptions>({"snapshots", "list"}, "List snapshots", "", &declare, &run),
      make_command<LsOptions>({"ls"}, "List what is in a snapshot", "", &declare, &run),
      make_command<FindOptions>({"find"}, "Look for files in snapshots", "", &declare, &run),
      make_command<LogOptions>(
          {"log"}, "Tell the history of a file: when it came, changed and went",
          "Of one path over all snapshots that cover it. Equal marks mean equal content.", &declare, &run),
      make_command<ExplainOptions>(
          {"explain"}, "Tell whether a backup would take a file, by which rule, and which snapshots have it",
          "Takes the filter options of backup. The first part needs no repository; the second is left out "
          "where none is named.",
          &declare, &run),
      make_command<DiffOptions>(
          {"diff"}, "Tell what differs between two snapshots",
          "Marks: + added, - removed, M content changed, U metadata changed, T type changed.", &declare,
          &run),
      make_command<DumpOptions>({"dump"}, "Write a file, or a folder as an archive, to the standard output",
                                kDumpDetails, &declare, &run),
      make_command<RestoreOptions>({"restore", "extract"}, "Restore a snapshot or a part of it", "", &declare,
                                   &run),
      make_command<MountOptions>({"mount"}, "Show the snapshots as files and folders, until it is ended",
                                 kMountDetails, &declare, &run),
  };
}

std::vector<Command> about_repositories() {
  return {
      make_command<ForgetOptions>(
          {"forget"}, "Drop snapshots by a policy or by name",
          "The rules are ORed: a snapshot stays if any keeps it. Nothing is deleted before a prune;"
          " until then undelete brings a snapshot back.",
          &declare, &run),
      make_command<UndeleteOptions>(
          {"undelete"}, "Bring forgotten snapshots back, until a prune has removed them", "", &declare, &run),
      make_command<PruneOptions>(
          {"prune", "compact", "gc"}, "Remove what no snapshot needs any more",
          "Backups may run meanwhile, and an interrupted prune is taken up by the next one.", &declare, &run),
      make_command<CheckOptions>({"check", "verify"}, "Prove that the repository holds what it promises",
                                 kCheckDetails, &declare, &run),
      make_command<RepairOptions>({"repair"}, "Mend what is damaged, and say exactly what stays lost",
                                  kRepairDetails, &declare, &run),
      make_command<CopyOptions>({"copy"}, "Copy snapshots from another repository into this one", "",
                                &declare, &run),
      make_command<MirrorOptions>(
          {"mirror"}, "Copy the whole repository verbatim to another place",
          "Needs no password: every object is verified against its own digests on the way. What is there "
          "already is kept, so an interrupted run goes on where it was, and a later one copies what is new. "
          "What is "
          "damaged is not copied; exit code 13 tells. The copy opens with the same passwords; write only to "
          "one of the two.",
          &declare, &run),
      make_command<RewriteOptions>(
          {"rewrite"}, "Make new snapshots of old ones, without some of their files",
          "Contents are not copied: the new snapshot refers to what is stored. The "
          "old one stays, unless --forget is given; what only it needs goes with the next prune.",
          &declare, &run),
      make_command<DoctorOptions>(
          {"doctor"},
          "Look for what will be trouble one day: permissions, clock, space, store, keys, age of checks",
          "Each line is ok, warn or bad, with what to do. Exit code 0: nothing bad; 3: warnings; 1: "
          "something is bad.",
          &declare, &run),
      make_command<TagOptions>({"tag"}, "Change the tags of snapshots", "", &declare, &run),
      make_command<KeyOptions>({"key"}, "Manage the keys of the repository", key_details(), &declare, &run),
      make_command<RekeyOptions>({"rekey"}, "Store what the snapshots hold again, under the newest read key",
                                 kRekeyDetails, &declare, &run),
      make_command<StatsOptions>({"stats"}, "Tell how much is in snapshots", "", &declare, &run),
      make_command<DuOptions>({"du"}, "Tell how much the folders of a snapshot hold", kDuDetails, &declare,
                              &run),
      make_command<CatOptions>({"cat"}, "Show an object of the repository as JSON", "", &declare, &run),
      make_command<BenchmarkOptions>({"benchmark"}, "Measure this machine and the store", kBenchmarkDetails,
                                     &declare, &run),
      make_command<VersionOptions>({"version"}, "Tell the version", "", &declare, &run),
      make_command<CompletionOptions>({"completion"}, "Write a completion script for a shell",
                                      "For bash: holdfast completion bash > /etc/bash_completion.d/holdfast",
                                      &declare, &run),
      make_command<ManOptions>({"man"}, "Write the man pages into a folder", "", &declare, &run),
  };
}

// In the order of --help.
std::vector<Command> build() {
  std::vector<Command> all = about_snapshots();
  for (Command& command : about_repositories()) all.push_back(std::move(command));
  return all;
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = build();
  return kCommands;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands()) {
    const bool alias =
        std::find(command.aliases.begin(), command.aliases.end(), name) != command.aliases.end();
    if (command.name == name || alias) return &command;
  }
  return nullptr;
}

void tell_error(bool json, const std::string& message) {
  if (json) {
    const std::string inner = JsonObject().add("message", message).text();
    fmt::print(stderr, "{}\n", JsonObject().add("message_type", "error").raw("error", inner).text());
  } else {
    fmt::print(stderr, "holdfast: {}\n", printable(message));
  }
}

void tell_torn(const Context& context, std::string_view after, const Error& error) {
  tell_error(context.global.json,
             fmt::format("what comes after /{} in the snapshot, up to what can be read again, is lost: {}",
                         after, error.text()));
}

int warn_unreadable(const Context& context, const repo::History& history) {
  const bool json = context.global.json;
  for (const std::string& why : history.unreadable)
    tell_error(json, json ? why : "a snapshot may be missing here: " + why);
  for (const std::string& text : history.contradictions) tell_error(json, text);
  if (!history.log_trouble.empty())
    tell_error(
        json, "the log can't be read to its end, so some of this may be out of date: " + history.log_trouble);
  for (const std::string& why : history.nameless)
    tell_error(json, "what a snapshot is of can't be known: " + why);
  const bool whole = history.nameless.empty() && history.unreadable.empty() &&
                     history.contradictions.empty() && history.log_trouble.empty();
  return whole ? 0 : 3;
}

}  // namespace holdfast::cli
