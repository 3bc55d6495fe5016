// The contract of storage.h as a test suite. A backend or decorator takes part by
//   INSTANTIATE_TEST_SUITE_P(Name, StorageContract, ::testing::Values(Subject{"name", make}), subject_name);
// in a source of its own, linked with storage_contract.cc.
#pragma once

#include <gtest/gtest.h>

#include "storage/storage.h"

namespace holdfast::storage {

// One store and a way to be several clients of it. Clients must not outlive it.
class Store {
 public:
  virtual ~Store() = default;
  virtual std::unique_ptr<Storage> client() = 0;
};

struct Subject {
  std::string name;
  std::function<std::unique_ptr<Store>()> make;  // an empty store
};

inline std::string subject_name(const ::testing::TestParamInfo<Subject>& info) { return info.param.name; }

class StorageContract : public ::testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    store_ = GetParam().make();
    storage_ = store_->client();
  }

  std::unique_ptr<Store> store_;
  std::unique_ptr<Storage> storage_;
};

}  // namespace holdfast::storage
