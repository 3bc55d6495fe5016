#include "flow/check_findings.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/core.h>

#include "crypto/hash.h"

namespace holdfast::flow {

Severity severity_of(Errc kind) {
  const bool damaged = kind == Errc::damaged || kind == Errc::not_found || kind == Errc::wrong_key;
  return damaged ? Severity::damaged : Severity::unreachable;
}

const char* word(Severity severity) {
  switch (severity) {
    case Severity::warning:
      return "warning";
    case Severity::unreachable:
      return "unreachable";
    case Severity::damaged:
      return "damaged";
  }
  return "damaged";
}

std::uint64_t CheckReport::count(Severity severity) const {
  return static_cast<std::uint64_t>(std::count_if(findings.begin(), findings.end(),
                                                  [&](const Finding& f) { return f.severity == severity; }));
}

int CheckReport::exit_code() const {
  if (count(Severity::damaged) > 0) return holdfast::exit_code(Errc::damaged);
  return count(Severity::unreachable) > 0 ? holdfast::exit_code(Errc::unreachable) : 0;
}

void CheckFindings::excuse_removals_since(const repo::Repository& repository, const repo::LogState& log) {
  repository_ = &repository;
  then_ = now_ = log;
}

Result<std::optional<std::uint32_t>> CheckFindings::generation_now(const model::PackId& pack,
                                                                   std::stop_token stop) {
  HF_ASSERT(repository_ != nullptr);
  const std::lock_guard lock(now_mutex_);
  TRY(repository_->log().follow(now_, std::move(stop)));
  return now_.generation(pack);
}

// Only what was there by the old view and is deleted by the new one: a prune that deleted wrongly is not
// excused, since what it took is still needed by what is live.
bool CheckFindings::removed_since(const Found& found) {
  if (repository_ == nullptr) return false;
  const std::lock_guard lock(now_mutex_);
  if (!repository_->log().follow(now_, {}).ok() || now_.next == then_.next) return false;
  const auto retired = [&](const model::TransactionId& id) { return !then_.retired(id) && now_.retired(id); };
  const auto object = repo::parse_transaction_name(found.finding.object);
  if (object && retired(object->id)) return true;
  if (!found.where) return false;
  const model::PackId& pack = found.where->pack;
  if (!then_.generation(pack)) return false;
  if (!now_.generation(pack)) return true;
  const auto gone = now_.deleted.find(pack);
  if (gone == now_.deleted.end() || !found.where->slots) return false;
  const auto before = then_.deleted.find(pack);
  const bool was_there = before == then_.deleted.end() || before->second.kept.intersects(*found.where->slots);
  return was_there && !gone->second.kept.intersects(*found.where->slots);
}

// Whether all of it was known to be lost when the log was read.
bool CheckFindings::is_wanted(const DamagedSlots& where) const {
  const model::Slots& lost = then_.lost_of(where.pack);
  if (where.slots) return !where.slots->empty() && lost.contains(*where.slots);
  return where.count > 0 && lost.count() >= where.count;
}

void CheckFindings::put(Found found, Errc kind) {
  const Finding& finding = found.finding;
  if (finding.severity == Severity::damaged && removed_since(found)) return;
  found.finding.wanted = finding.severity == Severity::damaged && found.where && is_wanted(*found.where);
  if (finding.severity == Severity::warning) {
    observer_.note(finding.object + ": " + finding.text);
  } else {
    observer_.problem(finding.object, "check", Error(kind, finding.text));
  }
  const std::lock_guard lock(mutex_);
  found_.push_back(std::move(found));
}

void CheckFindings::warn(std::string kind, std::string object, std::string text) {
  put({{Severity::warning, std::move(kind), std::move(object), {}, std::move(text)}, {}}, Errc::damaged);
}

void CheckFindings::damaged(std::string kind, std::string object, std::string text,
                            std::optional<DamagedSlots> where) {
  put({{Severity::damaged, std::move(kind), std::move(object), {}, std::move(text)}, std::move(where)},
      Errc::damaged);
}

void CheckFindings::add(std::string kind, std::string object, const Error& error,
                        std::optional<DamagedSlots> where) {
  const Severity severity = severity_of(error.kind());
  put({{severity, std::move(kind), std::move(object), {}, error.text()}, std::move(where)}, error.kind());
}

void CheckFindings::add_for(std::vector<std::string> snapshots, std::string kind, std::string object,
                            const Error& error) {
  const Severity severity = severity_of(error.kind());
  put({{severity, std::move(kind), std::move(object), std::move(snapshots), error.text()}, {}}, error.kind());
}

void CheckFindings::add_for(const std::string& snapshot, std::string kind, std::string object,
                            const Error& error) {
  add_for(std::vector{snapshot}, std::move(kind), std::move(object), error);
}

bool CheckFindings::covers(const model::Address& address) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(found_.begin(), found_.end(), [&](const Found& found) {
    return found.where && found.where->pack == address.pack &&
           (!found.where->slots || found.where->slots->contains(address.slot));
  });
}

