// What the index suites share: a folder that goes away, seeded randomness, records made from numbers.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "base/random.h"
#include "repo/index.h"

namespace holdfast::repo {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableBytes out) override {
    const std::lock_guard lock(mutex_);
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "index-XXXXXX").string();
    HF_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::vector<std::string> files(const std::string& prefix) const {
    std::vector<std::string> found;
    for (const auto& file : std::filesystem::directory_iterator(path_)) {
      if (file.path().filename().string().rfind(prefix, 0) == 0) found.push_back(file.path().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::string path_;
};

inline crypto::Key cache_key(std::uint8_t fill = 7) {
  crypto::Key key;
  std::fill(key.writable().begin(), key.writable().end(), fill);
  return key;
}

// Uniform, and a function of `number`: SplitMix64 (Steele, Lea, Flood 2014).
inline IndexKey key_of(std::uint64_t number) {
  IndexKey key;
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t x = (2 * number + half) * 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    x ^= x >> 31;
    std::memcpy(key.data() + 8 * half, &x, 8);
  }
  return key;
}

inline model::TransactionId transaction_of(std::uint32_t sequence) { return {0xabcdef0123456789, sequence}; }

// A record of key `number`; `version` tells apart those of one key.
inline IndexRecord record_of(std::uint64_t number, std::uint32_t version = 0) {
  IndexRecord record;
  record.key = key_of(number);
  record.address.pack.transaction = transaction_of(version);
  record.address.pack.pack = static_cast<std::uint32_t>(number % 300);
  record.address.slot = static_cast<std::uint32_t>(number * 7 % 70000);
  record.offset = number % 3 == 0 ? 0 : static_cast<std::uint32_t>(number * 1000);
  record.length = static_cast<std::uint32_t>(number * 2654435761U);
  return record;
}

inline std::vector<IndexRecord> records_of(std::uint64_t first, std::uint64_t count,
                                           std::uint32_t version = 0) {
  std::vector<IndexRecord> records;
  for (std::uint64_t i = 0; i < count; ++i) records.push_back(record_of(first + i, version));
  return records;
}

inline bool add(Index& index, const std::vector<IndexRecord>& records, std::uint32_t covered) {
  return index.add(records, std::array{transaction_of(covered)});
}

}  // namespace holdfast::repo
