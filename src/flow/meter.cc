#include "flow/meter.h"

namespace holdfast::flow {

namespace {

// Smaller files are done as soon as they are read.
constexpr std::uint64_t kMeteredBytesMin = kMiB;

}  // namespace

// The content of one file, counted as it is read.
class Meter::Reading final : public source::Content {
 public:
  Reading(Meter& meter, std::string path, std::unique_ptr<source::Content> inner)
      : meter_(meter), path_(std::move(path)), inner_(std::move(inner)) {}

  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override {
    auto got = inner_->read(offset, out);
    if (got.ok()) meter_.read(path_, got.value());
    return got;
  }
  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                         std::uint64_t to) override {
    auto runs = inner_->data_runs(from, to);
    if (!runs.ok()) return runs;
    std::uint64_t data = 0;
    for (const auto& [begin, end] : runs.value()) data += end - begin;
    if (data < to - from) meter_.read(path_, to - from - data);  // holes are done with
    return runs;
  }
  Result<void> complete(model::Attributes& attributes) override { return inner_->complete(attributes); }
  Result<bool> unchanged_since(const source::Item& item) override { return inner_->unchanged_since(item); }

 private:
  Meter& meter_;
  const std::string path_;
  const std::unique_ptr<source::Content> inner_;
};

Meter::Meter(source::Source& source, Observer& observer, std::unique_ptr<source::Source> ahead)
    : source_(source), observer_(observer), ahead_(std::move(ahead)) {}

Result<bool> Meter::next(source::Item& item, std::stop_token stop) {
  return source_.next(item, std::move(stop));
}

Result<void> Meter::complete(source::Item& item) { return source_.complete(item); }

Result<std::unique_ptr<source::Content>> Meter::open(const source::Item& item) {
  auto content = source_.open(item);
  if (!content.ok() || (!item.stream && item.entry.size_bytes < kMeteredBytesMin)) return content;
  std::unique_ptr<source::Content> metered =
      std::make_unique<Reading>(*this, item.entry.path, std::move(content).value());
  return metered;
}

void Meter::read(const std::string& path, std::uint64_t bytes) {
  Progress now;
  {
    const std::lock_guard lock(mutex_);
    under_way_[path] += bytes;
    under_way_bytes_ += bytes;
    now = whole();
  }
  observer_.progress(now, path);
}

void Meter::done_with(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto at = under_way_.find(path);
  if (at == under_way_.end()) return;
  under_way_bytes_ -= at->second;
  under_way_.erase(at);
}

// What there is to tell; mutex_ is held.
Progress Meter::whole() {
  Progress now = told_;
  if (now.files_total == 0 && now.bytes_total == 0) {
    now.files_total = counted_.files_total;
    now.bytes_total = counted_.bytes_total;
  }
  // Between a file's being done and the backup's telling so, its bytes are in neither sum.
  now.bytes_done = shown_bytes_ = std::max(shown_bytes_, now.bytes_done + under_way_bytes_);
  return now;
}

Result<void> Meter::count(std::stop_token stop) {
  source::Item item;
  Progress total;
  for (;;) {
    const bool more = TRY(ahead_->next(item, stop));
    if (!more) break;
    if (item.entry.attributes.type != model::FileType::regular || !item.problem.empty()) continue;
    ++total.files_total;
    total.bytes_total += item.entry.size_bytes;
  }
  const std::lock_guard lock(mutex_);
  counted_ = total;
  return {};
}

void Meter::progress(const Progress& progress, std::string_view current) {
  Progress now;
  {
    const std::lock_guard lock(mutex_);
    told_ = progress;
    now = whole();
    // Only now it is known that the backup has no totals of its own.
    const bool unknown = progress.files_total == 0 && progress.bytes_total == 0;
    if (unknown && ahead_ != nullptr && !std::exchange(counting_, true)) {
      threads_.spawn([this](std::stop_token stop) { return count(std::move(stop)); });
    }
  }
  observer_.progress(now, current);
}

void Meter::problem(std::string_view path, std::string_view during, const Error& error) {
  done_with(path);
  observer_.problem(path, during, error);
}

void Meter::item(std::string_view action, std::string_view path, std::uint64_t size_bytes) {
  done_with(path);
  observer_.item(action, path, size_bytes);
}

void Meter::note(std::string_view text) { observer_.note(text); }

}  // namespace holdfast::flow
