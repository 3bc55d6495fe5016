// Giving out of a snapshot without a file system: one file's bytes, or a directory as an archive.
#pragma once

#include "flow/content.h"
#include "flow/torn.h"
#include "sink/archive.h"

namespace holdfast::flow {

// The regular file at `path` (without '/' at either end). Errors: not_found, usage where it is something
// else.
Result<void> dump_file(repo::ChunkReader& chunks, const model::Commit& commit, const std::string& path,
                       const ContentSink& sink, std::stop_token stop);

struct DumpReport {
  std::uint64_t entries = 0;
  std::uint64_t left_out = 0;  // what the format can't hold at all
  std::uint64_t torn = 0;      // parts of the tree that are lost, with all names in them
  std::uint64_t reduced = 0;   // what it holds without something: xattrs, that names are of one file
};
// What of an entry is lost in the archive, as it happens.
using OnLoss = std::function<void(std::string_view path, std::string_view what)>;
// All at and below `path` (empty: everything), named relative to it.
Result<DumpReport> dump_archive(repo::ChunkReader& chunks, const model::Commit& commit,
                                const std::string& path, sink::ArchiveSink& archive, const OnLoss& on_loss,
                                const OnTorn& on_torn, std::stop_token stop);

// What is at `path`. Errc::not_found.
Result<model::Entry> entry_at(repo::ChunkReader& chunks, const model::Commit& commit, const std::string& path,
                              std::stop_token stop);

}  // namespace holdfast::flow
