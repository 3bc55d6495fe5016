#include "repo/rotate.h"

namespace holdfast::repo {

namespace {

// Stands where other signatures have the name of an object.
constexpr std::string_view kSigned = "rotate";

Buffer unsigned_body(const Rotate& entry) {
  Encoder out;
  out.u32(entry.epoch);
  out.raw(entry.read);
  return out.take();
}

}  // namespace

Rotate make_rotate(const Config& config, const Secrets& secrets, std::uint32_t epoch,
                   const crypto::PublicKey& read) {
  HF_ASSERT(secrets.admin.has_value());
  Rotate entry{epoch, read, {}};
  entry.signature = signature_of(*secrets.admin, config.id, kSigned, unsigned_body(entry));
  return entry;
}

bool is_signed(const Rotate& entry, const Config& config) {
  return is_signed_by(config.admin, config.id, kSigned, unsigned_body(entry), entry.signature);
}

void encode(Encoder& out, const Rotate& entry) {
  out.raw(unsigned_body(entry));
  out.raw(entry.signature);
}

Rotate decode_rotate(Decoder& in) {
  Rotate entry;
  entry.epoch = in.u32();
  entry.read = in.array<32>();
  entry.signature = in.array<64>();
  return entry;
}

}  // namespace holdfast::repo
