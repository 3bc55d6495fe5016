// Key domains as a repository has them: their secrets, and what these open of commits and the log.
#include <fmt/core.h>

#include "base/codec.h"
#include "repo/repository.h"
#include "repo/rights.h"

namespace holdfast::repo {

using model::Domain;

Result<SharedDomainKeys> Repository::domain_keys(Domain domain, std::stop_token stop) const {
  if (domain == 0) return keys_;
  {
    const std::lock_guard lock(mutex_);
    const auto known = domains_.find(domain);
    if (known != domains_.end()) return known->second;
  }
  TRY(require(secrets_, {Right::index}));
  const std::string name = domain_name(domain);
  const auto object = doors_.storage.get(name, {}, stop);
  if (!object.ok() && object.error().kind() == Errc::not_found) {
    LogState state;
    const auto followed = log().follow(state, stop);
    if (state.erased(domain)) return erased_error("it", state, domain);
    if (!followed.ok() && followed.error().kind() != Errc::damaged) return followed.error().copy();
    const auto notice = TRY(erasure_notice(domain, stop));
    if (notice) return erased_error("it", *notice);
    return Error(Errc::damaged,
                 fmt::format("{} is missing: nothing of key domain {} can be read without it", name, domain))
        .hint("`holdfast repair packs --from` takes it from a copy of the repository");
  }
  if (!object.ok()) return object.error().copy().context("reading " + name);
  const crypto::Key secret = TRY(decode_domain_secret(config_, *secrets_.index, domain, object.value()));
  auto keys =
      std::make_shared<const DomainKeys>(domain, &secret, secrets_.content ? &*secrets_.content : nullptr);
  const std::lock_guard lock(mutex_);
  return domains_.insert_or_assign(domain, std::move(keys)).first->second;
}

Result<std::optional<EraseDomain>> Repository::erasure_notice(Domain domain, std::stop_token stop) const {
  const std::string name = erasure_name(domain);
  const auto object = doors_.storage.get(name, {}, std::move(stop));
  if (!object.ok() && object.error().kind() == Errc::not_found) return std::optional<EraseDomain>();
  if (!object.ok()) return object.error().copy().context("reading " + name);
  auto notice = decode_erasure(config_, domain, object.value());
  return notice.ok() ? std::optional(std::move(notice).value()) : std::nullopt;
}

Result<SharedDomainKeys> Repository::keys_of(const model::TransactionId& id, std::stop_token stop) const {
  const SessionKey session = TRY(session_key(id, stop));
  return domain_keys(session.place.domain, stop);
}

namespace {

// What tags in the log are sealed with.
Buffer tag_context(const RepositoryId& id, const model::TransactionId& transaction) {
  return seal_context(id, transaction_name(transaction, "tags"));
}

}  // namespace

Result<std::vector<std::string>> Repository::tags_of(const Snapshot& snapshot, const LogState& log,
                                                     std::stop_token stop) const {
  const model::Commit& commit = snapshot.commit;
  const auto known = log.tags.find(commit.transaction);
  if (known == log.tags.end()) return commit.tags;
  if (commit.domain == 0) return known->second;
  const SharedDomainKeys keys = TRY(domain_keys(commit.domain, stop));
  const std::string sealed = known->second.size() == 1 ? known->second.front() : "";
  const Buffer plain =
      TRY_AS(keys->open_label(tag_context(config_.id, commit.transaction), as_bytes(sealed)), "tags");
  Decoder in(plain);
  std::vector<std::string> tags(in.count(1));
  for (std::string& tag : tags) tag = in.string();
  TRY(in.finish("tags"));
  return tags;
}

Result<Tag> Repository::tag_entry(const Snapshot& snapshot, const std::vector<std::string>& tags,
                                  std::stop_token stop) const {
  const model::Commit& commit = snapshot.commit;
  if (commit.domain == 0) return Tag{commit.transaction, tags};
  const SharedDomainKeys keys = TRY(domain_keys(commit.domain, stop));
  Encoder out;
  out.varint(tags.size());
  for (const std::string& tag : tags) out.string(tag);
  const Buffer sealed =
      keys->seal_label(tag_context(config_.id, commit.transaction), out.bytes(), doors_.random);
  return Tag{commit.transaction, {std::string(as_text(sealed))}};
}

// What the domain seals of a commit, and of the log about it.
Result<void> Repository::open_labels(Snapshot& snapshot, const LogState& log, std::stop_token stop) const {
  model::Commit& commit = snapshot.commit;
  const SharedDomainKeys keys = TRY(domain_keys(commit.domain, stop));
  const std::string name = transaction_name(commit.transaction, "fate");
  // First of all: what can't be read of the labels must not make it one of no domain.
  const auto made = log.domains.find(commit.domain);
  snapshot.domain = fmt::format("#{}", commit.domain);  // where the log is damaged
  if (made != log.domains.end()) snapshot.domain = TRY(open_domain_name(config_, *keys, made->second.made));
  const Buffer plain = TRY_AS(keys->open_label(seal_context(config_.id, name), commit.sealed_labels), name);
  TRY_AS(model::decode_labels(plain, commit), name);
  snapshot.tags = TRY_AS(tags_of(snapshot, log, stop), name);
  return {};
}

// Fills in what is sealed by key domains, as far as their secrets are there.
Result<void> Repository::open_domains(History& history, std::stop_token stop) const {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [domain, state] : history.log.domains) {
      // Whoever has run for long must not go on with what was erased.
      if (state.erased && domains_.erase(domain) > 0) sessions_.clear();
    }
  }
  if (on_log) on_log(history.log);
  std::set<Domain> lost;
  for (Snapshot& snapshot : history.commits) {
    const Domain domain = snapshot.commit.domain;
    if (domain == 0 || snapshot.erased) continue;
    snapshot.nameless = lost.contains(domain);
    if (snapshot.nameless) continue;
    auto opened = open_labels(snapshot, history.log, stop);
    if (opened.ok()) continue;
    if (opened.error().kind() == Errc::stopped || retryable(opened.error().kind())) return opened;
    snapshot.nameless = true;
    history.nameless.push_back(opened.error().text());
    if (!domain_keys(domain, stop).ok()) lost.insert(domain);
  }
  return {};
}

}  // namespace holdfast::repo
