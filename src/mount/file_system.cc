#include "mount/file_system.h"

#include <algorithm>

namespace holdfast::mount {

namespace {

// An inode is a number of the roster; for what is in a snapshot shifted up, with the place in the snapshot,
// from 1 on, below it. 0 there is the snapshot's top.
constexpr unsigned kPlaceBits = 40;
constexpr Inode kPlaceMask = (Inode{1} << kPlaceBits) - 1;
constexpr Inode kLinkedFile = Inode{1} << 63;

Inode inode_of(std::uint64_t number, std::uint64_t place) { return number << kPlaceBits | place; }

bool is_folder(const model::Entry& entry) { return entry.attributes.type == model::FileType::directory; }

std::uint64_t without_holes(const std::vector<model::Extent>& content) {
  std::uint64_t bytes = 0;
  for (const model::Extent& extent : content) bytes += extent.hole ? 0 : extent.length;
  return bytes;
}

// One number for all names of a hard-linked file, and for nothing else.
std::uint64_t linked_file(Inode inode, std::uint64_t group) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // the golden ratio's fraction: spreads the views
  return kLinkedFile | (group ^ (inode >> kPlaceBits) * kOdd);
}

std::uint32_t count_of(const Trees::LinkCounts& counts, std::uint64_t group) {
  const auto found = std::lower_bound(counts.begin(), counts.end(), std::pair(group, std::uint32_t{0}));
  return found != counts.end() && found->first == group ? found->second : 1;
}

}  // namespace

FileSystem::FileSystem(const repo::Repository& repository, const repo::LogState& log, Roster::Load load,
                       FileSystemOptions options)
    : options_(std::move(options)),
      chunks_(repository, log, options_.chunks),
      trees_(chunks_),
      roster_(repository.clock(), std::move(load), options_.templates, options_.roster) {}

Result<std::unique_ptr<FileSystem>> FileSystem::open(const repo::Repository& repository,
                                                     const repo::LogState& log, Roster::Load load,
                                                     FileSystemOptions options, std::stop_token stop) {
  std::unique_ptr<FileSystem> made(
      new FileSystem(repository, log, std::move(load), std::move(options)));  // NOLINT: private
  TRY(made->roster_.start(stop));
  return made;
}

Result<FileSystem::Object> FileSystem::object(Inode inode) {
  const std::uint64_t number = inode >> kPlaceBits;
  const std::uint64_t place = inode & kPlaceMask;
  Object object;
  object.origin = roster_.origin(number == 0 ? place : number);
  const bool fits = object.origin != nullptr && (number == 0) == (object.origin->snapshot == nullptr);
  if (!fits) return Error(Errc::not_found, "there is nothing of that number");
  if (number != 0 && place > 0) object.place = place - 1;
  return object;
}

Result<Place> FileSystem::entry_of(const Object& object, std::stop_token stop) {
  const Origin& origin = *object.origin;
  if (!object.place && origin.top.empty()) return Place();
  Place place;
  if (object.place) {
    place = TRY_AS(trees_.at(origin.snapshot->root, *object.place, stop), origin.path);
    if (place.is_end()) return Error(Errc::not_found, origin.path + ": there is nothing of that number");
  } else {
    place = TRY_AS(trees_.find(origin.snapshot->root, origin.top, stop), origin.path);
  }
  return place;
}

Status FileSystem::folder_status(Inode inode, const model::Time& mtime) const {
  Status status;
  status.inode = status.file = inode;
  status.uid = options_.owner_root ? 0 : options_.uid;
  status.gid = options_.owner_root ? 0 : options_.gid;
  status.mtime = mtime;
  return status;
}

Status FileSystem::view_status(std::uint64_t number, const ViewNode& node) const {
  Status status = folder_status(number, {});
  if (node.kind != ViewNode::Kind::link) return status;
  status.type = model::FileType::symlink;
  status.mode = 0777;
  status.size_bytes = node.target.size();
  return status;
}

Result<Status> FileSystem::entry_status(Inode inode, const Origin& origin, const model::Entry& entry,
                                        std::stop_token stop) {
  const model::Attributes& attributes = entry.attributes;
  Status status;
  status.inode = status.file = inode;
  status.type = attributes.type;
  status.mode = attributes.mode;
  status.uid = options_.owner_root ? 0 : attributes.uid;
  status.gid = options_.owner_root ? 0 : attributes.gid;
  status.size_bytes = attributes.type == model::FileType::symlink ? entry.target.size() : entry.size_bytes;
  status.stored_bytes = without_holes(entry.content);
  status.mtime = entry.mtime;
  status.device = entry.device;
  status.lasts = true;
  if (entry.link_group == 0) return status;
  const auto counts = TRY_AS(trees_.link_counts(origin.snapshot->root, stop), "count hard links");
  status.links = count_of(*counts, entry.link_group);
  status.file = linked_file(inode, entry.link_group);
  return status;
}

Result<Status> FileSystem::snapshot_top(std::uint64_t number, const Origin& origin, std::stop_token stop) {
  const Inode inode = inode_of(number, 0);
  if (origin.top.empty()) return folder_status(inode, origin.snapshot->start);
  const Place place = TRY_AS(trees_.find(origin.snapshot->root, origin.top, stop), origin.path);
  return entry_status(inode, origin, place.entry(), stop);
}

Result<const ViewNode*> FileSystem::view_node(const Views& views, const Origin& origin) {
  const ViewNode* node = views.find(origin.path);
  if (node == nullptr) return Error(Errc::not_found, origin.path + " is no more");
  return node;
}

