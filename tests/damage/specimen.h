// Specimen: a small repository with one of everything that a repository holds, made by the program's own
// stories, with what must come back from it, and on which chunks that stands. Immutable once made.
#pragma once

#include "repo/names.h"
#include "repo/pack_format.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"

namespace holdfast::testing {

using Objects = std::map<std::string, std::shared_ptr<const Buffer>>;

// Where things lie in the object of a pack.
struct PackLayout {
  repo::PackObject object;
  std::size_t frame_bytes = 0, payload_bytes = 0;
  std::vector<std::uint32_t> numbers;  // of the data frames, by position
  std::uint32_t directory_frames = 0, parity_frames = 0;
  std::vector<repo::DirectoryEntry> directory;

  std::uint32_t data_frames() const { return static_cast<std::uint32_t>(numbers.size()); }
  std::uint32_t frames() const { return data_frames() + directory_frames; }
  std::size_t tables_begin() const {
    return repo::kPackHeaderBytes + (std::size_t{frames()} + parity_frames) * frame_bytes;
  }
};

struct Specimen {
  static Specimen make();

  Objects objects;
  Objects former;                            // that were there once, by the names they had
  std::map<std::string, FileSet> snapshots;  // by id; the checkpoint that is in force is one of them
  std::map<std::string, model::TransactionId> transactions;  // by id
  struct Place {
    std::string snapshot, path;
  };
  std::vector<Place> places;                                   // of everything that must come back
  std::map<model::Address, std::vector<std::uint32_t>> users;  // chunk → places that need it
  std::map<std::string, PackLayout> packs;                     // by object name
  std::string key;                                             // that the password opens
  std::vector<std::string> last_fates;                         // after which no commit of that writer comes
  std::string last_log;
};

// "config", "key", "open", "man", "refs", "fate", "log", "data pack", "metadata pack", "spec".
std::string class_of(const std::string& name);
bool is_pack(const std::string& name);

}  // namespace holdfast::testing
