// EvilWriter: writes what no honest program would, with real keys: an attacker who holds a key that may
// write, or a client that was taken over. Everything is sealed, signed and addressed as it must be; only what
// it says lies. Every repository also holds one honest snapshot, the earlier one.
#pragma once

#include "model/tree.h"
#include "repo/transaction.h"
#include "storage/local.h"
#include "storage/posix_disk.h"

namespace holdfast::testing {

inline constexpr const char* kEvilPassword = "secret";

class EvilWriter {
 public:
  // Makes the repository at `path`.
  explicit EvilWriter(const std::string& path);

  // What is put: address, id, first path and totals, as the node above should tell them.
  model::Child put(model::ChunkType type, Bytes plain);
  // With a codec, a length of the plain text and an id that need not be true.
  model::Child put_raw(model::ChunkType type, Bytes stored, repo::Codec codec, std::uint32_t plain_bytes,
                       const model::ChunkId& id);
  model::Child leaf(const std::vector<model::Entry>& entries);
  model::Child delta(const model::Child& base, const std::vector<std::uint32_t>& removed,
                     const std::vector<model::Entry>& changed);
  model::Child node(std::uint8_t level, const std::vector<model::Child>& children);
  // Where the next leaf or node will lie.
  model::Address next_address() const { return next_; }

  model::Commit& record() { return record_; }
  void add_root(const model::Child& top, std::uint8_t level, std::string name = "");
  void commit();

  const repo::Repository& repository() const { return *repository_; }

 private:
  void begin();

  storage::PosixDisk disk_;
  std::unique_ptr<storage::Storage> store_;
  std::unique_ptr<repo::Repository> repository_;
  std::unique_ptr<repo::LocalState> local_;
  std::unique_ptr<repo::Transaction> transaction_;
  std::unique_ptr<repo::ChunkWriter> data_, metadata_;
  model::References references_;
  model::Address next_;
  model::Commit record_;
};

// An object of a snapshot, belonging to whom the test runs as.
model::Entry evil_entry(std::string path, model::FileType type);
// A file whose content is this chunk's.
model::Entry evil_file(std::string path, const model::Child& chunk, std::uint64_t bytes);

}  // namespace holdfast::testing
