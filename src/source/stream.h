// StreamSource: one file whose content comes out of a descriptor: a pipe, the standard input, the output of a command. What is
// behind it is asked at the end whether all went well; if not, the source fails, so that no snapshot is made of half a stream.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "source/source.h"

namespace holdfast::source {

struct StreamOptions {
  int fd = 0;                   // borrowed
  std::string path;             // the entry's, without the leading '/'
  model::Time time;             // its mtime
  model::Attributes attributes;
  // Called once, after the last byte. An error is that of the source.
  std::function<Result<void>()> at_end = [] { return Result<void>(); };
  std::stop_token stop;         // ends a read that waits for bytes
};

class StreamSource final : public Source {
 public:
  explicit StreamSource(StreamOptions options);

  // The one item; then waits until it has been read, and fails if that failed.
  Result<bool> next(Item& item, std::stop_token stop) override;
  Result<void> complete(Item&) override { return {}; }
  // Once.
  Result<std::unique_ptr<Content>> open(const Item& item) override;

 private:
  class Reader;
  void end(Result<void> how);

  const StreamOptions options_;
  bool given_ = false;
  std::mutex mutex_;  // guards ended_ and failure_
  std::condition_variable_any changed_;
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace holdfast::source
