// The maintenance log: one signed, chained entry per object, appended by put-if-absent on the next number;
// and what the entries up to a head add up to. docs/format/transactions.md, "log". LogState is a value.
#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "model/commit.h"
#include "repo/domain.h"
#include "repo/names.h"
#include "repo/rotate.h"
#include "storage/storage.h"

namespace holdfast::repo {

// Stands for a transaction's own objects (open, man, refs, fate) in an item's name.
inline constexpr std::uint32_t kOwnObjects = 0xffffffff;

// What is condemned and deleted: slots of one pack outside `kept`, or with kOwnObjects a transaction's own
// objects.
struct Item {
  model::PackId pack;
  model::Slots kept;
};

struct Forget {
  std::vector<model::TransactionId> transactions;
};
struct Unforget {
  std::vector<model::TransactionId> transactions;
};
struct Condemn {
  std::vector<Item> items;
};
struct Uncondemn {
  std::uint64_t condemning = 0;  // number of the CONDEMN entry
  std::vector<model::PackId> items;
};
struct Delete {
  std::uint64_t condemning = 0;
  std::uint64_t head = 0;  // number of the entry right before this one
  struct Deleted {
    Item item;
    std::uint32_t generation = 0;  // of the object that holds what is kept
  };
  std::vector<Deleted> items;
};
struct Tag {
  model::TransactionId transaction;
  // Of a commit of a key domain: one string, the list sealed by the domain (Repository::tag_entry).
  std::vector<std::string> tags;
};
struct Abandon {
  model::TransactionId transaction;
};
struct Witness {
  std::vector<model::TransactionId> transactions;
};
// The wanted list (decision 14): slots whose content nobody can bring back …
struct Lost {
  std::vector<Item> items;
};
// … and those that are there again, in the pack's present object. An item's `kept` are these slots.
struct Found {
  std::vector<Item> items;
};
// A recipient's key slot was taken away: should it be put back, no rotation renews it.
struct RemoveKey {
  KeyId key{};
};
using LogEntry = std::variant<Forget, Unforget, Condemn, Uncondemn, Delete, Tag, Abandon, Witness, Lost,
                              Found, Rotate, AddDomain, EraseDomain, RemoveKey>;

Buffer encode(const LogEntry& entry);
Result<LogEntry> decode_log_entry(Bytes bytes);

struct LogState {
  std::uint64_t next = 0;  // number that the next entry gets
  Hash last_hash{};        // of the body of the last entry; zeros before the first
  std::uint64_t void_entries = 0;
  std::vector<std::uint64_t> void_numbers;  // the first of them

  std::set<model::TransactionId> forgotten;
  std::set<model::TransactionId> abandoned;
  std::set<model::TransactionId> witnessed;
  std::map<model::TransactionId, std::vector<std::string>> tags;
  struct Condemned {
    std::uint64_t entry = 0;
    model::Slots kept;
  };
  std::map<model::PackId, Condemned> condemned;
  struct Gone {
    model::Slots kept;
    std::uint32_t generation = 0;
  };
  std::map<model::PackId, Gone> deleted;  // retired transactions: pack kOwnObjects
  struct KeyDomain {
    AddDomain made;
    std::optional<EraseDomain> erased;
  };
  std::map<model::Domain, KeyDomain> domains;
  std::set<KeyId> removed_keys;

  model::References lost;  // the wanted list
  // The read public keys of the epochs from 1 on; epoch 0 is the config's.
  std::map<std::uint32_t, crypto::PublicKey> read_keys;
  std::uint32_t epoch() const { return read_keys.empty() ? 0 : read_keys.rbegin()->first; }

  // False where a transaction opened after this state must not refer to the slot: it, or all of its
  // transaction, is condemned or deleted, or what was in it is lost.
  bool usable(const model::Address& address) const;
  bool is_lost(const model::Address& address) const;
  // Of the pack, what is on the wanted list.
  const model::Slots& lost_of(const model::PackId& pack) const;
  // The generation under which a pack's object is to be found; nothing where it is gone altogether.
  std::optional<std::uint32_t> generation(const model::PackId& pack) const;
  // A retired transaction is nothing, whatever objects of its name there are.
  bool retired(const model::TransactionId& id) const { return deleted.contains({id, kOwnObjects}); }
  // Whether the secret of that key domain was destroyed; then none of its commits is live, whenever it came.
  bool erased(model::Domain domain) const;
  // A snapshot that nobody may build upon or bring back by itself.
  bool dropped(const model::Commit& commit) const {
    return forgotten.contains(commit.transaction) || erased(commit.domain);
  }

  void apply(std::uint64_t number, const LogEntry& entry);
};

// Says that `what` was erased with that domain, which was, and when.
Error erased_error(std::string_view what, const LogState& log, model::Domain domain);

class Memory;

class Log {
 public:
  // What is appended goes into `memory` too, where given.
  Log(storage::Storage& storage, const Config& config, const Secrets& secrets, const Memory* memory = nullptr)
      : storage_(storage), config_(config), secrets_(secrets), memory_(memory) {}

  // Brings `state` up to the present head. Errc::damaged where an entry is unreadable or the chain is broken:
  // the state is then what the entries before say, and nothing may be deleted.
  Result<void> follow(LogState& state, std::stop_token stop) const;

  // Appends right after `state`'s head, and applies it. Errc::conflict where somebody else appended first:
  // follow and think again. Durable when it returns.
  Result<void> append(LogState& state, const LogEntry& entry, model::Time time, Random& random,
                      std::stop_token stop) const;

 private:
  Result<void> apply_object(LogState& state, Bytes object, const std::string& name) const;

  storage::Storage& storage_;
  const Config& config_;
  const Secrets& secrets_;
  const Memory* memory_;
};

}  // namespace holdfast::repo
