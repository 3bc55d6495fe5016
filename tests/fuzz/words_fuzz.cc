// Any bytes as what operators and stores write: durations, retention counts, snapshot words, groups, object
// names, exclude patterns. `re:` patterns are left out: their compiler is the C library's.
#include "base/check.h"
#include "model/retention.h"
#include "source/pattern.h"
#include "storage/name.h"
#include "tests/fuzz/seeds.h"

namespace holdfast {
namespace {

void check_duration(std::string_view text) {
  const auto duration = model::parse_duration(text);
  if (!duration.ok()) return;
  const auto twin = model::parse_duration(to_string(duration.value()));
  HF_ASSERT(twin.ok() && twin.value() == duration.value());
  (void)instant_before({}, duration.value());
}

void check_keep(std::string_view text) {
  const auto keep = model::parse_keep(text);
  if (keep.ok()) HF_ASSERT(keep.value().count >= model::kUnlimited);
}

void check_snapshot_word(std::string_view text) {
  const auto word = model::parse_snapshot_word(text);
  if (!word.ok()) return;
  HF_ASSERT(word.value().latest == word.value().prefix.empty());
  HF_ASSERT(!word.value().sub_path.starts_with('/') && !word.value().sub_path.ends_with('/'));
  (void)find_snapshot(word.value(), {}, {}).ok();
}

void check_object_name(std::string_view text) {
  if (!storage::valid_name(text)) return;
  HF_ASSERT(!text.empty() && text.size() <= 200 && text.front() != '/' && text.back() != '/');
  HF_ASSERT(text != ".." && text.find("../") != 0 && text.find("/../") == text.npos);
}

// The pattern up to the first newline, the path after it.
void check_pattern(std::string_view text) {
  const std::size_t line_end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, line_end);
  if (line.find("re:") != line.npos || line.size() > 64) return;
  const std::string_view path = text.substr(std::min(line_end + 1, text.size())).substr(0, 64);
  for (const bool flag : {false, true}) {
    source::Rules rules;
    if (!rules.add(line, "fuzz", {.fold_case = flag, .floating = flag}).ok()) continue;
    const bool alone = rules.match(path, flag) != nullptr;
    HF_ASSERT(!alone || rules.match_with_parents(path, flag) != nullptr);
  }
}

void check(unsigned which, std::string_view text) {
  switch (which % 6) {
    case 0:
      return check_duration(text);
    case 1:
      return check_keep(text);
    case 2:
      return check_snapshot_word(text);
    case 3:
      return check_object_name(text);
    case 4:
      return (void)model::parse_group_by(text).ok();
    default:
      return check_pattern(text);
  }
}

std::vector<Buffer> make_samples() {
  std::vector<Buffer> all;
  for (const auto& [which, text] :
       std::vector<std::pair<std::uint8_t, std::string_view>>{{0, "2y5m7d3h"},
                                                              {0, "3w"},
                                                              {1, "unlimited"},
                                                              {1, "7"},
                                                              {1, "7d"},
                                                              {2, "latest~2:/home/ann"},
                                                              {2, "4bba301e"},
                                                              {3, "t/00000000000000aa-00000001/man"},
                                                              {4, "host,paths,tags"},
                                                              {5, "*.o\na/b.o"},
                                                              {5, "!/a/**/b?[a-z]/\na/x/y/bcd"},
                                                              {5, "path:/a/b\na/b"},
                                                              {5, "a\\*[!x-]*\na*bc"}}) {
    all.push_back(fuzz::sample(which, as_bytes(text)));
  }
  return all;
}

}  // namespace
}  // namespace holdfast

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) check(data[0], as_text({data + 1, size - 1}));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
  static const std::vector<Buffer> samples = make_samples();
  return fuzz::mutate(data, size, size_max, seed, samples);
}
