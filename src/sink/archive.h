// ArchiveSink: entries as one stream, in the format of an implementation. One thread; the order of calls is
// begin, write…, end for each entry, and finish at last. After an error of another than begin() the stream is
// good for nothing.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "model/entry.h"

namespace holdfast::sink {

class ArchiveSink {
 public:
  virtual ~ArchiveSink() = default;

  // "tar", "zip", "cpio".
  virtual std::string_view format() const = 0;
  // A hard-linked file is one file with several names; else each name is to be given as a file of its own.
  virtual bool has_hard_links() const = 0;
  // What of the entry the format has no place for: "xattrs"; "" where there is nothing.
  virtual std::string_view drops(const model::Entry& entry) const = 0;

  // Where `linked_to` is given, the entry is one more name of that path and has no content. Errors:
  // unsupported for what the format can't hold (nothing was written, go on with the next), damaged for unsafe
  // paths.
  virtual Result<void> begin(const model::Entry& entry, std::string_view linked_to) = 0;
  // The next bytes of the regular file.
  virtual Result<void> write(Bytes bytes) = 0;
  virtual Result<void> zeros(std::uint64_t length_bytes) = 0;
  // Error: damaged, where not exactly the entry's size was written.
  virtual Result<void> end() = 0;
  // Marks the end of the archive, writes all out and closes.
  virtual Result<void> finish() = 0;
};

}  // namespace holdfast::sink
