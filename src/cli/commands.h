// The commands' two functions each; see command.h. declare() says what a command takes, run() does it.
#pragma once

#include "cli/command.h"
#include "repo/repository.h"

namespace holdfast::cli {

#define HOLDFAST_COMMAND(Options)                 \
  void declare(Syntax& syntax, Options& options); \
  Result<int> run(Context& context, const Options& options);

HOLDFAST_COMMAND(InitOptions)
HOLDFAST_COMMAND(BackupOptions)
HOLDFAST_COMMAND(SnapshotsOptions)
HOLDFAST_COMMAND(LsOptions)
HOLDFAST_COMMAND(FindOptions)
HOLDFAST_COMMAND(LogOptions)
HOLDFAST_COMMAND(ExplainOptions)
HOLDFAST_COMMAND(DiffOptions)
HOLDFAST_COMMAND(DumpOptions)
HOLDFAST_COMMAND(MountOptions)
HOLDFAST_COMMAND(DuOptions)
HOLDFAST_COMMAND(BenchmarkOptions)
HOLDFAST_COMMAND(RestoreOptions)
HOLDFAST_COMMAND(ForgetOptions)
HOLDFAST_COMMAND(UndeleteOptions)
HOLDFAST_COMMAND(PruneOptions)
HOLDFAST_COMMAND(CheckOptions)
HOLDFAST_COMMAND(RepairOptions)
HOLDFAST_COMMAND(CopyOptions)
HOLDFAST_COMMAND(MirrorOptions)
HOLDFAST_COMMAND(RewriteOptions)
HOLDFAST_COMMAND(DoctorOptions)
HOLDFAST_COMMAND(TagOptions)
HOLDFAST_COMMAND(KeyOptions)
HOLDFAST_COMMAND(RekeyOptions)
HOLDFAST_COMMAND(StatsOptions)
HOLDFAST_COMMAND(CatOptions)
HOLDFAST_COMMAND(VersionOptions)
HOLDFAST_COMMAND(CompletionOptions)
HOLDFAST_COMMAND(ManOptions)

#undef HOLDFAST_COMMAND

// Paragraphs for the help of `key`.
std::string key_details();

// One line on standard error, or an object of JSON.
void tell_error(bool json, const std::string& message);

// Tells on standard error that what a snapshot has behind the path `after` is lost.
void tell_torn(const Context& context, std::string_view after, const Error& error);

// Tells on standard error which commits can't be read, and whether the log can't; 3 where there is any such,
// else 0: a list that may lack a snapshot must not look whole, nor "latest" be another one in silence.
int warn_unreadable(const Context& context, const repo::History& history);

}  // namespace holdfast::cli
