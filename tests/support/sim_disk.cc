#include "tests/support/sim_disk.h"

#include "base/check.h"

namespace holdfast::testing {

using storage::DiskFile;
using storage::FileInfo;
using storage::FileType;

namespace {

constexpr std::size_t kSectorBytes = 512;

// What the medium holds of a file of which `now` was written and `durable` was synced before.
Buffer survivor(const Buffer& durable, const Buffer& now, std::mt19937_64& random) {
  const auto [low, high] = std::minmax({durable.size(), now.size()});
  const std::size_t between = low + random() % (high - low + 1);
  const std::array<std::size_t, 4> sizes = {durable.size(), between, now.size(), now.size()};
  Buffer out(sizes[random() % sizes.size()]);
  // Often all or nothing of the data made it; else each sector for itself.
  const std::uint64_t mood = random() % 3;
  for (std::size_t at = 0; at < out.size(); at += kSectorBytes) {
    const std::size_t end = std::min(at + kSectorBytes, out.size());
    const std::uint64_t fate = mood == 0 ? 0 : mood == 1 ? 1 : random() % 8;
    for (std::size_t i = at; i < end; ++i) {
      const Buffer& from = fate % 2 == 0 ? durable : now;
      out[i] = i < from.size() ? from[i] : std::uint8_t{0};
      if (fate == 7) out[i] = static_cast<std::uint8_t>(random());
    }
  }
  return out;
}

}  // namespace

struct SimDisk::Node {
  bool directory = false;
  bool lost = false;  // a sync failed: nothing counts as synced any more
  // A file: what programs see, and what is surely on the medium.
  Buffer now;
  Buffer durable;
  // A directory: of each name the states since the last sync, the durable one first; null = not there.
  std::map<std::string, std::vector<NodePtr>, std::less<>> names;

  NodePtr child(std::string_view name) const {
    const auto at = names.find(name);
    return at == names.end() ? nullptr : at->second.back();
  }
};

class SimDisk::File final : public DiskFile {
 public:
  File(SimDisk& disk, NodePtr node) : disk_(disk), node_(std::move(node)), life_(disk.life_) {}

  Result<std::size_t> write(std::uint64_t offset, Bytes bytes) override {
    HF_ASSERT(!bytes.empty());
    const std::lock_guard lock(disk_.mutex_);
    const Step step = begin();
    if (step.shortened) bytes = bytes.first((bytes.size() + 1) / 2);
    if (step.effect) {
      Buffer& now = node_->now;
      if (now.size() < offset + bytes.size()) now.resize(offset + bytes.size());
      std::copy(bytes.begin(), bytes.end(), now.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    TRY(end(step, "write"));
    return bytes.size();
  }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) const override {
    HF_ASSERT(!out.empty());
    const std::lock_guard lock(disk_.mutex_);
    const Step step = begin();
    TRY(end(step, "read"));
    if (step.shortened) out = out.first((out.size() + 1) / 2);
    const Buffer& now = node_->now;
    const std::size_t from = std::min<std::size_t>(offset, now.size());
    const std::size_t count = std::min(out.size(), now.size() - from);
    std::copy_n(now.begin() + static_cast<std::ptrdiff_t>(from), count, out.begin());
    return count;
  }
  Result<std::uint64_t> size_bytes() const override {
    const std::lock_guard lock(disk_.mutex_);
    TRY(end(begin(), "stat"));
    return node_->now.size();
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_.mutex_);
    const Step step = begin();
    SimDisk::sync(*node_, step);
    return end(step, "sync");
  }
  void start_writeback(std::uint64_t, std::uint64_t) override {}
  Result<void> link(const std::string& path) override {
    const std::lock_guard lock(disk_.mutex_);
    return disk_.set_name(begin(), path, node_);
  }

 private:
  Step begin() const {
    if (life_ != disk_.life_) return {.effect = false, .error = Errc::failed};
    return disk_.begin();
  }

