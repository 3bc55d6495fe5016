#include "cli/entry_view.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "cli/output.h"
#include "model/flags.h"

namespace holdfast::cli {

const char* type_name(model::FileType type) {
  static constexpr std::array<const char*, 7> kNames = {"file",   "dir",     "symlink", "fifo",
                                                        "socket", "chardev", "dev"};
  return kNames[static_cast<std::size_t>(type)];
}

void append_path(std::string& to, std::string_view path) {
  to += '/';
  to += printable(path);
}

void append_entry(std::string& to, const model::Entry& entry, EntryStyle style) {
  if (!style.long_format && !style.human_readable) return append_path(to, entry.path);
  const model::Attributes& attributes = entry.attributes;
  const std::string user =
      attributes.user.empty() ? std::to_string(attributes.uid) : printable(attributes.user);
  const std::string group =
      attributes.group.empty() ? std::to_string(attributes.gid) : printable(attributes.group);
  const std::string size =
      style.human_readable ? size_text(entry.size_bytes) : std::to_string(entry.size_bytes);
  fmt::format_to(std::back_inserter(to), "{} {:>8} {:>8} {:>12} {} ", mode_text(attributes), user, group,
                 size, time_text(entry.mtime));
  append_path(to, entry.path);
  if (attributes.type == model::FileType::symlink) to += " -> " + printable(entry.target);
}

JsonObject entry_json(const model::Entry& entry) {
  const model::Attributes& attributes = entry.attributes;
  const std::size_t slash = entry.path.rfind('/');
  JsonObject object;
  object.add("name", std::string_view(entry.path).substr(slash == entry.path.npos ? 0 : slash + 1));
  object.add("type", type_name(attributes.type)).add("path", "/" + entry.path);
  object.add("uid", attributes.uid).add("gid", attributes.gid);
  if (!attributes.user.empty()) object.add("user", attributes.user);
  if (!attributes.group.empty()) object.add("group", attributes.group);
  if (attributes.type == model::FileType::regular) object.add("size", entry.size_bytes);
  object.add("mode", attributes.mode).add("permissions", mode_text(attributes));
  object.add("mtime", time_text_exact(entry.mtime, 0));
  if (attributes.type == model::FileType::symlink) object.add("linktarget", entry.target);
  if (entry.birth) object.add("birthtime", time_text_exact(*entry.birth, 0));
  if (attributes.flags != 0) object.add("flags", model::flags_text(attributes.flags));
  if (attributes.project != 0) object.add("project", attributes.project);
  if (entry.link_group != 0) object.add("link_group", entry.link_group);
  if (entry.changed_while_read) object.add("changed_while_read", true);
  return object;
}

}  // namespace holdfast::cli
