// The contract for S3 over a simulated server: as it is, and with a retry over a server that fails.
#include "storage/posix_disk.h"
#include "storage/retry.h"
#include "storage/s3.h"
#include "tests/contract/storage_contract.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/seeded_random.h"
#include "tests/support/sim_s3.h"

namespace holdfast::storage {

namespace {

using testing::S3Fault;

std::optional<std::string> keys(std::string_view name) {
  if (name == "AWS_ACCESS_KEY_ID") return "AKSIM";
  if (name == "AWS_SECRET_ACCESS_KEY") return "SKSIM";
  return std::nullopt;
}

class S3Store final : public Store {
 public:
  S3Store(std::string location, BucketIn bucket_in, bool nasty, testing::S3Rules rules)
      : location_(std::move(location)), bucket_in_(bucket_in), nasty_(nasty), server_(clock_, rules) {
    if (nasty)
      server_.faults().at_random(
          7, 3,
          {S3Fault::slow_down, S3Fault::internal_error, S3Fault::bad_gateway, S3Fault::lost_before,
           S3Fault::lost_after, S3Fault::late_error, S3Fault::conflict, S3Fault::torn_body,
           S3Fault::cut_answer, S3Fault::wrong_range, S3Fault::doubled_listing});
  }
  std::unique_ptr<Storage> client() override {
    auto client = open_s3(parse_s3_location(location_, "", bucket_in_).value(), "",
                          {http_, credentials_, clock_, random_, disk_, scratch_.path()});
    return nasty_ ? retrying(std::move(client), {}, clock_, random_) : std::move(client);
  }

 private:
  const std::string location_;
  const BucketIn bucket_in_;
  const bool nasty_;
  testing::FakeClock clock_;
  testing::SeededRandom random_{1};
  testing::ScratchDir scratch_;
  PosixDisk disk_;
  testing::SimS3 server_;
  const std::shared_ptr<net::Http> http_ = server_.http();
  const std::shared_ptr<S3CredentialSource> credentials_ =
      std::make_shared<S3CredentialSource>(http_, clock_, keys);
};

Subject subject(std::string name, std::string location, BucketIn bucket_in, bool nasty = false,
                testing::S3Rules rules = {}) {
  return {std::move(name), [=] { return std::make_unique<S3Store>(location, bucket_in, nasty, rules); }};
}

testing::S3Rules versioned(bool honours_if_none_match) {
  testing::S3Rules rules;
  rules.versioned = true;
  rules.honours_if_none_match = honours_if_none_match;
  return rules;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(
    S3, StorageContract,
    ::testing::Values(
        subject("InPath", "s3:https://s3.example.org/bucket/deep/prefix", BucketIn::path),
        subject("InHost", "s3:https://s3.example.org/bucket", BucketIn::host),
        subject("Nasty", "s3:https://s3.example.org/bucket/p", BucketIn::path, true),
        subject("Versioned", "s3:https://h.org/bucket", BucketIn::path, false, versioned(true)),
        subject("VersionedOnly", "s3:https://h.org/bucket/p", BucketIn::path, false, versioned(false)),
        subject("NastyVersioned", "s3:https://h.org/bucket/p", BucketIn::path, true, versioned(false))),
    subject_name);

}  // namespace holdfast::storage