std::map<model::PackId, std::optional<model::Slots>> CheckFindings::damaged_slots() const {
  const std::lock_guard lock(mutex_);
  std::map<model::PackId, std::optional<model::Slots>> out;
  for (const Found& found : found_) {
    if (!found.where || found.finding.severity != Severity::damaged) continue;
    const auto [at, first] = out.try_emplace(found.where->pack, found.where->slots);
    if (!found.where->slots) {
      at->second.reset();
    } else if (!first && at->second) {
      at->second->unite(*found.where->slots);
    }
  }
  return out;
}

std::set<std::string> CheckFindings::damaged_objects() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> out;
  for (const Found& found : found_) {
    if (found.finding.severity == Severity::damaged) out.insert(found.finding.object);
  }
  return out;
}

bool CheckFindings::any_slots() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(found_.begin(), found_.end(),
                     [](const Found& found) { return found.where.has_value(); });
}

void CheckFindings::attribute(const std::string& snapshot, const model::References& references) {
  const std::lock_guard lock(mutex_);
  for (Found& found : found_) {
    if (!found.where) continue;
    const auto at = references.find(found.where->pack);
    if (at == references.end()) continue;
    if (!found.where->slots || found.where->slots->intersects(at->second))
      found.finding.snapshots.push_back(snapshot);
  }
}

std::vector<Finding> CheckFindings::take() {
  const std::lock_guard lock(mutex_);
  std::vector<Finding> out;
  for (Found& found : found_) out.push_back(std::move(found.finding));
  found_.clear();
  // Threads find in any order; reports of equal repositories are equal.
  std::stable_sort(out.begin(), out.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.kind, a.object, a.text) < std::tie(b.kind, b.object, b.text);
  });
  return out;
}

Result<CheckPart> parse_check_part(std::string_view text) {
  CheckPart part;
  const char* const end = text.data() + text.size();
  if (text.ends_with('%')) {
    const auto [at, error] = std::from_chars(text.data(), end - 1, part.percent);
    if (error == std::errc{} && at == end - 1 && part.percent > 0 && part.percent <= 100) return part;
  } else {
    const auto [slash, error] = std::from_chars(text.data(), end, part.part);
    if (error == std::errc{} && slash != end && *slash == '/') {
      const auto [at, error2] = std::from_chars(slash + 1, end, part.parts);
      if (error2 == std::errc{} && at == end && part.part >= 1 && part.part <= part.parts) return part;
    }
  }
  return Error(Errc::usage, fmt::format("\"{}\" is not a part of the repository", text))
      .hint("write a percentage like 5%, or one part of several like 2/7");
}

std::vector<bool> PartChooser::choose(const std::vector<Pack>& packs) {
  const bool all = part_.parts == 0 && part_.bytes == 0 && part_.percent >= 100;
  std::vector<bool> chosen(packs.size(), all);
  if (all) return chosen;
  if (part_.parts != 0) {
    // By a hash of the name: the same pack is always in the same part, so that t runs of n/t see everything.
    for (std::size_t i = 0; i < packs.size(); ++i) {
      const Hash hash = crypto::hash(as_bytes(packs[i].name));
      std::uint32_t word = 0;
      std::memcpy(&word, hash.data(), sizeof word);
      chosen[i] = word % part_.parts == part_.part - 1;
    }
    return chosen;
  }
  std::vector<std::size_t> order(packs.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto wanted =
      static_cast<std::size_t>(std::ceil(static_cast<double>(packs.size()) * part_.percent / 100));
  std::uint64_t taken = 0;
  for (std::size_t i = 0; i < order.size() && (part_.bytes != 0 ? taken < part_.bytes : i < wanted); ++i) {
    const auto bytes = random_.array<8>();
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    std::swap(order[i], order[i + word % (order.size() - i)]);
    chosen[order[i]] = true;
    taken += packs[order[i]].bytes;
  }
  return chosen;
}

}  // namespace holdfast::flow
