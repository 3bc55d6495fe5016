// Setting what an object has besides its content. Whatever can't be set is a warning, and all the rest is
// tried. Thread-safe.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <string>

#include "base/beneath.h"
#include "model/entry.h"
#include "sink/options.h"

namespace holdfast::sink {

// An object to set attributes of, by a descriptor of its own: no name is looked up again, since another
// object could have taken it. What can't be opened (links, fifos, devices, what its mode forbids) is open
// with O_PATH.
struct Object {
  int fd = -1;
  bool is_path = false;
};

class Attributes {
 public:
  explicit Attributes(const DirectoryOptions& options);

  // Set all: flags, project, owner, xattrs, mode, ACLs, times, in an order in which none undoes another; then
  // looks whether the file system took them. `made_with` is the mode that the caller has just created the
  // object with, as itself; -1 where it did not.
  void set(const Object& object, const model::Entry& entry, int made_with);

  // Those flags of an object just made and open at `fd` that must be there before anything is in it.
  void prepare(int fd, const model::Entry& entry);

  // What forbids changes, last of all: immutable, append-only. Told where it can't be set.
  void lock(const Object& object, const model::Entry& entry);
  // Takes that away from the file or directory that is there. Nothing where it had none, or may not; errno is
  // then as it was. relock() gives it back, to that very object.
  struct Unlocked {
    Fd fd;
    std::uint32_t flags = 0;
  };
  static std::optional<Unlocked> unlock(int directory, const char* name);
  static void relock(const Unlocked& unlocked);

  // Sets mode, times and flags again, where they are no longer `was`'s.
  void put_back(const Object& object, const model::Entry& was);

  // The mode to create a file with so that as little as possible is left to set: never more open than it will
  // be.
  mode_t creation_mode(const model::Entry& entry) const;
  // Who the object will belong to, if that can be set.
  uid_t uid_of(const model::Entry& entry) { return owner_of(entry.attributes).uid; }
  // From now on nothing is assumed of new objects: they inherit group, ACL, flags or project of a directory.
  void be_careful() { careful_ = true; }

 private:
  struct Owner {
    uid_t uid;
    gid_t gid;
    auto operator<=>(const Owner&) const = default;
  };
  Owner owner_of(const model::Attributes& attributes);
  void set_flags(const Object& object, const model::Entry& entry, bool assume);
  void change_flags(int fd, const model::Entry& entry, std::uint32_t there, std::uint32_t wanted);
  void set_project(const Object& object, const model::Entry& entry, bool assume);
  bool set_owner(const Object& object, const model::Entry& entry, Owner owner);
  void set_xattrs(const Object& object, const model::Entry& entry, bool acls);
  bool set_mode(const Object& object, const model::Entry& entry, mode_t mode);
  bool set_times(const Object& object, const model::Entry& entry);
  void warn(const model::Entry& entry, std::string what, int failure);
  void lost(const model::Entry& entry, std::string what);

  const DirectoryOptions& options_;
  const Owner self_;
  const mode_t umask_;
  std::atomic<bool> careful_ = false;
  std::mutex mutex_;  // guards the maps
  std::map<std::string, std::optional<uid_t>> users_;
  std::map<std::string, std::optional<gid_t>> groups_;
};

}  // namespace holdfast::sink
