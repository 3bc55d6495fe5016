// What a story tells while it goes on. Calls may come from any thread, often: they must be quick.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace holdfast::flow {

struct Progress {
  std::uint64_t files_done = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t files_total = 0;  // 0: not known yet
  std::uint64_t bytes_total = 0;
  std::uint64_t errors = 0;
};

class Observer {
 public:
  virtual ~Observer() = default;
  // How far it is; `current` is what is being worked on, or empty.
  virtual void progress(const Progress& progress, std::string_view current) = 0;
  // One object could not be handled; the story goes on without it. `during`: "scan", "read", "restore", …
  virtual void problem(std::string_view path, std::string_view during, const Error& error) = 0;
  // What happened to one object: "new", "changed", "unchanged", "restored", … Only worth a line at -v.
  virtual void item(std::string_view action, std::string_view path, std::uint64_t size_bytes) = 0;
  // A remark that the operator should see.
  virtual void note(std::string_view text) = 0;
};

// Ignores everything.
class SilentObserver final : public Observer {
 public:
  void progress(const Progress&, std::string_view) override {}
  void problem(std::string_view, std::string_view, const Error&) override {}
  void item(std::string_view, std::string_view, std::uint64_t) override {}
  void note(std::string_view) override {}
};

}  // namespace holdfast::flow
