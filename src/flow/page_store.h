// The hashes of the pages of large files, kept locally from one run to the next: one sealed file for each, by
// range. A cache: what is damaged or missing is not known. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "crypto/aead.h"
#include "repo/local_state.h"

namespace holdfast::flow {

// Stands for a path in names of page files.
std::uint64_t path_hash(const repo::LocalState& local, std::string_view path);

class PageFile {
 public:
  // Null where it can't be. `transaction` is of the run that stored the file's content.
  static std::unique_ptr<PageFile> create(const repo::LocalState& local, std::uint64_t path,
                                          const model::TransactionId& transaction);
  static std::unique_ptr<PageFile> open(const repo::LocalState& local, std::uint64_t path,
                                        const model::TransactionId& transaction);
  static void remove(const repo::LocalState& local, std::uint64_t path,
                     const model::TransactionId& transaction);

  // Hashes of one range; empty where not known.
  std::vector<std::uint64_t> read(std::uint64_t range);
  void write(std::uint64_t range, const std::vector<std::uint64_t>& hashes);

 private:
  PageFile(Fd fd, const crypto::Key& key) : fd_(std::move(fd)), aead_(key) {}
  Fd fd_;
  crypto::Aead aead_;
};

}  // namespace holdfast::flow
