#include "tests/damage/specimen.h"

#include <stdexcept>

#include "flow/maintain.h"
#include "flow/prune.h"
#include "repo/pack_reader.h"
#include "repo/tree_reader.h"
#include "tests/support/slow_source.h"

namespace holdfast::testing {

namespace {

FileSet first_files() {
  FileSet files;
  files.directory("home");
  for (int i = 0; i < 24; ++i)
    files.file(fmt::format("home/f{:02}", i), prose(400, static_cast<std::uint64_t>(i)));
  for (int i = 0; i < 110; ++i) files.symlink(fmt::format("home/links/{:03}", i), "../large");
  files.directory("home/links");
  files.file("home/large", prose(700'000, 7));
  files.file("home/disk.img", prose(40 * 4096, 8));
  files.file("home/old", noise(140'000, 11));
  files.file("home/empty", "");
  return files;
}

FileSet second_files() {
  FileSet files = first_files();
  files.file("home/f07", "edited", 2);
  files.file("home/f19", "edited as well", 2);
  files.remove("home/f09");
  files.remove("home/old");  // most of a pack: to be relocated
  std::string image = files.at("home/disk.img").bytes;
  image.replace(8192, 4096, prose(4096, 10));
  files.file("home/disk.img", image, 2);
  return files;
}

FileSet third_files() {
  FileSet files = second_files();
  files.file("home/late", prose(150'000, 12), 3);
  files.file("home/f03", "edited later", 3);
  return files;
}

// What a run that is stopped has stored of it becomes the checkpoint.
FileSet fourth_files() {
  FileSet files = third_files();
  files.file("home/a-new", prose(2'000, 13), 4);
  files.file("home/b-new", prose(160'000, 14), 4);
  return files;
}

// Makes it; nothing where the keys of this seed make a tree of one leaf only, or no delta.
class Maker {
 public:
  explicit Maker(std::uint64_t seed)
      : content_(std::make_shared<storage::MemoryContent>()),
        storage_(storage::open_memory(content_)),
        world_(*storage_, seed) {}

  Specimen make() {
    live();
    Specimen out;
    out.objects = content_->objects;
    for (const auto& [name, bytes] : before_prune_) {
      if (!out.objects.contains(name)) out.former.emplace(name, bytes);
    }
    const auto repository = std::move(world_.open()).value();
    out.key = repository->key_name();
    describe_packs(*repository, out);
    const auto history = repository->history({}).value();
    std::map<std::uint64_t, model::TransactionId> last;
    for (const repo::Snapshot& commit : history.commits) {
      model::TransactionId& known = last[commit.commit.transaction.writer];
      known = std::max(known, commit.commit.transaction);
      if (commit.forgotten) continue;
      const bool checkpoint = commit.commit.kind == model::CommitKind::checkpoint;
      out.snapshots[commit.id] = checkpoint ? as_stored(*repository, commit) : promised_.at(commit.id);
      out.transactions[commit.id] = commit.commit.transaction;
      describe_tree(*repository, history.log, commit, out);
    }
    for (const auto& [writer, id] : last) out.last_fates.push_back(repo::transaction_name(id, "fate"));
    out.last_log = repo::log_name(history.log.next - 1);
    return out;
  }

  // Whether there is one of everything.
  bool complete = false;

 private:
  void must(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(what);
  }

  std::string back_up(const FileSet& files) {
    const auto report = world_.backup(files);
    must(report.ok(), "backup");
    promised_[report.value().snapshot->id] = files;
    return report.value().snapshot->id;
  }

  void live() {
    must(world_.create().ok(), "create");
    const std::string first = back_up(first_files());
    back_up(second_files());
    {
      const auto repository = std::move(world_.open()).value();
      must(repository->add_key(as_bytes("second secret"), "second", {1, 8}, {}).ok(), "add_key");
      const auto history = repository->history({}).value();
      for (const repo::Snapshot& s : history.commits) {
        if (s.id == first)
          must(flow::forget(*repository, std::vector{s.commit.transaction}, {}).ok(), "forget");
      }
      before_prune_ = content_->objects;
      flow::PruneOptions options;
      options.max_unused_percent = 0;
      options.abort_open_after_s = 0;
      options.wait_ms = 0;
      options.connections = 1;
      flow::SilentObserver silent;
      const auto pruned = flow::prune(*repository, options, silent, {});
      must(pruned.ok() && pruned.value().relocated_packs > 0, "prune");
    }
    back_up(third_files());
    SlowSource source(fourth_files(), world_.clock());
    source.stop_at_item = 12;
    const auto stopped = world_.backup_from(source, BackupWorld::spec(), nullptr, source.token());
    must(!stopped.ok() && stopped.error().kind() == Errc::stopped, "a stopped backup");
  }

  // What a checkpoint holds can't be known before: what reads from it undamaged is the truth for it.
  FileSet as_stored(const repo::Repository& repository, const repo::Snapshot& commit) {
    const FileSet whole = fourth_files();
    FileSet files = whole;
    const auto entries = entries_of(repository, commit).value();
    for (const auto& [path, file] : whole.all()) {
      if (!entries.contains(path)) files.remove(path);
    }
    must(difference(repository, commit, files).empty(), "a checkpoint that reads");
    return files;
  }

  void describe_packs(const repo::Repository& repository, Specimen& out) {
    for (const auto& [name, bytes] : out.objects) {
      const auto object = repo::parse_pack_name(name);
      if (!object) continue;
      const repo::PackReader::Keys keys{repository.config().id, nullptr, *repository.secrets().index};
      const auto pack =
          repo::PackReader::open(repository.storage(), keys, object->id, object->generation, {}).value();
      PackLayout layout;
      layout.object = *object;
      layout.frame_bytes = pack->header().identity.frame_bytes();
      layout.payload_bytes = pack->header().identity.payload_bytes();
      const std::vector<bool>& kept = pack->header().kept.kept;
      for (std::uint32_t i = 0; i < kept.size(); ++i) {
        if (kept[i] && layout.data_frames() < pack->trailer().data_frames) layout.numbers.push_back(i);
      }
      for (std::uint32_t i = 0; kept.empty() && i < pack->trailer().data_frames; ++i)
        layout.numbers.push_back(i);
      layout.directory_frames = pack->trailer().directory_frames;
      layout.parity_frames = pack->trailer().parity_frames();
      layout.directory = pack->directory();
      for (const repo::DirectoryEntry& e : layout.directory) types_.insert(e.type);
      relocated_ = relocated_ || object->generation != 0;
      out.packs.emplace(name, std::move(layout));
    }
  }

  // Which chunks each entry needs: the nodes above its leaf, the leaf, the leaf's base, its content.
  void describe_tree(const repo::Repository& repository, const repo::LogState& log,
                     const repo::Snapshot& snapshot, Specimen& out) {
    repo::ChunkReader chunks(repository, log);
    for (const model::Root& root : snapshot.commit.roots) {
      must(root.level <= 1, "a tree of two levels at most");
      std::set<model::Address> above, leaf;
      bool taken = true;
      repo::TreeReader tree(chunks, root);
      tree.on_node = [&](const model::Address& address) {
        const auto type = chunks.describe(address, {}).value().type;
        if (type == model::ChunkType::node) {
          above.insert(address);
          return;
        }
        if (std::exchange(taken, false)) leaf.clear();
        leaf.insert(address);
        deltas_ = deltas_ || leaf.size() > 1;
      };
      for (;;) {
        const model::Entry* entry = tree.next({}).value();
        if (entry == nullptr) break;
        taken = true;
        std::set<model::Address> needed = above;
        needed.insert(leaf.begin(), leaf.end());
        for (const model::Extent& extent : entry->content) {
          if (!extent.hole) needed.insert(extent.chunk);
        }
        const auto place = static_cast<std::uint32_t>(out.places.size());
        out.places.push_back({snapshot.id, entry->path});
        for (const model::Address& address : needed) out.users[address].push_back(place);
      }
    }
    complete = types_.size() == 4 && deltas_ && relocated_;
  }

  std::shared_ptr<storage::MemoryContent> content_;
  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
  std::map<std::string, FileSet> promised_;
  Objects before_prune_;
  std::set<model::ChunkType> types_;
  bool deltas_ = false, relocated_ = false;
};

}  // namespace

Specimen Specimen::make() {
  for (std::uint64_t seed = 1; seed < 200; ++seed) {
    Maker maker(seed);
    Specimen specimen = maker.make();
    if (maker.complete) return specimen;
  }
  throw std::runtime_error("no seed makes a repository with one of everything");
}

bool is_pack(const std::string& name) { return name.starts_with("d/") || name.starts_with("m/"); }

std::string class_of(const std::string& name) {
  if (name == repo::kConfigName) return "config";
  if (name == repo::kSpecName) return "spec";
  if (name.starts_with(repo::kKeyPrefix)) return "key";
  if (name.starts_with(repo::kLogPrefix)) return "log";
  if (name.starts_with(repo::kDataPrefix)) return "data pack";
  if (name.starts_with(repo::kMetadataPrefix)) return "metadata pack";
  const auto object = repo::parse_transaction_name(name);
  return object ? object->what : "?";
}

}  // namespace holdfast::testing
