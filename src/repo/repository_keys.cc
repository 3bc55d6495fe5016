// Making and opening a repository, and its key slots.
#include <fmt/core.h>

#include "repo/append.h"
#include "repo/repository.h"
#include "repo/rights.h"

namespace holdfast::repo {

namespace {

model::Time time_of(Clock& clock) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t ns = clock.now_ns();
  return {ns / kSecond, static_cast<std::uint32_t>(ns % kSecond)};
}

std::string random_key_name(Random& random) { return kKeyPrefix + hex(random.array<16>()); }

// Whoever opens beside so many changes of keys, one right after the other, is told.
constexpr int kOpenTurnsMax = 16;
// Entries of others between our own.
constexpr int kRecordTurnsMax = 100;

Result<std::vector<std::string>> slot_names(storage::Storage& storage, std::stop_token stop) {
  std::vector<std::string> names;
  TRY(storage.list(
      kKeyPrefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        names.push_back(info.name);
        return {};
      },
      stop));
  return names;
}

Result<KeySlot> read_slot(storage::Storage& storage, const std::string& name, std::stop_token stop) {
  const Buffer object = TRY(storage.get(name, {}, std::move(stop)));
  return decode_slot(object, name);
}

}  // namespace

Result<void> Repository::create(const Doors& doors, Bytes password, const CreateOptions& options,
                                std::stop_token stop) {
  const auto present = doors.storage.stat(kConfigName, stop);
  if (present.ok()) {
    return Error(Errc::exists, fmt::format("{} holds a repository already", doors.storage.describe()));
  }
  if (present.error().kind() != Errc::not_found) return present.error().copy();
  Secrets secrets = Secrets::generate(doors.random);
  Config config;
  config.id = doors.random.array<16>();
  config.created = time_of(doors.clock);
  if (options.content_like != nullptr) secrets.content = options.content_like->copy();
  if (options.chunks_like != nullptr) config.chunks = options.chunks_like->chunks;
  config.admin = crypto::sign_public(*secrets.admin);
  config.commit = crypto::sign_public(*secrets.commit);
  config.log = crypto::sign_public(*secrets.log);
  config.read = crypto::x25519_public(*secrets.read);
  // The key slot first, the config last: what has a config can be opened.
  const std::string key_name = random_key_name(doors.random);
  const Buffer slot = TRY(make_slot(config.id, key_name, secrets, password, options.label, config.created,
                                    options.cost, doors.random));
  TRY(doors.storage.put(key_name, slot, stop));
  const auto spec = doors.storage.put(kSpecName, as_bytes(options.specification), stop);
  if (!spec.ok() && spec.error().kind() != Errc::exists) return spec.error().copy();
  TRY(doors.storage.barrier(stop));
  TRY(doors.storage.put(kConfigName, encode_config(config, secrets), stop));
  return doors.storage.barrier(stop);
}

Result<Config> Repository::read_config(const Doors& doors, std::stop_token stop) {
  const auto config = doors.storage.get(kConfigName, {}, stop);
  if (!config.ok() && config.error().kind() == Errc::not_found) {
    return Error(Errc::no_repository, fmt::format("there is no repository in {}", doors.storage.describe()))
        .hint("`holdfast init` makes one; or correct --repo / HOLDFAST_REPOSITORY");
  }
  if (!config.ok()) return config.error().copy().context("reading the repository's config");
  return decode_config(config.value());
}

