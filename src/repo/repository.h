// Repository: an opened repository: its config, the secrets that the password gave, what they derive, and the
// way to its transactions, snapshots and chunks. Thread-safe after open.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "repo/log.h"
#include "repo/memory.h"
#include "repo/names.h"
#include "repo/opening.h"

namespace holdfast::repo {

// Doors that the repository uses; they outlive it.
struct Doors {
  storage::Storage& storage;
  Clock& clock;
  Random& random;
};

struct CreateOptions {
  std::string label;  // of the first key slot: user@host
  crypto::Argon2Cost cost;
  const Config* chunks_like = nullptr;        // take chunk limits from there, with its content secret:
  const crypto::Key* content_like = nullptr;  // then `copy` between the two needs no re-chunking
  std::string_view specification;             // text of the object `spec`
};

// A commit as it stands: what its fate says and what the log says about it.
struct Snapshot {
  std::string id;  // 64 hex digits
  Hash hash{};     // the same, H of the fate's body
  model::Commit commit;
  std::vector<std::string> tags;  // by the log, else the commit's
  bool forgotten = false;         // also where it was erased
  std::string domain{};           // name of its key domain; "": none, or it is not known
  bool erased = false;            // with its key domain: nothing but counts and sizes is left of it
  bool nameless = false;          // its key domain's secret is missing, so that its labels are not known
};

// Everything that has been decided, as of the log's head `log`, without retired transactions.
struct History {
  LogState log;
  std::vector<Snapshot> commits;  // by start time; checkpoints and forgotten ones too
  std::set<model::TransactionId> aborted;
  std::set<model::TransactionId> undecided;  // open, no fate yet
  std::vector<std::string> unreadable;       // fates that are there but say nothing: why
  std::vector<std::string> contradictions;   // what speaks against what this machine saw before
  std::string log_trouble;                   // why the log was not read to its end; empty: it was
  std::vector<std::string> nameless;         // why labels of snapshots are not known

  // Snapshots proper: not checkpoints, not forgotten.
  std::vector<const Snapshot*> snapshots() const;
  const Snapshot* find(const model::TransactionId& id) const;
  // One that was committed since. Pointers to others are void afterwards.
  void add(Snapshot snapshot);
  std::map<model::TransactionId, std::size_t> positions;  // of `commits`, for find()
};

class Repository {
 public:
  // Errc::exists where there is one already.
  static Result<void> create(const Doors& doors, Bytes password, const CreateOptions& options,
                             std::stop_token stop);
  // Tries the password on every key slot. Errc::no_repository, wrong_key, unsupported, damaged.
  static Result<std::unique_ptr<Repository>> open(const Doors& doors, Bytes password, std::stop_token stop);

  // The same with the secret key of a recipient, or with the secrets themselves (of a recovery kit).
  static Result<std::unique_ptr<Repository>> open_as_recipient(const Doors& doors, const crypto::Key& secret,
                                                               std::stop_token stop);
  static Result<std::unique_ptr<Repository>> open_with_secrets(const Doors& doors, Secrets secrets,
                                                               std::stop_token stop);
  // What stands in the clear.
  static Result<Config> read_config(const Doors& doors, std::stop_token stop);

  storage::Storage& storage() const { return doors_.storage; }
  Clock& clock() const { return doors_.clock; }
  Random& random() const { return doors_.random; }
  const Config& config() const { return config_; }
  const Secrets& secrets() const { return secrets_; }
  // Name of the key slot that was opened; "" where none was.
  const std::string& key_name() const { return key_name_; }
  model::Time now() const;

  Log log() const { return Log(doors_.storage, config_, secrets_, memory_.get()); }
  // Fates and log together, read so that nothing committed before the call is missed. Errc::damaged where
  // they contradict what this machine saw before.
  Result<History> history(std::stop_token stop) const;
  // The same for those who only read: contradictions are told in the history; and where the log is damaged,
  // `log` is what the entries before say, and `log_trouble` tells why. Nothing may be decided by it.
  Result<History> readable_history(std::stop_token stop) const;
  // Holds every history from now on against what was seen before, and remembers it, below this folder of all
  // repositories ("": nowhere). Needs the index secret, else nothing is remembered.
  void remember_in(const std::string& directory, std::string_view place = {});
  bool remembers() const { return memory_ != nullptr; }
  // For those who read fates and log themselves: what was seen, to be asked for before the store is looked
  // at; and what readable_history() does with it: fills history.contradictions, or remembers what is new.
  Result<Memory::Seen> recall() const;
  Result<void> compare(const Result<Memory::Seen>& seen, History& history, std::stop_token stop) const;
  // What history() says of one with contradictions.
  static Error contradicted(const History& history);
  void remember(const LogState& log, const Snapshot& committed) const;
  // Takes the history for what was seen, whatever was seen before.
  Result<void> accept(const History& history) const;
  // Why something could not be remembered; "" where all could.
  std::string memory_trouble() const;

