// TarSink: entries as a stream in the pax format (POSIX.1-2001), as GNU tar, bsdtar and Python read it. What
// the old headers can't hold goes into extended ones: long names, large numbers, nanoseconds and times before
// 1970, xattrs (SCHILY.xattr.*, the way of star and GNU tar). Holes are written as zeros. One thread; the
// order of calls is begin, write…, end for each entry, and finish at last. After an error of another
// than begin() the stream is good for nothing.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "model/entry.h"

namespace holdfast::sink {

class TarSink {
 public:
  explicit TarSink(Fd out);

  // Where `linked_to` is given, the entry is one more name of that path and has no content. Errors:
  // unsupported for sockets (nothing was written, go on with the next), damaged for unsafe paths.
  Result<void> begin(const model::Entry& entry, std::string_view linked_to = {});
  // The next bytes of the regular file.
  Result<void> write(Bytes bytes);
  Result<void> zeros(std::uint64_t length_bytes);
  // Error: damaged, where not exactly the entry's size was written.
  Result<void> end();
  // Marks the end of the archive, writes all out and closes.
  Result<void> finish();

 private:
  Result<void> put(Bytes bytes);
  Result<void> pad();
  Result<void> flush();

  Fd out_;
  Buffer buffer_;
  std::uint64_t left_bytes_ = 0;  // of the entry's content
  std::uint64_t position_ = 0;    // in the stream
};

}  // namespace holdfast::sink
