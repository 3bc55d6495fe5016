#include "tests/support/slow_source.h"

namespace holdfast::testing {

class SlowSource::Watched final : public source::Content {
 public:
  Watched(SlowSource& owner, std::unique_ptr<source::Content> inner)
      : owner_(owner), inner_(std::move(inner)) {}
  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override {
    if (owner_.stop_.stop_requested()) ++owner_.reads_after_stop;
    if (++owner_.reads == owner_.stop_at_read) owner_.stop_.request_stop();
    return inner_->read(offset, out);
  }
  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                         std::uint64_t to) override {
    return inner_->data_runs(from, to);
  }
  Result<bool> unchanged_since(const source::Item& item) override { return inner_->unchanged_since(item); }

 private:
  SlowSource& owner_;
  std::unique_ptr<source::Content> inner_;
};

SlowSource::SlowSource(const FileSet& files, FakeClock& clock, std::int64_t each_ns)
    : open_ns(each_ns), source_(std::make_unique<source::MemorySource>(files.list())), clock_(clock) {}

Result<bool> SlowSource::next(source::Item& item, std::stop_token stop) {
  clock_.advance_ns(step_ns);
  if (items_++ == stop_at_item) stop_.request_stop();
  return source_->next(item, stop);
}

Result<std::unique_ptr<source::Content>> SlowSource::open(const source::Item& item) {
  clock_.advance_ns(open_ns);
  ++opened;
  if (on_open) on_open();
  auto content = TRY(source_->open(item));
  return std::unique_ptr<source::Content>(new Watched(*this, std::move(content)));
}

Result<void> SlowSource::restart() {
  ++restarts;
  TRY(source_->restart());
  if (on_restart) on_restart();
  return {};
}

}  // namespace holdfast::testing
