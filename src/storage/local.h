// A store in a directory: an object is a file of its name, so directories follow the '/' of names and
// are made on demand. Works on every POSIX file system with or without O_TMPFILE and hard links.
//
// How it keeps the contract: bytes go to a nameless file, which is synced and only then linked under its
// name (link(2) fails where the name is taken), so no crash can show a torn object. A barrier syncs the
// files again, because without a journal the count of a file's names is saved with the file only, and then
// the directories that got names. It covers objects that others put too, where a put here was answered
// `exists`. A failed sync is final (fsyncgate): it is returned, and every later put and barrier of this
// Storage fails, because nobody can know what reached the medium. Limits: a name can't be an object and a
// directory of others at once. Removals are durable after a barrier.
#pragma once

#include "storage/disk.h"
#include "storage/storage.h"

namespace holdfast::storage {

enum class IfMissing : unsigned char { fail, create };

// `disk` must outlive the storage. Errc::not_found where `path` is missing and not to be created.
Result<std::unique_ptr<Storage>> open_local(Disk& disk, std::string path, IfMissing if_missing);

}  // namespace holdfast::storage
