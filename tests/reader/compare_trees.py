#!/usr/bin/python3
"""Compares two directory trees in content and metadata: compare_trees.py [--below] LEFT RIGHT.

Looks at names, types, modes, owners, times, sizes, devices, link targets, extended attributes, which names
are hard links of each other, and bytes. That a sparse file stays sparse counts too. With --below, the
two top directories themselves may differ. The exit code is 1 if there are differences.
"""

import hashlib
import os
import stat
import sys


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def walk(top):
    """Relative paths of all below top, and of top itself."""
    yield "."
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            yield os.path.relpath(os.path.join(folder, name), top)


def describe(path):
    """What has to be equal about a path; hard links apart."""
    info = os.lstat(path)
    seen = {"mode": oct(info.st_mode), "owner": (info.st_uid, info.st_gid), "mtime": info.st_mtime_ns,
            "xattrs": {name: os.getxattr(path, name, follow_symlinks=False)
                       for name in os.listxattr(path, follow_symlinks=False)}}
    if stat.S_ISREG(info.st_mode):
        seen["size"], seen["content"] = info.st_size, digest(path)
        seen["sparse"] = info.st_size > 1 << 20 and info.st_blocks * 512 < info.st_size // 2
    elif stat.S_ISLNK(info.st_mode):
        seen["target"] = os.readlink(path)
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        seen["device"] = (os.major(info.st_rdev), os.minor(info.st_rdev))
    return seen


def link_groups(top, paths):
    """For each path with several names, the names that it has in this tree."""
    groups = {}
    for path in paths:
        info = os.lstat(os.path.join(top, path))
        if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode):
            groups.setdefault((info.st_dev, info.st_ino), []).append(path)
    return {path: sorted(group) for group in groups.values() for path in group}


def differences(left, right, below):
    names = [set(walk(top)) - ({"."} if below else set()) for top in (left, right)]
    for path in sorted(names[0] ^ names[1]):
        yield f"{path!r}: only in {left if path in names[0] else right}"
    links = [link_groups(top, paths) for top, paths in zip((left, right), names)]
    for path in sorted(names[0] & names[1]):
        a, b = (describe(os.path.join(top, path)) for top in (left, right))
        a["links"], b["links"] = (groups.get(path) for groups in links)
        for key in sorted(a.keys() | b.keys()):
            if a.get(key) != b.get(key):
                yield f"{path!r}: {key}: {a.get(key)} is not {b.get(key)}"


def main(arguments):
    below = arguments[0] == "--below"
    left, right = arguments[below:]
    found = list(differences(left, right, below))
    for line in found:
        print(line.encode("utf-8", "backslashreplace").decode())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
