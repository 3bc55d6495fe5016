// FileSystem's regular files.
#include <algorithm>

#include "mount/file_system.h"

namespace holdfast::mount {

namespace {

// What is fetched beforehand for somebody who reads on.
constexpr std::uint64_t kAheadBytes = 8 * kMiB;
// A kernel's requests of one reader may come so far out of order.
constexpr std::uint64_t kNear = kMiB;

}  // namespace

Result<std::unique_ptr<OpenFile>> FileSystem::open_file(Inode inode, std::stop_token stop) {
  const Object found = TRY(object(inode));
  if (found.origin->snapshot == nullptr) return Error(Errc::usage, "that is no regular file");
  const Place place = TRY(entry_of(found, stop));
  if (place.is_end() || place.entry().attributes.type != model::FileType::regular)
    return Error(Errc::usage, "that is no regular file");
  auto file = std::make_unique<OpenFile>();
  file->path = found.origin->path + ": /" + place.entry().path;
  file->content = place.entry().content;
  file->size_bytes = place.entry().size_bytes;
  std::uint64_t at = 0;
  for (const model::Extent& extent : file->content) {
    file->starts.push_back(at);
    at += extent.length;
  }
  if (at != file->size_bytes) return Error(Errc::damaged, file->path + ": its content is not of its size");
  return file;
}

Result<std::size_t> FileSystem::read(OpenFile& file, std::uint64_t offset, MutableBytes out,
                                     std::stop_token stop) {
  if (offset >= file.size_bytes) return std::size_t{0};
  const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), file.size_bytes - offset));
  const auto after = std::upper_bound(file.starts.begin(), file.starts.end(), offset);
  auto i = static_cast<std::size_t>(after - file.starts.begin()) - 1;
  const std::uint64_t expected = file.expected.exchange(offset + length);
  const bool reads_on = expected != 0 && offset + kNear >= expected && offset <= expected + kNear;
  if (reads_on) {
    read_ahead(file, i, offset + length);
  } else {
    file.ahead = 0;
  }
  for (std::size_t done = 0; done < length; ++i) {
    const model::Extent& extent = file.content[i];
    const std::uint64_t skip = offset + done - file.starts[i];
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(extent.length - skip, length - done));
    const MutableBytes to = out.subspan(done, step);
    if (extent.hole) {
      std::fill(to.begin(), to.end(), std::uint8_t{0});
    } else {
      const PlainPtr plain = TRY_AS(chunks_.get(extent.chunk, stop), file.path);
      const std::uint64_t size = plain->bytes.size();
      const bool fits = extent.offset <= size && extent.length <= size - extent.offset;
      const bool same = extent.id == model::ShortId{} || extent.id == plain->id;
      if (!fits || !same) return Error(Errc::damaged, file.path + ": its content is not what it refers to");
      std::copy_n(plain->bytes.begin() + static_cast<std::ptrdiff_t>(extent.offset + skip), step, to.begin());
    }
    done += step;
  }
  return length;
}

// Chunks behind `extent` that begin before kAheadBytes from `end` on, but those asked for already.
void FileSystem::read_ahead(OpenFile& file, std::size_t extent, std::uint64_t end) {
  std::size_t i = std::max(extent + 1, file.ahead.load());
  for (; i < file.content.size() && file.starts[i] < end + kAheadBytes; ++i) {
    if (!file.content[i].hole) chunks_.prefetch(file.content[i].chunk);
  }
  file.ahead = i;
}

std::optional<std::uint64_t> FileSystem::seek(const OpenFile& file, std::uint64_t offset, bool hole) {
  if (offset >= file.size_bytes) return std::nullopt;
  const auto after = std::upper_bound(file.starts.begin(), file.starts.end(), offset);
  for (auto i = static_cast<std::size_t>(after - file.starts.begin()) - 1; i < file.content.size(); ++i) {
    if (file.content[i].length > 0 && file.content[i].hole == hole) return std::max(offset, file.starts[i]);
  }
  if (hole) return file.size_bytes;
  return std::nullopt;
}

}  // namespace holdfast::mount
