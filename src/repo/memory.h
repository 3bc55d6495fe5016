// Memory: what this machine saw of a repository when it last looked: the head of the log and the newest
// commit of each writer, so that a store that shows an older state, a fork, or lacks one of them is noticed.
// Not a cache: it can't be rebuilt. It moves forward only, whoever writes to it at the same time. A value;
// the file is read and written under a lock, so processes and threads may share it.
#pragma once

#include <map>
#include <string>

#include "repo/log.h"

namespace holdfast::repo {

class Memory {
 public:
  struct Fate {
    std::uint32_t sequence = 0;
    Hash hash{};  // H of the fate's body
  };
  struct Seen {
    std::uint64_t log_next = 0;
    Hash log_hash{};                       // of the body of the last entry
    std::map<std::uint64_t, Fate> newest;  // by writer
  };

  // `directory` is that of all repositories; it is made when something is to be remembered. `place` tells the
  // copies of one repository apart: a mirror may be older than its source.
  Memory(const std::string& directory, const RepositoryId& id, std::string_view place, crypto::Key key);

  // What was seen until now. To be asked before the store is looked at. Errc::damaged where the file is there
  // and says nothing.
  Result<Seen> recall() const;
  // Adds what is newer.
  Result<void> add(const Seen& seen) const;
  // Forgets what was seen before.
  Result<void> replace(const Seen& seen) const;

 private:
  std::string directory_, file_;
  crypto::Key key_;
};

}  // namespace holdfast::repo