// Tries every slot. Errc::not_found where none opened and one that was listed is gone: somebody made it anew.
Result<std::unique_ptr<Repository>> Repository::try_slots(const Doors& doors, const SlotOpener& opener,
                                                          std::stop_token stop) {
  std::unique_ptr<Repository> repository(new Repository(doors));  // NOLINT: private
  repository->config_ = TRY(read_config(doors, stop));
  const Config& config = repository->config_;
  std::optional<Error> trouble;
  std::optional<KeySlot> opened;
  bool gone = false;
  const auto names = TRY(slot_names(doors.storage, stop));
  for (const std::string& name : names) {
    const auto slot = read_slot(doors.storage, name, stop);
    if (opened && !(slot.ok() && are_twins(*opened, slot.value()))) continue;
    if (!slot.ok()) {
      gone = gone || slot.error().kind() == Errc::not_found;
      trouble = slot.error().copy();
      continue;
    }
    auto secrets = opener(config.id, name, slot.value());
    if (secrets.ok() && secrets.value().admin_public != config.admin) {
      trouble =
          Error(Errc::damaged, fmt::format("the config is not the one that key slot {} was made for", name));
    } else if (secrets.ok()) {
      // A rotation that was cut off may have left an older copy: the one that opens more counts.
      if (opened && secrets.value().epoch() <= repository->secrets_.epoch()) continue;
      repository->secrets_ = std::move(secrets).value();
      repository->key_name_ = name;
      opened = slot.value();
    } else if (secrets.error().kind() != Errc::wrong_key) {
      trouble = std::move(secrets).error();
    }
  }
  if (opened) {
    repository->derive();
    return repository;
  }
  if (gone) return Error(Errc::not_found, "a key slot was removed meanwhile");
  if (trouble) return std::move(*trouble).context("opening the key slots");
  return Error(Errc::wrong_key, "no slot");
}

// Errc::wrong_key where no slot opens.
Result<std::unique_ptr<Repository>> Repository::open_by(const Doors& doors, const SlotOpener& opener,
                                                        std::stop_token stop) {
  for (int turns = 1;; ++turns) {
    auto tried = try_slots(doors, opener, stop);
    if (tried.ok() || tried.error().kind() != Errc::not_found || turns == kOpenTurnsMax) return tried;
  }
}

Result<std::unique_ptr<Repository>> Repository::open(const Doors& doors, Bytes password,
                                                     std::stop_token stop) {
  std::optional<crypto::Key> key;
  const SlotOpener opener = [&](const RepositoryId& id, const std::string& name,
                                const KeySlot& slot) -> Result<Secrets> {
    crypto::Key tried = TRY(password_key(slot, password));
    auto secrets = open_slot(id, name, slot, tried);
    if (secrets.ok()) key = std::move(tried);
    return secrets;
  };
  auto opened = open_by(doors, opener, stop);
  if (opened.ok()) opened.value()->password_key_ = std::move(key);
  if (opened.ok() || opened.error().kind() != Errc::wrong_key) return opened;
  return Error(Errc::wrong_key,
               fmt::format("no key slot of {} opens with this password", doors.storage.describe()))
      .hint("check HOLDFAST_PASSWORD, --password-file or what you typed");
}

Result<std::unique_ptr<Repository>> Repository::open_as_recipient(const Doors& doors,
                                                                  const crypto::Key& secret,
                                                                  std::stop_token stop) {
  const SlotOpener opener = [&](const RepositoryId& id, const std::string& name, const KeySlot& slot) {
    return open_recipient_slot(id, name, slot, secret);
  };
  auto opened = open_by(doors, opener, stop);
  if (opened.ok() || opened.error().kind() != Errc::wrong_key) return opened;
  return Error(Errc::wrong_key,
               fmt::format("no key slot of {} opens with this secret key", doors.storage.describe()))
      .hint("check HOLDFAST_KEY_FILE or --key-file; `holdfast key add --recipient` makes such a slot");
}

Result<std::unique_ptr<Repository>> Repository::open_with_secrets(const Doors& doors, Secrets secrets,
                                                                  std::stop_token stop) {
  std::unique_ptr<Repository> repository(new Repository(doors));  // NOLINT: private
  repository->config_ = TRY(read_config(doors, stop));
  if (secrets.admin_public != repository->config_.admin) {
    return Error(Errc::wrong_key, "these secrets are of another repository");
  }
  repository->secrets_ = std::move(secrets);
  repository->derive();
  return repository;
}

Result<std::vector<Repository::KeyInfo>> Repository::keys(std::stop_token stop) const {
  std::vector<KeyInfo> keys;
  const auto names = TRY(slot_names(doors_.storage, stop));
  for (const std::string& name : names) {
    auto slot = read_slot(doors_.storage, name, stop);
    if (slot.ok()) {
      keys.push_back({name, std::move(slot).value(), name == key_name_});
    } else if (slot.error().kind() == Errc::stopped) {
      return std::move(slot).error();
    } else if (slot.error().kind() != Errc::not_found) {  // not found: removed since it was listed
      keys.push_back({name, {}, name == key_name_, slot.error().text()});
    }
  }
  return keys;
}

