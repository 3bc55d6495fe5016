#include "repo/log.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/hash.h"
#include "repo/memory.h"
#include "repo/names.h"
#include "repo/rights.h"

namespace holdfast::repo {

using model::PackId;
using model::TransactionId;

namespace {

// Whoever may write into the store can make any number of them.
constexpr std::size_t kVoidNumbersMax = 100;

// The type of each alternative of LogEntry.
constexpr std::uint8_t kTypes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
static_assert(std::size(kTypes) == std::variant_size_v<LogEntry>);

}  // namespace

bool LogState::usable(const model::Address& address) const {
  const PackId whole{address.pack.transaction, kOwnObjects};
  if (condemned.contains(whole) || deleted.contains(whole)) return false;
  if (const auto at = deleted.find(address.pack);
      at != deleted.end() && !at->second.kept.contains(address.slot)) {
    return false;
  }
  const auto at = condemned.find(address.pack);
  return (at == condemned.end() || at->second.kept.contains(address.slot)) && !is_lost(address);
}

const model::Slots& LogState::lost_of(const PackId& pack) const {
  static const model::Slots kNone;
  const auto at = lost.find(pack);
  return at == lost.end() ? kNone : at->second;
}

bool LogState::is_lost(const model::Address& address) const {
  return lost_of(address.pack).contains(address.slot);
}

std::optional<std::uint32_t> LogState::generation(const PackId& pack) const {
  if (deleted.contains({pack.transaction, kOwnObjects})) return std::nullopt;
  const auto at = deleted.find(pack);
  if (at == deleted.end()) return 0;
  if (at->second.kept.empty()) return std::nullopt;
  return at->second.generation;
}

bool LogState::erased(model::Domain domain) const {
  const auto at = domains.find(domain);
  return at != domains.end() && at->second.erased;
}

Error erased_error(std::string_view what, const LogState& log, model::Domain domain) {
  return erased_error(what, *log.domains.at(domain).erased);
}

namespace {

// How one entry changes the state; one overload a type.
struct Applier {
  LogState& state;
  std::uint64_t number;

