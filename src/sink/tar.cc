#include "sink/tar.h"

#include <fmt/core.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/beneath.h"

namespace holdfast::sink {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kRecord = 10240;       // archives are whole records of 20 blocks
constexpr std::size_t kBuffer = 256 * kKiB;  // written at once

// The header of ustar, all fields text.
struct Header {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link_name[100];
  char magic[6];
  char version[2];
  char user[32];
  char group[32];
  char device_major[8];
  char device_minor[8];
  char prefix[155];
  char unused[12];
};
static_assert(sizeof(Header) == kBlock);

// Octal, with a NUL at the end. False where it doesn't fit; the field is 0 then.
template <std::size_t N>
bool put_number(char (&field)[N], std::uint64_t number) {
  const bool fits = number < (std::uint64_t{1} << (3 * (N - 1)));
  const std::string digits = fmt::format("{:0{}o}", fits ? number : 0, N - 1);
  std::copy_n(digits.c_str(), N, field);
  return fits;
}

// False where it had to be cut.
template <std::size_t N>
bool put_text(char (&field)[N], std::string_view text) {
  std::copy_n(text.data(), std::min(text.size(), N), field);
  return text.size() <= N;
}

// "length key=value\n", where the length counts itself.
void add_record(std::string& records, std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) length = rest + std::to_string(length).size();
  records += fmt::format("{} {}=", length, key);
  records += value;
  records += '\n';
}

// Decimal, with nanoseconds where there are any. Our nanoseconds always count upwards.
std::string time_text(const model::Time& time) {
  const bool negative = time.seconds < 0 && time.nanoseconds > 0;
  const std::int64_t seconds = negative ? time.seconds + 1 : time.seconds;
  const std::uint32_t nanoseconds = negative ? 1'000'000'000 - time.nanoseconds : time.nanoseconds;
  const char* sign = negative && seconds == 0 ? "-" : "";
  return nanoseconds == 0 ? fmt::format("{}", seconds)
                          : fmt::format("{}{}.{:09}", sign, seconds, nanoseconds);
}

// '=' ends a key, so GNU tar writes it as %3D in the names of xattrs.
std::string xattr_key(std::string_view name) {
  std::string key = "SCHILY.xattr.";
  for (const char c : name) {
    if (c == '=') {
      key += "%3D";
    } else if (c == '%') {
      key += "%25";
    } else {
      key += c;
    }
  }
  return key;
}

char type_flag(model::FileType type) {
  switch (type) {
    case model::FileType::symlink:
      return '2';
    case model::FileType::char_device:
      return '3';
    case model::FileType::block_device:
      return '4';
    case model::FileType::directory:
      return '5';
    case model::FileType::fifo:
      return '6';
    case model::FileType::regular:
    case model::FileType::socket:
      break;
  }
  return '0';
}

void seal(Header& header) {
  std::copy_n("ustar", sizeof(header.magic), header.magic);
  std::copy_n("00", sizeof(header.version), header.version);
  std::fill_n(header.checksum, sizeof(header.checksum), ' ');
  unsigned sum = 0;
  for (const std::uint8_t byte : Bytes(reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)))
    sum += byte;
  const std::string digits = fmt::format("{:06o}", sum);
  std::copy_n(digits.c_str(), 7, header.checksum);  // six digits, NUL, and the blank stays
}

Bytes bytes_of(const Header& header) {
  return {reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)};
}

// The header of `entry`; what it can't hold is added to `records`.
Header make_header(const model::Entry& entry, std::string_view linked_to, std::uint64_t size,
                   std::string& records) {
  const model::Attributes& attributes = entry.attributes;
  Header header{};
  std::string path = entry.path;
  if (attributes.type == model::FileType::directory) path += '/';
  const std::string_view target = linked_to.empty() ? std::string_view(entry.target) : linked_to;
  if (!put_text(header.name, path)) add_record(records, "path", path);
  if (!put_text(header.link_name, target)) add_record(records, "linkpath", target);
  put_number(header.mode, attributes.mode);
  if (!put_number(header.uid, attributes.uid)) add_record(records, "uid", std::to_string(attributes.uid));
  if (!put_number(header.gid, attributes.gid)) add_record(records, "gid", std::to_string(attributes.gid));
  if (!put_number(header.size, size)) add_record(records, "size", std::to_string(size));
  const bool plain_time = entry.mtime.seconds >= 0 && entry.mtime.nanoseconds == 0;
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(entry.mtime.seconds, 0));
  if (!put_number(header.mtime, seconds) || !plain_time) add_record(records, "mtime", time_text(entry.mtime));
  header.type = linked_to.empty() ? type_flag(attributes.type) : '1';
  if (!put_text(header.user, attributes.user)) add_record(records, "uname", attributes.user);
  if (!put_text(header.group, attributes.group)) add_record(records, "gname", attributes.group);
  // These must end with a NUL in the field itself.
  header.user[31] = header.group[31] = '\0';
  put_number(header.device_major, ::gnu_dev_major(entry.device));
  put_number(header.device_minor, ::gnu_dev_minor(entry.device));
  if (linked_to.empty()) {
    for (const model::Xattr& xattr : attributes.xattrs)
      add_record(records, xattr_key(xattr.name), xattr.value);
  }
  seal(header);
  return header;
}

}  // namespace

