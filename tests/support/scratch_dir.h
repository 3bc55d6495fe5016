// A directory of its own for one test, removed with all that is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace holdfast::testing {

class ScratchDir {
 public:
  ScratchDir() {
    std::string path = std::filesystem::temp_directory_path() / "holdfast-XXXXXX";
    HF_ASSERT(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace holdfast::testing
