// FileSystem: snapshots as one read-only tree of files, in terms of numbers that stand for its objects (the
// inodes of a kernel, or of a test). What is in a snapshot is named by its place there, so nothing needs to
// be remembered of the objects that somebody looked at. New snapshots appear by themselves: where the list is
// older than a while, whoever looks at the folders above them has it read again. Thread-safe; errors are
// those of the store, Errc::not_found for names that are not there, usage for what an object can't do.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "mount/roster.h"
#include "mount/trees.h"

namespace holdfast::mount {

using Inode = std::uint64_t;
inline constexpr Inode kTopInode = 1;

struct Status {
  Inode inode = 0;         // the name of the object
  std::uint64_t file = 0;  // the same for all names of a hard-linked file
  model::FileType type = model::FileType::directory;
  std::uint32_t mode = 0555;
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t links = 1;
  std::uint64_t size_bytes = 0, stored_bytes = 0;  // without holes
  model::Time mtime;
  std::uint64_t device = 0;
  bool lasts = false;  // never changes
};

// The content of one regular file, as one reader has it open.
struct OpenFile {
  std::string path;
  std::vector<model::Extent> content;
  std::vector<std::uint64_t> starts;  // of the extents
  std::uint64_t size_bytes = 0;
  std::atomic<std::uint64_t> expected{0};  // where a reader who reads on would come next
  std::atomic<std::size_t> ahead{0};       // extents fetched beforehand
};

// A folder as it was when it was opened.
struct OpenFolder {
  Inode inode = 0;
  std::shared_ptr<const Views> views;
};

struct FileSystemOptions {
  std::vector<std::string> templates = default_templates();
  bool owner_root = false;         // everything is root's
  std::uint32_t uid = 0, gid = 0;  // of the folders above the snapshots
  ChunksOptions chunks{};
  RosterOptions roster{};
};

class FileSystem {
 public:
  // `repository` outlives this. Reads the list of snapshots.
  static Result<std::unique_ptr<FileSystem>> open(const repo::Repository& repository,
                                                  const repo::LogState& log, Roster::Load load,
                                                  FileSystemOptions options, std::stop_token stop);

  Result<Status> status(Inode inode, std::stop_token stop);
  Result<Status> find(Inode folder, const std::string& name, std::stop_token stop);
  Result<std::string> link_target(Inode inode, std::stop_token stop);
  Result<std::vector<model::Xattr>> xattrs(Inode inode, std::stop_token stop);

  OpenFolder open_folder(Inode inode, std::stop_token stop);
  // The names in a folder, from the one after `from` (0: the first) on. `each` gets the name, what to give as
  // `from` to go on after it, and its status where that is at hand; false ends it.
  using Each = std::function<bool(std::string_view name, std::uint64_t next, const Status* status)>;
  Result<void> list(const OpenFolder& folder, std::uint64_t from, const Each& each, std::stop_token stop);

  Result<std::unique_ptr<OpenFile>> open_file(Inode inode, std::stop_token stop);
  // As much as there is of [offset, offset + out.size()).
  Result<std::size_t> read(OpenFile& file, std::uint64_t offset, MutableBytes out, std::stop_token stop);
  // The first byte from `offset` on that is data, or in a hole (the end counts as one). Nothing at the end.
  static std::optional<std::uint64_t> seek(const OpenFile& file, std::uint64_t offset, bool hole);

  const Chunks& chunks() const { return chunks_; }
  const Trees& trees() const { return trees_; }

 private:
  // What an inode stands for: a place in a snapshot, or its top, or a name of a view.
  struct Object {
    std::shared_ptr<const Origin> origin;
    std::optional<std::uint64_t> place;
  };
  FileSystem(const repo::Repository& repository, const repo::LogState& log, Roster::Load load,
             FileSystemOptions options);

  Result<Object> object(Inode inode);
  // The entry that an object is; null for the top of all that a snapshot has.
  Result<Place> entry_of(const Object& object, std::stop_token stop);
  Result<const ViewNode*> view_node(const Views& views, const Origin& origin);
  Status view_status(std::uint64_t number, const ViewNode& node) const;
  Status folder_status(Inode inode, const model::Time& mtime) const;
  Result<Status> snapshot_top(std::uint64_t number, const Origin& origin, std::stop_token stop);
  Result<Status> entry_status(Inode inode, const Origin& origin, const model::Entry& entry,
                              std::stop_token stop);
  Result<void> list_views(const OpenFolder& folder, const Origin& origin, std::uint64_t from,
                          const Each& each);
  Result<void> list_entries(Inode inode, const Object& folder, std::uint64_t from, const Each& each,
                            std::stop_token stop);
  void read_ahead(OpenFile& file, std::size_t extent, std::uint64_t end);

  const FileSystemOptions options_;
  Chunks chunks_;
  Trees trees_;
  Roster roster_;
};

}  // namespace holdfast::mount
