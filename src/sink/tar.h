// TarSink: entries as a stream in the pax format (POSIX.1-2001), as GNU tar, bsdtar and Python read it. What
// the old headers can't hold goes into extended ones: long names, large numbers, nanoseconds and times before
// 1970, xattrs (SCHILY.xattr.*, the way of star and GNU tar). Holes are written as zeros. Sockets
// are what it can't hold.
#pragma once

#include "base/fd.h"
#include "sink/archive.h"

namespace holdfast::sink {

class TarSink final : public ArchiveSink {
 public:
  explicit TarSink(Fd out);

  std::string_view format() const override { return "tar"; }
  bool has_hard_links() const override { return true; }
  std::string_view drops(const model::Entry&) const override { return ""; }
  Result<void> begin(const model::Entry& entry, std::string_view linked_to = {}) override;
  Result<void> write(Bytes bytes) override;
  Result<void> zeros(std::uint64_t length_bytes) override;
  Result<void> end() override;
  Result<void> finish() override;

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
