#include "flow/dump.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"
#include "sink/tar.h"
#include "sink/zip_cpio.h"

namespace holdfast::cli {

void declare(Syntax& syntax, DumpOptions& options) {
  syntax.argument("SNAPSHOT[:PATH]", &options.snapshot, "an id or its beginning, latest, latest~2").required =
      true;
  syntax.argument("PATH", &options.path, "a file, or a folder to be written as an archive");
  declare_filter(syntax, options.filter);
  syntax.option("-t,--target", "FILE", &options.target, "write there instead of to the standard output");
  syntax.option("-a,--archive", "FORMAT", &options.archive, "of folders; default: tar").choices = {
      "tar", "zip", "cpio"};
}

namespace {

// Where the bytes go: large pieces, no copies.
Result<void> write_all(int fd, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_error(errno, "write what is dumped");
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<Fd> open_target(const DumpOptions& options) {
  Fd fd(options.target.empty()
            ? ::dup(STDOUT_FILENO)
            : ::open(options.target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error(errno, "open " + options.target);
  return fd;
}

Result<void> dump_one(repo::ChunkReader& chunks, const model::Commit& commit, const std::string& path, Fd to,
                      std::stop_token stop) {
  const Buffer zeros(256 * kKiB);
  const flow::ContentSink sink{
      [&](Bytes bytes) { return write_all(to.get(), bytes); },
      [&](std::uint64_t length) -> Result<void> {
        while (length > 0) {
          const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(length, zeros.size()));
          TRY(write_all(to.get(), Bytes(zeros).first(piece)));
          length -= piece;
        }
        return {};
      }};
  return flow::dump_file(chunks, commit, path, sink, stop);
}

Result<std::unique_ptr<sink::ArchiveSink>> open_archive(const std::string& format, Fd to) {
  if (format == "zip") return sink::open_zip(std::move(to));
  if (format == "cpio") return sink::open_cpio(std::move(to));
  return std::unique_ptr<sink::ArchiveSink>(std::make_unique<sink::TarSink>(std::move(to)));
}

}  // namespace

Result<int> run(Context& context, const DumpOptions& options) {
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  const flow::PickedSnapshot picked = TRY(list.pick(options.snapshot, filter_of(options.filter)));
  const std::string path = joined_path(picked.sub_path, options.path);
  const model::Commit& commit = picked.snapshot->commit;
  repo::ChunkReader chunks(*session.repository, list.history().log);
  bool directory = path.empty();
  if (!path.empty()) {
    const auto entry = flow::entry_at(chunks, commit, path, context.stop);
    // Where what it is is lost, there may be something below it.
    directory = entry.ok() ? entry.value().attributes.type == model::FileType::directory
                           : flow::only_a_part(entry.error());
    if (!entry.ok() && !directory) return entry.error().copy();
  }
  Fd to = TRY(open_target(options));
  if (directory && options.target.empty() && ::isatty(STDOUT_FILENO) == 1) {
    return Error(Errc::usage, "an archive is not for a terminal").hint("use --target FILE, or a pipe");
  }
  if (!directory) {
    TRY(dump_one(chunks, commit, path, std::move(to), context.stop));
    return warn_unreadable(context, list.history());
  }
  const auto archive = TRY(open_archive(options.archive, std::move(to)));
  const auto tell_loss = [&](std::string_view lost, std::string_view what) {
    fmt::print(stderr, "holdfast: {}: {} can't hold {}\n", printable(lost), archive->format(),
               printable(what));
  };
  const auto tell_lost_part = [&](std::string_view after, const Error& error) {
    tell_torn(context, after, error);
  };
  const flow::DumpReport report =
      TRY(flow::dump_archive(chunks, commit, path, *archive, tell_loss, tell_lost_part, context.stop));
  const int unreadable = warn_unreadable(context, list.history());
  if (report.left_out == 0 && report.reduced == 0)
    return report.torn > 0 ? exit_code(Errc::partial) : unreadable;
  fmt::print(stderr, "holdfast: {} left out, {} reduced: a {} archive can't hold them\n",
             counted(report.left_out, "object"), report.reduced, archive->format());
  return exit_code(Errc::partial);
}

}  // namespace holdfast::cli
