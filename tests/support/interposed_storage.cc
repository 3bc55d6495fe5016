#include "tests/support/interposed_storage.h"

#include <fmt/core.h>

namespace holdfast::testing {

namespace {

class InterposedStorage final : public storage::Storage {
 public:
  InterposedStorage(std::unique_ptr<Storage> inner, Interposer before)
      : inner_(std::move(inner)), before_(std::move(before)) {}
  std::string describe() const override { return inner_->describe(); }
  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    before_("put " + name);
    return inner_->put(name, bytes, stop);
  }
  Result<std::unique_ptr<storage::Spool>> spool() override { return inner_->spool(); }
  Result<void> put(const std::string& name, storage::Spool& spool, std::stop_token stop) override {
    before_("put " + name);
    return inner_->put(name, spool, stop);
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    before_("cover " + name);
    return inner_->cover(name, stop);
  }
  Result<void> barrier(std::stop_token stop) override {
    before_("barrier");
    return inner_->barrier(stop);
  }
  Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
    before_("get " + name);
    return inner_->get(name, range, stop);
  }
  Result<storage::ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    before_("stat " + name);
    return inner_->stat(name, stop);
  }
  Result<void> list(std::string_view prefix, const storage::Visit& visit, std::stop_token stop) override {
    before_(fmt::format("list {}", prefix));
    return inner_->list(prefix, visit, stop);
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    before_("remove " + name);
    return inner_->remove(name, stop);
  }

 private:
  const std::unique_ptr<Storage> inner_;
  const Interposer before_;
};

}  // namespace

std::unique_ptr<storage::Storage> interpose(std::unique_ptr<storage::Storage> inner, Interposer before) {
  return std::make_unique<InterposedStorage>(std::move(inner), std::move(before));
}

}  // namespace holdfast::testing