TarSink::TarSink(Fd out) : out_(std::move(out)) { buffer_.reserve(kBuffer); }

Result<void> TarSink::begin(const model::Entry& entry, std::string_view linked_to) {
  HF_ASSERT(left_bytes_ == 0);
  if (!is_plain_path(entry.path)) {
    return Error(Errc::damaged, fmt::format("\"{}\" is no path that can be restored: refused", entry.path));
  }
  if (entry.attributes.type == model::FileType::socket) {
    return Error(Errc::unsupported, entry.path + ": sockets can't be put into a tar archive");
  }
  const bool has_content = linked_to.empty() && entry.attributes.type == model::FileType::regular;
  left_bytes_ = has_content ? entry.size_bytes : 0;
  std::string records;
  const Header header = make_header(entry, linked_to, left_bytes_, records);
  if (!records.empty()) {
    Header extended{};
    put_text(extended.name, std::string_view("pax/" + entry.path).substr(0, sizeof(extended.name)));
    put_number(extended.mode, 0644);
    put_number(extended.uid, 0);
    put_number(extended.gid, 0);
    put_number(extended.size, records.size());
    put_number(extended.mtime, 0);
    extended.type = 'x';
    seal(extended);
    TRY(put(bytes_of(extended)));
    TRY(put(as_bytes(records)));
    TRY(pad());
  }
  return put(bytes_of(header));
}

Result<void> TarSink::write(Bytes bytes) {
  if (bytes.size() > left_bytes_) return Error(Errc::damaged, "more content than the entry's size");
  left_bytes_ -= bytes.size();
  return put(bytes);
}

Result<void> TarSink::zeros(std::uint64_t length_bytes) {
  static constexpr std::array<std::uint8_t, 16384> kZeros{};
  while (length_bytes > 0) {
    const auto step = std::min<std::uint64_t>(length_bytes, kZeros.size());
    TRY(write(Bytes(kZeros).first(step)));
    length_bytes -= step;
  }
  return {};
}

Result<void> TarSink::end() {
  if (left_bytes_ > 0) return Error(Errc::damaged, "less content than the entry's size");
  return pad();
}

Result<void> TarSink::finish() {
  HF_ASSERT(left_bytes_ == 0);
  static constexpr std::array<std::uint8_t, kRecord> kZeros{};
  TRY(put(Bytes(kZeros).first(2 * kBlock)));
  TRY(put(Bytes(kZeros).first((kRecord - position_ % kRecord) % kRecord)));
  TRY(flush());
  out_.reset();
  return {};
}

Result<void> TarSink::pad() {
  static constexpr std::array<std::uint8_t, kBlock> kZeros{};
  return put(Bytes(kZeros).first((kBlock - position_ % kBlock) % kBlock));
}

Result<void> TarSink::put(Bytes bytes) {
  position_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t step = std::min(bytes.size(), kBuffer - buffer_.size());
    append(buffer_, bytes.first(step));
    bytes = bytes.subspan(step);
    if (buffer_.size() == kBuffer) TRY(flush());
  }
  return {};
}

Result<void> TarSink::flush() {
  for (Bytes left = buffer_; !left.empty();) {
    const ssize_t done = ::write(out_.get(), left.data(), left.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(errno, "write the tar archive");
    left = left.subspan(static_cast<std::size_t>(done));
  }
  buffer_.clear();
  return {};
}

}  // namespace holdfast::sink
