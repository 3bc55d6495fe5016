// DirectorySink: restores entries below a target directory. Nothing outside the target is touched, whatever
// the entries' paths say or others do there meanwhile: unsafe paths are refused (damaged), symbolic links
// never followed. The caller gives a directory before what is in it (make_directory), and finish_directory
// when all of that is there. Else all calls may come from any threads. Errors concern the one object; what of
// its attributes can't be set is a warning.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/beneath.h"
#include "model/entry.h"
#include "sink/attributes.h"
#include "sink/file_writer.h"
#include "sink/options.h"

namespace holdfast::sink {

class DirectorySink {
 public:
  // Makes the target with its parents where it isn't there (unless it is a dry run).
  static Result<std::unique_ptr<DirectorySink>> make(const std::string& target, DirectoryOptions options);

  // What a restore of this entry does under the options; changes nothing. What is skipped is not to be given
  // to the other functions; after a dry run nothing is.
  Result<Action> decide(const model::Entry& entry);

  // Makes the directory, or takes the one that is there. It can be written to (0700 where it is new) until
  // finish_directory; or until put_back, with Overwrite::never and one that was there: then what it was is
  // returned.
  Result<std::optional<model::Entry>> make_directory(const model::Entry& entry, bool keep = false);
  Result<void> finish_directory(const model::Entry& entry);
  Result<void> put_back(const model::Entry& was);

  // Opens a regular file as decide() said; nullptr for Action::skip. For Action::metadata nothing is to be
  // written: finish() sets the attributes.
  Result<std::unique_ptr<FileWriter>> open_file(const model::Entry& entry, Action action);
  // Symlinks, fifos, sockets (to which nobody listens) and devices, complete with their attributes.
  Result<void> make_special(const model::Entry& entry, Action action);
  // One more name for what was restored at `first`. False where the file system allows no more.
  Result<bool> link(const model::Entry& entry, std::string_view first);

  // Removes what is in `directory` ("" is the target) but not in `keep`, sorted, with all below it.
  // `may_remove` is asked first for each of those names, called for each before it is removed, and can spare
  // it.
  using MayRemove = std::function<bool(const std::string& path, bool is_directory)>;
  Result<void> remove_others(const std::string& directory, const std::vector<std::string>& keep,
                             const MayRemove& may_remove);

  // Confines this thread, and those started from now on, to writing below the target and the directories
  // `also`; see confine_writing().
  Result<void> confine(std::span<const int> also) const;

  // The restored file, open for reading, to be compared with what should be there.
  Result<Fd> read_back(std::string_view path);

 private:
  DirectorySink(SharedFd top, DirectoryOptions options);

  bool may_keep(const struct stat& st, const model::Entry& entry);
  // The directory that an entry belongs into, and its name there.
  struct Place {
    SharedFd directory;
    std::string name;
  };
  Result<Place> place(std::string_view path);
  Result<void> open_there(FileWriter& writer, const Place& at, const model::Entry& entry);
  // Removes what is at `place` so that something else can be made there. A directory must be empty.
  Result<void> clear(const Place& place, std::string_view path);
  Result<model::Entry> examine_existing(int fd, const std::string& path, bool is_target);

  const DirectoryOptions options_;
  const SharedFd top_;  // null: a dry run into what isn't there
  Beneath beneath_;
  Attributes attributes_;
  // The target was empty or not there, and nobody else has made anything in it: nothing can be in the way.
  std::atomic<bool> fresh_ = false;
};

}  // namespace holdfast::sink
