// Any bytes as a vital object, config, key slot, part of a pack, or name: an error, or a value that is the
// same after encoding and decoding. Digests and signatures are put right first, else nothing would get behind
// them.
#include "base/check.h"
#include "base/codec.h"
#include "repo/config.h"
#include "repo/key_file.h"
#include "repo/kit.h"
#include "repo/kit_lines.h"
#include "repo/names.h"
#include "repo/pack_format.h"
#include "tests/fuzz/seeds.h"

namespace holdfast {
namespace {

using namespace repo;

crypto::Key fixed_key(std::uint8_t value) { return crypto::Key(Buffer(32, value)); }

// As much of `in` as a block holds, with its digest.
Buffer closed_block(Bytes in) {
  Buffer block(in.begin(), in.end());
  block.resize(kPackHeaderBytes - sizeof(Hash));
  append(block, crypto::hash(block));
  return block;
}

Config sample_config() {
  Config config;
  config.created = {1'700'000'000, 5};
  config.admin = crypto::sign_public(fixed_key(1));
  return config;
}

void check_vital(Bytes in) {
  for (std::uint8_t kind = 1; kind <= 7; ++kind) {
    const auto vital = unwrap_vital(static_cast<Vital>(kind), in, "x");
    if (!vital.ok()) continue;
    const auto twin =
        unwrap_vital(static_cast<Vital>(kind), wrap_vital(static_cast<Vital>(kind), vital.value().body), "x");
    HF_ASSERT(twin.ok() && twin.value().body == vital.value().body && !twin.value().one_copy_damaged);
  }
}

void check_config(Bytes in) {
  Secrets secrets;
  secrets.admin = fixed_key(1);
  const auto signed_by_admin =
      sign_body(fixed_key(1), sample_config().id, kConfigName, Buffer(in.begin(), in.end()));
  const auto config = decode_config(wrap_vital(Vital::config, signed_by_admin));
  if (!config.ok()) return;
  const Buffer object = encode_config(config.value(), secrets);
  const auto twin = decode_config(object);
  HF_ASSERT(twin.ok());
  HF_ASSERT(encode_config(twin.value(), secrets) == object);
}

void check_header(Bytes in) {
  const auto header = decode_header(closed_block(in));
  if (!header.ok()) return;
  const Buffer bytes = encode_header(header.value());
  const auto twin = decode_header(bytes);
  HF_ASSERT(twin.ok());
  HF_ASSERT(encode_header(twin.value()) == bytes);
}

void check_trailer(Bytes in) {
  const auto trailer = decode_trailer(closed_block(in));
  if (!trailer.ok()) return;
  HF_ASSERT(trailer.value().header.size() == kPackHeaderBytes);
  const Buffer bytes = encode_trailer(trailer.value().trailer, trailer.value().header);
  const auto twin = decode_trailer(bytes);
  HF_ASSERT(twin.ok());
  HF_ASSERT(twin.value().header == trailer.value().header);
}

void check_directory(Bytes in) {
  const std::uint64_t stream = 1 << 20;
  const auto entries = decode_directory(in, stream);
  if (!entries.ok()) return;
  const Buffer bytes = encode_directory(entries.value());
  const auto twin = decode_directory(bytes, stream);
  HF_ASSERT(twin.ok());
  HF_ASSERT(encode_directory(twin.value()) == bytes);
}

void check_name(Bytes in) {
  const std::string_view name = as_text(in);
  if (const auto t = parse_transaction_name(name)) HF_ASSERT(transaction_name(t->id, t->what) == name);
  if (const auto p = parse_pack_name(name)) HF_ASSERT(pack_name(p->id, p->generation) == name);
  if (const auto l = parse_log_name(name)) HF_ASSERT(log_name(*l) == name);
}

void check_secrets(Bytes in) {
  const auto secrets = decode_secrets(in);
  if (secrets.ok()) HF_ASSERT(encode_secrets(secrets.value()) == Buffer(in.begin(), in.end()));
}

// What people type.
void check_typed(Bytes in) {
  const auto blocks = parse_kit_lines(as_text(in));
  if (blocks.ok()) {
    for (const Buffer& block : blocks.value())
      HF_ASSERT(parse_kit_lines(kit_lines(block)).value()[0] == block);
  }
  (void)read_kit({}, {as_text(in)}).ok();
  (void)parse_recipient(as_text(in)).ok();
}

void check(unsigned which, Bytes in) {
  switch (which % 9) {
    case 0:
      return check_vital(in);
    case 1:
      return check_config(in);
    case 2:
      return (void)decode_slot(wrap_vital(Vital::key, in), "keys/x").ok();
    case 3:
      return check_header(in);
    case 4:
      return check_trailer(in);
    case 5:
      return check_directory(in);
    case 6:
      return check_name(in);
    case 7:
      return check_secrets(in);
    default:
      return check_typed(in);
  }
}

Buffer slot_body() {
  Encoder out;
  out.u8(1);
  out.string("label");
  encode(out, model::Time{1'700'000'000, 5});
  out.u8(0x3f);
  out.u32(3);
  out.u32(65536);
  out.raw(std::array<std::uint8_t, 16>{});
  out.blob(Buffer(200, 7));
  return out.take();
}

std::vector<Buffer> make_samples() {
  using fuzz::sample;
  Secrets secrets;
  secrets.admin = fixed_key(1);
  const Buffer config =
      unwrap_vital(Vital::config, encode_config(sample_config(), secrets), "x").value().body;
  Identity identity;
  identity.frame_log2 = 12;
  const Header header{identity, {1, 3, {true, false, true}}};
  Trailer trailer{.data_frames = 2, .directory_frames = 1, .stripes = 1, .parity_per_stripe = 3, .slots = 1};
  const Buffer header_bytes = encode_header(header);
  const Buffer trailer_bytes = encode_trailer(trailer, header_bytes);
  const Bytes front = Bytes(header_bytes).first(540);
  return {sample(0, wrap_vital(Vital::log, as_bytes("body"))),
          sample(1, Bytes(config).first(config.size() - 64)),
          sample(2, slot_body()),
          sample(3, front),
          sample(4, Bytes(trailer_bytes).first(640)),
          sample(5, encode_directory({{{}, 0, 5, 5, Codec::raw, model::ChunkType::data}})),
          sample(6, as_bytes(transaction_name({7, 1}, "fate"))),
          sample(6, as_bytes(pack_name({{7, 1}, 2}, 3))),
          sample(6, as_bytes(log_name(10))),
          sample(7, encode_secrets(secrets)),
          sample(8, as_bytes(kit_lines(encode_secrets(secrets)))),
          sample(8, as_bytes(recipient_text(sample_config().read)))};
}

}  // namespace
}  // namespace holdfast

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) check(data[0], {data + 1, size - 1});
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
  static const std::vector<Buffer> samples = make_samples();
  return fuzz::mutate(data, size, size_max, seed, samples);
}
