#include "repo/collector.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "repo/rights.h"

namespace holdfast::repo {

using model::TransactionId;

namespace {

// Unreadable objects that an error names.
constexpr std::size_t kNamedMax = 20;

bool of_one_run(const model::Commit& a, const model::Commit& b) {
  return a.run == b.run && a.transaction.writer == b.transaction.writer;
}

Error refusal(const std::vector<std::string>& unreadable) {
  std::string list;
  for (std::size_t i = 0; i < std::min(unreadable.size(), kNamedMax); ++i) list += "\n  " + unreadable[i];
  if (unreadable.size() > kNamedMax) list += fmt::format("\n  and {} more", unreadable.size() - kNamedMax);
  return Error(Errc::damaged, "what is needed can't be known, so nothing is removed:" + list)
      .hint("run `holdfast check` and repair the repository first");
}

bool ends_marking(const Error& error) { return error.kind() == Errc::stopped || retryable(error.kind()); }

}  // namespace

bool is_live(const Mark& mark, const Snapshot& commit) {
  const TransactionId& id = commit.commit.transaction;
  if (mark.log.erased(commit.commit.domain)) return false;
  if (commit.commit.kind == model::CommitKind::snapshot) return !mark.log.forgotten.contains(id);
  if (mark.log.abandoned.contains(id)) return false;
  for (auto at = mark.commits.upper_bound(id); at != mark.commits.end() && at->first.writer == id.writer;
       ++at) {
    if (of_one_run(at->second->commit, commit.commit)) return false;
  }
  return true;
}

bool Mark::needs(const Item& item) const {
  const TransactionId& id = item.pack.transaction;
  if (item.pack.pack != kOwnObjects) {
    const auto at = needed.find(item.pack);
    return at != needed.end() && !item.kept.contains(at->second);
  }
  if (live.contains(id) || page_owners.contains(id)) return true;
  const auto slots = needed.lower_bound({id, 0});
  if (slots != needed.end() && slots->first.transaction == id) return true;
  // An older checkpoint of its run may be dead only because of this commit.
  const auto own = commits.find(id);
  if (own == commits.end()) return false;
  for (auto at = commits.lower_bound({id.writer, 0}); at->first != id; ++at) {
    const model::Commit& older = at->second->commit;
    if (older.kind == model::CommitKind::checkpoint && of_one_run(older, own->second->commit) &&
        !log.abandoned.contains(at->first)) {
      return true;
    }
  }
  return false;
}

Result<Mark> Marker::mark(std::stop_token stop) {
  for (;;) {
    Trouble trouble;
    Mark mark = TRY(try_mark(trouble, stop));
    if (trouble.vanished.empty() && trouble.unreadable.empty()) return mark;
    // What is gone is no loss where the log has come to explain it: then begin again.
    LogState log = mark.log;
    TRY_AS(repository_.log().follow(log, stop), "reading the log");
    for (const auto& [id, what] : trouble.vanished) {
      if (mark.log.retired(id) || !log.retired(id)) trouble.unreadable.push_back(what + " is missing");
    }
    if (!trouble.unreadable.empty()) return refusal(trouble.unreadable);
  }
}

Result<Mark> Marker::try_mark(Trouble& trouble, std::stop_token stop) {
  TRY_AS(repository_.log().follow(log_, stop), "reading the log");
  Mark mark;
  mark.log = log_;
  std::map<TransactionId, bool> listed;
  TRY_AS(repository_.storage().list(
             kTransactionPrefix,
             [&](const storage::ObjectInfo& info) -> Result<void> {
               const auto object = parse_transaction_name(info.name);
               if (!object) return {};
               bool& fate = listed[object->id];
               fate = fate || object->what == "fate";
               return {};
             },
             stop),
         "listing transactions");
  TRY(read_fates(mark, listed, trouble, stop));
  check_chains(mark, trouble);
  for (const auto& [id, commit] : mark.commits) {
    if (is_live(mark, *commit)) mark.live.insert(id);
  }
  TRY(read_needed(mark, trouble, stop));
  return mark;
}

Result<void> Marker::read_fates(Mark& mark, const std::map<TransactionId, bool>& listed, Trouble& trouble,
                                std::stop_token stop) {
  for (const auto& [id, has_fate] : listed) {
    if (mark.log.retired(id)) {
      mark.retired.insert(id);
      continue;
    }
    auto known = fates_.find(id);
    if (!has_fate && known != fates_.end()) trouble.vanished.emplace_back(id, transaction_name(id, "fate"));
    if (!has_fate) {
      mark.undecided.insert(id);
      continue;
    }
    if (known == fates_.end()) {
      auto fate = repository_.read_fate(id, stop);
      if (!fate.ok() && ends_marking(fate.error())) return std::move(fate).error();
      if (!fate.ok() && fate.error().kind() == Errc::not_found) {
        trouble.vanished.emplace_back(id, transaction_name(id, "fate"));
        continue;
      }
      if (!fate.ok()) {
        trouble.unreadable.push_back(fate.error().text());
        continue;
      }
      auto commit = fate.value() ? std::make_shared<const Snapshot>(std::move(*fate.value())) : nullptr;
      known = fates_.emplace(id, std::move(commit)).first;
    }
    if (known->second == nullptr) {
      mark.aborted.insert(id);
    } else {
      mark.commits.emplace(id, known->second);
    }
  }
  return {};
}

// A commit that another one names must be there: else fates were lost, and who knows how many.
void Marker::check_chains(const Mark& mark, Trouble& trouble) const {
  for (const auto& [id, commit] : mark.commits) {
    if (commit->commit.previous_sequence == 0) continue;
    const TransactionId previous{id.writer, commit->commit.previous_sequence};
    if (mark.log.retired(previous)) continue;
    const auto at = mark.commits.find(previous);
    if (at == mark.commits.end()) {
      trouble.vanished.emplace_back(previous, transaction_name(previous, "fate"));
    } else if (at->second->hash != commit->commit.previous_hash) {
      trouble.unreadable.push_back(transaction_name(previous, "fate") +
                                   " is not the one that a later commit names");
    }
  }
}

// The union of all reference sets, each shared page read once.
Result<void> Marker::read_needed(Mark& mark, Trouble& trouble, std::stop_token stop) {
  std::set<model::PagePointer> pages;
  for (const TransactionId& id : mark.live) {
    const model::Commit& commit = mark.commits.at(id)->commit;
    pages.insert(commit.pages.begin(), commit.pages.end());
  }
  for (const model::PagePointer& page : pages) mark.page_owners.insert(page.owner);
  if (!std::includes(pages.begin(), pages.end(), pages_.begin(), pages_.end())) {
    pages_.clear();
    needed_.clear();
  }
  for (auto at = pages.begin(); at != pages.end();) {
    const TransactionId owner = at->owner;
    const auto end = pages.upper_bound({owner, ~std::uint64_t{0}});
    const bool known = std::includes(pages_.begin(), pages_.end(), at, end);
    const auto texts =
        known ? Result<std::vector<Buffer>>(std::vector<Buffer>{}) : repository_.read_pages(owner, stop);
    if (!texts.ok() && ends_marking(texts.error())) return texts.error().copy();
    if (!texts.ok() && texts.error().kind() == Errc::not_found) {
      trouble.vanished.emplace_back(owner, transaction_name(owner, "refs"));
    } else if (!texts.ok()) {
      trouble.unreadable.push_back(texts.error().text());
    }
    for (; at != end; ++at) {
      if (!texts.ok() || pages_.contains(*at)) continue;
      const bool there = at->index < texts.value().size();
      if (!there || !model::decode_page(texts.value()[at->index], needed_).ok()) {
        trouble.unreadable.push_back(
            fmt::format("page {} of {}", at->index, transaction_name(owner, "refs")));
        continue;
      }
      pages_.insert(*at);
    }
  }
  mark.needed = needed_;
  return {};
}

Result<model::Time> opened_at(const Repository& repository, const TransactionId& id, std::stop_token stop) {
  const Opening opening = TRY(repository.read_opening(id, stop));
  return opening.time;
}

Result<void> abort_transaction(const Repository& repository, const TransactionId& id, std::string_view reason,
                               std::stop_token stop) {
  TRY(require(repository.secrets(), {Right::log}));
  const std::string name = transaction_name(id, "fate");
  Encoder body;
  body.u8(2);
  encode(body, id);
  encode(body, repository.now());
  body.string(reason);
  const Buffer object = wrap_vital(
      Vital::fate, sign_body(*repository.secrets().log, repository.config().id, name, body.take()));
  const auto put = repository.storage().put(name, object, stop);
  if (!put.ok() && put.error().kind() != Errc::exists)
    return put.error().copy().context("aborting " + text(id));
  return repository.storage().barrier(stop);
}

}  // namespace holdfast::repo
