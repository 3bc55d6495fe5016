#include "tests/hostile/corpus.h"

#include <limits>

#include "compress/compress.h"
#include "repo/pack_reader.h"

namespace holdfast::testing {

namespace {

using model::ChunkType;
using model::Entry;
using model::FileType;

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

Entry file(EvilWriter& evil, std::string path) {
  Encoder bundle;
  bundle.raw(as_bytes("content"));
  bundle.raw(Buffer(16));
  bundle.u32(7);
  bundle.u32(1);
  return evil_file(std::move(path), evil.put(ChunkType::bundle, bundle.bytes()), 7);
}
Entry directory(std::string path) { return evil_entry(std::move(path), FileType::directory); }
Entry symlink(std::string path, std::string target) {
  Entry entry = evil_entry(std::move(path), FileType::symlink);
  entry.target = std::move(target);
  return entry;
}
void one_leaf(EvilWriter& evil, const std::vector<Entry>& entries) { evil.add_root(evil.leaf(entries), 0); }
void leaves(EvilWriter& evil, const std::vector<std::vector<Entry>>& all) {
  std::vector<model::Child> children;
  for (const auto& entries : all) children.push_back(evil.leaf(entries));
  evil.add_root(evil.node(1, children), 1);
}

template <char const* kPath>
void named(EvilWriter& evil) {
  one_leaf(evil, {file(evil, kPath)});
}
constexpr char kUp[] = "../outside/x", kUpLater[] = "d/../../outside/x", kDotDot[] = "..", kDot[] = ".",
               kRooted[] = "/tmp/holdfast-escaped", kTwoSlashes[] = "d//x", kSlashEnd[] = "d/",
               kDotEnd[] = "d/.";

std::vector<Case> names() {
  return {
      {"NameUp", refused(), named<kUp>},
      {"NameUpLater", refused(), named<kUpLater>},
      {"NameDotDot", refused(), named<kDotDot>},
      {"NameDot", refused(), named<kDot>},
      {"NameAbsolute", refused(), named<kRooted>},
      {"NameTwoSlashes", refused(), named<kTwoSlashes>},
      {"NameSlashAtTheEnd", refused(), named<kSlashEnd>},
      {"NameDotAtTheEnd", refused(), named<kDotEnd>},
      {"NameEmpty", refused(), [](EvilWriter& e) { one_leaf(e, {file(e, "")}); }},
      {"NameWithNul", refused(),
       [](EvilWriter& e) {
         one_leaf(e, {file(e, {"d\0x", 3})});
       }},
      {"NameOf256Bytes", {{0}, {3}}, [](EvilWriter& e) { one_leaf(e, {file(e, std::string(256, 'n'))}); }},
      {"NameBeyondALeaf", refused(), [](EvilWriter& e) { one_leaf(e, {file(e, std::string(70'000, 'n'))}); }},
      {"NamesTwice", refused(),
       [](EvilWriter& e) {
         one_leaf(e, {file(e, "a"), file(e, "a")});
       }},
      {"NamesTwiceInTwoLeaves", refused(),
       [](EvilWriter& e) {
         leaves(e, {{file(e, "a"), file(e, "b")}, {file(e, "b")}});
       }},
      {"NamesOutOfOrder", refused(),
       [](EvilWriter& e) {
         one_leaf(e, {file(e, "b"), file(e, "a")});
       }},
      {"LeavesOutOfOrder", refused(),
       [](EvilWriter& e) {
         leaves(e, {{file(e, "a"), file(e, "m")}, {file(e, "c")}});
       }},
      {"FileAndDirectoryOfOneName", refused(),
       [](EvilWriter& e) {
         one_leaf(e, {file(e, "a"), directory("a")});
       }},
      {"BelowAFile", refused(),
       [](EvilWriter& e) {
         one_leaf(e, {file(e, "a"), file(e, "a/b")});
       }},
      {"BelowALink", refused(),
       [](EvilWriter& e) {
         one_leaf(e, {symlink("a", "../outside"), file(e, "a/canary")});
       }},
      {"BelowALinkInTheNextLeaf", refused(),
       [](EvilWriter& e) {
         leaves(e, {{symlink("a", "../outside")}, {file(e, "a/canary")}});
       }},
  };
}

std::vector<Case> objects() {
  return {
      {"LinksUp",
       {},
       [](EvilWriter& e) {
         one_leaf(e, {symlink("a", "../outside"), symlink("b", "/etc/passwd"), directory("c")});
       }},
      {"LinkToNothing", {{0}, {3}}, [](EvilWriter& e) { one_leaf(e, {symlink("a", "")}); }},
      {"LinkWithNul", refused(),
       [](EvilWriter& e) {
         one_leaf(e, {symlink("a", {"x\0y", 3})});
       }},
      {"HardLinkToADirectory",
       {},
       [](EvilWriter& e) {
         std::vector<Entry> all{directory("a"), file(e, "b"), symlink("c", "a")};
         for (Entry& entry : all) entry.link_group = 7;
         one_leaf(e, all);
       }},
      {"HardLinksThatDiffer",
       {},
       [](EvilWriter& e) {
         std::vector<Entry> all{file(e, "a"), file(e, "b"), file(e, "c")};
         for (Entry& entry : all) entry.link_group = kHuge;
         all[1].attributes.mode = 04777;
         all[2].content.clear();
         all[2].size_bytes = 0;
         one_leaf(e, all);
       }},
      {"HardLinkToAFileThatFails", without_content(),
       [](EvilWriter& e) {
         std::vector<Entry> all{file(e, "a"), file(e, "b")};
         for (Entry& entry : all) entry.link_group = 1;
         all[0].content[0].offset = 30;
         one_leaf(e, all);
       }},
      {"Devices",
       {{0}, {3}},
       [](EvilWriter& e) {
         Entry disk = evil_entry("disk", FileType::block_device);
         disk.device = 0x700;
         Entry far = evil_entry("far", FileType::char_device);
         far.device = kHuge;
         one_leaf(e, {disk, far});
       }},
      {"SetIds",
       {},
       [](EvilWriter& e) {
         std::vector<Entry> all{file(e, "a"), file(e, "b")};
         all[0].attributes.mode = 06755;
         all[1].attributes.xattrs = {
             {"security.capability", {"\1\0\0\2\377\377\377\377\0\0\0\0\0\0\0\0\0\0\0\0", 20}}};
         one_leaf(e, all);
       }},
      {"AttributesThatNoSystemTakes",
       {{0}, {3}},
       [](EvilWriter& e) {
         Entry odd = file(e, "a");
         odd.attributes.xattrs = {{"", "x"}, {"nowhere.x", "y"}, {std::string(300, 'n'), "z"}};
         odd.mtime.seconds = std::numeric_limits<std::int64_t>::min();
         Entry late = file(e, "b");
         late.mtime.seconds = std::numeric_limits<std::int64_t>::max();
         one_leaf(e, {odd, late});
       }},
      {"AttributeNamedWithNul", refused(),
       [](EvilWriter& e) {
         Entry odd = file(e, "a");
         odd.attributes.xattrs = {{{"security.capability\0x", 21}, "x"}};
         one_leaf(e, {odd});
       }},
      {"TerminalEscapes",
       {},
       [](EvilWriter& e) {
         const std::string escape =
             "\x1b]0;owned\a\x1b[2J\r\b\x7f\xc2\x9b"
             "2J\xe2\x80\xae";
         Entry odd = file(e, "a" + escape + "\n");
         odd.attributes.user = odd.attributes.group = escape;
         one_leaf(e, {odd, symlink("b", escape)});
         model::Commit& record = e.record();
         record.host = record.user = record.program = escape;
         record.paths = record.tags = record.excludes = {escape};
       }},
  };
}

// `levels` of nodes, all children of each being one and the same.
model::Child funnel(EvilWriter& e, std::uint8_t levels) {
  model::Child at = e.leaf({file(e, "a")});
  for (std::uint8_t level = 1; level <= levels; ++level) {
    std::vector<model::Child> children(model::kNodeChildrenMax, at);
    for (std::size_t i = 1; i < children.size(); ++i) children[i].first_path = fmt::format("a{:05}", i);
    at = e.node(level, children);
  }
  return at;
}

std::vector<Case> trees() {
  return {
      {"NodeInItself", refused(),
       [](EvilWriter& e) {
         model::Child self;
         self.first_path = "a";
         self.address = e.next_address();
         self.id.fill(1);
         e.add_root(e.node(5, {self}), 5);
       }},
      {"NodeAboveItsAncestor", refused(),
       [](EvilWriter& e) {
         model::Child leaf = e.leaf({file(e, "a")});
         const model::Child low = e.node(1, {leaf});
         e.add_root(e.node(2, {e.node(2, {low})}), 2);
       }},
      {"OneNodeEverywhere", refused(), [](EvilWriter& e) { e.add_root(funnel(e, 8), 8); }},
      {"SixteenLevels",
       {},
       [](EvilWriter& e) {
         model::Child at = e.leaf({file(e, "a")});
         for (std::uint8_t level = 1; level <= 16; ++level) at = e.node(level, {at});
         e.add_root(at, 16);
       }},
      {"TooManyLevels", refused(),
       [](EvilWriter& e) {
         model::Child at = e.leaf({file(e, "a")});
         for (unsigned level = 1; level <= 200; ++level) at = e.node(static_cast<std::uint8_t>(level), {at});
         e.add_root(at, 200);
       }},
      {"LeafThatIsCalledANode", refused(), [](EvilWriter& e) { e.add_root(e.leaf({file(e, "a")}), 3); }},
      {"NodeThatIsCalledALeaf", refused(),
       [](EvilWriter& e) { e.add_root(e.node(1, {e.leaf({file(e, "a")})}), 0); }},
      {"NodeThatBeginsElsewhere", refused(),
       [](EvilWriter& e) {
         model::Child leaf = e.leaf({file(e, "b")});
         leaf.first_path = "a";
         e.add_root(e.node(1, {leaf}), 1);
       }},
      {"TotalsThatLie",
       {{0}, {0}, {0}, {13}},
       [](EvilWriter& e) {
         model::Child leaf = e.leaf({file(e, "a")});
         leaf.entries = leaf.files = leaf.bytes = kHuge;
         e.add_root(e.node(1, {leaf}), 1);
       }},
      {"LongPathsInANode", refused(),
       [](EvilWriter& e) {
         const model::Child leaf = e.leaf({file(e, "a")});
         std::vector<model::Child> children(400, leaf);
         for (std::size_t i = 1; i < children.size(); ++i)
           children[i].first_path = std::string(60'000, 'p') + fmt::format("{:03}", i);
         e.add_root(e.node(1, children), 1);
       }},
      {"FileContentAsALeaf", refused(),
       [](EvilWriter& e) { e.add_root(e.put(ChunkType::data, model::encode_leaf({file(e, "a")})), 0); }},
      {"DeltaOfADelta", refused(),
       [](EvilWriter& e) {
         const model::Child full = e.leaf({file(e, "a"), file(e, "b")});
         const model::Child once = e.delta(full, {1}, {});
         e.add_root(e.delta(once, {0}, {file(e, "c")}), 0);
       }},
      {"DeltaThatRemovesWhatIsNotThere", refused(),
       [](EvilWriter& e) { e.add_root(e.delta(e.leaf({file(e, "a")}), {5}, {}), 0); }},
      {"DeltaOfItself", refused(),
       [](EvilWriter& e) {
         model::Child self;
         self.address = e.next_address();
         self.id.fill(1);
         e.add_root(e.delta(self, {}, {file(e, "a")}), 0);
       }},
      {"LeafOfAnotherSnapshotsPack", refused(),
       [](EvilWriter& e) {
         model::Child nowhere;
         nowhere.address = e.next_address();
         nowhere.address.pack.transaction.sequence += 1000;
         e.add_root(nowhere, 0);
       }},
      {"NoRoots", {}, [](EvilWriter&) {}},
      {"RootsThatOverlap",
       {},
       [](EvilWriter& e) {
         e.record().paths = {"/../..", "", "//", "/proc/self"};
         const model::Child leaf = e.leaf({directory("d"), file(e, "d/x")});
         e.add_root(leaf, 0, "/../../outside");
         e.add_root(leaf, 0, "..");
       }},
      {"TimesThatNeverWere",
       {},
       [](EvilWriter& e) {
         one_leaf(e, {file(e, "a")});
         model::Commit& record = e.record();
         record.start.seconds = std::numeric_limits<std::int64_t>::max();
         record.end.seconds = std::numeric_limits<std::int64_t>::min();
         record.zone_minutes = std::numeric_limits<int>::min();
       }},
  };
}

model::Extent hole_of(std::uint64_t length) {
  model::Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

void one_extent(EvilWriter& e, std::uint64_t offset, std::uint64_t length) {
  Entry entry = file(e, "a");
  entry.size_bytes = length;
  entry.content[0].offset = offset;
  entry.content[0].length = length;
  one_leaf(e, {entry});
}

Buffer zeros() { return Buffer(repo::kChunkPlainBytesMax); }

Buffer packed(Bytes plain) {
  compress::Compressor compressor;
  Buffer out;
  HF_ASSERT(compressor.compress(plain, 1, out));
  return out;
}

// A compressed chunk that says to be `claimed` bytes long.
void false_length(EvilWriter& e, std::uint32_t claimed) {
  const Buffer plain(100'000);
  const auto id = repo::chunk_id(e.repository().keys()->chunk_id(), ChunkType::bundle, plain);
  const auto chunk = e.put_raw(ChunkType::bundle, packed(plain), repo::Codec::zstd, claimed, id);
  one_leaf(e, {evil_file("a", chunk, 1000)});
}

model::Child bomb(EvilWriter& e, ChunkType type, const Buffer& plain) {
  const auto id = repo::chunk_id(e.repository().keys()->chunk_id(), type, plain);
  return e.put_raw(type, packed(plain), repo::Codec::zstd, static_cast<std::uint32_t>(plain.size()), id);
}

// A leaf of one file, up to what comes after its size.
void begin_leaf(Encoder& out, std::uint64_t entries, std::uint64_t size) {
  for (int i = 0; i < 2; ++i) out.u8(0);
  out.varint(entries);
  out.varint(0);  // transactions
  out.varint(0);  // chunks
  out.varint(1);  // attributes
  for (int i = 0; i < 7; ++i) out.u8(0);
  out.varint(0);
  out.string("a");
  out.varint(0);  // which attributes
  out.svarint(0);
  out.svarint(0);
  out.varint(size);
  out.varint(0);  // links
  out.varint(0);  // flags
}

std::vector<Case> lengths() {
  return {
      {"ExtentThatOverflows", without_content(), [](EvilWriter& e) { one_extent(e, kHuge - 1, 5); }},
      {"ExtentBeyondItsChunk", without_content(), [](EvilWriter& e) { one_extent(e, 30, 5); }},
      {"ExtentOfMoreThanIsThere", without_content(), [](EvilWriter& e) { one_extent(e, 0, kHuge); }},
      {"ExtentOfNothing", refused(),
       [](EvilWriter& e) {
         Entry entry = file(e, "a");
         entry.content[0].length = 0;
         one_leaf(e, {entry});
       }},
      {"ExtentsThatDoNotCover", refused(),
       [](EvilWriter& e) {
         Entry entry = file(e, "a");
         entry.size_bytes = 1 << 20;
         entry.content.push_back(entry.content[0]);
         one_leaf(e, {entry});
       }},
      {"ExtentsWhoseSumOverflows", refused(),
       [](EvilWriter& e) {
         Entry entry = file(e, "a");
         entry.content.assign(3, hole_of(kHuge / 2));
         one_leaf(e, {entry});
       }},
      {"ExtentOfASlotThatIsNot", without_content(),
       [](EvilWriter& e) {
         Entry entry = file(e, "a");
         entry.content[0].chunk.slot = 60'000;
         one_leaf(e, {entry});
       }},
      {"SlotBeyondAnyPack", refused(),
       [](EvilWriter& e) {
         Entry entry = file(e, "a");
         entry.content[0].chunk.slot = 0xffffffff;
         one_leaf(e, {entry});
       }},
      {"AllHole",
       {{0}, {0, 3}},
       [](EvilWriter& e) {
         Entry entry = evil_entry("a", FileType::regular);
         entry.size_bytes = kHuge;
         entry.content = {hole_of(kHuge)};
         one_leaf(e, {entry});
       },
       150,
       false},
      {"FrameOfLess", without_content(), [](EvilWriter& e) { false_length(e, 200'000); }},
      {"FrameOfMore", without_content(), [](EvilWriter& e) { false_length(e, 50'000); }},
      {"BombAsALeaf", refused(), [](EvilWriter& e) { e.add_root(bomb(e, ChunkType::leaf, zeros()), 0); },
       450},
      {"BombAsANode", refused(), [](EvilWriter& e) { e.add_root(bomb(e, ChunkType::node, zeros()), 2); },
       450},
      {"BombAsContent",
       {},
       [](EvilWriter& e) {
         const auto chunk = bomb(e, ChunkType::bundle, zeros());
         one_leaf(e, {evil_file("a", chunk, 1), evil_file("b", chunk, 1)});
       },
       450},
      {"CountBeyondMemory", refused(),
       [](EvilWriter& e) {
         Encoder out;
         begin_leaf(out, 1ull << 60, 0);
         e.add_root(e.put(ChunkType::leaf, out.bytes()), 0);
       }},
      {"ExtentsBeyondMemory", refused(),
       [](EvilWriter& e) {
         constexpr std::uint64_t kExtents = 60'000'000;
         Encoder out;
         begin_leaf(out, 1, kExtents);
         out.varint(1 + kExtents);
         Buffer plain = out.take();
         plain.reserve(plain.size() + 2 * kExtents);
         for (std::uint64_t i = 0; i < kExtents; ++i) plain.insert(plain.end(), {0, 1});
         e.add_root(bomb(e, ChunkType::leaf, plain), 0);
       },
       450},
      {"TextBeyondMemory", refused(),
       [](EvilWriter& e) {
         std::vector<Entry> all;
         for (int i = 0; i < 2048; ++i) {
           all.push_back(evil_entry(fmt::format("{:04}", i), FileType::regular));
           all.back().attributes.xattrs = {{"user.x", std::string(1 << 20, 'x')}};
         }
         one_leaf(e, all);
       }},
  };
}

}  // namespace

const std::vector<Case>& corpus() {
  static const std::vector<Case> all = [] {
    std::vector<Case> out = names();
    for (auto* more : {&objects, &trees, &lengths}) {
      for (Case& one : (*more)()) out.push_back(std::move(one));
    }
    return out;
  }();
  return all;
}

}  // namespace holdfast::testing
