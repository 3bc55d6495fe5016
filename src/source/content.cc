#include "source/content.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/open_beneath.h"

namespace holdfast::source {

Result<std::unique_ptr<Content>> FileContent::open(int directory, const std::string& name, std::string path,
                                                   InodeExtras& extras) {
  // O_NONBLOCK: should a fifo have taken the file's place, the open must not wait for a writer.
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  Fd fd = open_beneath(directory, name.c_str(), kFlags | O_NOATIME);
  if (!fd.valid() && errno == EPERM) fd = open_beneath(directory, name.c_str(), kFlags);  // not the owner
  if (!fd.valid()) return errno_error(errno, "open /" + path);
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return errno_error(errno, "stat /" + path);
  if (!S_ISREG(st.st_mode)) return Error(Errc::not_found, "/" + path + ": no longer a regular file");
  std::unique_ptr<FileContent> content(new FileContent(std::move(fd), std::move(path), extras));
  content->device_ = st.st_dev;
  content->may_have_holes_ = st.st_blocks * 512 < st.st_size;
  return std::unique_ptr<Content>(std::move(content));
}

Result<std::size_t> FileContent::read(std::uint64_t offset, MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read /" + path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> FileContent::data_runs(std::uint64_t from,
                                                                                    std::uint64_t to) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
  // File systems have had bugs in SEEK_DATA (data in the page cache reported as a hole), so it is asked only
  // where blocks are missing anyway; and any odd answer means that the rest is data.
  while (may_have_holes_ && from < to) {
    const off_t data = ::lseek(fd_.get(), static_cast<off_t>(from), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return runs;  // no data up to the end
    if (data < 0 || static_cast<std::uint64_t>(data) < from) break;
    if (static_cast<std::uint64_t>(data) >= to) return runs;
    const off_t hole = ::lseek(fd_.get(), data, SEEK_HOLE);
    if (hole <= data) break;
    runs.emplace_back(static_cast<std::uint64_t>(data), std::min(to, static_cast<std::uint64_t>(hole)));
    from = runs.back().second;
  }
  if (from < to) runs.emplace_back(from, to);
  return runs;
}

Result<void> FileContent::complete(model::Attributes& attributes) {
  return extras_.read(fd_.get(), device_, path_, attributes);
}

Result<bool> FileContent::unchanged_since(const Item& item) {
  struct stat st;
  if (::fstat(fd_.get(), &st) != 0) return errno_error(errno, "stat /" + path_);
  const auto same = [](const timespec& a, const model::Time& b) {
    return a.tv_sec == b.seconds && static_cast<std::uint32_t>(a.tv_nsec) == b.nanoseconds;
  };
  return st.st_ino == item.stamp.inode && static_cast<std::uint64_t>(st.st_size) == item.entry.size_bytes &&
         same(st.st_mtim, item.entry.mtime) && same(st.st_ctim, item.stamp.ctime);
}

}  // namespace holdfast::source
