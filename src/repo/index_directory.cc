#include "repo/index_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/names_in.h"
#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

constexpr std::string_view kMagic = "hfindexm";
constexpr std::uint64_t kManifestBytesMax = 256 * kMiB;
constexpr std::size_t kHeadBytes = 8 + kSegmentSaltBytes;
constexpr std::string_view kSegmentPrefix = "segment-";
constexpr std::string_view kManifestPrefix = "manifest-";  // of manifests in the making

crypto::Key manifest_key(const crypto::Key& cache_key, const SegmentSalt& salt) {
  return crypto::derive_key("holdfast 0 index manifest", {cache_key.bytes(), salt});
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

IndexDirectory::IndexDirectory(std::string path, crypto::Key key, Random& random)
    : path_(std::move(path)), key_(std::move(key)), random_(random) {}

bool IndexDirectory::prepare() const {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  return !error;
}

Fd IndexDirectory::lock() const {
  Fd fd(::open(file("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return fd;
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return Fd();
  }
  return fd;
}

Result<IndexManifest> IndexDirectory::read_manifest() const {
  const Fd fd(::open(file("manifest").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return IndexManifest();
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return errno_error(errno, "index manifest");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < kHeadBytes + crypto::kTagBytes || size > kManifestBytesMax) {
    return Error(Errc::damaged, "index manifest has a wrong size");
  }
  Buffer bytes(size);
  TRY(read_at(fd.get(), 0, bytes));
  const Bytes head = Bytes(bytes).first(kHeadBytes);
  const Bytes sealed = Bytes(bytes).subspan(kHeadBytes);
  SegmentSalt salt;
  std::memcpy(salt.data(), head.data() + kMagic.size(), salt.size());
  Buffer plain(sealed.size() - crypto::kTagBytes);
  crypto::Aead aead(manifest_key(key_, salt));
  if (!aead.open({}, head, sealed, plain)) return Error(Errc::damaged, "index manifest");
  Decoder in(plain);
  IndexManifest manifest;
  manifest.segments.resize(in.count(1));
  for (std::string& name : manifest.segments) name = in.string();
  manifest.forgotten = decode_transactions(in);
  TRY(in.finish("index manifest"));
  return manifest;
}

Result<void> IndexDirectory::write_manifest(const IndexManifest& manifest) const {
  Encoder plain;
  plain.varint(manifest.segments.size());
  for (const std::string& name : manifest.segments) plain.string(name);
  encode_transactions(plain, manifest.forgotten);
  const SegmentSalt salt = random_.array<kSegmentSaltBytes>();
  Buffer bytes;
  append(bytes, as_bytes(kMagic));
  append(bytes, salt);
  bytes.resize(kHeadBytes + plain.size() + crypto::kTagBytes);
  crypto::Aead aead(manifest_key(key_, salt));
  aead.seal({}, Bytes(bytes).first(kHeadBytes), plain.bytes(), MutableBytes(bytes).subspan(kHeadBytes));

  const std::string temporary = file(std::string(kManifestPrefix) + hex(Bytes(salt).first(8)));
  const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error(errno, "create index manifest");
  auto written = write_at(fd.get(), 0, bytes);
  if (written.ok() && ::rename(temporary.c_str(), file("manifest").c_str()) != 0) {
    written = errno_error(errno, "replace index manifest");
  }
  if (!written.ok()) ::unlink(temporary.c_str());
  return written;
}

Result<std::shared_ptr<IndexSegment>> IndexDirectory::open_segment(const std::string& name) const {
  return IndexSegment::open(Fd(::open(file(name).c_str(), O_RDONLY | O_CLOEXEC)), name, key_);
}

Result<NewSegment> IndexDirectory::create() const {
  NewSegment made;
  made.salt = random_.array<kSegmentSaltBytes>();
  made.name = segment_name(made.salt);
  made.file = Fd(::open(file(made.name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made.file.valid()) return errno_error(errno, "create index segment");
  return made;
}

Result<NewSegment> IndexDirectory::create_segment() const {
  const Fd held = lock();
  NewSegment made = TRY(create());
  // Tells sweep() that somebody is at it; a crash lets go by itself.
  ::flock(made.file.get(), LOCK_EX | LOCK_NB);
  return made;
}

Result<NewSegment> IndexDirectory::create_run() const {
  const Fd held = lock();
  NewSegment made = TRY(create());
  remove(made.name);
  return made;
}

void IndexDirectory::sweep(const IndexManifest& manifest) const {
  const auto names = names_in(path_);
  if (!names.ok()) return;  // another time
  for (const std::string& name : names.value()) {
    if (!starts_with(name, kSegmentPrefix) && !starts_with(name, kManifestPrefix)) continue;
    if (std::count(manifest.segments.begin(), manifest.segments.end(), name) != 0) continue;
    const Fd fd(::open(file(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) remove(name);
  }
}

void IndexDirectory::remove(const std::string& name) const { ::unlink(file(name).c_str()); }

}  // namespace holdfast::repo
