// Key domains: content under secrets of its own, so that destroying one small object erases it.
// docs/format/domains.md, decision 16. DomainKeys are what the content of one domain is cut, named, sealed
// and labelled by; domain 0 is the repository itself. Values; const use is thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "chunk/chunk.h"
#include "repo/config.h"

namespace holdfast::repo {

class DomainKeys {
 public:
  // `secret` is the domain's, null of domain 0; `content` the repository's, null where that right is missing.
  DomainKeys(model::Domain domain, const crypto::Key* secret, const crypto::Key* content);

  model::Domain domain() const { return domain_; }

  // The content secret in force, and what it derives. Need the right to deduplicate (asserted).
  const crypto::Key& content() const { return ids().content; }
  const crypto::Key& chunk_id() const { return ids().chunk_id; }
  const crypto::Key& member_id() const { return ids().member_id; }
  const crypto::Key& bundle() const { return ids().bundle; }
  const crypto::Key& tree() const { return ids().tree; }
  chunk::GearTable gear_table() const;
  // For everything that a machine keeps about the domain.
  crypto::Key local(const RepositoryId& id) const;

  // The session secret in force of a transaction of the domain, from the one in its `open`.
  crypto::Key session(const crypto::Key& sealed) const;

  // Names of people and things: the domain's own, and those in its commits. Not of domain 0 (asserted).
  Buffer seal_label(Bytes aad, Bytes plain, Random& random) const;
  Result<Buffer> open_label(Bytes aad, Bytes sealed) const;

 private:
  struct Ids {
    crypto::Key content, chunk_id, member_id, bundle, tree;
  };
  const Ids& ids() const {
    HF_ASSERT(ids_.has_value());
    return *ids_;
  }
  model::Domain domain_;
  std::optional<crypto::Key> secret_;
  std::optional<Ids> ids_;
};
using SharedDomainKeys = std::shared_ptr<const DomainKeys>;

// The object that holds a domain's secret, sealed so that whoever has the index secret opens it.
Buffer encode_domain_secret(const Config& config, const crypto::Key& index, model::Domain domain,
                            const crypto::Key& secret, Random& random);
Result<crypto::Key> decode_domain_secret(const Config& config, const crypto::Key& index, model::Domain domain,
                                         Bytes object);

// The log's entry that makes a domain; its name is sealed by its own secret.
struct AddDomain {
  model::Domain domain = 0;
  model::Time created;
  Buffer sealed_name;
  crypto::Signature signature{};  // by admin
};
void sign(AddDomain& entry, const Config& config, const crypto::Key& admin);
bool is_signed(const AddDomain& entry, const Config& config);
Buffer seal_domain_name(const Config& config, const DomainKeys& keys, std::string_view name, Random& random);
Result<std::string> open_domain_name(const Config& config, const DomainKeys& keys, const AddDomain& entry);

// The one that erases it for ever. Also an object by itself, for those who can't read the log.
struct EraseDomain {
  model::Domain domain = 0;
  model::Time time;
  crypto::Signature signature{};  // by admin
};
void sign(EraseDomain& entry, const Config& config, const crypto::Key& admin);
bool is_signed(const EraseDomain& entry, const Config& config);
Buffer encode_erasure(const EraseDomain& entry);
// Errc::damaged where the admin's signature does not fit, or it is another domain's.
Result<EraseDomain> decode_erasure(const Config& config, model::Domain domain, Bytes object);

// Says that `what` was erased, and when.
Error erased_error(std::string_view what, const EraseDomain& erased);

void encode(Encoder& out, const AddDomain& entry);
void encode(Encoder& out, const EraseDomain& entry);
AddDomain decode_add_domain(Decoder& in);
EraseDomain decode_erase_domain(Decoder& in);

}  // namespace holdfast::repo