Result<std::string> Repository::put_slot(const std::string& name, Bytes slot, std::stop_token stop) const {
  TRY(doors_.storage.put(name, slot, stop));
  TRY(doors_.storage.barrier(stop));
  return name;
}

Result<std::string> Repository::add_key(const Secrets& secrets, Bytes password, std::string label,
                                        crypto::Argon2Cost cost, std::stop_token stop) const {
  const std::string name = random_key_name(doors_.random);
  const Buffer slot =
      TRY(make_slot(config_.id, name, secrets, password, std::move(label), now(), cost, doors_.random));
  return put_slot(name, slot, stop);
}

Result<std::string> Repository::add_recipient(const Secrets& secrets, const crypto::PublicKey& recipient,
                                              std::string label, std::stop_token stop) const {
  TRY(require(secrets_, {Right::admin}));
  const std::string name = random_key_name(doors_.random);
  const Buffer slot = TRY(make_recipient_slot(config_.id, name, secrets, recipient, std::move(label), now(),
                                              *secrets_.admin, doors_.random));
  return put_slot(name, slot, stop);
}

Result<void> Repository::remove_key(const std::string& name, std::stop_token stop) const {
  if (name == key_name_) {
    return Error(Errc::usage, "that key is the one in use")
        .hint("open the repository with another password first");
  }
  const auto slot = read_slot(doors_.storage, name, stop);
  if (!slot.ok() && slot.error().kind() == Errc::not_found) return slot.error().copy();
  const bool recipients = !slot.ok() || slot.value().kind == SlotKind::recipient;
  // What can't be recorded goes all the same.
  auto recorded = recipients ? record_removal(name, stop) : Result<void>();
  TRY(doors_.storage.remove(name, stop));
  TRY(doors_.storage.barrier(stop));
  if (recorded.ok()) return recorded;
  return std::move(recorded).error().context(
      "the key was removed, but the log does not say so: a rotation would renew it if it were put back");
}

// Its holder could have it put back, and it is rightly signed.
Result<void> Repository::record_removal(const std::string& name, std::stop_token stop) const {
  TRY(require(secrets_, {Right::index, Right::log}));
  const auto id = parse_key_name(name);
  if (!id) return {};  // no rotation renews what has such a name
  LogState state;
  TRY_AS(log().follow(state, stop), "reading the log");
  const auto decide = [&]() -> Result<std::optional<LogEntry>> {
    if (state.removed_keys.contains(*id)) return std::optional<LogEntry>();
    return std::optional<LogEntry>(RemoveKey{*id});
  };
  return append_decided(*this, state, decide, kRecordTurnsMax, stop);
}

Result<void> Repository::drop_key(const std::string& name, std::stop_token stop) const {
  const auto removed = doors_.storage.remove(name, stop);
  if (!removed.ok() && removed.error().kind() != Errc::not_found) return removed.error().copy();
  return doors_.storage.barrier(stop);
}

Result<std::string> Repository::renew_key(const KeyInfo& key, const Secrets& secrets,
                                          std::stop_token stop) const {
  const std::string name = random_key_name(doors_.random);
  Secrets held = secrets.copy();
  held.restrict(key.slot.rights);
  Buffer slot;
  if (key.slot.kind == SlotKind::recipient) {
    slot = TRY(make_recipient_slot(config_.id, name, held, key.slot.recipient, key.slot.label, now(),
                                   *secrets.admin, doors_.random));
  } else {
    HF_ASSERT(key.current && password_key_.has_value());
    slot = renew_slot(config_.id, name, held, key.slot, *password_key_, now(), doors_.random);
  }
  TRY(put_slot(name, slot, stop));
  const Buffer stored = TRY(doors_.storage.get(name, {}, stop));
  if (stored != slot) return Error(Errc::damaged, name + " does not read back as it was written");
  if (key.slot.kind == SlotKind::password) {
    const KeySlot decoded = TRY(decode_slot(stored, name));
    TRY_AS(open_slot(config_.id, name, decoded, *password_key_), "reading back " + name);
  }
  return name;
}

}  // namespace holdfast::repo
