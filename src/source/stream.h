// StreamSource: one regular file whose bytes come from a descriptor, such as stdin, or from a command's
// output. Its size isn't known before: the item is a stream, and the content is whatever comes until the end.
// The content can be opened once and read once, from the beginning on. A command that fails is an error of
// the read that meets the end, and of the source: next() waits for the content's end and gives that error, so
// that half a dump never passes for a whole one. Reading stops when the token given to next() asks for it.
#pragma once

#include <memory>
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
  // Starts `command` (a program, looked up in PATH, and its arguments) with the stdin and stderr of this
  // process. Dropping the source before the end terminates it. Errors: not_found, denied where it can't be
  // run.
  static Result<std::unique_ptr<StreamSource>> from_command(std::string path,
                                                            const std::vector<std::string>& command,
                                                            Clock& clock);
  ~StreamSource() override;

  bool repeatable() const override { return false; }
  Result<bool> next(Item& item, std::stop_token stop) override;
  Result<void> complete(Item& item) override;
  Result<std::unique_ptr<Content>> open(const Item& item) override;

 private:
  struct Input;
  struct Outcome;
  class Sequential;
  StreamSource(std::string path, std::unique_ptr<Input> input, Clock& clock);

  const std::string path_;
  Clock& clock_;
  bool given_ = false;
  std::mutex mutex_;  // guards input_
  std::unique_ptr<Input> input_;
  const std::shared_ptr<Outcome> outcome_;
};

}  // namespace holdfast::source
