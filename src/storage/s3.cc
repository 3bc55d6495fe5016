#include "storage/s3.h"

#include <charconv>
#include <unordered_set>

#include "base/check.h"
#include "storage/name.h"
#include "storage/range.h"
#include "storage/s3_client.h"
#include "storage/s3_versions.h"
#include "storage/scratch_spool.h"

namespace holdfast::storage {

namespace {

constexpr std::uint64_t kOnePutMax = 5 * kGiB;
constexpr std::uint64_t kWholeBytesMax = kGiB;

struct ContentRange {
  std::uint64_t first = 0, last = 0, total = 0;
};

// "bytes 5-9/20"
std::optional<ContentRange> parse_content_range(std::string_view text) {
  ContentRange range;
  std::uint64_t* const numbers[] = {&range.first, &range.last, &range.total};
  constexpr std::string_view kBefore[] = {"bytes ", "-", "/"};
  for (int i = 0; i < 3; ++i) {
    if (!text.starts_with(kBefore[i])) return std::nullopt;
    text.remove_prefix(kBefore[i].size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *numbers[i]);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return text.empty() ? std::optional(range) : std::nullopt;
}

class S3Storage final : public Storage {
 public:
  S3Storage(S3Location location, std::string region, S3Doors doors, RetryPolicy policy)
      : client_(std::move(location), std::move(region), std::move(doors), policy), versions_(client_) {}

  std::string describe() const override { return client_.describe(); }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    return put_body(name, net::body_of(bytes), crypto::sha256(bytes), stop);
  }
  Result<std::unique_ptr<Spool>> spool() override {
    const S3Doors& doors = client_.doors();
    auto file = TRY_AS(doors.disk.scratch(doors.scratch_directory), "a place for what is to be sent");
    return std::unique_ptr<Spool>(new ScratchSpool(std::move(file)));
  }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    auto* ours = dynamic_cast<ScratchSpool*>(&spool);
    HF_ASSERT(ours != nullptr);
    const net::HttpBody body{spool.size_bytes(), [&spool](std::uint64_t offset, MutableBytes out) {
                               return spool.read(offset, out);
                             }};
    return put_body(name, body, ours->sha256(), stop);
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    TRY(stat(name, std::move(stop)));
    return {};
  }
  Result<void> barrier(std::stop_token) override { return {}; }

  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override;
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override;
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override;
  Result<void> remove(const std::string& name, std::stop_token stop) override;

 private:
  enum class Exclusive : unsigned char { unknown, yes, no };

  Result<void> put_body(const std::string& name, const net::HttpBody& body, const Hash& sha256,
                        const std::stop_token& stop);
  Result<void> expect_exclusive(const S3Call& call, const std::stop_token& stop);
  Result<S3Call> reading(const char* method, const std::string& name, const std::stop_token& stop);
  Result<Buffer> get_whole(const std::string& name, const std::stop_token& stop);
  Result<void> list_names(std::string_view prefix, const Visit& visit, const std::stop_token& stop);

