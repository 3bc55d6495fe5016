#include "tests/support/faulty_storage.h"

#include "base/check.h"

namespace holdfast::testing {

using storage::ByteRange;
using storage::ObjectInfo;
using storage::Spool;
using storage::Storage;
using storage::Visit;

namespace {

class FaultyStorage final : public Storage {
 public:
  FaultyStorage(std::unique_ptr<Storage> inner, FaultPlan& plan) : inner_(std::move(inner)), plan_(plan) {}

  std::string describe() const override { return inner_->describe(); }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    return faulted([&] { return inner_->put(name, bytes, stop); });
  }
  Result<std::unique_ptr<Spool>> spool() override { return inner_->spool(); }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    return faulted([&] { return inner_->put(name, spool, stop); });
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    return faulted([&] { return inner_->cover(name, stop); });
  }
  Result<void> barrier(std::stop_token stop) override {
    return faulted([&] { return inner_->barrier(stop); });
  }
  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override {
    std::optional<StorageFault> fault;
    Result<Buffer> bytes = faulted([&] { return inner_->get(name, range, stop); }, &fault);
    if (!bytes.ok() || bytes.value().empty()) return bytes;
    Buffer& out = bytes.value();
    if (fault == StorageFault::damaged) out[out.size() / 2] ^= 1;
    if (fault == StorageFault::truncated) out.resize(out.size() / 2);
    return bytes;
  }
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    return faulted([&] { return inner_->stat(name, stop); });
  }
  // lost_after breaks off after the first half of the objects; the visits then have happened.
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override {
    std::vector<ObjectInfo> found;
    std::optional<StorageFault> fault;
    const auto collect = [&] {
      found.clear();
      return inner_->list(
          prefix,
          [&](const ObjectInfo& object) -> Result<void> {
            found.push_back(object);
            return {};
          },
          stop);
    };
    Result<void> listed = faulted(collect, &fault);
    if (fault == StorageFault::lost_after) {
      found.resize((found.size() + 1) / 2);
    } else if (!listed.ok()) {
      return listed;
    }
    for (const ObjectInfo& object : found) TRY(visit(object));
    return listed;
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    return faulted([&] { return inner_->remove(name, stop); });
  }

 private:
  template <typename Call>
  auto faulted(Call call, std::optional<StorageFault>* told = nullptr) -> decltype(call()) {
    const std::optional<StorageFault> fault = plan_.next();
    if (told != nullptr) *told = fault;
    if (fault == StorageFault::refused) return Error(Errc::failed, "the faulty store refuses");
    if (fault == StorageFault::lost_before) return Error(Errc::unreachable, "request lost");
    auto result = call();
    if (fault == StorageFault::lost_after) return Error(Errc::unreachable, "answer lost");
    if (fault == StorageFault::duplicated) return call();
    return result;
  }

  const std::unique_ptr<Storage> inner_;
  FaultPlan& plan_;
};

}  // namespace

std::unique_ptr<Storage> faulty(std::unique_ptr<Storage> inner, FaultPlan& plan) {
  return std::make_unique<FaultyStorage>(std::move(inner), plan);
}

}  // namespace holdfast::testing
