#include "repo/local_state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include <cerrno>

#include "base/codec.h"
#include "base/fd.h"
#include "base/names_in.h"
#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

// Marks a folder that backup tools may leave out: https://bford.info/cachedir/
constexpr char kCacheTag[] =
    "Signature: 8a477f597d28d172789f06886806bc55\n# holdfast's cache; safe to delete.\n";

// Makes the folder and its parents; 0, or the number of the error.
int make_directories(const std::string& path) {
  int of_parent = 0;
  for (std::size_t at = path.find('/', 1); at != path.npos; at = path.find('/', at + 1)) {
    if (::mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST) of_parent = errno;
  }
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return 0;
  return errno == ENOENT && of_parent != 0 ? of_parent : errno;
}

// The file, or the folder with all that is in it. What can't go now goes when the log is read again.
void drop(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return;
  const auto names = names_in(path);
  if (!names.ok()) return;
  for (const std::string& name : names.value()) drop(path + "/" + name);
  ::rmdir(path.c_str());
}

std::string folder_of(const std::string& directory, const RepositoryId& id, model::Domain domain) {
  const std::string whole = directory + "/" + hex(id);
  return domain == 0 ? whole : fmt::format("{}/domain-{:08x}", whole, domain);
}

}  // namespace

std::unique_ptr<LocalState> LocalState::open(const std::string& directory, const Repository& repository,
                                             SharedDomainKeys keys) {
  std::string mine;
  std::optional<Error> trouble;
  if (!directory.empty() && repository.secrets().content) {
    mine = folder_of(directory, repository.config().id, keys->domain());
    if (const int failure = make_directories(mine); failure != 0)
      trouble = errno_error(failure, "make " + mine);
  }
  if (!mine.empty() && !trouble) {
    const Fd tag(
        ::open((directory + "/CACHEDIR.TAG").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (tag.valid() && ::write(tag.get(), kCacheTag, sizeof kCacheTag - 1) < 0)
      trouble = errno_error(errno, "write " + directory + "/CACHEDIR.TAG");
  }
  if (trouble) mine.clear();
  std::unique_ptr<LocalState> state(  // NOLINT: private
      new LocalState(std::move(mine), repository, std::move(keys)));
  state->trouble_ = std::move(trouble);
  return state;
}

void LocalState::drop_erased(const std::string& directory, const RepositoryId& id, const LogState& log) {
  if (directory.empty()) return;
  for (const auto& [domain, state] : log.domains) {
    if (state.erased) drop(folder_of(directory, id, domain));
  }
}

LocalState::LocalState(std::string directory, const Repository& repository, SharedDomainKeys keys)
    : directory_(std::move(directory)),
      random_(repository.random()),
      keys_(std::move(keys)),
      key_(repository.secrets().content ? keys_->local(repository.config().id) : crypto::Key()) {
  const auto id = random_.array<8>();
  std::memcpy(&fallback_.id, id.data(), id.size());
}

// Applies `change` to the writer's record under a lock, and gives what it became.
template <typename Change>
LocalState::Writer LocalState::update(Change change) {
  const Fd file(
      directory_.empty() ? -1 : ::open((directory_ + "/writer").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid() || ::flock(file.get(), LOCK_EX) != 0) {
    change(fallback_);
    return fallback_;
  }
  std::array<std::uint8_t, 8 + 4 + 4 + 32 + 32> record{};
  Writer writer = fallback_;
  Decoder in(record);
  if (::pread(file.get(), record.data(), record.size(), 0) == static_cast<ssize_t>(record.size()) &&
      crypto::equal(crypto::keyed_hash(key_, Bytes(record).first(48)), Bytes(record).last(32))) {
    writer.id = in.u64();
    writer.sequence = in.u32();
    writer.last.sequence = in.u32();
    writer.last.hash = in.array<32>();
  }
  change(writer);
  Encoder out;
  out.u64(writer.id);
  out.u32(writer.sequence);
  out.u32(writer.last.sequence);
  out.raw(writer.last.hash);
  out.raw(crypto::keyed_hash(key_, out.bytes()));
  const bool kept =
      ::pwrite(file.get(), out.bytes().data(), out.size(), 0) == static_cast<ssize_t>(out.size());
  if (!kept) fallback_ = writer;
  return writer;
}

model::TransactionId LocalState::next_transaction() {
  const Writer writer = update([](Writer& w) { ++w.sequence; });
  return {writer.id, writer.sequence};
}

void LocalState::renew_writer() {
  const auto id = random_.array<8>();
  update([&](Writer& w) {
    w = {};
    std::memcpy(&w.id, id.data(), id.size());
  });
}

LocalState::Commit LocalState::last_commit() const {
  return const_cast<LocalState*>(this)->update([](Writer&) {}).last;
}

void LocalState::set_last_commit(model::TransactionId id, const Hash& hash) {
  update([&](Writer& w) {
    if (w.id == id.writer) w.last = {id.sequence, hash};
  });
}

std::string LocalState::series_file(std::string_view host, const std::vector<std::string>& paths) const {
  if (directory_.empty()) return "";
  Encoder name;
  name.string(host);
  for (const std::string& path : paths) name.string(path);
  const Hash hash = crypto::keyed_hash(key_, name.bytes());
  return directory_ + "/tree-" + hex(Bytes(hash).first(16));
}

}  // namespace holdfast::repo