  SimDisk& disk_;
  const NodePtr node_;
  const std::uint64_t life_;
};

SimDisk::SimDisk() : root_(std::make_shared<Node>()) { root_->directory = true; }
SimDisk::~SimDisk() = default;

std::uint64_t SimDisk::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

void SimDisk::fault_at(std::uint64_t n, DiskFault fault, bool lasting) {
  HF_ASSERT(n > 0);
  const std::lock_guard lock(mutex_);
  fault_operation_ = operations_ + n;
  fault_ = fault;
  fault_lasting_ = lasting;
}

void SimDisk::clear_faults() {
  const std::lock_guard lock(mutex_);
  fault_operation_ = 0;
}

SimDisk::Step SimDisk::begin() {
  ++operations_;
  if (dead_) return {.effect = false, .error = Errc::failed};
  const bool due = fault_operation_ != 0 && operations_ >= fault_operation_;
  if (!due || (operations_ > fault_operation_ && !fault_lasting_)) return {};
  switch (fault_) {
    case DiskFault::io_error:
      return {.effect = false, .error = Errc::failed};
    case DiskFault::no_space:
      return {.effect = false, .error = Errc::no_space};
    case DiskFault::short_io:
      return {.shortened = true, .error = {}};
    case DiskFault::power_loss:
      // It has its effect in memory, of which crash() keeps what it likes.
      dead_ = true;
      return {.error = Errc::failed};
  }
  return {};
}

Result<void> SimDisk::end(const Step& step, const std::string& what) {
  if (!step.error) return {};
  return Error(*step.error, "the simulated disk can't " + what);
}

SimDisk::NodePtr SimDisk::find(std::string_view path) const {
  HF_ASSERT(path.starts_with('/'));
  NodePtr node = root_;
  while (node != nullptr && !path.empty()) {
    const std::size_t begin = std::min(path.find_first_not_of('/'), path.size());
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (begin < end) node = node->child(path.substr(begin, end - begin));
    path.remove_prefix(end);
  }
  return node;
}

SimDisk::NodePtr SimDisk::parent(const std::string& path, std::string* leaf) const {
  const std::size_t slash = path.rfind('/');
  HF_ASSERT(slash != std::string::npos);
  *leaf = path.substr(slash + 1);
  NodePtr node = slash == 0 ? root_ : find(path.substr(0, slash));
  return node != nullptr && node->directory ? node : nullptr;
}

Result<void> SimDisk::set_name(const Step& step, const std::string& path, NodePtr node) {
  if (!step.effect) return end(step, "name " + path);
  std::string leaf;
  const NodePtr directory = parent(path, &leaf);
  if (directory == nullptr) return Error(Errc::not_found, "no directory for " + path);
  const NodePtr there = leaf.empty() ? root_ : directory->child(leaf);
  if (node != nullptr && there != nullptr) return Error(Errc::exists, path + " is there");
  if (node == nullptr && there == nullptr) return Error(Errc::not_found, "no " + path);
  if (node == nullptr && there->directory) return Error(Errc::failed, path + " is a directory");
  std::vector<NodePtr>& states = directory->names[leaf];
  if (states.empty()) states.push_back(nullptr);
  states.push_back(std::move(node));
  return end(step, "name " + path);
}

void SimDisk::sync(Node& node, const Step& step) {
  if (step.error) node.lost = true;
  if (node.lost) return;
  node.durable = node.now;
  for (auto& [name, states] : node.names) states.erase(states.begin(), states.end() - 1);
  std::erase_if(node.names, [](const auto& name) { return name.second.back() == nullptr; });
}

void SimDisk::crash(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  std::set<const Node*> settled;
  settle(*root_, random, settled);
  ++life_;
  dead_ = false;
  fault_operation_ = 0;
}

void SimDisk::settle(Node& node, std::mt19937_64& random, std::set<const Node*>& settled) {
  if (!settled.insert(&node).second) return;  // a second name of the same file
  node.lost = false;
  if (node.now != node.durable) node.now = survivor(node.durable, node.now, random);
  node.durable = node.now;
  for (auto& [name, states] : node.names) states = {states[random() % states.size()]};
  std::erase_if(node.names, [](const auto& name) { return name.second.back() == nullptr; });
  for (auto& [name, states] : node.names) settle(*states.back(), random, settled);
}

void SimDisk::decay(const std::string& path, std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  HF_ASSERT(node != nullptr && offset < node->now.size());
  node->now[offset] ^= 1;
  if (offset < node->durable.size()) node->durable[offset] ^= 1;
}

Result<std::unique_ptr<DiskFile>> SimDisk::scratch(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  TRY(end(begin(), "make a file in " + directory));
  const NodePtr node = find(directory);
  if (node == nullptr || !node->directory) return Error(Errc::not_found, "no directory " + directory);
  return std::unique_ptr<DiskFile>(new File(*this, std::make_shared<Node>()));
}

Result<void> SimDisk::clear_scratch(const std::string&) {
  const std::lock_guard lock(mutex_);
  return end(begin(), "clear scratch files");
}

Result<std::unique_ptr<DiskFile>> SimDisk::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TRY(end(begin(), "open " + path));
  NodePtr node = find(path);
  if (node == nullptr || node->directory) return Error(Errc::not_found, "no file " + path);
  return std::unique_ptr<DiskFile>(new File(*this, std::move(node)));
}

Result<void> SimDisk::unlink(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return set_name(begin(), path, nullptr);
}

Result<void> SimDisk::make_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  auto node = std::make_shared<Node>();
  node->directory = true;
  return set_name(begin(), path, std::move(node));
}

Result<void> SimDisk::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Step step = begin();
  const NodePtr node = find(path);
  if (node == nullptr || !node->directory) return Error(Errc::not_found, "no directory " + path);
  sync(*node, step);
  return end(step, "sync " + path);
}

Result<std::vector<std::string>> SimDisk::list(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TRY(end(begin(), "list " + path));
  const NodePtr node = find(path);
  if (node == nullptr || !node->directory) return Error(Errc::not_found, "no directory " + path);
  std::vector<std::string> names;
  for (const auto& [name, states] : node->names) {
    if (states.back() != nullptr) names.push_back(name);
  }
  return names;
}

Result<FileInfo> SimDisk::stat(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TRY(end(begin(), "stat " + path));
  const NodePtr node = find(path);
  if (node == nullptr) return Error(Errc::not_found, "no " + path);
  return FileInfo{node->directory ? FileType::directory : FileType::regular, node->now.size()};
}

}  // namespace holdfast::testing
