// PackFrames: the frames of one pack object as they were written, whatever became of them, while parity
// reaches: docs/format/pack.md, "What is lost and how it comes back". A frame that is not as the table says,
// or that the store can't give, is rebuilt from its stripe and compared with the table; a header comes from
// the trailer and back, a table from its other copy, or from the frames where the root or parity confirms
// them. Rebuilding takes one stripe's memory: 8 MiB. Needs no key, but for a trailer that is lost: what it
// says is then taken from the directory, which takes the index secret. Errors: Errc::damaged where too much
// is lost, not_found, unsupported, or what the store says. One thread at a time.
#pragma once

#include <map>
#include <set>

#include "parity/parity.h"
#include "repo/names.h"
#include "repo/pack_format.h"
#include "storage/storage.h"

namespace holdfast::repo {

class PackFrames {
 public:
  struct Known {
    RepositoryId repository;
    const crypto::Key* index = nullptr;  // null: there is none
    std::optional<Hash> root;            // of generation 0, by the manifest
  };
  static Result<std::unique_ptr<PackFrames>> open(storage::Storage& storage, const Known& known,
                                                  const PackObject& pack, std::stop_token stop);

  const std::string& name() const { return name_; }
  const Header& header() const { return header_; }
  Bytes header_bytes() const { return header_bytes_; }
  const Hash& identity_hash() const { return identity_hash_; }
  // Its root is zeros where the trailer is lost and load_table() was not called.
  const Trailer& trailer() const { return trailer_; }
  std::uint64_t object_bytes() const { return object_bytes_; }  // that the store has
  std::size_t frame_bytes() const { return header_.identity.frame_bytes(); }
  std::uint32_t all_frames() const { return trailer_.frames() + trailer_.parity_frames(); }
  // Of the data and directory frames: the number in generation 0 of the one at that position.
  std::uint32_t number_of(std::uint32_t position) const;

  // Frames as they lie in the object. Those that it lacks, or that the store can't give, are zeros.
  Result<Buffer> stored(std::uint32_t first, std::uint32_t count, std::stop_token stop);
  Result<void> load_table(std::stop_token stop);
  Bytes table() const { return table_; }  // once it is loaded
  // Whether the frame is as the table says, which is loaded.
  bool whole(std::uint32_t position, Bytes frame) const;
  // The frame by way of parity, good until the next call. Loads the table.
  Result<Bytes> rebuild(std::uint32_t position, std::stop_token stop);
  // Frames as they were written.
  Result<Buffer> read(std::uint32_t first, std::uint32_t count, std::stop_token stop);

  // Errc::damaged where this is another generation of the pack than its name says: of no matter to who reads
  // chunks, which its map leads to.
  Result<void> expect_generation() const;

  // Whether the header in front is what the trailer's copy says; a note where not.
  Result<bool> check_front(std::stop_token stop);
  // What was damaged and could be made good, for people; each is told once. Of header, trailer and table; and
  // with the frames that were rebuilt.
  std::vector<std::string> take_end_notes() { return std::exchange(notes_, {}); }
  std::vector<std::string> take_notes();
  // The first thing that the store could not give since the pack was opened: its word.
  const std::optional<Error>& refused() const { return refused_; }

 private:
  PackFrames(storage::Storage& storage, const Known& known, const PackObject& pack)
      : storage_(storage), known_(known), pack_(pack), name_(pack_name(pack.id, pack.generation)) {}
  Result<Buffer> piece(std::uint64_t offset, std::uint64_t length, std::stop_token stop);
  Result<void> load_ends(std::stop_token stop);
  Result<void> take_header(Bytes header);
  Result<void> recover_trailer(std::stop_token stop);
  std::vector<std::uint32_t> frame_counts() const;
  void set_frames(std::uint32_t frames);
  Result<bool> find_directory(bool repair, std::stop_token stop);
  void note(std::string text);
  std::optional<Hash> root() const;
  Result<void> find_table(std::stop_token stop);
  Result<void> store_to_blame(Result<void> result) const;
  bool choose_table(Bytes a, Bytes b);
  Result<void> table_from_frames(Bytes a, Bytes b, std::stop_token stop);
  bool accept_table(Bytes table);
  Hash root_of(Bytes table) const { return pack_root(header_bytes_, trailer_, table); }

  storage::Storage& storage_;
  const Known known_;
  const PackObject pack_;
  const std::string name_;
  Header header_;
  Buffer header_bytes_;
  Hash identity_hash_{};
  Trailer trailer_;
  bool root_known_ = false;
  std::uint64_t object_bytes_ = 0;
  std::vector<std::uint32_t> numbers_;  // relocated packs only
  Buffer table_;                        // empty: not loaded
  std::map<std::uint32_t, Buffer> rebuilt_;
  std::optional<Error> unreadable_;  // what the store said of a frame that it could not give
  std::optional<Error> refused_;
  std::vector<std::string> notes_;
  std::set<std::string> told_;
  std::set<std::uint32_t> fresh_, told_frames_;  // rebuilt: not told yet; told
};

}  // namespace holdfast::repo
