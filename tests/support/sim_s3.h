// A server of S3 in memory, stricter than real ones (whatever it does not know is refused) and as nasty as
// they can be: it fails as asked, by the number of the request or at random by seed.
#pragma once

#include <mutex>

#include "base/clock.h"
#include "net/http.h"
#include "storage/s3_sign.h"
#include "tests/support/fault_schedule.h"

namespace holdfast::testing {

enum class S3Fault : unsigned char {
  slow_down,        // 503, without effect
  internal_error,   // 500, without effect
  bad_gateway,      // 502 with a page of HTML
  lost_before,      // the connection breaks, without effect
  lost_after,       // the connection breaks, but it happened
  late_error,       // 200, and then an error in the body; without effect
  conflict,         // 409 to a put
  torn_body,        // of the body only half arrives: what was promised is not what is there
  expired_token,    // 400; the credentials are over
  cut_answer,       // of the answer's body only half is given, as of a whole one
  wrong_range,      // a range other than the one asked for
  doubled_listing,  // each name of a page twice, and those of the page before
};

struct S3Rules {
  bool honours_if_none_match = true;
  bool versioned = false;
  std::size_t page_names = 3;  // in a listing; so that small tests see several pages
  std::string region = "eu-north-7";
  std::string access_key = "AKSIM", secret_key = "SKSIM";
};

class SimS3 {
 public:
  // `clock` must outlive it.
  SimS3(Clock& clock, S3Rules rules) : clock_(clock), rules_(std::move(rules)) {}
  // A client's way to it: one bucket, "bucket", in the path or in the host's name. It must not outlive this.
  std::unique_ptr<net::Http> http();

  // Its operations are requests.
  FaultSchedule<S3Fault>& faults() { return faults_; }
  // What a plain GET would give.
  std::map<std::string, Buffer> objects() const;
  // As somebody does who knows nothing of conditions and versions: overwrites, deletes.
  void overwrite(const std::string& key, Buffer bytes);
  void erase(const std::string& key);

 private:
  friend class SimS3Http;
  struct Parsed;
  struct Version {
    std::string id;
    std::optional<Buffer> bytes;  // none: a marker of a deletion
  };
  const Version* find(const std::string& key, const std::string& id) const;  // "": the newest; null: none
  Result<net::HttpAnswer> answer(const net::HttpRequest& request);
  void add(const std::string& key, std::optional<Buffer> bytes);
  net::HttpAnswer serve(const Parsed& request, std::optional<S3Fault> fault);
  std::optional<net::HttpAnswer> refused(const net::HttpRequest& request, const Parsed& parsed) const;
  net::HttpAnswer put(const Parsed& request, std::optional<S3Fault> fault);
  net::HttpAnswer get(const Parsed& request, std::optional<S3Fault> fault) const;
  net::HttpAnswer list(const Parsed& request, std::optional<S3Fault> fault) const;
  net::HttpAnswer list_versions(const Parsed& request) const;
  net::HttpAnswer erase_one(const Parsed& request);

  Clock& clock_;
  const S3Rules rules_;
  FaultSchedule<S3Fault> faults_;
  mutable std::mutex mutex_;                             // guards what follows
  std::map<std::string, std::vector<Version>> objects_;  // the oldest version first
  std::uint64_t versions_ = 0;
};

}  // namespace holdfast::testing
