#include "tests/support/tree_copy.h"

#include <map>

namespace holdfast::test {

namespace {

// The file's runs of data, and the holes between them.
Result<void> copy_content(source::Content& content, sink::FileWriter& writer, std::uint64_t size) {
  Buffer buffer(64 * kKiB);
  std::uint64_t done = 0;
  const auto runs = TRY(content.data_runs(0, size));
  for (const auto& [from, to] : runs) {
    TRY(writer.hole(done, from - done));
    for (done = from; done < to;) {
      const std::size_t want = std::min<std::uint64_t>(buffer.size(), to - done);
      const std::size_t got = TRY(content.read(done, MutableBytes(buffer).first(want)));
      if (got == 0) return Error(Errc::failed, "the file became shorter");
      TRY(writer.write(done, Bytes(buffer).first(got)));
      done += got;
    }
  }
  return writer.hole(done, size - done);
}

}  // namespace

Result<Copied> copy_tree(source::Source& from, sink::DirectorySink& to, std::string strip) {
  Copied copied;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> linked;
  source::Item item;
  while (true) {
    const bool more = TRY(from.next(item, {}));
    if (!more) break;
    if (!strip.empty() && !item.entry.path.starts_with(strip + "/")) continue;
    TRY(from.complete(item));
    std::unique_ptr<source::Content> content;
    const bool regular = item.entry.attributes.type == model::FileType::regular;
    if (regular) {
      content = TRY(from.open(item));
      TRY(content->complete(item.entry.attributes));
    }
    if (!strip.empty()) item.entry.path.erase(0, strip.size() + 1);
    const sink::Action action = TRY(to.decide(item.entry));
    copied.items.push_back(item);
    copied.actions.push_back(action);
    if (action == sink::Action::skip) continue;
    if (item.entry.attributes.type == model::FileType::directory) {
      TRY(to.make_directory(item.entry));
    } else if (!regular) {
      TRY(to.make_special(item.entry, action));
    } else {
      const auto [first, is_new] = linked.try_emplace({item.device, item.stamp.inode}, item.entry.path);
      if (!is_new && item.links > 1) {
        TRY(to.link(item.entry, first->second));
        continue;
      }
      const auto writer = TRY(to.open_file(item.entry, action));
      if (action != sink::Action::metadata) TRY(copy_content(*content, *writer, item.entry.size_bytes));
      TRY(writer->finish(item.entry));
      copied.written_bytes += writer->written_bytes();
    }
  }
  for (std::size_t i = copied.items.size(); i-- > 0;) {
    const model::Entry& entry = copied.items[i].entry;
    const bool skipped = copied.actions[i] == sink::Action::skip;
    if (entry.attributes.type == model::FileType::directory && !skipped) TRY(to.finish_directory(entry));
  }
  return copied;
}

}  // namespace holdfast::test
