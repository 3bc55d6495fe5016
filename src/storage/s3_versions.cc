#include "storage/s3_versions.h"

namespace holdfast::storage {

namespace {

constexpr std::size_t kKnownMax = 10'000;
}  // namespace

Result<bool> S3Versions::kept(const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    if (kept_) return *kept_;
  }
  const S3Call call{"GET", "", {{"versioning", ""}}, {}, {}};
  const auto answer = client_.send(call, "asking whether the bucket keeps versions", stop);
  if (!answer.ok()) {
    const Errc kind = answer.error().kind();
    const bool no = kind == Errc::denied || kind == Errc::unsupported || kind == Errc::not_found;
    if (!no) return answer.error().copy();
  }
  const std::lock_guard lock(mutex_);
  kept_ = answer.ok() && keeps_versions(answer.value().body);
  return *kept_;
}

// Of a name the newest comes first, names in their order.
Result<void> S3Versions::each(std::string_view prefix, const VisitVersion& visit,
                              const std::stop_token& stop) {
  const std::string& own = client_.location().prefix;
  const S3Call first = client_.listing("versions", "", prefix);
  S3Call call = first;
  const std::string what = fmt::format("list the versions of {}", prefix);
  std::string key, id;
  for (;;) {
    S3VersionPage page = TRY(client_.page(call, parse_versions, what, stop));
    for (S3Version& version : page.versions) {
      if (!version.name.starts_with(own)) continue;
      version.name.erase(0, own.size());
      if (!version.name.starts_with(prefix)) continue;
      const bool more = TRY(visit(version));
      if (!more) return {};
    }
    if (page.next_key.empty()) return {};
    if (page.next_key == key && page.next_id == id)
      return Error(Errc::unreachable, fmt::format("{}: the store's listing does not go on", what));
    key = page.next_key;
    id = page.next_id;
    call = first;
    call.query.emplace_back("key-marker", key);
    if (!id.empty()) call.query.emplace_back("version-id-marker", id);
  }
}

Result<std::vector<S3Version>> S3Versions::all_of(const std::string& name, const std::stop_token& stop) {
  std::vector<S3Version> out;
  const auto visit = [&](const S3Version& version) -> Result<bool> {
    if (version.name == name) out.push_back(version);
    return version.name <= name;
  };
  TRY(each(name, visit, stop));
  return out;
}

Result<S3Version> S3Versions::oldest(const std::string& name, const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = known_.find(name); at != known_.end()) return at->second;
  }
  const std::vector<S3Version> all = TRY(all_of(name, stop));
  const auto last = std::find_if(all.rbegin(), all.rend(), [](const S3Version& v) { return !v.is_marker; });
  if (last == all.rend()) return Error(Errc::not_found, fmt::format("no object {}", name));
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnownMax) known_.clear();
  known_.insert_or_assign(name, *last);
  return *last;
}

Result<void> S3Versions::expect_first(const std::string& name, const net::HttpAnswer& put,
                                      const std::stop_token& stop) {
  const std::string_view ours = put.header("x-amz-version-id");
  if (ours.empty()) {
    return Error(Errc::unreachable,
                 fmt::format("put {}: the store does not tell which version it became", name));
  }
  const S3Version oldest = TRY(this->oldest(name, stop));
  if (oldest.id == ours) return {};
  return Error(Errc::exists, fmt::format("{} is there already", name));
}

Result<void> S3Versions::remove(const std::string& name, const std::stop_token& stop) {
  const std::vector<S3Version> all = TRY(all_of(name, stop));
  for (const S3Version& version : all) {
    const S3Call call{"DELETE", name, {{"versionId", version.id}}, {}, {}};
    const auto done = client_.send(call, fmt::format("remove {} (version {})", name, version.id), stop);
    if (!done.ok() && done.error().kind() != Errc::not_found) return done.error().copy();
  }
  const std::lock_guard lock(mutex_);
  known_.erase(name);
  return {};
}

Result<void> S3Versions::list(std::string_view prefix, const Visit& visit, const std::stop_token& stop) {
  std::optional<ObjectInfo> object;  // of the name that is being listed
  std::string last;
  const auto next = [&](const std::string& name) -> Result<void> {
    if (name < last) {
      return Error(Errc::unreachable, fmt::format("list {}: the store's listing is out of order", prefix));
    }
    last = name;
    const auto done = object ? visit(*std::exchange(object, std::nullopt)) : Result<void>();
    return done.ok() ? Result<void>() : done.error().copy();
  };
  const auto version = [&](const S3Version& v) -> Result<bool> {
    if (v.name != last) TRY(next(v.name));
    if (!v.is_marker) object = ObjectInfo{v.name, v.size_bytes};
    return true;
  };
  TRY(each(prefix, version, stop));
  return next(last);
}

}  // namespace holdfast::storage
