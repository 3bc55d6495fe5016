// How entries of a snapshot are shown: a path, a long line, an object of JSON in restic's words.
#pragma once

#include <string>

#include "cli/json.h"
#include "model/entry.h"

namespace holdfast::cli {

// "/home/ann/notes.txt", made printable.
void append_path(std::string& to, std::string_view path);
// How entries are shown to people.
struct EntryStyle {
  bool long_format = false;  // "-rw-r--r--  ann  users  1234  2026-08-01T12:34:56+02:00  /home/ann/notes.txt"
  bool human_readable = false;  // with "1.205 KiB" for the size; as restic, this asks for the long form too
};
void append_entry(std::string& to, const model::Entry& entry, EntryStyle style);
JsonObject entry_json(const model::Entry& entry);
// "file", "dir", "symlink", "fifo", "socket", "chardev", "dev".
const char* type_name(model::FileType type);

}  // namespace holdfast::cli
