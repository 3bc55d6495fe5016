#include "source/filters.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include "base/open_beneath.h"

namespace holdfast::source {

namespace {

// https://bford.info/cachedir/
const Tag& cache_tag() {
  static const Tag tag{"CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55"};
  return tag;
}

constexpr std::size_t kIgnoreFileLimit = 1 << 20;

// At most `limit` bytes of the regular file `name`; nothing where there isn't one or it can't be read.
std::optional<std::string> read_beginning(int directory, const std::string& name, std::size_t limit) {
  const Fd fd = open_beneath(directory, name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  if (!fd.valid() || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
  std::string text(std::min(limit, static_cast<std::size_t>(st.st_size)), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + done, text.size() - done);
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

bool is_marked(const Tag& tag, int fd, const Listing& listing) {
  if (!listing.contains(tag.name)) return false;
  return tag.header.empty() || read_beginning(fd, tag.name, tag.header.size()) == tag.header;
}

}  // namespace

Tag parse_tag(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return {std::string(text), ""};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::optional<Tag> find_tag(const Filters& filters, int fd, const Listing& listing) {
  if (filters.caches && is_marked(cache_tag(), fd, listing)) return cache_tag();
  for (const Tag& tag : filters.tags) {
    if (is_marked(tag, fd, listing)) return tag;
  }
  return std::nullopt;
}

std::optional<Rules> read_ignore_file(const Filters& filters, int fd, const Listing& listing,
                                      std::string_view directory) {
  if (filters.ignore_file.empty() || !listing.contains(filters.ignore_file)) return std::nullopt;
  const auto text = read_beginning(fd, filters.ignore_file, kIgnoreFileLimit);
  if (!text) return std::nullopt;
  Rules rules;
  static_cast<void>(rules.add_lines(*text, fmt::format("/{}/{}", directory, filters.ignore_file), {}, true));
  return rules;
}

}  // namespace holdfast::source
