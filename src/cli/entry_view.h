// How entries of a snapshot are shown: a path, a long line, an object of JSON in restic's words.
#pragma once

#include <string>

#include "cli/json.h"
#include "model/entry.h"

namespace holdfast::cli {

// "/home/ann/notes.txt", made printable.
void append_path(std::string& to, std::string_view path);
// "-rw-r--r--  ann  users  1234  2026-08-01T12:34:56+02:00  /home/ann/notes.txt".
void append_long(std::string& to, const model::Entry& entry);
JsonObject entry_json(const model::Entry& entry);
// "file", "dir", "symlink", "fifo", "socket", "chardev", "dev".
const char* type_name(model::FileType type);

}  // namespace holdfast::cli
