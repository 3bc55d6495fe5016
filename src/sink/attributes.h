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

  // Set all: owner, xattrs, mode, ACLs, times, in an order in which none undoes another. `made_with` is the
  // mode that the caller has just created the object with, as itself; -1 where it did not.
  void set(const Object& object, const model::Entry& entry, int made_with);

  // Sets mode and times again, where they are no longer `was`'s.
  void put_back(const Object& object, const model::Entry& was);

  // The mode to create a file with so that as little as possible is left to set: never more open than it will
  // be.
  mode_t creation_mode(const model::Entry& entry) const;
  // Who the object will belong to, if that can be set.
  uid_t uid_of(const model::Entry& entry) { return owner_of(entry.attributes).uid; }
  // From now on nothing is assumed of new objects, since they inherit group or ACL from a directory.
  void be_careful() { careful_ = true; }

 private:
  struct Owner {
    uid_t uid;
    gid_t gid;
    auto operator<=>(const Owner&) const = default;
  };
  Owner owner_of(const model::Attributes& attributes);
  bool set_owner(const Object& object, const model::Entry& entry, Owner owner);
  void set_xattrs(const Object& object, const model::Entry& entry, bool acls);
  void set_mode(const Object& object, const model::Entry& entry, mode_t mode);
  void set_times(const Object& object, const model::Entry& entry);
  void warn(const model::Entry& entry, std::string what, int failure);

  const DirectoryOptions& options_;
  const Owner self_;
  const mode_t umask_;
  std::atomic<bool> careful_ = false;
  std::mutex mutex_;  // guards the maps
  std::map<std::string, std::optional<uid_t>> users_;
  std::map<std::string, std::optional<gid_t>> groups_;
};

}  // namespace holdfast::sink
