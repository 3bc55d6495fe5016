// The folder of an index: segments, the manifest that lists them, and a lock file. The manifest is
// replaced atomically, sealed like a segment. flock(2) keeps two processes from losing each other's
// segments; where it can't be had (some network file systems) the worst is exactly that loss. Nothing
// is synced to disk: what a power cut damages doesn't authenticate and is forgotten.
// Thread-safe.
#pragma once

#include "base/random.h"
#include "repo/index_writer.h"

namespace holdfast::repo {

struct IndexManifest {
  std::vector<std::string> segments;            // names, oldest first
  std::vector<model::TransactionId> forgotten;  // covered, though no segment says so; ascending
};

class IndexDirectory {
 public:
  // `random` outlives this.
  IndexDirectory(std::string path, crypto::Key key, Random& random);

  const crypto::Key& key() const { return key_; }
  // Makes the folder and its parents. False where that fails.
  bool prepare() const;
  // Waits for whoever holds it. Invalid where there is no lock to be had: go on without it.
  Fd lock() const;
  // An empty manifest where there is none; an error where it's damaged.
  Result<IndexManifest> read_manifest() const;
  // Under the lock.
  Result<void> write_manifest(const IndexManifest& manifest) const;
  Result<std::shared_ptr<IndexSegment>> open_segment(const std::string& name) const;
  // Takes the lock for a moment. While the file is open and held, sweep() leaves it alone.
  Result<NewSegment> create_segment() const;
  // A file without a name, gone with its descriptor.
  Result<NewSegment> create_run() const;
  // Under the lock: removes our files that the manifest doesn't list and nobody is writing.
  void sweep(const IndexManifest& manifest) const;
  void remove(const std::string& name) const;

 private:
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  Result<NewSegment> create() const;
  const std::string path_;
  const crypto::Key key_;
  Random& random_;
};

}  // namespace holdfast::repo
