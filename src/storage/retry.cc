#include "storage/retry.h"

#include <unordered_set>

#include "storage/backoff.h"

namespace holdfast::storage {

namespace {

constexpr std::uint64_t kCompareBytes = kMiB;

class RetryStorage final : public Storage {
 public:
  RetryStorage(std::unique_ptr<Storage> inner, RetryPolicy policy, Clock& clock, Random& random)
      : inner_(std::move(inner)), policy_(policy), clock_(clock), random_(random) {}

  std::string describe() const override { return inner_->describe(); }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    return put_object(
        name, [&] { return inner_->put(name, bytes, stop); },
        [&](std::uint64_t offset, Bytes there) {
          return Result<bool>(std::equal(there.begin(), there.end(), bytes.begin() + ptrdiff(offset)));
        },
        bytes.size(), stop);
  }
  Result<std::unique_ptr<Spool>> spool() override {
    return tried([&] { return inner_->spool(); }, {});
  }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    return put_object(
        name, [&] { return inner_->put(name, spool, stop); },
        [&](std::uint64_t offset, Bytes there) -> Result<bool> {
          Buffer ours(there.size());
          TRY(spool.read(offset, ours));
          return std::equal(there.begin(), there.end(), ours.begin());
        },
        spool.size_bytes(), stop);
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    return tried([&] { return inner_->cover(name, stop); }, stop);
  }
  Result<void> barrier(std::stop_token stop) override {
    return tried([&] { return inner_->barrier(stop); }, stop);
  }
  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override {
    return tried([&] { return inner_->get(name, range, stop); }, stop);
  }
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    return tried([&] { return inner_->stat(name, stop); }, stop);
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    return tried([&] { return inner_->remove(name, stop); }, stop);
  }
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override;

 private:
  static std::ptrdiff_t ptrdiff(std::uint64_t offset) { return static_cast<std::ptrdiff_t>(offset); }

  template <typename Call>
  auto tried(Call call, const std::stop_token& stop) -> decltype(call()) {
    Backoff backoff(policy_, clock_, random_);
    auto result = call();
    while (!result.ok() && backoff.again(result.error(), stop)) result = call();
    return result;
  }
  // `equals` compares a piece of what is there with ours.
  using Equals = std::function<Result<bool>(std::uint64_t offset, Bytes there)>;
  Result<void> put_object(const std::string& name, const std::function<Result<void>()>& put,
                          const Equals& equals, std::uint64_t size_bytes, const std::stop_token& stop);
  Result<bool> is_ours(const std::string& name, const Equals& equals, std::uint64_t size_bytes,
                       const std::stop_token& stop);

  const std::unique_ptr<Storage> inner_;
  const RetryPolicy policy_;
  Clock& clock_;
  Random& random_;
};

Result<void> RetryStorage::put_object(const std::string& name, const std::function<Result<void>()>& put,
                                      const Equals& equals, std::uint64_t size_bytes,
                                      const std::stop_token& stop) {
  bool ambiguous = false;
  Result<void> result = tried(
      [&] {
        Result<void> tried_once = put();
        ambiguous = ambiguous || (!tried_once.ok() && retryable(tried_once.error().kind()));
        return tried_once;
      },
      stop);
  if (result.ok() || !ambiguous || result.error().kind() != Errc::exists) return result;
  const bool ours = TRY_AS(is_ours(name, equals, size_bytes, stop), "looking whether the put had happened");
  return ours ? Result<void>() : std::move(result);
}

Result<bool> RetryStorage::is_ours(const std::string& name, const Equals& equals, std::uint64_t size_bytes,
                                   const std::stop_token& stop) {
  const ObjectInfo info = TRY(stat(name, stop));
  if (info.size_bytes != size_bytes) return false;
  for (std::uint64_t offset = 0; offset < size_bytes; offset += kCompareBytes) {
    const std::uint64_t length = std::min(kCompareBytes, size_bytes - offset);
    const Buffer there = TRY(get(name, {.offset = offset, .length = length}, stop));
    const bool equal = TRY(equals(offset, there));
    if (!equal) return false;
  }
  return true;
}

Result<void> RetryStorage::list(std::string_view prefix, const Visit& visit, std::stop_token stop) {
  std::unordered_set<std::string> visited;
  bool visitor_failed = false;
  const Visit visit_once = [&](const ObjectInfo& object) -> Result<void> {
    if (!visited.insert(object.name).second) return {};
    Result<void> result = visit(object);
    visitor_failed = !result.ok();
    return result;
  };
  Backoff backoff(policy_, clock_, random_);
  Result<void> result = inner_->list(prefix, visit_once, stop);
  // A visitor's error is its own affair, of whatever kind.
  while (!result.ok() && !visitor_failed && backoff.again(result.error(), stop)) {
    result = inner_->list(prefix, visit_once, stop);
  }
  return result;
}

}  // namespace

std::unique_ptr<Storage> retrying(std::unique_ptr<Storage> inner, RetryPolicy policy, Clock& clock,
                                  Random& random) {
  return std::make_unique<RetryStorage>(std::move(inner), policy, clock, random);
}

}  // namespace holdfast::storage