  void operator()(const Forget& e) const {
    state.forgotten.insert(e.transactions.begin(), e.transactions.end());
  }
  void operator()(const Unforget& e) const {
    for (const TransactionId& id : e.transactions) state.forgotten.erase(id);
  }
  void operator()(const Condemn& e) const {
    for (const Item& item : e.items) state.condemned[item.pack] = {number, item.kept};
  }
  void operator()(const Uncondemn& e) const {
    for (const PackId& pack : e.items) {
      const auto at = state.condemned.find(pack);
      if (at != state.condemned.end() && at->second.entry == e.condemning) state.condemned.erase(at);
    }
  }
  void operator()(const Delete& e) const {
    if (e.head + 1 != number) return;  // appended against a head that had moved on: void
    for (const Delete::Deleted& d : e.items) {
      const auto at = state.condemned.find(d.item.pack);
      if (at == state.condemned.end() || at->second.entry != e.condemning) continue;
      if (!(at->second.kept == d.item.kept)) continue;
      state.condemned.erase(at);
      state.deleted[d.item.pack] = {d.item.kept, d.generation};
    }
  }
  void operator()(const Tag& e) const { state.tags[e.transaction] = e.tags; }
  void operator()(const Abandon& e) const { state.abandoned.insert(e.transaction); }
  void operator()(const Witness& e) const {
    state.witnessed.insert(e.transactions.begin(), e.transactions.end());
  }
  void operator()(const Lost& e) const {
    for (const Item& item : e.items) state.lost[item.pack].unite(item.kept);
  }
  void operator()(const Found& e) const {
    for (const Item& item : e.items) {
      const auto at = state.lost.find(item.pack);
      if (at == state.lost.end()) continue;
      at->second.remove(item.kept);
      if (at->second.empty()) state.lost.erase(at);
    }
  }
  void operator()(const Rotate& e) const {
    if (e.epoch == state.epoch() + 1) state.read_keys.emplace(e.epoch, e.read);
  }
  void operator()(const AddDomain& e) const {
    state.domains.try_emplace(e.domain, LogState::KeyDomain{e, std::nullopt});
  }
  void operator()(const EraseDomain& e) const {
    const auto at = state.domains.find(e.domain);
    if (at != state.domains.end() && !at->second.erased) at->second.erased = e;
  }
  void operator()(const RemoveKey& e) const { state.removed_keys.insert(e.key); }
};

void encode_item(Encoder& out, const Item& item) {
  encode(out, item.pack);
  item.kept.encode(out);
}

Item decode_item(Decoder& in) {
  Item item;
  item.pack = model::decode_pack(in);
  item.kept = model::Slots::decode(in);
  return item;
}

void encode_items(Encoder& out, const std::vector<Item>& items) {
  out.varint(items.size());
  for (const Item& item : items) encode_item(out, item);
}

std::vector<Item> decode_items(Decoder& in) {
  std::vector<Item> items(in.count(17));
  for (Item& item : items) item = decode_item(in);
  return items;
}

void encode_all(Encoder& out, const std::vector<TransactionId>& ids) {
  out.varint(ids.size());
  for (const TransactionId& id : ids) encode(out, id);
}

std::vector<TransactionId> decode_all(Decoder& in) {
  std::vector<TransactionId> ids(in.count(12));
  for (TransactionId& id : ids) id = model::decode_transaction(in);
  return ids;
}

struct EntryEncoder {
  Encoder& out;
  void operator()(const Forget& e) const { encode_all(out, e.transactions); }
  void operator()(const Unforget& e) const { encode_all(out, e.transactions); }
  void operator()(const Condemn& e) const { encode_items(out, e.items); }
  void operator()(const Uncondemn& e) const {
    out.u64(e.condemning);
    out.varint(e.items.size());
    for (const PackId& pack : e.items) encode(out, pack);
  }
  void operator()(const Delete& e) const {
    out.u64(e.condemning);
    out.u64(e.head);
    out.varint(e.items.size());
    for (const Delete::Deleted& d : e.items) {
      encode_item(out, d.item);
      out.u32(d.generation);
    }
  }
  void operator()(const Tag& e) const {
    encode(out, e.transaction);
    out.varint(e.tags.size());
    for (const std::string& tag : e.tags) out.string(tag);
  }
  void operator()(const Abandon& e) const { encode(out, e.transaction); }
  void operator()(const Witness& e) const { encode_all(out, e.transactions); }
  void operator()(const Lost& e) const { encode_items(out, e.items); }
  void operator()(const Found& e) const { encode_items(out, e.items); }
  void operator()(const Rotate& e) const { encode(out, e); }
  void operator()(const AddDomain& e) const { encode(out, e); }
  void operator()(const EraseDomain& e) const { encode(out, e); }
  void operator()(const RemoveKey& e) const { out.raw(e.key); }
};

Uncondemn decode_uncondemn(Decoder& in) {
  Uncondemn e;
  e.condemning = in.u64();
  e.items.resize(in.count(16));
  for (PackId& pack : e.items) pack = model::decode_pack(in);
  return e;
}

Delete decode_delete(Decoder& in) {
  Delete e;
  e.condemning = in.u64();
  e.head = in.u64();
  e.items.resize(in.count(21));
  for (Delete::Deleted& d : e.items) {
    d.item = decode_item(in);
    d.generation = in.u32();
  }
  return e;
}

Tag decode_tag(Decoder& in) {
  Tag e;
  e.transaction = model::decode_transaction(in);
  e.tags.resize(in.count(1));
  for (std::string& tag : e.tags) tag = in.string();
  return e;
}

LogEntry decode_typed(std::uint8_t type, Decoder& in) {
  switch (type) {
    case 1:
      return Forget{decode_all(in)};
    case 2:
      return Unforget{decode_all(in)};
    case 3:
      return Condemn{decode_items(in)};
    case 4:
      return decode_uncondemn(in);
    case 5:
      return decode_delete(in);
    case 6:
      return decode_tag(in);
    case 7:
      return Abandon{model::decode_transaction(in)};
    case 8:
      return Witness{decode_all(in)};
    case 9:
      return Lost{decode_items(in)};
    case 10:
      return Found{decode_items(in)};
    case 11:
      return decode_rotate(in);
    case 12:
      return decode_add_domain(in);
    case 13:
      return decode_erase_domain(in);
    case 14:
      return RemoveKey{in.array<16>()};
    default:
      in.fail();
      return Forget{};
  }
}

}  // namespace

void LogState::apply(std::uint64_t number, const LogEntry& entry) {
  std::visit(Applier{*this, number}, entry);
}

Buffer encode(const LogEntry& entry) {
  Encoder out;
  out.u8(kTypes[entry.index()]);
  std::visit(EntryEncoder{out}, entry);
  return out.take();
}

Result<LogEntry> decode_log_entry(Bytes bytes) {
  Decoder in(bytes);
  const std::uint8_t type = in.u8();
  LogEntry entry = decode_typed(type, in);
  TRY(in.finish(fmt::format("a log entry of type {}", type)));
  return entry;
}

namespace {

// Whether who may write the log had also the right to what this entry says.
bool is_authorised(const LogEntry& entry, const Config& config) {
  if (const auto* rotated = std::get_if<Rotate>(&entry)) return is_signed(*rotated, config);
  if (const auto* made = std::get_if<AddDomain>(&entry)) return is_signed(*made, config);
  if (const auto* erased = std::get_if<EraseDomain>(&entry)) return is_signed(*erased, config);
  return true;
}

}  // namespace

Result<void> Log::apply_object(LogState& state, Bytes object, const std::string& name) const {
  const Unwrapped vital = TRY(unwrap_vital(Vital::log, object, name));
  const std::uint64_t number = state.next;
  // Only when nothing speaks against the entry any more: one that can't be passed must stop the next reading
  // too.
  const auto advance = [&] {
    state.last_hash = crypto::hash(vital.body);
    ++state.next;
  };
  const auto body = verify_body(config_.log, config_.id, name, vital.body);
  const auto pass_over = [&] {  // by somebody without the right: void
    ++state.void_entries;
    if (state.void_numbers.size() < kVoidNumbersMax) state.void_numbers.push_back(number);
  };
  if (!body.ok()) {
    pass_over();
    advance();
    return {};
  }
  Decoder in(body.value());
  const bool chained = in.u64() == number && in.array<32>() == state.last_hash;
  model::decode_time(in);
  const Bytes sealed = in.blob();
  TRY(in.finish("a log entry"));
  if (!chained) {
    return Error(Errc::damaged, "the log's chain is broken: an entry does not follow the one before")
        .hint("objects were removed or put back; nothing is deleted while this stands");
  }
  const Buffer plain = TRY(unseal(*secrets_.index, seal_context(config_.id, name), sealed));
  const LogEntry entry = TRY(decode_log_entry(plain));
  if (is_authorised(entry, config_)) {
    state.apply(number, entry);
  } else {
    pass_over();
  }
  advance();
  return {};
}

Result<void> Log::follow(LogState& state, std::stop_token stop) const {
  TRY(require(secrets_, {Right::index}));
  std::uint64_t end = state.next;
  TRY_AS(storage_.list(
             kLogPrefix,
             [&](const storage::ObjectInfo& info) -> Result<void> {
               const auto number = parse_log_name(info.name);
               if (number) end = std::max(end, *number + 1);
               return {};
             },
             stop),
         "listing the log");
  // A listing may show an entry that came while it went on, and not the one before it.
  while (state.next < end) {
    const std::string name = log_name(state.next);
    const auto object = storage_.get(name, {}, stop);
    if (!object.ok() && object.error().kind() == Errc::not_found) {
      return Error(Errc::damaged, fmt::format("log entry {} is missing", name));
    }
    if (!object.ok()) return object.error().copy().context("reading " + name);
    TRY_AS(apply_object(state, object.value(), name), name);
  }
  return {};
}

Result<void> Log::append(LogState& state, const LogEntry& entry, model::Time time, Random& random,
                         std::stop_token stop) const {
  TRY(require(secrets_, {Right::index, Right::log}));
  const std::string name = log_name(state.next);
  Encoder body;
  body.u64(state.next);
  body.raw(state.last_hash);
  encode(body, time);
  body.blob(seal(*secrets_.index, seal_context(config_.id, name), encode(entry), random));
  const Buffer object = wrap_vital(Vital::log, sign_body(*secrets_.log, config_.id, name, body.take()));
  const auto put = storage_.put(name, object, stop);
  if (!put.ok() && put.error().kind() == Errc::exists) {
    return Error(Errc::conflict, "the log moved on").hint("run the command again");
  }
  TRY_AS(put.ok() ? Result<void>() : Result<void>(put.error().copy()), "appending to the log");
  TRY(storage_.barrier(stop));
  TRY(apply_object(state, object, name));
  // Where that fails the next look at the history tells.
  if (memory_ != nullptr) (void)memory_->add({state.next, state.last_hash, {}}).ok();
  return {};
}

}  // namespace holdfast::repo
