// Listing: the names in one directory, in the order of bytes. Its memory is reused from directory to
// directory. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::source {

class Listing {
 public:
  // Reads and sorts all names but "." and ".." of the directory open at `fd`. Returns 0 or an errno value;
  // the names read before the error are kept.
  int read(int fd);

  void clear();
  // To build a listing by hand: add all, then sort.
  void add(std::string_view name, std::uint8_t type);
  void sort();
  // Drops all names but `name`.
  void keep_only(std::string_view name);

  std::size_t size() const { return names_.size(); }
  // Followed by a NUL.
  std::string_view name(std::size_t i) const { return {text_.data() + names_[i].offset, names_[i].length}; }
  // DT_…; DT_UNKNOWN where the file system does not say.
  std::uint8_t type(std::size_t i) const { return names_[i].type; }
  bool contains(std::string_view name) const;

 private:
  struct Name {
    std::uint64_t prefix;  // the first eight bytes as a number, so that most comparisons touch no text
    std::uint64_t offset : 40;
    std::uint64_t length : 16;
    std::uint64_t type : 8;
  };
  std::vector<Name> names_;
  std::string text_;
};

}  // namespace holdfast::source
