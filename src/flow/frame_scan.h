// FrameScan: one pack object, read once from front to back in windows of a few MiB, every frame compared with
// the pack's table. Needs no key. One thread at a time.
#pragma once

#include <functional>

#include "repo/names.h"
#include "repo/pack_format.h"
#include "storage/storage.h"

namespace holdfast::flow {

class FrameScan {
 public:
  // Reads header, trailer and tables, and checks their digests, the root, and that this is the pack of that
  // name. Errc::damaged, not_found, or what the store says.
  static Result<FrameScan> open(storage::Storage& storage, const repo::RepositoryId& repository,
                                const repo::PackObject& pack, std::stop_token stop);

  const std::string& name() const { return name_; }
  const repo::Header& header() const { return header_; }
  const repo::Trailer& trailer() const { return trailer_; }
  const Hash& identity_hash() const { return identity_hash_; }
  std::uint64_t object_bytes() const { return object_bytes_; }
  // The parts of the object around its frames, as they were written: from whichever copy is whole.
  Bytes header_bytes() const { return header_bytes_; }
  Bytes table() const { return table_; }
  Bytes trailer_bytes() const { return trailer_bytes_; }
  // Spare copies that are damaged: of the header, of the table.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // One frame: its position in the object, whether it is as the table says. Positions from trailer().frames()
  // are parity.
  using Visit = std::function<void(std::uint32_t position, Bytes frame, bool whole)>;
  Result<void> run(const Visit& visit, std::stop_token stop);

 private:
  FrameScan(storage::Storage& storage, std::string name) : storage_(&storage), name_(std::move(name)) {}
  Result<void> load_ends(const repo::RepositoryId& repository, const repo::PackObject& pack,
                         std::stop_token stop);
  Result<void> load_table(std::stop_token stop);

  storage::Storage* storage_;
  std::string name_;
  repo::Header header_;
  repo::Trailer trailer_;
  Hash identity_hash_{};
  Buffer header_bytes_;
  Buffer table_;
  Buffer trailer_bytes_;
  std::uint64_t object_bytes_ = 0;
  std::vector<std::string> warnings_;
};

// Which frames of a pack are lost, and whether parity can rebuild them.
class FrameLosses {
 public:
  explicit FrameLosses(const repo::Trailer& trailer) : trailer_(trailer) {}
  void add(std::uint32_t position) { lost_.push_back(position); }
  bool empty() const { return lost_.empty(); }
  // "3 of 1040 frames are damaged (at 4, 17, 18): parity can rebuild them"
  std::string text() const;

 private:
  bool repairable() const;
  repo::Trailer trailer_;
  std::vector<std::uint32_t> lost_;
};

}  // namespace holdfast::flow
