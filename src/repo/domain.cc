#include "repo/domain.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "model/duration.h"
#include "repo/names.h"

namespace holdfast::repo {

namespace {

constexpr char kAddName[] = "key domain";
constexpr char kEraseName[] = "erase key domain";

crypto::Key sealing_key(const crypto::Key& index) {
  return crypto::derive_key("holdfast 0 domain", {index.bytes()});
}

// Everything of an entry but its signature.
Buffer signed_part(const AddDomain& entry) {
  Encoder out;
  out.u32(entry.domain);
  encode(out, entry.created);
  out.blob(entry.sealed_name);
  return out.take();
}

Buffer signed_part(const EraseDomain& entry) {
  Encoder out;
  out.u32(entry.domain);
  encode(out, entry.time);
  return out.take();
}

}  // namespace

DomainKeys::DomainKeys(model::Domain domain, const crypto::Key* secret, const crypto::Key* content)
    : domain_(domain) {
  HF_ASSERT((domain == 0) == (secret == nullptr));
  if (secret != nullptr) secret_ = secret->copy();
  if (content == nullptr) return;
  Ids& ids = ids_.emplace();
  ids.content = domain == 0
                    ? content->copy()
                    : crypto::derive_key("holdfast 0 domain content", {content->bytes(), secret_->bytes()});
  const Bytes in_force = ids.content.bytes();
  ids.chunk_id = crypto::derive_key("holdfast 0 chunk id", {in_force});
  ids.member_id = crypto::derive_key("holdfast 0 member id", {in_force});
  ids.bundle = crypto::derive_key("holdfast 0 bundle boundary", {in_force});
  ids.tree = crypto::derive_key("holdfast 0 tree boundary", {in_force});
}

chunk::GearTable DomainKeys::gear_table() const {
  const crypto::Key key = crypto::derive_key("holdfast 0 gear", {content().bytes()});
  Buffer words = crypto::expand(key, as_bytes("gear"), 2048);
  const chunk::GearTable table = chunk::gear_table(words);
  crypto::wipe(words);
  return table;
}

crypto::Key DomainKeys::local(const RepositoryId& id) const {
  return crypto::derive_key("holdfast 0 local cache", {content().bytes(), id});
}

crypto::Key DomainKeys::session(const crypto::Key& sealed) const {
  if (!secret_) return sealed.copy();
  return crypto::derive_key("holdfast 0 domain session", {sealed.bytes(), secret_->bytes()});
}

Buffer DomainKeys::seal_label(Bytes aad, Bytes plain, Random& random) const {
  HF_ASSERT(secret_.has_value());
  return seal(crypto::derive_key("holdfast 0 domain labels", {secret_->bytes()}), aad, plain, random);
}

Result<Buffer> DomainKeys::open_label(Bytes aad, Bytes sealed) const {
  HF_ASSERT(secret_.has_value());
  return unseal(crypto::derive_key("holdfast 0 domain labels", {secret_->bytes()}), aad, sealed);
}

Buffer encode_domain_secret(const Config& config, const crypto::Key& index, model::Domain domain,
                            const crypto::Key& secret, Random& random) {
  Encoder body;
  body.blob(seal(sealing_key(index), seal_context(config.id, domain_name(domain)), secret.bytes(), random));
  return wrap_vital(Vital::domain, body.bytes());
}

Result<crypto::Key> decode_domain_secret(const Config& config, const crypto::Key& index, model::Domain domain,
                                         Bytes object) {
  const std::string name = domain_name(domain);
  const Unwrapped vital = TRY(unwrap_vital(Vital::domain, object, name));
  Decoder in(vital.body);
  const Bytes sealed = in.blob();
  TRY_AS(in.finish("the object"), name);
  Buffer plain = TRY_AS(unseal(sealing_key(index), seal_context(config.id, name), sealed), name);
  if (plain.size() != 32) return Error(Errc::damaged, name + " does not hold a secret");
  crypto::Key secret(plain);
  crypto::wipe(plain);
  return secret;
}

void sign(AddDomain& entry, const Config& config, const crypto::Key& admin) {
  entry.signature = signature_of(admin, config.id, kAddName, signed_part(entry));
}

bool is_signed(const AddDomain& entry, const Config& config) {
  return is_signed_by(config.admin, config.id, kAddName, signed_part(entry), entry.signature);
}

Buffer seal_domain_name(const Config& config, const DomainKeys& keys, std::string_view name, Random& random) {
  return keys.seal_label(seal_context(config.id, domain_name(keys.domain())), as_bytes(name), random);
}

Result<std::string> open_domain_name(const Config& config, const DomainKeys& keys, const AddDomain& entry) {
  const std::string object = domain_name(entry.domain);
  const Buffer plain = TRY_AS(keys.open_label(seal_context(config.id, object), entry.sealed_name), object);
  return std::string(as_text(plain));
}

void sign(EraseDomain& entry, const Config& config, const crypto::Key& admin) {
  entry.signature = signature_of(admin, config.id, kEraseName, signed_part(entry));
}

bool is_signed(const EraseDomain& entry, const Config& config) {
  return is_signed_by(config.admin, config.id, kEraseName, signed_part(entry), entry.signature);
}

Buffer encode_erasure(const EraseDomain& entry) {
  Encoder body;
  encode(body, entry);
  return wrap_vital(Vital::erasure, body.bytes());
}

Result<EraseDomain> decode_erasure(const Config& config, model::Domain domain, Bytes object) {
  const std::string name = erasure_name(domain);
  const Unwrapped vital = TRY(unwrap_vital(Vital::erasure, object, name));
  Decoder in(vital.body);
  const EraseDomain entry = decode_erase_domain(in);
  TRY_AS(in.finish("the object"), name);
  if (entry.domain == domain && is_signed(entry, config)) return entry;
  return Error(Errc::damaged, name + " is not signed by the administrator");
}

void encode(Encoder& out, const AddDomain& entry) {
  out.raw(signed_part(entry));
  out.raw(entry.signature);
}

void encode(Encoder& out, const EraseDomain& entry) {
  out.raw(signed_part(entry));
  out.raw(entry.signature);
}

AddDomain decode_add_domain(Decoder& in) {
  AddDomain entry;
  entry.domain = in.u32();
  entry.created = model::decode_time(in);
  const Bytes name = in.blob();
  entry.sealed_name.assign(name.begin(), name.end());
  entry.signature = in.array<64>();
  if (entry.domain == 0) in.fail();
  return entry;
}

EraseDomain decode_erase_domain(Decoder& in) {
  EraseDomain entry;
  entry.domain = in.u32();
  entry.time = model::decode_time(in);
  entry.signature = in.array<64>();
  if (entry.domain == 0) in.fail();
  return entry;
}

Error erased_error(std::string_view what, const EraseDomain& erased) {
  const model::CivilTime day = model::local_time(erased.time.seconds);
  return Error(Errc::denied, fmt::format("{} was erased on {:04}-{:02}-{:02}, with key domain {}", what,
                                         day.year, day.month, day.day, erased.domain))
      .hint("its key was destroyed on purpose: no key and no recovery kit opens it any more");
}

}  // namespace holdfast::repo
