#include "flow/stats.h"

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, StatsOptions& options) {
  syntax.argument("SNAPSHOT", &options.ids, "of these; else of all that the filters let through");
  declare_filter(syntax, options.filter);
  syntax.option("--mode", "MODE", &options.mode, "what is counted").choices = {
      "restore-size", "files-by-contents", "raw-data"};
}

namespace {

JsonObject json_of(const flow::Stats& stats, bool raw) {
  JsonObject object;
  object.add("total_size", stats.bytes);
  if (raw) {
    const double stored = static_cast<double>(std::max<std::uint64_t>(stats.bytes, 1));
    const double plain = static_cast<double>(std::max<std::uint64_t>(stats.plain_bytes, 1));
    object.add("total_uncompressed_size", stats.plain_bytes).add("compression_ratio", plain / stored);
    object.add("compression_progress", 100.0);  // restic's: how much has a form that may be compressed
    object.add("compression_space_saving", 100 * (1 - stored / plain)).add("total_blob_count", stats.blobs);
  } else {
    object.add("total_file_count", stats.files);
  }
  return object.add("snapshots_count", stats.snapshots);
}

std::string text_of(const flow::Stats& stats, bool raw) {
  std::string out = fmt::format("Snapshots: {}\n", stats.snapshots);
  if (!raw) return out + fmt::format("Files:     {}\nSize:      {}\n", stats.files, size_text(stats.bytes));
  out += fmt::format("Chunks:    {}\nStored:    {}\nPlain:     {}\n", stats.blobs, size_text(stats.bytes),
                     size_text(stats.plain_bytes));
  if (stats.bytes == 0) return out;
  return out + fmt::format("Ratio:     {:.2f}\n",
                           static_cast<double>(stats.plain_bytes) / static_cast<double>(stats.bytes));
}

}  // namespace

Result<int> run(Context& context, const StatsOptions& options) {
  const bool reads = options.mode == "files-by-contents";
  const Session session = TRY(open_session(context, {repo::Right::index}));
  if (reads) TRY(repo::require(session.repository->secrets(), kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  const auto picked = TRY(list.pick_all(options.ids, filter_of(options.filter)));
  const bool raw = options.mode == "raw-data";
  flow::Stats stats = flow::restore_stats(picked);
  if (raw) {
    stats = TRY(flow::raw_stats(*session.repository, picked, context.stop));
  } else if (options.mode == "files-by-contents") {
    repo::ChunkReader chunks(*session.repository, list.history().log);
    stats = TRY(flow::content_stats(chunks, picked, context.stop));
  }
  context.global.json ? context.out.line(json_of(stats, raw).text()) : context.out.write(text_of(stats, raw));
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
