#include "storage/s3_reply.h"

#include <pugixml.hpp>

namespace holdfast::storage {

namespace {

// Codes of S3 and of servers that speak it,
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
struct Meaning {
  std::string_view code;
  Errc kind;
  const char* hint;
};
constexpr Meaning kMeanings[] = {
    {"NoSuchKey", Errc::not_found, ""},
    {"NoSuchBucket", Errc::no_repository, "make the bucket first, or correct its name"},
    {"PreconditionFailed", Errc::exists, ""},
    {"ConditionalRequestConflict", Errc::unreachable, ""},
    {"OperationAborted", Errc::unreachable, ""},
    {"InvalidRange", Errc::damaged, ""},
    {"InvalidAccessKeyId", Errc::denied, "check AWS_ACCESS_KEY_ID, or the profile that is used"},
    {"SignatureDoesNotMatch", Errc::denied, "check AWS_SECRET_ACCESS_KEY, or the profile that is used"},
    {"RequestTimeTooSkewed", Errc::denied, "this machine's clock is wrong, or the server's: set it"},
    {"ExpiredToken", Errc::denied, "get new temporary credentials"},
    {"InvalidToken", Errc::denied, "check AWS_SESSION_TOKEN"},
    {"AccessDenied", Errc::denied, "these credentials may not do this in this bucket"},
    {"AllAccessDisabled", Errc::denied, "the owner has closed this bucket"},
    {"InvalidObjectState", Errc::failed, "the object lies in an archive class: restore it there first"},
    {"QuotaExceeded", Errc::no_space, "the bucket or the account is full"},
    {"XMinioStorageFull", Errc::no_space, "the server's disks are full"},
    {"XMinioAdminBucketQuotaExceeded", Errc::no_space, "the bucket's quota is full"},
    {"RequestTimeout", Errc::unreachable, ""},
    {"SlowDown", Errc::unreachable, ""},
    {"TooManyRequests", Errc::unreachable, ""},
    {"ServiceUnavailable", Errc::unreachable, ""},
    {"InternalError", Errc::unreachable, ""},
    {"BadDigest", Errc::unreachable, ""},  // the body arrived as another
    {"XAmzContentSHA256Mismatch", Errc::unreachable, ""},
    {"IncompleteBody", Errc::unreachable, ""},
    {"NotImplemented", Errc::unsupported, ""},
    {"MethodNotAllowed", Errc::unsupported, ""},
};

Errc kind_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
      return Errc::denied;
    case 404:
      return Errc::not_found;
    case 408:
    case 409:
    case 425:
    case 429:
      return Errc::unreachable;
    case 412:
      return Errc::exists;
    case 416:
      return Errc::damaged;
    case 501:
      return Errc::unsupported;
    case 507:
      return Errc::no_space;
    default:
      return status >= 500 ? Errc::unreachable : Errc::failed;
  }
}

bool parse(pugi::xml_document& document, Bytes body) {
  return static_cast<bool>(document.load_buffer(body.data(), body.size()));
}

Error no_listing(std::string_view why) {
  return Error(Errc::unreachable, fmt::format("the server's listing can't be read: {}", why));
}

}  // namespace

std::optional<S3Refusal> refusal_of(const net::HttpAnswer& answer) {
  const bool success = answer.status >= 200 && answer.status < 300;
  // Long operations answer 200 first and fail after it; objects' own bytes are never XML of ours.
  const bool xml = as_text(answer.body).starts_with("<") &&
                   answer.header("content-type").find("xml") != std::string_view::npos;
  if (success && !xml) return std::nullopt;
  pugi::xml_document document;
  const bool readable = parse(document, answer.body);
  const pugi::xml_node error = document.child("Error");
  if (success && readable && !error) return std::nullopt;
  S3Refusal refusal;
  refusal.status = answer.status;
  if (success && !readable) refusal.status = 500;
  if (success && error) refusal.status = 500;  // unless its code says more
  refusal.code = error.child_value("Code");
  refusal.message = error.child_value("Message");
  refusal.region = error.child_value("Region");
  if (refusal.region.empty()) refusal.region = answer.header("x-amz-bucket-region");
  return refusal;
}

Error s3_error(const S3Refusal& refusal, std::string_view what) {
  const auto* meaning = std::find_if(std::begin(kMeanings), std::end(kMeanings),
                                     [&](const Meaning& m) { return m.code == refusal.code; });
  std::string said = refusal.code;
  if (!refusal.message.empty()) said += fmt::format("{}{}", said.empty() ? "" : ": ", refusal.message);
  std::string text =
      fmt::format("{}: the store answers {}{}{}", what, refusal.status, said.empty() ? "" : " ", said);
  if (meaning == std::end(kMeanings)) return Error(kind_of_status(refusal.status), std::move(text));
  Error error(meaning->kind, std::move(text));
  if (*meaning->hint != '\0') return std::move(error).hint(meaning->hint);
  return error;
}

namespace {

// Keeps what a page's text was parsed to; `root` is its root element, of the kind that was asked for.
struct PageText {
  pugi::xml_document document;
  pugi::xml_node root;
  bool goes_on = false;
};

Result<void> parse_page(PageText& page, Bytes body, const char* kind) {
  if (!parse(page.document, body)) return no_listing("it is not whole");
  page.root = page.document.child(kind);
  if (!page.root) return no_listing("it is something else");
  const std::string_view truncated = page.root.child_value("IsTruncated");
  if (truncated != "true" && truncated != "false") return no_listing("it does not say whether it is all");
  page.goes_on = truncated == "true";
  return {};
}

Error no_way_on() { return no_listing("it does not say how to go on"); }

}  // namespace

Result<S3Page> parse_listing(Bytes body) {
  PageText text;
  TRY(parse_page(text, body, "ListBucketResult"));
  S3Page page;
  for (const pugi::xml_node& node : text.root.children("Contents")) {
    const auto size = net::parse_digits(node.child_value("Size"));
    if (!size || !node.child("Key")) return no_listing("an object has no name or no size");
    page.objects.push_back({node.child_value("Key"), *size});
  }
  if (!text.goes_on) return page;
  page.next = text.root.child_value("NextContinuationToken");
  if (page.next.empty()) return no_way_on();
  return page;
}

bool keeps_versions(Bytes body) {
  pugi::xml_document document;
  if (!parse(document, body)) return false;
  return std::string_view(document.child("VersioningConfiguration").child_value("Status")) == "Enabled";
}

Result<S3VersionPage> parse_versions(Bytes body) {
  PageText text;
  TRY(parse_page(text, body, "ListVersionsResult"));
  S3VersionPage page;
  for (const pugi::xml_node& node : text.root.children()) {
    const std::string_view kind = node.name();
    if (kind != "Version" && kind != "DeleteMarker") continue;
    S3Version version{node.child_value("Key"), node.child_value("VersionId"), 0, kind == "DeleteMarker"};
    const auto size = net::parse_digits(node.child_value("Size"));
    if (version.name.empty() || version.id.empty() || (!version.is_marker && !size))
      return no_listing("a version has no name, no id or no size");
    version.size_bytes = size.value_or(0);
    page.versions.push_back(std::move(version));
  }
  if (!text.goes_on) return page;
  page.next_key = text.root.child_value("NextKeyMarker");
  page.next_id = text.root.child_value("NextVersionIdMarker");
  if (page.next_key.empty()) return no_way_on();
  return page;
}

}  // namespace holdfast::storage
