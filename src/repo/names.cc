#include "repo/names.h"

#include <charconv>

#include <fmt/core.h>

#include "base/bytes.h"

namespace holdfast::repo {

namespace {

template <typename Integer>
bool parse(std::string_view text, Integer& out, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool parse(std::string_view text, model::TransactionId& out) {
  return text.size() == 25 && text[16] == '-' && parse(text.substr(0, 16), out.writer, 16) &&
         parse(text.substr(17), out.sequence, 16);
}

}  // namespace

std::string text(const model::TransactionId& id) {
  return fmt::format("{:016x}-{:08x}", id.writer, id.sequence);
}

std::string text(const model::PackId& id) { return fmt::format("{}-{:08x}", text(id.transaction), id.pack); }

std::string transaction_name(const model::TransactionId& id, std::string_view what) {
  return fmt::format("{}{}/{}", kTransactionPrefix, text(id), what);
}

std::string pack_name(const model::PackId& id, std::uint32_t generation) {
  const unsigned fan_out = (id.transaction.sequence + id.pack / 2) % 256;
  return fmt::format("{}{:02x}/{}.{}", is_metadata(id.pack) ? kMetadataPrefix : kDataPrefix, fan_out,
                     text(id), generation);
}

std::string log_name(std::uint64_t number) { return fmt::format("{}{:016x}", kLogPrefix, number); }

std::optional<TransactionObject> parse_transaction_name(std::string_view name) {
  TransactionObject out;
  if (name.substr(0, 2) != kTransactionPrefix || name.size() < 29 || name[27] != '/') return std::nullopt;
  if (!parse(name.substr(2, 25), out.id)) return std::nullopt;
  out.what = name.substr(28);
  if (transaction_name(out.id, out.what) != name) return std::nullopt;
  return out;
}

std::optional<model::PackId> parse_pack_id(std::string_view words) {
  model::PackId out;
  if (words.size() != 34 || !parse(words.substr(0, 25), out.transaction) || words[25] != '-' ||
      !parse(words.substr(26), out.pack, 16) || text(out) != words) {
    return std::nullopt;
  }
  return out;
}

std::optional<PackObject> parse_pack_name(std::string_view name) {
  const std::string_view prefix = name.substr(0, 2);
  if ((prefix != kDataPrefix && prefix != kMetadataPrefix) || name.size() < 41 || name[39] != '.') {
    return std::nullopt;
  }
  PackObject out;
  const auto id = parse_pack_id(name.substr(5, 34));
  if (!id || !parse(name.substr(40), out.generation, 10)) return std::nullopt;
  out.id = *id;
  if (pack_name(out.id, out.generation) != name) return std::nullopt;
  return out;
}

std::optional<std::uint64_t> parse_log_name(std::string_view name) {
  std::uint64_t number = 0;
  if (name.substr(0, 4) != kLogPrefix || name.size() != 20 || !parse(name.substr(4), number, 16))
    return std::nullopt;
  if (log_name(number) != name) return std::nullopt;
  return number;
}

std::string domain_name(std::uint32_t domain) { return fmt::format("{}{:08x}", kDomainPrefix, domain); }

std::string erasure_name(std::uint32_t domain) { return domain_name(domain) + ".erased"; }

std::optional<KeyId> parse_key_name(std::string_view name) {
  constexpr std::size_t kPrefix = sizeof kKeyPrefix - 1;
  KeyId id{};
  if (!name.starts_with(kKeyPrefix) || !unhex(name.substr(kPrefix), id)) return std::nullopt;
  if (name.substr(kPrefix) != hex(id)) return std::nullopt;  // not in small letters
  return id;
}

std::optional<DomainObject> parse_domain_name(std::string_view name) {
  constexpr std::size_t kPrefix = sizeof kDomainPrefix - 1;
  DomainObject out;
  if (name.substr(0, kPrefix) != kDomainPrefix || name.size() < kPrefix + 8) return std::nullopt;
  if (!parse(name.substr(kPrefix, 8), out.domain, 16) || out.domain == 0) return std::nullopt;
  out.erasure = name.size() > kPrefix + 8;
  if (name != (out.erasure ? erasure_name(out.domain) : domain_name(out.domain))) return std::nullopt;
  return out;
}

}  // namespace holdfast::repo
