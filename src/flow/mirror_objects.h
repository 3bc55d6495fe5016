// One object of a mirror: read, verified without a key, written. Thread-safe; for mirror.cc.
#pragma once

#include "flow/check_findings.h"
#include "repo/pack_frames.h"
#include "repo/seal.h"
#include "storage/storage.h"

namespace holdfast::flow {

// The kind of the small object of that name; nothing for packs, `spec` and what is unknown.
std::optional<repo::Vital> vital_kind(std::string_view name);

enum class Mirrored : std::uint8_t {
  copied,
  same,      // what was there is what the source has
  vanished,  // the source has it no more
  damaged,   // told as a finding: at the source, or what the target has under that name is something else
};

struct MirroredObject {
  Mirrored what = Mirrored::same;
  std::uint64_t size_bytes = 0;  // of the target's, where it was copied: a damaged source may have fewer
};

class ObjectMirror {
 public:
  ObjectMirror(storage::Storage& from, storage::Storage& to, const repo::RepositoryId& id,
               CheckFindings& findings)
      : from_(from), to_(to), id_(id), findings_(findings) {}

  // Errors: of the stores; what is damaged is a finding.
  Result<MirroredObject> copy(const std::string& name, std::stop_token stop);
  // What the target has under that name, against the source's.
  Result<Mirrored> compare(const std::string& name, std::stop_token stop);

 private:
  Result<std::unique_ptr<repo::PackFrames>> open_pack(storage::Storage& storage, const repo::PackObject& pack,
                                                      std::stop_token stop) const;
  Result<MirroredObject> copy_pack(const repo::PackObject& pack, const std::string& name,
                                   std::stop_token stop);
  Result<Buffer> read_small(storage::Storage& storage, const std::string& name, std::stop_token stop);
  Result<Mirrored> compare_pack(const repo::PackObject& pack, const std::string& name, std::stop_token stop);
  Result<MirroredObject> put_result(const std::string& name, Result<void> put, std::uint64_t size_bytes,
                                    std::stop_token stop);
  Result<Mirrored> lost_at_source(const std::string& name, Error error);
  Result<MirroredObject> unread(const std::string& name, Error error);
  Mirrored wrong_in_target(const std::string& name, std::string_view why);

  storage::Storage& from_;
  storage::Storage& to_;
  const repo::RepositoryId id_;
  CheckFindings& findings_;
};

}  // namespace holdfast::flow