  S3Client client_;
  S3Versions versions_;
  std::mutex mutex_;  // guards exclusive_
  Exclusive exclusive_ = Exclusive::unknown;
};

Result<void> S3Storage::put_body(const std::string& name, const net::HttpBody& body, const Hash& sha256,
                                 const std::stop_token& stop) {
  TRY(check_name(name));
  if (body.size_bytes > kOnePutMax)
    return Error(Errc::unsupported,
                 fmt::format("{} has {} bytes, and S3 takes 5 GiB at once", name, body.size_bytes));
  const bool versioned = TRY(versions_.kept(stop));
  const S3Call call{"PUT", name, {}, {{"if-none-match", "*"}}, body, sha256};
  const auto first = client_.send(call, "put " + name, stop);
  if (first.ok() && versioned) return versions_.expect_first(name, first.value(), stop);
  if (first.ok()) return expect_exclusive(call, stop);
  if (first.error().kind() == Errc::exists) {
    const std::lock_guard lock(mutex_);
    exclusive_ = Exclusive::yes;
  }
  return first.error().copy();
}

// After an object was put: putting it again must be refused.
Result<void> S3Storage::expect_exclusive(const S3Call& call, const std::stop_token& stop) {
  Exclusive known = Exclusive::unknown;
  {
    const std::lock_guard lock(mutex_);
    known = exclusive_;
  }
  if (known == Exclusive::unknown) {
    const auto second = client_.send(call, "put once more " + call.name, stop);
    if (!second.ok() && second.error().kind() != Errc::exists) return second.error().copy();
    known = second.ok() ? Exclusive::no : Exclusive::yes;
    const std::lock_guard lock(mutex_);
    exclusive_ = known;
  }
  if (known == Exclusive::yes) return {};
  return Error(
             Errc::unsupported,
             fmt::format("{} lets one object be written over another: it ignores If-None-Match and keeps no "
                         "versions",
                         describe()))
      .hint("turn on versioning for this bucket, or use another server");
}

// A call that reads an object: of its versions the oldest.
Result<S3Call> S3Storage::reading(const char* method, const std::string& name, const std::stop_token& stop) {
  S3Call call{method, name, {}, {}, {}};
  const bool versioned = TRY(versions_.kept(stop));
  if (versioned) {
    const S3Version oldest = TRY(versions_.oldest(name, stop));
    call.query.emplace_back("versionId", oldest.id);
  }
  return call;
}

Result<Buffer> S3Storage::get_whole(const std::string& name, const std::stop_token& stop) {
  S3Call call = TRY(reading("GET", name, stop));
  call.answer_bytes_max = kWholeBytesMax;
  net::HttpAnswer answer = TRY(client_.send(call, "get " + name, stop));
  const std::string_view length = answer.header("content-length");
  if (length.empty() || length == std::to_string(answer.body.size())) return std::move(answer.body);
  return Error(Errc::unreachable,
               fmt::format("get {}: the store gave {} of {} bytes", name, answer.body.size(), length));
}

Result<Buffer> S3Storage::get(const std::string& name, ByteRange range, std::stop_token stop) {
  TRY(check_name(name));
  if (range.offset == 0 && range.length == ByteRange::kToEnd) return get_whole(name, stop);
  if (range.length == 0 || range.length == ByteRange::kToEnd) {
    const ObjectInfo info = TRY(stat(name, stop));
    range.length = TRY(length_within(range, info));
    if (range.length == 0) return Buffer();
  }
  const std::uint64_t last = range.offset + (range.length - 1);
  if (last < range.offset) return length_within(range, {name, 0}).error().copy();
  const std::string what = fmt::format("get {} from {} to {}", name, range.offset, last);
  S3Call call = TRY(reading("GET", name, stop));
  call.headers.emplace_back("range", fmt::format("bytes={}-{}", range.offset, last));
  call.answer_bytes_max += range.length;
  net::HttpAnswer answer = TRY(client_.send(call, what, stop));
  const auto given = parse_content_range(answer.header("content-range"));
  if (answer.status != 206 || !given)
    return Error(Errc::unsupported, fmt::format("{}: the store does not give parts of objects", what));
  TRY(length_within(range, {name, given->total}));
  if (given->first != range.offset || given->last != last || answer.body.size() != range.length)
    return Error(Errc::unreachable,
                 fmt::format("{}: the store gave {} bytes from {}", what, answer.body.size(), given->first));
  return std::move(answer.body);
}

Result<ObjectInfo> S3Storage::stat(const std::string& name, std::stop_token stop) {
  TRY(check_name(name));
  const bool versioned = TRY(versions_.kept(stop));
  if (versioned) {
    const S3Version oldest = TRY(versions_.oldest(name, stop));
    return ObjectInfo{name, oldest.size_bytes};
  }
  const net::HttpAnswer answer = TRY(client_.send({"HEAD", name, {}, {}, {}}, "stat " + name, stop));
  const auto size_bytes = net::parse_digits(answer.header("content-length"));
  if (!size_bytes)
    return Error(Errc::unreachable, fmt::format("stat {}: the store does not tell its size", name));
  return ObjectInfo{name, *size_bytes};
}

Result<void> S3Storage::list(std::string_view prefix, const Visit& visit, std::stop_token stop) {
  const bool versioned = TRY(versions_.kept(stop));
  return versioned ? versions_.list(prefix, visit, stop) : list_names(prefix, visit, stop);
}

// S3 lists in the order of names. What is not above all that came before must have come before: it is passed
// over where it did, and else this listing can't be relied on.
Result<void> S3Storage::list_names(std::string_view prefix, const Visit& visit, const std::stop_token& stop) {
  const std::string& own = client_.location().prefix;
  const S3Call first = client_.listing("list-type", "2", prefix);
  S3Call call = first;
  std::string token, last;
  std::unordered_set<std::string> before, now;  // names of the last two pages
  do {
    S3Page found = TRY(client_.page(call, parse_listing, fmt::format("list {}", prefix), stop));
    if (!found.next.empty() && found.next == token)
      return Error(Errc::unreachable, fmt::format("list {}: the store's listing does not go on", prefix));
    before = std::move(now);
    now.clear();
    for (ObjectInfo& object : found.objects) {
      if (!object.name.starts_with(own)) continue;
      object.name.erase(0, own.size());
      if (!object.name.starts_with(prefix)) continue;
      const bool known = before.contains(object.name) || !now.insert(object.name).second;
      if (known) continue;
      if (object.name < last)
        return Error(Errc::unreachable, fmt::format("list {}: the store's listing is out of order", prefix));
      last = object.name;
      TRY(visit(object));
    }
    token = std::move(found.next);
    call = first;
    call.query.emplace_back("continuation-token", token);
  } while (!token.empty());
  return {};
}

Result<void> S3Storage::remove(const std::string& name, std::stop_token stop) {
  TRY(check_name(name));
  const bool versioned = TRY(versions_.kept(stop));
  if (versioned) return versions_.remove(name, stop);
  const auto done = client_.send({"DELETE", name, {}, {}, {}}, "remove " + name, stop);
  if (done.ok() || done.error().kind() == Errc::not_found) return {};
  return done.error().copy();
}

}  // namespace

std::unique_ptr<Storage> open_s3(S3Location location, std::string region, S3Doors doors, RetryPolicy policy) {
  return std::make_unique<S3Storage>(std::move(location), std::move(region), std::move(doors), policy);
}

}  // namespace holdfast::storage
