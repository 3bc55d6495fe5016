// Names of a repository's objects. docs/format/README.md, "Objects". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/address.h"

namespace holdfast::repo {

inline constexpr char kConfigName[] = "holdfast";
inline constexpr char kSpecName[] = "spec";
inline constexpr char kKeyPrefix[] = "keys/";
inline constexpr char kTransactionPrefix[] = "t/";
inline constexpr char kLogPrefix[] = "log/";
inline constexpr char kDataPrefix[] = "d/";
inline constexpr char kMetadataPrefix[] = "m/";
inline constexpr char kDomainPrefix[] = "domains/";

// "<writer>-<sequence>", as in every name that belongs to a transaction.
std::string text(const model::TransactionId& id);
// "<writer>-<sequence>-<pack>".
std::string text(const model::PackId& id);
// "t/<writer>-<sequence>/<what>"; `what` is open, man, refs or fate.
std::string transaction_name(const model::TransactionId& id, std::string_view what);
std::string pack_name(const model::PackId& id, std::uint32_t generation);
std::string log_name(std::uint64_t number);

// A key slot's id; nothing for other names.
using KeyId = std::array<std::uint8_t, 16>;
std::optional<KeyId> parse_key_name(std::string_view name);

// Metadata packs have odd numbers.
inline bool is_metadata(std::uint32_t pack) { return (pack & 1) != 0; }

struct TransactionObject {
  model::TransactionId id;
  std::string what;
};
// Nothing where the name is not of that form.
std::optional<TransactionObject> parse_transaction_name(std::string_view name);
struct PackObject {
  model::PackId id;
  std::uint32_t generation = 0;
};
std::optional<PackObject> parse_pack_name(std::string_view name);
std::optional<model::PackId> parse_pack_id(std::string_view text);
std::optional<std::uint64_t> parse_log_name(std::string_view name);

// "domains/<number>": a key domain's secret; with ".erased", that it was destroyed.
std::string domain_name(std::uint32_t domain);
std::string erasure_name(std::uint32_t domain);
struct DomainObject {
  std::uint32_t domain = 0;
  bool erasure = false;
};
std::optional<DomainObject> parse_domain_name(std::string_view name);

}  // namespace holdfast::repo
