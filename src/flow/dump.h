// Giving out of a snapshot without a file system: one file's bytes, or a directory as a tar archive.
#pragma once

#include "flow/content.h"
#include "repo/tree_reader.h"
#include "sink/tar.h"

namespace holdfast::flow {

// The regular file at `path` (without '/' at either end). Errors: not_found, usage where it is something
// else.
Result<void> dump_file(repo::ChunkReader& chunks, const model::Commit& commit, const std::string& path,
                       const ContentSink& sink, std::stop_token stop);

struct DumpReport {
  std::uint64_t entries = 0;
  std::uint64_t left_out = 0;  // sockets, which archives can't hold
};
// All at and below `path` (empty: everything), named relative to it.
Result<DumpReport> dump_archive(repo::ChunkReader& chunks, const model::Commit& commit,
                                const std::string& path, sink::TarSink& tar, std::stop_token stop);

// What is at `path`. Errc::not_found.
Result<model::Entry> entry_at(repo::ChunkReader& chunks, const model::Commit& commit, const std::string& path,
                              std::stop_token stop);

}  // namespace holdfast::flow
