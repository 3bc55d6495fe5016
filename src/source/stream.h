<<<<<<< HEAD
// StreamSource: one regular file whose bytes come from a descriptor, such as stdin, or from a command's output. Its
// size isn't known before: the item says 0 and the content is whatever comes until the end. The content can be opened
// once and read once, from the beginning on. A command that fails is an error of the read that meets the end, so
// that half a dump never passes for a whole one; at the end of the stream the backup is good only once read() has
// returned less than was asked for.
=======
// StreamSource: one regular file whose bytes come from a descriptor, such as stdin, or from a command's
// output. Its size isn't known before: the item says 0 and the content is whatever comes until the end. The
// content can be opened once and read once, from the beginning on. A command that fails is an error of the
// read that meets the end, so that half a dump never passes for a whole one; at the end of the stream the
// backup is good only once read() has returned less than was asked for.
>>>>>>> main
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "source/source.h"

namespace holdfast::source {

class StreamSource : public Source {
 public:
  // `path` is the entry's, relative and plain. Errors: usage.
  static Result<std::unique_ptr<StreamSource>> from_descriptor(std::string path, Fd input, Clock& clock);
<<<<<<< HEAD
  // Starts `command` (a program, looked up in PATH, and its arguments) with the stdin and stderr of this process.
  // Dropping the source before the end terminates it. Errors: not_found, denied where it can't be run.
  static Result<std::unique_ptr<StreamSource>> from_command(std::string path, const std::vector<std::string>& command,
=======
  // Starts `command` (a program, looked up in PATH, and its arguments) with the stdin and stderr of this
  // process. Dropping the source before the end terminates it. Errors: not_found, denied where it can't be
  // run.
  static Result<std::unique_ptr<StreamSource>> from_command(std::string path,
                                                            const std::vector<std::string>& command,
>>>>>>> main
                                                            Clock& clock);
  ~StreamSource() override;

  Result<bool> next(Item& item, std::stop_token stop) override;
  Result<void> complete(Item& item) override;
  Result<std::unique_ptr<Content>> open(const Item& item) override;

 private:
  struct Input;
  class Sequential;
  StreamSource(std::string path, std::unique_ptr<Input> input, Clock& clock);

  const std::string path_;
  Clock& clock_;
  bool given_ = false;
  std::mutex mutex_;  // guards input_
  std::unique_ptr<Input> input_;
};

}  // namespace holdfast::source