  // One fate: a commit (nothing where it is ABORT). Errc::not_found where undecided, damaged where
  // unreadable.
  Result<std::optional<Snapshot>> read_fate(const model::TransactionId& id, std::stop_token stop) const;
  // The same of the object as it was read.
  Result<std::optional<Snapshot>> decode_fate(const model::TransactionId& id, Bytes object) const;
  Result<model::Manifest> read_manifest(const model::TransactionId& id, std::stop_token stop) const;
  // All pages that a transaction made.
  Result<std::vector<Buffer>> read_pages(const model::TransactionId& id, std::stop_token stop) const;
  // The complete reference set of a commit.
  Result<model::References> read_references(const model::Commit& commit, std::stop_token stop) const;
  Result<Opening> read_opening(const model::TransactionId& id, std::stop_token stop) const;
  // What opens the packs of a transaction, for readers.
  Result<SessionKey> session_key(const model::TransactionId& id, std::stop_token stop) const;

  // What content in no key domain is under.
  const SharedDomainKeys& keys() const { return keys_; }
  // Of a key domain, 0 included. Needs the index secret. Errc::denied where it was erased, damaged where its
  // secret is lost.
  Result<SharedDomainKeys> domain_keys(model::Domain domain, std::stop_token stop) const;
  // The admin's signed notice that a domain was erased, which counts also where the log's entry is lost.
  Result<std::optional<EraseDomain>> erasure_notice(model::Domain domain, std::stop_token stop) const;
  // Of the domain in which a transaction stored its packs; for readers.
  Result<SharedDomainKeys> keys_of(const model::TransactionId& id, std::stop_token stop) const;
  // A snapshot's tags by that view of the log, and the entry that changes them.
  Result<std::vector<std::string>> tags_of(const Snapshot& snapshot, const LogState& log,
                                           std::stop_token stop) const;
  Result<Tag> tag_entry(const Snapshot& snapshot, const std::vector<std::string>& tags,
                        std::stop_token stop) const;
  // Told of every view of the log that a history has; to be set before others use this.
  std::function<void(const LogState&)> on_log;

  // Key slots. What is added opens `secrets`, or all that this key has. remove refuses the slot in use.
  struct KeyInfo {
    std::string name;  // object name
    KeySlot slot;
    bool current = false;
    std::string trouble{};  // why the slot says nothing; "": it can be read
  };
  // All of them, also those that can't be read. Errors: the store can't be listed, stopped.
  Result<std::vector<KeyInfo>> keys(std::stop_token stop) const;
  Result<std::string> add_key(Bytes password, std::string label, crypto::Argon2Cost cost,
                              std::stop_token stop) const {
    return add_key(secrets_, password, std::move(label), cost, stop);
  }
  Result<std::string> add_key(const Secrets& secrets, Bytes password, std::string label,
                              crypto::Argon2Cost cost, std::stop_token stop) const;
  Result<std::string> add_recipient(const Secrets& secrets, const crypto::PublicKey& recipient,
                                    std::string label, std::stop_token stop) const;
  Result<void> remove_key(const std::string& name, std::stop_token stop) const;
  // For rotations. The same key with what `secrets` has of its rights, read back: a recipient's, or the one
  // in use. The name of the new slot.
  Result<std::string> renew_key(const KeyInfo& key, const Secrets& secrets, std::stop_token stop) const;
  // Removes even the slot in use; one that is gone already is fine.
  Result<void> drop_key(const std::string& name, std::stop_token stop) const;

 private:
  using SlotOpener =
      std::function<Result<Secrets>(const RepositoryId&, const std::string& name, const KeySlot&)>;
  explicit Repository(const Doors& doors) : doors_(doors) {}
  static Result<std::unique_ptr<Repository>> try_slots(const Doors& doors, const SlotOpener& opener,
                                                       std::stop_token stop);
  static Result<std::unique_ptr<Repository>> open_by(const Doors& doors, const SlotOpener& opener,
                                                     std::stop_token stop);
  Result<std::string> put_slot(const std::string& name, Bytes slot, std::stop_token stop) const;
  Result<void> record_removal(const std::string& name, std::stop_token stop) const;
  Result<void> read_fates(History& history, std::vector<model::TransactionId>& vanished,
                          std::stop_token stop) const;
  static void apply_log(History& history, const std::vector<model::TransactionId>& vanished);
  void derive();
  Result<crypto::Key> open_secret(const Opening& opening) const;
  Result<void> open_domains(History& history, std::stop_token stop) const;
  Result<void> open_labels(Snapshot& snapshot, const LogState& log, std::stop_token stop) const;
  Result<std::string> log_against(const Memory::Seen& seen, const LogState& log, std::stop_token stop) const;
  void remember(const Memory::Seen& seen) const;

  Doors doors_;
  Config config_;
  Secrets secrets_;
  std::string key_name_;
  SharedDomainKeys keys_;
  std::optional<crypto::Key> password_key_;  // of the slot in use, where a password opened it
  std::unique_ptr<const Memory> memory_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::string memory_trouble_;
  mutable std::map<model::Domain, SharedDomainKeys> domains_;
  mutable std::map<model::TransactionId, SessionKey> sessions_;
};

}  // namespace holdfast::repo
