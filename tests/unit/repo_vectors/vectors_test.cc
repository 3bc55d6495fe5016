// docs/format/vectors.json: what the format's primitives and records give for fixed inputs. This program must
// make the same document as lies there; tests/reader/test_vectors.py checks it by an implementation of its
// own. With HOLDFAST_WRITE_VECTORS set to a path the document is written there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "chunk/chunk.h"
#include "crypto/hash.h"
#include "model/tree.h"
#include "parity/parity.h"
#include "repo/key_file.h"
#include "repo/kit.h"
#include "repo/names.h"
#include "repo/pack_format.h"

namespace holdfast::repo {
namespace {

using Json = nlohmann::ordered_json;
using namespace model;

// Bytes first, first + 1, …
Buffer counting(std::size_t size, std::uint8_t first = 0) {
  Buffer out(size);
  std::iota(out.begin(), out.end(), first);
  return out;
}

// "Random" bytes 40 41 42 …
class CountingRandom final : public Random {
 public:
  void fill(MutableBytes out) override { std::iota(out.begin(), out.end(), std::uint8_t{0x40}); }
};

crypto::Key master() { return crypto::Key(counting(32)); }
Buffer salt() { return counting(32, 0x40); }

std::uint64_t first_word(const Hash& hash) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) word |= std::uint64_t{hash[i]} << (8 * i);
  return word;
}

Json derived_keys() {
  Json all = Json::array();
  const auto add = [&](const char* context, Bytes material) {
    all.push_back({{"context", context},
                   {"material", hex(material)},
                   {"key", hex(crypto::derive_key(context, {material}).bytes())}});
  };
  const Buffer alone = counting(32);
  for (const char* context :
       {"holdfast 0 chunk id", "holdfast 0 member id", "holdfast 0 gear", "holdfast 0 bundle boundary",
        "holdfast 0 tree boundary", "holdfast 0 domain", "holdfast 0 domain labels"}) {
    add(context, alone);
  }
  Buffer salted = counting(32);
  append(salted, salt());
  for (const char* context :
       {"holdfast 0 seal", "holdfast 0 seal commit", "holdfast 0 seal nonce", "holdfast 0 pack",
        "holdfast 0 pack commit", "holdfast 0 pack nonce", "holdfast 0 directory",
        "holdfast 0 directory nonce", "holdfast 0 domain session", "holdfast 0 domain content"}) {
    add(context, salted);
  }
  append(salted, counting(32, 0x80));
  add("holdfast 0 recipient", salted);
  add("holdfast 0 slot recipient", salted);
  return all;
}

Json sealed() {
  CountingRandom random;
  const Buffer aad = seal_context({}, "keys/x");
  const Buffer box = seal(master(), aad, as_bytes("plain text"), random);
  return {{"key", hex(master().bytes())},
          {"salt", hex(salt())},
          {"aad", hex(aad)},
          {"plain", hex(as_bytes("plain text"))},
          {"sealed", hex(box)}};
}

crypto::Key counting_key(std::uint8_t first) { return crypto::Key(counting(32, first)); }

Json key_slots() {
  CountingRandom random;
  const RepositoryId id{7};
  const std::string name = "keys/00000000000000000000000000000001";
  Secrets secrets;
  secrets.content = counting_key(1);
  secrets.index = counting_key(2);
  secrets.admin_public = crypto::sign_public(counting_key(4));
  const Buffer by_password =
      make_slot(id, name, secrets, as_bytes("password"), "ann@host", {5, 6}, {1, 64}, random).value();
  secrets.read = counting_key(3);
  secrets.reads.emplace(1, counting_key(9));
  const crypto::Key secret = counting_key(0x20);
  const crypto::PublicKey recipient = crypto::x25519_public(secret);
  const Buffer by_key =
      make_recipient_slot(id, name, secrets, recipient, "bob@host", {7, 8}, counting_key(4), random).value();
  return {{"repository id", hex(id)},
          {"name", name},
          {"content", hex(secrets.content->bytes())},
          {"index", hex(secrets.index->bytes())},
          {"read", hex(secrets.read->bytes())},
          {"read of epoch 1", hex(secrets.reads.at(1).bytes())},
          {"admin", hex(counting_key(4).bytes())},
          {"admin public", hex(secrets.admin_public)},
          {"password", "password"},
          {"password slot", hex(by_password)},
          {"secret key file", secret_key_text(secret)},
          {"recipient file", recipient_text(recipient)},
          {"recipient slot", hex(by_key)}};
}

