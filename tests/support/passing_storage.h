// PassingStorage: hands everything through to another store; for tests' stores that do one thing otherwise.
#pragma once

#include "storage/storage.h"

namespace holdfast::testing {

class PassingStorage : public storage::Storage {
 public:
  // `inner` outlives this.
  explicit PassingStorage(storage::Storage& inner) : inner_(inner) {}

  std::string describe() const override { return inner_.describe(); }
  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    return inner_.put(name, bytes, stop);
  }
  Result<std::unique_ptr<storage::Spool>> spool() override { return inner_.spool(); }
  Result<void> put(const std::string& name, storage::Spool& spool, std::stop_token stop) override {
    return inner_.put(name, spool, stop);
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    return inner_.cover(name, stop);
  }
  Result<void> barrier(std::stop_token stop) override { return inner_.barrier(stop); }
  Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
    return inner_.get(name, range, stop);
  }
  Result<storage::ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    return inner_.stat(name, stop);
  }
  Result<void> list(std::string_view prefix, const storage::Visit& visit, std::stop_token stop) override {
    return inner_.list(prefix, visit, stop);
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    return inner_.remove(name, stop);
  }

 private:
  storage::Storage& inner_;
};

// One object can't be removed, as under an object lock.
class LockingStorage final : public PassingStorage {
 public:
  LockingStorage(storage::Storage& inner, std::string held) : PassingStorage(inner), held_(std::move(held)) {}
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    if (name == held_) return Error(Errc::denied, "object lock");
    return PassingStorage::remove(name, std::move(stop));
  }

 private:
  const std::string held_;
};

}  // namespace holdfast::testing
