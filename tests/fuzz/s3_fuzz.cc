// Any bytes as what a server of S3 answers, as an address, and as a file of AWS's: an error or values, and
// never a crash; of listings no name that was not there.
#include "base/check.h"
#include "net/url.h"
#include "storage/s3.h"
#include "storage/s3_reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  const Bytes in(data, size);
  const std::string_view text = as_text(in);
  const net::HttpAnswer answer{size > 0 && data[0] % 2 == 0 ? 200 : 403,
                               {{"content-type", "application/xml"}},
                               Buffer(in.begin(), in.end())};
  if (const auto refusal = storage::refusal_of(answer)) (void)storage::s3_error(*refusal, "get x").text();
  const auto page = storage::parse_listing(in);
  if (page.ok()) {
    for (const storage::ObjectInfo& object : page.value().objects) HF_ASSERT(object.name.size() <= size);
  }
  const auto versions = storage::parse_versions(in);
  if (versions.ok()) {
    for (const storage::S3Version& version : versions.value().versions) HF_ASSERT(!version.id.empty());
  }
  (void)storage::keeps_versions(in);
  const auto url = net::parse_url(text);
  if (url.ok()) HF_ASSERT(net::parse_url(url.value().origin() + url.value().path).ok());
  (void)storage::parse_s3_location(text, "", storage::BucketIn::host_at_aws).ok();
  const std::size_t half = size / 2;
  (void)storage::profile_of(text.substr(0, half), text.substr(half), "default");
  return 0;
}