// "Random" bytes that differ from call to call.
class RunningRandom final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (std::uint8_t& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 0x40;
};

Json recovery_kit() {
  RunningRandom random;
  const RepositoryId id{7};
  Secrets secrets;
  secrets.content = counting_key(1);
  secrets.log = counting_key(6);
  secrets.admin_public = crypto::sign_public(counting_key(4));
  return {{"repository id", hex(id)},
          {"bundle", hex(encode_secrets(secrets))},
          {"whole", make_kit(id, secrets, {}, "today", random).value().front()},
          {"shares of threshold 2", make_kit(id, secrets, {3, 2}, "today", random).value()}};
}

Json vital() {
  return {{"kind", 7},
          {"body", hex(as_bytes("body"))},
          {"object", hex(wrap_vital(Vital::log, as_bytes("body")))}};
}

Json chunk_ids() {
  const crypto::Key id_key = crypto::derive_key("holdfast 0 chunk id", {master().bytes()});
  const crypto::Key member_key = crypto::derive_key("holdfast 0 member id", {master().bytes()});
  const std::uint8_t type = 1;
  const Bytes plain = as_bytes("content");
  const Hash member = crypto::keyed_hash(member_key, plain);
  return {{"content secret", hex(master().bytes())},
          {"type", type},
          {"plain", hex(plain)},
          {"chunk id", hex(crypto::keyed_hash(id_key, {Bytes(&type, 1), plain}))},
          {"member id", hex(Bytes(member).first(16))}};
}

Json cuts() {
  const crypto::Key key = crypto::derive_key("holdfast 0 gear", {master().bytes()});
  const chunk::GearTable table = chunk::gear_table(crypto::expand(key, as_bytes("gear"), 2048));
  const chunk::Limits limits{256, 1024, 4096};
  const Buffer data = crypto::expand(master(), as_bytes("cut input"), 65536);
  Json ends = Json::array();
  for (std::size_t at = 0; at < data.size();) {
    at += chunk::cut(table, limits, Bytes(data).subspan(at), true);
    ends.push_back(at);
  }
  return {{"content secret", hex(master().bytes())},
          {"table", {table[0], table[1], table[2], table[255]}},
          {"table positions", {0, 1, 2, 255}},
          {"input", "65536 bytes of extended output of H(content secret, \"cut input\")"},
          {"limits", {limits.size_min, limits.size_average, limits.size_max}},
          {"chunk ends", ends}};
}

// Where a bundle or tree would end is decided in the midst of writing it; the rule itself is stated here once
// more.
Json boundaries() {
  const crypto::Key bundle_key = crypto::derive_key("holdfast 0 bundle boundary", {master().bytes()});
  const crypto::Key tree_key = crypto::derive_key("holdfast 0 tree boundary", {master().bytes()});
  Json bundles = Json::array(), leaves = Json::array(), nodes = Json::array();
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const std::string name = "file" + std::to_string(i);
    Encoder text;
    text.u64(i * 32);
    text.raw(as_bytes(name));
    const std::uint64_t word = first_word(crypto::keyed_hash(bundle_key, text.bytes()));
    if ((word >> 32) < ((i * 32 + 256) << 32) / kMiB) bundles.push_back(i);
    if (first_word(crypto::keyed_hash(tree_key, as_bytes(name))) % 512 == 0) leaves.push_back(i);
    const std::uint8_t level = 1;
    if (first_word(crypto::keyed_hash(tree_key, {Bytes(&level, 1), as_bytes(name)})) % 128 == 0)
      nodes.push_back(i);
  }
  return {
      {"content secret", hex(master().bytes())},
      {"input", "names file0 … file1999; file i has 32 i bytes"},
      {"bundle rule", "first u64 of H(bundle key, u64 size ‖ name) div 2^32 < (size + 256) · 2^32 div 2^20"},
      {"bundle ends after", bundles},
      {"leaf ends after", leaves},
      {"node of level 1 ends after", nodes}};
}

