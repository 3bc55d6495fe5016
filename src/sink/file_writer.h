// FileWriter: one regular file being restored. write() and hole() may come from several threads at once for
// ranges that don't overlap; finish() after all of them. Dropped without finish(), a file that it created is
// removed, so that no part of a file is taken for the whole.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/beneath.h"
#include "base/bytes.h"
#include "model/entry.h"

namespace holdfast::sink {

class Attributes;

class FileWriter {
 public:
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // In a file that was there before only the blocks that differ are written.
  Result<void> write(std::uint64_t offset, Bytes bytes);
  // [offset, offset + length) reads as zeros. Costs nothing in a new file.
  Result<void> hole(std::uint64_t offset, std::uint64_t length);
  // Sets the size and the attributes; closes.
  Result<void> finish(const model::Entry& entry);

  // The file had all of [offset, offset + length) before.
  bool was_there(std::uint64_t offset, std::uint64_t length) const {
    return offset < old_size_ && length <= old_size_ - offset;
  }
  // What it has now, into `out`: as much as there is.
  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) const;

  // How much was really written.
  std::uint64_t written_bytes() const { return written_; }

 private:
  friend class DirectorySink;
  FileWriter(Beneath& beneath, Attributes& attributes, std::string path, Fd fd)
      : beneath_(beneath), attributes_(attributes), path_(std::move(path)), fd_(std::move(fd)) {}

  Result<void> put(std::uint64_t offset, Bytes bytes);
  Result<void> put_where_different(std::uint64_t offset, Bytes bytes);
  Result<void> put_without_zeros(std::uint64_t offset, Bytes bytes);

  Beneath& beneath_;
  Attributes& attributes_;
  const std::string path_;
  Fd fd_;
  int made_with_ = -1;  // mode of creation; -1: the file was there
  bool sparse_ = false;
  bool keep_content_ = false;  // only attributes are set
  std::uint64_t old_size_ = 0;
  std::atomic<std::uint64_t> end_ = 0;  // of what was written
  std::atomic<std::uint64_t> written_ = 0;
};

}  // namespace holdfast::sink
