// SimDisk: a disk in memory that loses power as POSIX allows. Until sync(), each 512-byte sector of
// what was written may be lost, kept or garbage, and the size old, new or between; until sync_directory()
// each name made or removed may be in any of its states since. A directory whose own name is lost takes all
// in it along. After a failed sync, what it should have saved counts as unsynced for ever, though later syncs
// succeed. Every operation (a call, but for hints) is counted, so that a test can put a fault at the n-th.
// Deterministic by seed; thread-safe. Paths are absolute; "/" is there from the start and durable.
#pragma once

#include <mutex>
#include <random>

#include "storage/disk.h"

namespace holdfast::testing {

enum class DiskFault : unsigned char {
  io_error,
  no_space,
  short_io,    // a read or write does only part; others are not affected
  power_loss,  // this call and all later ones fail, until crash() decides what survived
};

class SimDisk final : public storage::Disk {
 public:
  SimDisk();
  ~SimDisk() override;

  std::uint64_t operations() const;
  // The n-th operation from now on (1 = the next) has that fault; later ones too where `lasting`.
  void fault_at(std::uint64_t n, DiskFault fault, bool lasting = false);
  void clear_faults();
  // Power is lost and comes back: what survives is chosen by `seed`. Files open before fail for ever.
  void crash(std::uint64_t seed);
  // Flips one bit of a file, on the medium and in memory: decay.
  void decay(const std::string& path, std::uint64_t offset);

  Result<std::unique_ptr<storage::DiskFile>> scratch(const std::string& directory) override;
  Result<void> clear_scratch(const std::string& directory) override;
  Result<std::unique_ptr<storage::DiskFile>> open(const std::string& path) override;
  Result<void> unlink(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<storage::FileInfo> stat(const std::string& path) override;

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  class File;
  // What becomes of the operation being begun.
  struct Step {
    bool effect = true;
    bool shortened = false;
    std::optional<Errc> error;
  };

  // All below under mutex_.
  Step begin();
  static Result<void> end(const Step& step, const std::string& what);
  NodePtr find(std::string_view path) const;
  NodePtr parent(const std::string& path, std::string* leaf) const;
  // Gives `path` the node, or takes the name away (null).
  Result<void> set_name(const Step& step, const std::string& path, NodePtr node);
  static void sync(Node& node, const Step& step);
  static void settle(Node& node, std::mt19937_64& random, std::set<const Node*>& settled);

  mutable std::mutex mutex_;
  NodePtr root_;
  std::uint64_t operations_ = 0;
  std::uint64_t life_ = 0;             // counts crashes, so that files of an earlier life are known
  std::uint64_t fault_operation_ = 0;  // 0: none
  DiskFault fault_ = DiskFault::io_error;
  bool fault_lasting_ = false;
  bool dead_ = false;
};

}  // namespace holdfast::testing
