#include "source/memory.h"

#include <algorithm>

namespace holdfast::source {

namespace {

class MemoryContent : public Content {
 public:
  explicit MemoryContent(const MemoryFile& file) : file_(file) {}

  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override {
    const std::size_t begin = std::min<std::uint64_t>(offset, file_.bytes.size());
    const std::size_t length = std::min(out.size(), file_.bytes.size() - begin);
    std::copy_n(file_.bytes.begin() + static_cast<std::ptrdiff_t>(begin), length, out.begin());
    return length;
  }

  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                         std::uint64_t to) override {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
    for (const auto& [hole, end] : file_.holes) {
      const std::uint64_t data_end = std::min(hole, to);
      if (from < data_end) runs.emplace_back(from, data_end);
      from = std::max(from, end);
    }
    if (from < to) runs.emplace_back(from, to);
    return runs;
  }

  Result<bool> unchanged_since(const Item& item) override {
    return !file_.changes_while_read && item.entry.size_bytes == file_.bytes.size();
  }

 private:
  const MemoryFile& file_;
};

bool before(const MemoryFile& file, std::string_view path) {
  return model::compare_paths(file.item.entry.path, path) < 0;
}

}  // namespace

MemorySource::MemorySource(std::vector<MemoryFile> files) : files_(std::move(files)) {
  for (MemoryFile& file : files_) file.item.entry.size_bytes = file.bytes.size();
  std::stable_sort(files_.begin(), files_.end(),
                   [](const MemoryFile& a, const MemoryFile& b) { return before(a, b.item.entry.path); });
}

Result<bool> MemorySource::next(Item& item, std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while walking");
  if (at_ == files_.size()) return false;
  item = files_[at_++].item;
  return true;
}

Result<void> MemorySource::complete(Item& item) {
  const MemoryFile* const file = find(item.entry.path);
  if (file == nullptr || !file->complete_error) return {};
  item.entry.target.clear();
  return Error(*file->complete_error, "can't be completed");
}

Result<void> MemorySource::restart() {
  at_ = 0;
  return {};
}

const MemoryFile* MemorySource::find(std::string_view path) const {
  const auto found = std::lower_bound(files_.begin(), files_.end(), path, before);
  return found != files_.end() && found->item.entry.path == path ? &*found : nullptr;
}

Result<std::unique_ptr<Content>> MemorySource::open(const Item& item) {
  const MemoryFile* file = find(item.entry.path);
  if (file == nullptr) return Error(Errc::not_found, "no file " + item.entry.path);
  if (file->open_error) return Error(*file->open_error, "open " + item.entry.path);
  return std::unique_ptr<Content>(new MemoryContent(*file));
}

}  // namespace holdfast::source
