// PackReader: chunks out of one pack object. Loads the pack's directory when opened; each read fetches just
// the frames that hold the chunk; what is damaged is rebuilt from parity. Nothing unverified leaves: every
// frame is authenticated, and read() checks the chunk's id. One thread at a time.
#pragma once

#include "compress/compress.h"
#include "repo/pack_frames.h"

namespace holdfast::repo {

class PackReader {
 public:
  struct Keys {
    RepositoryId repository;
    const SessionKey* session;  // null: directory only
    const crypto::Key& index;
    std::optional<Hash> root = {};  // of generation 0, by the manifest, where it is known
  };
  // Errc::not_found where that generation is gone, damaged, unreachable, wrong_key.
  static Result<std::unique_ptr<PackReader>> open(storage::Storage& storage, const Keys& keys,
                                                  model::PackId id, std::uint32_t generation,
                                                  std::stop_token stop);

  const Header& header() const { return frames_->header(); }
  const Trailer& trailer() const { return frames_->trailer(); }
  PackFrames& frames() { return *frames_; }
  const std::vector<DirectoryEntry>& directory() const { return directory_; }

  // The chunk as it is stored (not decompressed), authenticated frame by frame.
  Result<Buffer> read_stored(std::uint32_t slot, std::stop_token stop);
  // The plain text, its id checked against the directory.
  Result<Buffer> read(std::uint32_t slot, const crypto::Key& id_key, std::stop_token stop);

 private:
  explicit PackReader(std::unique_ptr<PackFrames> frames);
  Result<void> load_directory(const Keys& keys, std::stop_token stop);
  Result<Buffer> open_frames(FrameCipher& cipher, std::uint32_t first, std::uint32_t count,
                             std::stop_token stop);
  Result<void> open_rebuilt(FrameCipher& cipher, std::uint32_t number, MutableBytes plain,
                            std::stop_token stop);
  // Where frame `number` of generation 0 lies in this object; frames_end where it was dropped.
  std::uint32_t position(std::uint32_t number) const;
  Error lost(std::string what) const;

  std::unique_ptr<PackFrames> frames_;
  std::uint32_t data_frames_ = 0;         // of generation 0
  std::vector<std::uint32_t> positions_;  // relocated packs only
  std::vector<DirectoryEntry> directory_;
  std::optional<FrameCipher> cipher_;
  compress::Decompressor decompressor_;
};

// The id of a chunk.
model::ChunkId chunk_id(const crypto::Key& id_key, model::ChunkType type, Bytes plain);

}  // namespace holdfast::repo
