// Relocation: a pack's live frames, moved verbatim to an object of a new generation. docs/format/pack.md,
// "Relocation"; decision 2, G7. No key of the content is needed: frames stay sealed as they are. What is made
// is a function of the pack and of the entry that condemned the rest, so any number of collectors may do it
// at once. Thread-safe.
#pragma once

#include "repo/pack_format.h"
#include "storage/storage.h"

namespace holdfast::repo {

struct Relocation {
  model::PackId pack;
  std::uint32_t from = 0;              // present generation
  std::uint32_t to = 0;                // condemning entry + 1
  model::Slots kept;                   // not empty
  storage::Storage* source = nullptr;  // of the present generation; null: the store that it is put to
  std::optional<Hash> root = {};       // of generation 0, by the manifest, where it is known
  model::Slots lost = {};              // of the wanted list: kept, and need not be there
};

// Frames of generation 0 that the slots need, directory included. Errc::damaged where a slot is not in the
// directory.
Result<std::vector<bool>> frames_of(const model::Slots& kept, const std::vector<DirectoryEntry>& directory,
                                    const Identity& identity, std::uint32_t data_frames,
                                    std::uint32_t directory_frames);

// Bytes of the pack's object if only `kept` were left, by its manifest.
std::uint64_t bytes_of(const model::Slots& kept, const model::ManifestPack& pack);

// Puts the object; it is not durable before the store's barrier. Frames that are not as they were written are
// rebuilt from parity. Tells the object's size. An object of that name that is there already must be the
// same: Errc::conflict where it is not (it is damaged: condemn anew). Errc::not_found where the present
// generation is gone, Errc::damaged where frames that are to be kept are lost, Errc::unsupported where the
// map of frames would not fit.
Result<std::uint64_t> relocate(storage::Storage& storage, const RepositoryId& repository,
                               const crypto::Key& index, const Relocation& relocation, std::stop_token stop);

}  // namespace holdfast::repo
