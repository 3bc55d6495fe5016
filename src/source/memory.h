// MemorySource: items and contents given as values, for tests and simulations. Immutable once next() was
// called.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "source/source.h"

namespace holdfast::source {

struct MemoryFile {
  Item item;  // complete; its size is taken from `bytes`
  std::string bytes;
  // [from, to) that data_runs() leaves out; in order, the bytes there must be zeros.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;
  bool changes_while_read = false;
  std::optional<Errc> open_error;
  std::optional<Errc> complete_error;  // then a link has no target
};

class MemorySource : public Source {
 public:
  // In any order; it is given in the order of model::compare_paths.
  explicit MemorySource(std::vector<MemoryFile> files);

  Result<bool> next(Item& item, std::stop_token stop) override;
  Result<void> complete(Item& item) override;
  Result<std::unique_ptr<Content>> open(const Item& item) override;
  bool repeatable() const override { return true; }
  Result<void> restart() override;

 private:
  const MemoryFile* find(std::string_view path) const;

  std::vector<MemoryFile> files_;
  std::size_t at_ = 0;
};

}  // namespace holdfast::source
