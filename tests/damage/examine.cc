#include "tests/damage/examine.h"

#include <gtest/gtest.h>

#include "flow/content.h"
#include "repo/tree_reader.h"

namespace holdfast::testing {

using flow::Severity;

Examiner::Examiner(const Specimen& specimen)
    : specimen_(specimen),
      content_(std::make_shared<storage::MemoryContent>()),
      storage_(storage::open_memory(content_)) {
  content_->objects = specimen.objects;
  for (std::uint32_t i = 0; i < specimen.places.size(); ++i)
    places_[{specimen.places[i].snapshot, specimen.places[i].path}] = i;
}

void Examiner::examine(const Damage& damage) {
  SCOPED_TRACE(damage.what);
  for (const std::string& name : damage.removed) content_->objects.erase(name);
  for (const auto& [name, bytes] : damage.put) content_->objects[name] = bytes;
  const Reading reading = read_everything();
  compare_reading(damage, reading);
  if (!reading.closed) compare_check(damage, reading);
  for (const std::string& name : damage.removed) content_->objects[name] = specimen_.objects.at(name);
  for (const auto& [name, bytes] : damage.put) {
    const auto original = specimen_.objects.find(name);
    if (original == specimen_.objects.end()) {
      content_->objects.erase(name);
    } else {
      content_->objects[name] = original->second;
    }
  }
}

Examiner::Reading Examiner::read_everything() {
  Reading reading;
  const auto repository = repo::Repository::open({*storage_, clock_, random_}, as_bytes("secret"), {});
  if (!repository.ok()) {
    reading.closed = repository.error().copy();
    return reading;
  }
  const auto history = repository.value()->readable_history({});
  if (!history.ok()) {
    reading.closed = history.error().copy();
    return reading;
  }
  std::set<std::string> there;
  for (const repo::Snapshot& snapshot : history.value().commits) {
    if (!specimen_.snapshots.contains(snapshot.id)) continue;  // forgotten
    there.insert(snapshot.id);
    read_snapshot(*repository.value(), history.value().log, snapshot, reading);
  }
  for (const auto& [place, number] : places_) {
    if (!there.contains(place.first)) reading.lost.insert(number);
  }
  return reading;
}

namespace {

bool same_attributes(const model::Entry& a, const model::Entry& b) {
  return a.attributes == b.attributes && a.mtime == b.mtime && a.target == b.target && a.device == b.device;
}

// The file's bytes; nothing where they can't be read.
std::optional<std::string> content_of(repo::ChunkReader& chunks, const model::Entry& entry) {
  std::string bytes;
  const flow::ContentSink sink{[&](Bytes more) -> Result<void> {
                                 bytes += as_text(more);
                                 return {};
                               },
                               [&](std::uint64_t length) -> Result<void> {
                                 bytes.append(length, '\0');
                                 return {};
                               }};
  if (!flow::read_content(chunks, entry, sink, {}).ok()) return std::nullopt;
  return bytes;
}

}  // namespace

void Examiner::read_snapshot(const repo::Repository& repository, const repo::LogState& log,
                             const repo::Snapshot& snapshot, Reading& reading) {
  const FileSet& files = specimen_.snapshots.at(snapshot.id);
  std::set<std::string> back;
  repo::ChunkReader chunks(repository, log), nodes(repository, log);
  repo::TreeReader tree(nodes, snapshot.commit.roots.front());
  for (;;) {
    const auto next = tree.next({});
    if (!next.ok()) continue;  // it goes on behind what it could not read
    if (next.value() == nullptr) break;
    const model::Entry& entry = *next.value();
    if (!files.contains(entry.path) || !same_attributes(entry, files.all().at(entry.path).item.entry)) {
      reading.wrong.push_back(entry.path);
      continue;
    }
    if (entry.attributes.type == model::FileType::regular) {
      const auto bytes = content_of(chunks, entry);
      if (!bytes) continue;
      if (*bytes != files.all().at(entry.path).bytes) reading.wrong.push_back(entry.path);
    }
    back.insert(entry.path);
  }
  for (const auto& [path, file] : files.all()) {
    if (!back.contains(path)) reading.lost.insert(places_.at({snapshot.id, path}));
  }
}

std::set<std::string> Examiner::snapshots_of(const std::set<std::uint32_t>& places) const {
  std::set<std::string> out;
  for (const std::uint32_t place : places) out.insert(specimen_.places[place].snapshot);
  return out;
}

void Examiner::compare_reading(const Damage& damage, const Reading& reading) {
  EXPECT_TRUE(reading.wrong.empty()) << reading.wrong.front() << " came back other than it was";
  if (damage.loss.all) {
    ASSERT_TRUE(reading.closed.has_value()) << "it opens";
    const Errc kind = reading.closed->kind();
    EXPECT_TRUE(kind == Errc::damaged || kind == Errc::wrong_key || kind == Errc::no_repository)
        << reading.closed->text();
    return;
  }
  ASSERT_FALSE(reading.closed.has_value()) << reading.closed->text();
  const std::set<std::uint32_t> wanted = places_of(specimen_, damage.loss);
  for (const std::uint32_t place : wanted) {
    EXPECT_TRUE(reading.lost.contains(place))
        << specimen_.places[place].path << " came back against expectation";
  }
  for (const std::uint32_t place : reading.lost) {
    EXPECT_TRUE(wanted.contains(place)) << specimen_.places[place].path << " was not damaged, and is lost";
  }
}

void Examiner::compare_check(const Damage& damage, const Reading& reading) {
  const auto repository = repo::Repository::open({*storage_, clock_, random_}, as_bytes("secret"), {});
  ASSERT_TRUE(repository.ok()) << repository.error().text();
  flow::CheckSpec spec;
  spec.level = flow::CheckLevel::full;
  spec.workers = 1;
  flow::SilentObserver silent;
  const auto checked = flow::check(*repository.value(), spec, silent, {});
  ASSERT_TRUE(checked.ok()) << checked.error().text();
  const flow::CheckReport& report = checked.value();
  std::set<std::string> warned, damaged, touched;
  std::string text;
  for (const flow::Finding& f : report.findings) {
    text += fmt::format("  {} {} {}: {}\n", flow::word(f.severity), f.kind, f.object, f.text);
    (f.severity == Severity::warning ? warned : damaged).insert(f.object);
    EXPECT_NE(f.severity, Severity::unreachable) << text;
    if (f.severity == Severity::damaged) touched.insert(f.snapshots.begin(), f.snapshots.end());
  }
  if (damage.found == Found::anything) return;
  const bool harmless = damage.found == Found::warning;
  EXPECT_EQ(report.exit_code(), harmless ? 0 : exit_code(Errc::damaged)) << text;
  for (const std::string& name : damage.named)
    EXPECT_TRUE((harmless ? warned : damaged).contains(name)) << name << " is not named:\n" << text;
  for (const auto& [name, words] : damage.told) {
    const bool said = std::any_of(
        report.findings.begin(), report.findings.end(),
        [&](const flow::Finding& f) { return f.object == name && f.text.find(words) != std::string::npos; });
    EXPECT_TRUE(said) << name << " should be told so: " << words << "\n" << text;
  }
  if (damage.attributed) {
    EXPECT_EQ(touched, snapshots_of(reading.lost)) << text;
  }
}

namespace {

// Chunks of a pack that have a byte in the plain text of a data frame.
void add_frame(const PackLayout& pack, std::uint32_t number, Loss& loss) {
  const std::uint64_t begin = std::uint64_t{number} * pack.payload_bytes;
  for (std::uint32_t slot = 0; slot < pack.directory.size(); ++slot) {
    const repo::DirectoryEntry& e = pack.directory[slot];
    if (e.offset < begin + pack.payload_bytes && begin < std::uint64_t{e.offset} + e.stored_bytes)
      loss.chunks.insert({pack.object.id, slot});
  }
}

void add_pack(const PackLayout& pack, Loss& loss) {
  for (std::uint32_t slot = 0; slot < pack.directory.size(); ++slot)
    loss.chunks.insert({pack.object.id, slot});
}

}  // namespace

std::set<std::uint32_t> places_of(const Specimen& specimen, const Loss& loss) {
  std::set<std::uint32_t> lost;
  for (const model::Address& address : loss.chunks) {
    const auto at = specimen.users.find(address);
    if (at != specimen.users.end()) lost.insert(at->second.begin(), at->second.end());
  }
  for (std::uint32_t i = 0; i < specimen.places.size(); ++i) {
    if (loss.snapshots.contains(specimen.places[i].snapshot)) lost.insert(i);
  }
  return lost;
}

void add(Loss& to, const Loss& more) {
  to.all = to.all || more.all;
  to.snapshots.insert(more.snapshots.begin(), more.snapshots.end());
  to.chunks.insert(more.chunks.begin(), more.chunks.end());
}

Loss loss_of(const Specimen& specimen, const std::string& name) {
  Loss loss;
  const std::string kind = class_of(name);
  if (kind == "config" || name == specimen.key) loss.all = true;
  if (is_pack(name)) add_pack(specimen.packs.at(name), loss);
  const auto object = repo::parse_transaction_name(name);
  if (kind == "open") {  // it holds the session secret
    for (const auto& [pack_name, pack] : specimen.packs) {
      if (pack.object.id.transaction == object->id) add_pack(pack, loss);
    }
  }
  if (kind == "fate") {
    for (const auto& [snapshot, transaction] : specimen.transactions) {
      if (transaction == object->id) loss.snapshots.insert(snapshot);
    }
  }
  return loss;
}

Loss loss_of(const Specimen& specimen, const std::string& name, std::size_t from, std::size_t to) {
  const std::size_t size = specimen.objects.at(name)->size();
  if (!is_pack(name)) {  // two copies, each enough
    const bool both = from < size / 2 && to > size / 2;
    return both ? loss_of(specimen, name) : Loss{};
  }
  return {};  // of a pack, a part this small is within parity's reach
}

Loss loss_of_frame(const Specimen& specimen, const std::string& name, std::uint32_t frame) {
  const PackLayout& pack = specimen.packs.at(name);
  Loss loss;
  if (frame < pack.data_frames()) {
    add_frame(pack, pack.numbers[frame], loss);
  } else {
    add_pack(pack, loss);
  }
  return loss;
}

Found found_of(const Specimen& specimen, const std::string& name, std::size_t from, std::size_t to) {
  const std::size_t size = specimen.objects.at(name)->size();
  if (class_of(name) == "spec") return Found::anything;
  return !is_pack(name) && from < size / 2 && to > size / 2 ? Found::damage : Found::warning;
}

}  // namespace holdfast::testing
