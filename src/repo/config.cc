#include "repo/config.h"

#include <bit>

#include <fmt/core.h>

#include "base/codec.h"
#include "repo/names.h"

namespace holdfast::repo {

namespace {

constexpr std::uint16_t kFormatVersion = 0;
constexpr std::uint16_t kAes256Gcm = 1;
constexpr std::uint16_t kBlake3 = 1;

bool sane(const chunk::Limits& c) {
  return std::has_single_bit(c.size_average) && c.size_min >= 64 && c.size_min < c.size_average &&
         c.size_average < c.size_max && c.size_max <= 64 * kMiB;
}

Error unsupported(std::string what) {
  return Error(Errc::unsupported, "the repository " + what).hint("use a newer holdfast");
}

}  // namespace

Buffer encode_config(const Config& config, const Secrets& secrets) {
  Encoder body;
  body.string("holdfast");
  body.u16(kFormatVersion);
  body.raw(config.id);
  encode(body, config.created);
  for (int mask = 0; mask < 3; ++mask) body.u64(0);
  body.u32(0);
  body.u32(0);
  body.u16(kAes256Gcm);
  body.u16(kBlake3);
  for (const crypto::PublicKey* key : {&config.admin, &config.commit, &config.log, &config.read})
    body.raw(*key);
  body.u32(config.chunks.size_min);
  body.u32(config.chunks.size_average);
  body.u32(config.chunks.size_max);
  HF_ASSERT(secrets.admin.has_value());
  return wrap_vital(Vital::config, sign_body(*secrets.admin, config.id, kConfigName, body.take()));
}

Result<Config> decode_config(Bytes object) {
  const Unwrapped vital = TRY(unwrap_vital(Vital::config, object, kConfigName));
  Decoder in(vital.body);
  if (in.string() != "holdfast") return Error(Errc::damaged, "the config is not a repository's");
  const std::uint16_t version = in.u16();
  if (in.ok() && version != kFormatVersion)
    return unsupported(fmt::format("is of format version {}", version));
  Config config;
  config.id = in.array<16>();
  config.created = model::decode_time(in);
  const std::uint64_t incompatible = in.u64();
  const std::uint64_t read_only_compatible = in.u64();
  in.u64();
  if (incompatible != 0 || read_only_compatible != 0)
    return unsupported("uses features unknown to this version");
  in.u32();
  in.u32();
  const std::uint16_t aead = in.u16();
  const std::uint16_t hash = in.u16();
  if (in.ok() && (aead != kAes256Gcm || hash != kBlake3))
    return unsupported("uses an unknown cipher or hash");
  for (crypto::PublicKey* key : {&config.admin, &config.commit, &config.log, &config.read})
    *key = in.array<32>();
  config.chunks.size_min = in.u32();
  config.chunks.size_average = in.u32();
  config.chunks.size_max = in.u32();
  if (!sane(config.chunks)) in.fail();
  TRY(in.finish("the config", true));
  if (in.left() != crypto::Signature{}.size()) return Error(Errc::damaged, "the config has a wrong length");
  TRY(verify_body(config.admin, config.id, kConfigName, vital.body));
  return config;
}

}  // namespace holdfast::repo