PackId pack_of(std::uint32_t sequence, std::uint32_t pack) { return {{0x1122334455667788u, sequence}, pack}; }

Json page() {
  References packs;
  for (std::uint32_t slot : {0u, 1u, 2u, 7u, 64u, 65u}) packs[pack_of(1, 0)].insert(slot);
  packs[pack_of(2, 3)].insert(5);
  return {
      {"packs",
       Json::array(
           {{{"writer", 0x1122334455667788u}, {"sequence", 1}, {"pack", 0}, {"slots", {0, 1, 2, 7, 64, 65}}},
            {{"writer", 0x1122334455667788u}, {"sequence", 2}, {"pack", 3}, {"slots", {5}}}})},
      {"page", hex(encode_page(packs.begin(), packs.end()))}};
}

// A page ends after these packs of transaction 1.
Json page_ends_after() {
  Json ends = Json::array();
  for (std::uint32_t pack = 0; pack < 2000; ++pack) {
    Encoder name;
    encode(name, pack_of(1, pack));
    if (page_ends(crypto::hash(name.bytes())[0])) ends.push_back(pack);
  }
  return {{"writer", 0x1122334455667788u}, {"sequence", 1}, {"packs", 2000}, {"page ends after", ends}};
}

Entry entry(std::string path, FileType type, std::int64_t seconds) {
  Entry e;
  e.path = std::move(path);
  e.attributes = {type, 0640, 1000, 100, "ann", "users", {}};
  e.mtime = {seconds, 5};
  return e;
}