Result<Status> FileSystem::status(Inode inode, std::stop_token stop) {
  const Object found = TRY(object(inode));
  if (found.origin->snapshot == nullptr) {
    const auto views = roster_.views(stop);
    const ViewNode* node = TRY(view_node(*views, *found.origin));
    return view_status(inode, *node);
  }
  if (!found.place) return snapshot_top(inode >> kPlaceBits, *found.origin, stop);
  const Place place = TRY(entry_of(found, stop));
  return entry_status(inode, *found.origin, place.entry(), stop);
}

Result<Status> FileSystem::find(Inode folder, const std::string& name, std::stop_token stop) {
  const Object found = TRY(object(folder));
  const Origin& origin = *found.origin;
  if (origin.snapshot == nullptr) {
    const auto views = roster_.views(stop);
    const std::string path = origin.path.empty() ? name : origin.path + "/" + name;
    const ViewNode* node = views->find(path);
    if (node == nullptr) return Error(Errc::not_found, "there is no " + path);
    const std::uint64_t number = roster_.number_of(path, *node);
    if (node->snapshot == nullptr) return view_status(number, *node);
    return snapshot_top(number, {path, node->snapshot, node->top}, stop);
  }
  const Place above = TRY(entry_of(found, stop));
  const std::string path = above.is_end() ? name : above.entry().path + "/" + name;
  const Place place = TRY_AS(trees_.find(origin.snapshot->root, path, stop), origin.path);
  return entry_status(inode_of(folder >> kPlaceBits, place.number() + 1), origin, place.entry(), stop);
}

Result<std::string> FileSystem::link_target(Inode inode, std::stop_token stop) {
  const Object found = TRY(object(inode));
  if (found.origin->snapshot == nullptr) {
    const auto views = roster_.views(stop);
    const ViewNode* node = TRY(view_node(*views, *found.origin));
    if (node->kind != ViewNode::Kind::link) return Error(Errc::usage, found.origin->path + " is no link");
    return node->target;
  }
  const Place place = TRY(entry_of(found, stop));
  if (place.is_end() || place.entry().attributes.type != model::FileType::symlink)
    return Error(Errc::usage, "that is no link");
  return place.entry().target;
}

Result<std::vector<model::Xattr>> FileSystem::xattrs(Inode inode, std::stop_token stop) {
  const Object found = TRY(object(inode));
  if (found.origin->snapshot == nullptr) return std::vector<model::Xattr>();
  const Place place = TRY(entry_of(found, stop));
  return place.is_end() ? std::vector<model::Xattr>() : place.entry().attributes.xattrs;
}

OpenFolder FileSystem::open_folder(Inode inode, std::stop_token stop) {
  const bool in_views = inode >> kPlaceBits == 0;
  return {inode, in_views ? roster_.views(stop) : nullptr};
}

Result<void> FileSystem::list(const OpenFolder& folder, std::uint64_t from, const Each& each,
                              std::stop_token stop) {
  const Object found = TRY(object(folder.inode));
  if (folder.views != nullptr) return list_views(folder, *found.origin, from, each);
  return list_entries(folder.inode, found, from, each, stop);
}

Result<void> FileSystem::list_views(const OpenFolder& folder, const Origin& origin, std::uint64_t from,
                                    const Each& each) {
  const ViewNode* node = TRY(view_node(*folder.views, origin));
  if (node->kind != ViewNode::Kind::folder) return Error(Errc::usage, origin.path + " is no folder");
  for (std::uint64_t i = from; i < node->names.size(); ++i) {
    const std::string& name = node->names[i];
    const std::string path = origin.path.empty() ? name : origin.path + "/" + name;
    const ViewNode* below = folder.views->find(path);
    const std::uint64_t number = roster_.number_of(path, *below);
    std::optional<Status> status;
    if (below->snapshot == nullptr) {
      status = view_status(number, *below);
    } else if (below->top.empty()) {  // else it takes a look into the snapshot
      status = folder_status(inode_of(number, 0), below->snapshot->start);
    }
    if (!each(name, i + 1, status ? &*status : nullptr)) return {};
  }
  return {};
}

Result<void> FileSystem::list_entries(Inode inode, const Object& folder, std::uint64_t from, const Each& each,
                                      std::stop_token stop) {
  const Origin& origin = *folder.origin;
  const model::Root& root = origin.snapshot->root;
  const Place top = TRY(entry_of(folder, stop));
  if (!top.is_end() && !is_folder(top.entry())) return Error(Errc::usage, "that is no folder");
  const std::string prefix = top.is_end() ? "" : top.entry().path + "/";
  Place place;
  if (from == 0) {
    place = TRY_AS(top.is_end() ? trees_.at(root, 0, stop) : trees_.at(root, top.number() + 1, stop),
                   origin.path);
  } else {
    const Place before = TRY_AS(trees_.at(root, from - 1, stop), origin.path);
    if (before.is_end()) return {};
    place = TRY_AS(trees_.sibling(root, before, stop), origin.path);
  }
  while (!place.is_end() && place.entry().path.starts_with(prefix)) {
    const std::string_view name = std::string_view(place.entry().path).substr(prefix.size());
    const std::uint64_t number = place.number() + 1;
    if (name.find('/') == name.npos) {  // else its folder is missing: of no use
      const Status status =
          TRY(entry_status(inode_of(inode >> kPlaceBits, number), origin, place.entry(), stop));
      if (!each(name, number, &status)) return {};
    }
    place = TRY_AS(trees_.sibling(root, place, stop), origin.path);
  }
  return {};
}

}  // namespace holdfast::mount
