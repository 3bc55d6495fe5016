// Storage: objects in a flat namespace of '/'-separated names. The contract, proved for every backend
// and decorator by tests/contract:
//
//  * put is put-if-absent and atomic: of any number of concurrent puts to one name exactly one
//    succeeds, all others get Errc::exists; a reader sees the whole object or none.
//  * An object never changes: there is no overwrite, no rename, no append.
//  * When put has returned, get, stat and list by anybody see the object (read-after-write and
//    list-after-write).
//  * When barrier has returned, every object put before through this Storage survives power loss, and
//    so does every object for which put here was answered Errc::exists, or that cover() was called for.
//    Before that, each may be lost or kept, but never torn: a name either gives all bytes or none.
//  * get gives exactly the range asked for, or an error: never fewer bytes. A missing object is
//    Errc::not_found; a range beyond the end is Errc::damaged (the object is shorter than it must be).
//  * list visits every object whose name begins with `prefix` that existed throughout the call,
//    exactly once, in no particular order; concurrent puts and removes may or may not show.
//  * remove of a missing object succeeds. A removal may be undone by power loss.
//  * A failure to reach the store is Errc::unreachable, and its effect is unknown until looked at.
//
// All methods are thread-safe, but for one Spool, which belongs to one thread at a time.
// Names are 1–200 bytes of [a-z0-9.-] in components parted by single '/', no component "." or ".."; others
// get Errc::usage. No object may be named as a directory of others: not "a" beside "a/b".
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::storage {

struct ObjectInfo {
  std::string name;
  std::uint64_t size_bytes = 0;
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = kToEnd;
  static constexpr std::uint64_t kToEnd = ~std::uint64_t{0};
};

// A large object in the making: bytes in a scratch place of the backend's choice (a nameless file in
// the store's own directory, memory), rewindable and of known length when it is put. Dropped with
// its owner if never put.
class Spool {
 public:
  virtual ~Spool() = default;
  virtual Result<void> append(Bytes bytes) = 0;
  virtual std::uint64_t size_bytes() const = 0;
  // Fills `out` from `offset`; the range must have been appended.
  virtual Result<void> read(std::uint64_t offset, MutableBytes out) const = 0;
};

// Visits one object; an error ends the listing and is returned by it.
using Visit = std::function<Result<void>(const ObjectInfo&)>;

class Storage {
 public:
  virtual ~Storage() = default;
  // Where this is, as an operator would name it (a path, a URL without secrets).
  virtual std::string describe() const = 0;

  virtual Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) = 0;
  virtual Result<std::unique_ptr<Spool>> spool() = 0;
  // As put. The spool must come from this very storage (decorators hand through). From the first put on
  // it is not appended to; it may be read, and put again under the same name.
  virtual Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) = 0;
  // The next barrier covers this object too, whoever put it: for who builds on what a run before him left.
  // Errc::not_found.
  virtual Result<void> cover(const std::string& name, std::stop_token stop) = 0;
  virtual Result<void> barrier(std::stop_token stop) = 0;

  virtual Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) = 0;
  virtual Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) = 0;
  virtual Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) = 0;
  virtual Result<void> remove(const std::string& name, std::stop_token stop) = 0;
};

}  // namespace holdfast::storage
