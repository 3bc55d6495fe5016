#include "flow/restore_worker.h"

#include <unistd.h>

#include <cerrno>

namespace holdfast::flow {

namespace {

// A chunk that is larger is not compared by its id.
constexpr std::uint64_t kChunkBytesMax = 16 * kMiB;
// Plain texts that a worker keeps: a few bundles and blocks.
constexpr std::uint64_t kWorkerCacheBytes = 12 * kMiB;

Result<bool> file_equals(int fd, std::uint64_t offset, Bytes bytes, Buffer& scratch) {
  scratch.resize(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(fd, scratch.data() + at, bytes.size() - at, static_cast<off_t>(offset + at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "reading back");
    if (got == 0) return false;
    at += static_cast<std::size_t>(got);
  }
  return std::equal(bytes.begin(), bytes.end(), scratch.begin());
}

}  // namespace

RestoreWorker::RestoreWorker(RestoreContext& context)
    : context_(context), chunks_(context.repository, context.log, kWorkerCacheBytes) {
  context.watch(chunks_);
}

Result<void> RestoreWorker::run(RestoreTask& task, std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
  if (task.shared != nullptr) {
    run_piece(task, stop);
    return {};
  }
  for (const RestoreTask::File& file : task.files) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    const auto restored = restore_file(file, stop);
    if (!restored.ok()) context_.fail_file(file.entry, "restore", restored.error());
  }
  return {};
}

// The bytes that an extent stands for; not for holes.
Result<Bytes> RestoreWorker::bytes_of(const model::Extent& extent, std::stop_token stop) {
  const Bytes plain = TRY(chunks_.read(extent.chunk, stop));
  if (extent.offset > plain.size() || extent.length > plain.size() - extent.offset) {
    return Error(Errc::damaged, "the file's content lies beyond the end of its chunk");
  }
  return plain.subspan(extent.offset, extent.length);
}

Result<void> RestoreWorker::write(sink::FileWriter& writer, const model::Extent& extent, std::uint64_t at,
                                  std::stop_token stop) {
  if (extent.hole) return writer.hole(at, extent.length);
  const bool there = TRY(is_there(writer, extent, at));
  if (there) {
    context_.bytes_restored += extent.length;
    return {};
  }
  const Bytes bytes = TRY(bytes_of(extent, stop));
  context_.bytes_restored += bytes.size();
  return writer.write(at, bytes);
}

// Whether a file that was there has, in that place, just the chunk that belongs there: told by its id,
// without reading it from the store.
Result<bool> RestoreWorker::is_there(const sink::FileWriter& writer, const model::Extent& extent,
                                     std::uint64_t at) {
  if (extent.id == model::ShortId{} || extent.offset != 0 || extent.length > kChunkBytesMax) return false;
  if (!writer.was_there(at, extent.length)) return false;
  read_back_.resize(extent.length);
  const std::size_t got = TRY(writer.read(at, read_back_));
  if (got < extent.length) return false;
  const auto keys = context_.repository.keys_of(extent.chunk.pack.transaction, {});
  if (!keys.ok()) return false;  // reading it tells why
  const auto id = repo::chunk_id(keys.value()->chunk_id(), model::ChunkType::data, read_back_);
  return model::short_id(id) == extent.id;
}

Result<void> RestoreWorker::finish(sink::FileWriter& writer, const model::Entry& entry) {
  std::uint64_t content = 0;
  for (const model::Extent& extent : entry.content) content += extent.hole ? 0 : extent.length;
  const std::uint64_t written = writer.written_bytes();
  context_.bytes_written += written;
  if (writer.was_there(0, 1) && content > written) context_.bytes_matched += content - written;
  return writer.finish(entry);
}

Result<void> RestoreWorker::restore_file(const RestoreTask::File& file, std::stop_token stop) {
  const auto writer = TRY(context_.sink.open_file(file.entry, file.action));
  if (writer == nullptr) return {};
  if (file.action != sink::Action::metadata) {
    std::uint64_t at = 0;
    for (const model::Extent& extent : file.entry.content) {
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
      TRY(write(*writer, extent, at, stop));
      at += extent.length;
    }
  }
  if (file.action == sink::Action::metadata) {
    TRY(writer->finish(file.entry));
  } else {
    TRY(finish(*writer, file.entry));
  }
  ++context_.files_restored;
  context_.observer.item("restored", file.entry.path, file.entry.size_bytes);
  return context_.spec.verify ? verify(file.entry, stop) : Result<void>();
}

void RestoreWorker::run_piece(RestoreTask& task, std::stop_token stop) {
  SharedFile& file = *task.shared;
  std::uint64_t at = task.offset;
  for (std::size_t i = task.first; i < task.last && !file.failed && !stop.stop_requested(); ++i) {
    const model::Extent& extent = file.entry.content[i];
    const auto written = write(*file.writer, extent, at, stop);
    if (!written.ok() && !file.failed.exchange(true))
      context_.fail_file(file.entry, "restore", written.error());
    at += extent.length;
  }
  if (file.pieces_left.fetch_sub(1) != 1) return;
  if (stop.stop_requested()) file.failed = true;
  if (!file.failed) {
    const auto finished = finish(*file.writer, file.entry);
    if (!finished.ok()) {
      context_.fail_file(file.entry, "restore", finished.error());
    } else {
      ++context_.files_restored;
      context_.observer.item("restored", file.entry.path, file.entry.size_bytes);
      if (context_.spec.verify) {
        const auto verified = verify(file.entry, stop);
        if (!verified.ok()) context_.fail_file(file.entry, "verify", verified.error());
      }
    }
  }
  file.writer.reset();
}

Result<void> RestoreWorker::verify(const model::Entry& entry, std::stop_token stop) {
  const Fd fd = TRY(context_.sink.read_back(entry.path));
  const Buffer zeros(256 * kKiB);
  std::uint64_t at = 0;
  for (const model::Extent& extent : entry.content) {
    for (std::uint64_t done = 0; done < extent.length;) {
      std::uint64_t length = extent.length - done;
      Bytes expected;
      if (extent.hole) {
        length = std::min<std::uint64_t>(length, zeros.size());
        expected = Bytes(zeros).first(length);
      } else {
        expected = TRY(bytes_of(extent, stop));
      }
      const bool equal = TRY(file_equals(fd.get(), at + done, expected, read_back_));
      if (!equal) {
        return Error(Errc::damaged, "what was written reads back differently")
            .hint("check the target's disk and memory");
      }
      done += length;
    }
    at += extent.length;
  }
  ++context_.verified_files;
  return {};
}

}  // namespace holdfast::flow