std::vector<Entry> entries() {
  const Address address{pack_of(1, 2), 3};
  const ShortId id = {1, 2, 3};
  std::vector<Entry> all{entry("home", FileType::directory, 1'700'000'000),
                         entry("home/a", FileType::regular, 1'700'000'000),
                         entry("home/b", FileType::regular, -1), entry("home/c", FileType::symlink, 7)};
  all[1].size_bytes = 12;
  all[1].content = {{address, id, 0, 5, false}, {{}, {}, 0, 7, true}};
  all[2].size_bytes = 9;
  all[2].link_group = 6;
  all[2].content = {{address, id, 5, 9, false}};
  all[3].target = "b";
  all[0].attributes.flags = 0x50;
  all[1].attributes.project = 4'000'000'000;
  all[0].birth = model::Time{1'700'000'000, 1};
  all[2].birth = model::Time{-5'000'000'000, 999'999'999};
  return all;
}

Json describe(const std::vector<Entry>& all) {
  Json out = Json::array();
  for (const Entry& e : all) {
    Json extents = Json::array();
    for (const Extent& x : e.content) {
      extents.push_back(
          {{"slot", x.hole ? Json() : Json(x.chunk.slot)}, {"offset", x.offset}, {"length", x.length}});
    }
    out.push_back({{"path", e.path},
                   {"type", e.attributes.type},
                   {"mode", e.attributes.mode},
                   {"seconds", e.mtime.seconds},
                   {"nanoseconds", e.mtime.nanoseconds},
                   {"size", e.size_bytes},
                   {"link group", e.link_group},
                   {"target", e.target},
                   {"flags", e.attributes.flags},
                   {"project", e.attributes.project},
                   {"birth", e.birth ? Json{e.birth->seconds, e.birth->nanoseconds} : Json()},
                   {"extents", extents}});
  }
  return out;
}

Json tree() {
  const std::vector<Entry> all = entries();
  const std::vector<Entry> changed{all[2]};
  const Delta delta{{pack_of(1, 1), 9}, {7}, {0, 3}};
  const std::vector<Child> children{{"home", {pack_of(1, 1), 9}, {7}, 4, 2, 21},
                                    {"home/x", {pack_of(2, 1), 0}, {8}, 1, 1, 5}};
  return {{"entries", describe(all)},
          {"full leaf", hex(encode_leaf(all))},
          {"delta removes", delta.removed},
          {"delta base slot", delta.base.slot},
          {"delta changes", describe(changed)},
          {"delta leaf", hex(encode_delta(delta, changed))},
          {"children",
           {{{"first", "home"}, {"sequence", 1}, {"slot", 9}, {"totals", {4, 2, 21}}},
            {{"first", "home/x"}, {"sequence", 2}, {"slot", 0}, {"totals", {1, 1, 5}}}}},
          {"node of level 1", hex(encode_node(1, children))}};
}

Json opening() {
  CountingRandom random;
  const RepositoryId id{7};
  const crypto::Key read = counting_key(9);
  const std::string name = transaction_name(pack_of(1, 0).transaction, "open");
  Opening opening{pack_of(1, 0).transaction, {1, 2}, {3, 4}, {5, 6}, {0, 1}, {}};
  opening.secret =
      seal_to_reader(crypto::x25519_public(read), seal_context(id, name), master(), random).value();
  const crypto::Key commit = counting_key(5);
  return {{"repository id", hex(id)},
          {"name", name},
          {"key domain", opening.place.domain},
          {"key epoch", opening.place.epoch},
          {"read of epoch 1", hex(read.bytes())},
          {"commit public", hex(crypto::sign_public(commit))},
          {"session secret", hex(master().bytes())},
          {"object", hex(wrap_vital(Vital::open, sign_body(commit, id, name, encode(opening))))}};
}

Json parity_frames() {
  Json rows = Json::array();
  for (unsigned p = 0; p < parity::kParityMax; ++p) {
    Buffer row;
    for (unsigned d = 0; d < parity::kStripeFramesMax; ++d) row.push_back(parity::coefficient(p, d));
    rows.push_back(hex(row));
  }
  const std::vector<Buffer> frames{counting(16, 0), counting(16, 0x55), counting(16, 0xf0)};
  std::vector<Buffer> sums(3, Buffer(16));
  parity::encode(std::vector<Bytes>(frames.begin(), frames.end()),
                 std::vector<MutableBytes>(sums.begin(), sums.end()), parity::layout(3));
  Json data = Json::array(), out = Json::array();
  for (const Buffer& frame : frames) data.push_back(hex(frame));
  for (const Buffer& frame : sums) out.push_back(hex(frame));
  return {{"coefficients", rows}, {"frames", data}, {"parity", out}};
}

Json frame() {
  Identity identity;
  identity.pack = pack_of(1, 2);
  identity.frame_log2 = 12;
  identity.place = {3, 4};
  const Buffer header = encode_header({identity, {}});
  FrameCipher cipher(data_keys(master(), salt()), identity_hash(header));
  const Buffer plain = counting(identity.payload_bytes());
  Buffer out(identity.frame_bytes());
  cipher.seal(3, plain, out);
  return {{"session secret", hex(master().bytes())},
          {"salt", hex(salt())},
          {"key domain", identity.place.domain},
          {"key epoch", identity.place.epoch},
          {"identity", hex(Bytes(header).first(kIdentityBytes))},
          {"number", 3},
          {"plain", "bytes 00 01 … ff 00 …, 4068 of them"},
          {"first 64 bytes", hex(Bytes(out).first(64))},
          {"tag", hex(Bytes(out).last(16))},
          {"hash", hex(crypto::hash(out))}};
}

std::string document() {
  const Json all{{"format", 0},
                 {"derived keys", derived_keys()},
                 {"seal", sealed()},
                 {"vital object", vital()},
                 {"key slots", key_slots()},
                 {"recovery kit", recovery_kit()},
                 {"ids", chunk_ids()},
                 {"cuts", cuts()},
                 {"boundaries", boundaries()},
                 {"reference page", page()},
                 {"reference page ends", page_ends_after()},
                 {"tree", tree()},
                 {"parity", parity_frames()},
                 {"frame", frame()},
                 {"open", opening()}};
  return all.dump(1) + "\n";
}

TEST(Vectors, AreWhatThisProgramMakes) {
  const std::string made = document();
  if (const char* path = std::getenv("HOLDFAST_WRITE_VECTORS")) std::ofstream(path) << made;
  std::ifstream file(HOLDFAST_SOURCE_DIR "/docs/format/vectors.json");
  const std::string there((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(there, made);
}

}  // namespace
}  // namespace holdfast::repo
