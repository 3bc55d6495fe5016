// Output: the standard output, gathered and written in large pieces: 80,000 lines must not be 80,000 system
// calls. And how things are written for people: sizes, times, names, tables. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/entry.h"

namespace holdfast::cli {

class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  void write(std::string_view text) {
    buffer_.append(text);
    if (buffer_.size() >= kFlushBytes) flush();
  }
  void line(std::string_view text) {
    buffer_.append(text);
    write("\n");
  }
  void flush();
  // The first failure of any write until now; nothing after it was written.
  Result<void> finish();
  int fd() const { return fd_; }

 private:
  static constexpr std::size_t kFlushBytes = 256 * 1024;
  int fd_;
  std::string buffer_;
  int failed_ = 0;  // errno
};

// "1.234 MiB", "12 B": as restic writes them.
std::string size_text(std::uint64_t bytes);
// "2026-08-01T12:34:56+02:00", in the zone of this process.
std::string time_text(const model::Time& time);
// "2026-08-01T12:34:56.123456789+02:00", in that zone.
std::string time_text_exact(const model::Time& time, int zone_minutes);
// "1:02:03", "2:03".
std::string duration_text(std::uint64_t seconds);
// "drwxr-xr-x".
std::string mode_text(const model::Attributes& attributes);
// A name that may come from anybody, safe to show on a terminal: control characters and broken UTF-8 as \x1b.
std::string printable(std::string_view name);
// "1 file", "2 files".
std::string counted(std::uint64_t count, std::string_view noun);
std::string joined(const std::vector<std::string>& words, std::string_view between);

// Columns as wide as their widest cell.
class Table {
 public:
  // A column whose title begins with '>' is set to the right.
  explicit Table(std::vector<std::string> titles);
  void row(std::vector<std::string> cells);  // a cell may hold several lines
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

}  // namespace holdfast::cli
