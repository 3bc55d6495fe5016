#!/usr/bin/python3
"""Compares two directory trees in everything that Linux lets a program see; prints each difference; exits 1.

    compare.py [options] LEFT RIGHT

Names, types, bytes, maps of holes, which names are hard links of each other, texts of links, device
numbers, owners, modes, mtimes in nanoseconds, all extended attributes (ACLs and capabilities are among them),
flags of chattr and projects. Access and change times, inode numbers and birth times can't be restored and are
left out.
Names are bytes and every object is reached through the descriptor of its directory, so no path is too long.
Runs on what /usr/bin/python3 brings along, and shares nothing with the program under test.

  --below        the two top directories themselves may differ
  --holes BYTES  where one has a hole and the other data, each such range must be shorter than this (default:
                 1, so that the maps must be equal; 0: maps are not compared)
  --ignore KIND  leave this kind out; may be repeated. Kinds: type content holes links target device owner
                 mode mtime xattr flags project
  --told FILE    JSON lines of `holdfast restore --json --target RIGHT`: differences that it told are counted,
                 not printed; exits 1 only for those that it kept to itself
  --births FILE  JSON lines of `holdfast ls --json SNAPSHOT:PATH-OF-LEFT`: each birth time must be LEFT's
"""

import argparse
import json
import os
import resource
import stat
import sys

import linux

PIECE = 1 << 20


class Tree:
    """One of the two, with what has to be remembered of it: the names of every file that has several."""

    def __init__(self, top):
        self.top = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        self.groups = {}

    def saw(self, path, info):
        if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode):
            self.groups.setdefault((info.st_dev, info.st_ino), []).append(path)

    def group_of(self):
        """Of each path with several names, all of them: one list for the whole group, which may be large."""
        return {path: names for names in self.groups.values() for path in names}


def names_in(fd):
    return sorted(os.fsencode(name) for name in os.listdir(fd))


def xattrs(folder, name, fd):
    place = fd if fd is not None else b"/proc/self/fd/%d/%s" % (folder, name)
    follow = {} if fd is not None else {"follow_symlinks": False}
    try:
        return {key: os.getxattr(place, key, **follow) for key in os.listxattr(place, **follow)
                if not key.startswith("trusted.SGI_ACL_")}  # of xfs: the ACL once more, in its own form
    except OSError as error:
        if error.errno in linux.ABSENT:
            return {}
        raise


def data_runs(fd, size):
    runs, at = [], 0
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # ENXIO: no more data
            break
        at = min(os.lseek(fd, begin, os.SEEK_HOLE), size)
        runs.append((begin, at))
    return runs


def edges_of(runs):
    return [edge for run in runs for edge in run]


def map_differences(a, b):
    """The ranges that are data in one and a hole in the other."""
    inside, out, begin = [False, False], [], None
    for at, which in sorted([(edge, 0) for edge in edges_of(a)] + [(edge, 1) for edge in edges_of(b)]):
        if inside[0] != inside[1] and at > begin:
            out.append((begin, at))
        inside[which] = not inside[which]
        begin = at
    return out


def union(a, b):
    out = []
    for begin, end in sorted(a + b):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((begin, end))
    return out


class Comparison:
    def __init__(self, left, right, options):
        self.trees = Tree(left), Tree(right)
        self.options = options
        self.found, self.seen, self.compared = [], set(), 0

    def tell(self, path, kind, text):
        if kind.split()[0] not in self.options.ignore:
            self.found.append((path, kind, text))

    def differ(self, path, kind, a, b):
        if a != b:
            self.tell(path, kind, f"{a!r} is not {b!r}")

    def run(self):
        tops = [tree.top for tree in self.trees]
        if not self.options.below:
            self.object(b"", tops, [b"."] * 2, [os.fstat(top) for top in tops])
        self.folder(b"", tops)
        groups = [tree.group_of() for tree in self.trees]
        counted = {}  # by the two groups that meet in a path: names on each side; None where the same
        for path in sorted((groups[0].keys() | groups[1].keys()) & self.seen):
            pair = [group.get(path, ()) for group in groups]
            key = tuple(map(id, pair))
            if key not in counted:
                # Of names that only one of the trees has it was told that they are missing.
                sides = [[name for name in names if name in self.seen] for names in pair]
                sides = [side if len(side) > 1 else [] for side in sides]
                counted[key] = None if sides[0] == sides[1] else tuple(map(len, sides))
            if counted[key]:
                self.tell(path, "links", "%d names, not the same %d" % counted[key])

    def folder(self, path, folders):
        lists = [names_in(folder) for folder in folders]
        for side in (0, 1):
            for name in sorted(set(lists[side]) - set(lists[1 - side])):
                self.tell(path + name, "missing", f"only on the {('left', 'right')[side]}")
        there = set(lists[1])
        for name in lists[0]:
            if name not in there:
                continue
            below = path + name
            self.seen.add(below)
            infos = [os.stat(name, dir_fd=folder, follow_symlinks=False) for folder in folders]
            for tree, info in zip(self.trees, infos):
                tree.saw(below, info)
            if stat.S_IFMT(infos[0].st_mode) != stat.S_IFMT(infos[1].st_mode):
                self.tell(below, "type", f"{oct(infos[0].st_mode)} is not {oct(infos[1].st_mode)}")
                continue
            self.object(below, folders, [name] * 2, infos)

    def object(self, path, folders, names, infos):
        self.compared += 1
        mode = infos[0].st_mode
        self.differ(path, "owner", *((info.st_uid, info.st_gid) for info in infos))
        if not stat.S_ISLNK(mode):
            self.differ(path, "mode", *(oct(stat.S_IMODE(info.st_mode)) for info in infos))
        self.differ(path, "mtime", *(info.st_mtime_ns for info in infos))
        opens = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
        fds = [None, None]
        try:
            if opens:
                how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                fds = [os.open(name, how, dir_fd=folder) for name, folder in zip(names, folders)]
            self.opened(path, mode, folders, names, fds)
            if stat.S_ISREG(mode):
                self.content(path, fds, [info.st_size for info in infos])
            elif stat.S_ISLNK(mode):
                self.differ(path, "target", *(os.readlink(n, dir_fd=f) for n, f in zip(names, folders)))
            elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                self.differ(path, "device", *(info.st_rdev for info in infos))
            if stat.S_ISDIR(mode) and path:
                self.folder(path + b"/", fds)
        except PermissionError as error:
            self.tell(path, "unreadable", str(error))
        finally:
            for fd in fds:
                if fd is not None:
                    os.close(fd)

    def opened(self, path, mode, folders, names, fds):
        sides = [xattrs(*side) for side in zip(folders, names, fds)]
        for key in sorted(sides[0].keys() | sides[1].keys()):
            self.differ(path, f"xattr {key}", sides[0].get(key), sides[1].get(key))
        if fds[0] is not None:
            self.differ(path, "flags", *(linux.flags(fd) for fd in fds))
            self.differ(path, "project", *(linux.project(fd) for fd in fds))
        else:
            self.differ(path, "project", *(linux.project_at(f, n) for f, n in zip(folders, names)))

    def content(self, path, fds, sizes):
        if sizes[0] != sizes[1]:
            self.tell(path, "content", f"{sizes[0]} bytes, not {sizes[1]}")
            return
        runs = [data_runs(fd, sizes[0]) for fd in fds]
        limit = self.options.holes
        wrong = [run for run in map_differences(*runs) if limit and run[1] - run[0] >= limit]
        if wrong:
            self.tell(path, "holes", f"a hole in only one of them: {wrong[:5]}")
        for begin, end in union(*runs):
            for at in range(begin, end, PIECE):
                if len({os.pread(fd, min(PIECE, end - at), at) for fd in fds}) > 1:
                    self.tell(path, "content", f"differs at {at} or soon behind")
                    return


# What the program says it could not restore, as the kinds here.
TOLD = {"owner": "owner", "mode": "mode", "times": "mtime", "project": "project", "flags": "flags",
        "links": "links"}


def told_by(lines):
    """(path, kind) of each problem; kind "all" where the object isn't there at all."""
    told = set()
    for line in lines:
        message = json.loads(line)
        if message.get("message_type") != "error":
            continue
        path = message["item"].lstrip("/").encode("utf-8", "replace")
        during = message["during"].removeprefix("restore of ")
        word = during.split()[0]
        told.add((path, during if word == "xattr" else TOLD.get(word, "all")))
    return told


def as_json(path):
    return path.decode("utf-8", "replace").encode()


def silent(found, told, groups):
    """Without those that the program told, of the object or of another of its names on either side."""
    of_group = {}
    for path, kind in told:
        for group in groups:
            of_group.setdefault(id(group.get(path)), set()).add(kind)
    of_group.pop(id(None), None)
    out = []
    for path, kind, text in found:
        mine = as_json(path)
        above = {mine[:i] for i, byte in enumerate(mine) if byte == 0x2F} | {mine}
        lost = any((one, "all") in told for one in above)
        grouped = any(kind in of_group.get(id(group.get(path)), ()) for group in groups)
        if not (lost or grouped or (mine, kind) in told):
            out.append((path, kind, text))
    return out


def wrong_births(lines, left):
    from datetime import datetime, timezone
    top = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
    count = 0
    for line in lines:
        node = json.loads(line)
        prefix = os.path.realpath(left) + "/"
        # Names that JSON can't hold have replacements in them.
        path = node.get("path", "")
        if not path.startswith(prefix) or len(path) > 4000 or "\ufffd" in path:
            continue
        name = os.fsencode(node["path"][len(prefix):])
        birth = linux.birth_ns(top, name)
        told = node.get("birthtime")
        if told is not None:
            whole, _, rest = told.removesuffix("Z").partition(".")
            seconds = int(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp())
            told = seconds * 10**9 + int(rest.ljust(9, "0") or 0)
        count += 1
        if told != birth:
            yield name, "birth", f"{told} is not {birth}"
    os.close(top)
    if count == 0:
        yield b"", "birth", "the list tells nothing of what is below LEFT"


def main(arguments):
    parser = argparse.ArgumentParser(description="Compares two trees.")
    parser.add_argument("--below", action="store_true")
    parser.add_argument("--holes", type=int, default=1)
    parser.add_argument("--ignore", action="append", default=[])
    parser.add_argument("--told")
    parser.add_argument("--births")
    parser.add_argument("left")
    parser.add_argument("right")
    options = parser.parse_args(arguments)
    sys.setrecursionlimit(1 << 20)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    comparison = Comparison(options.left, options.right, options)
    comparison.run()
    for tree in comparison.trees:
        os.close(tree.top)
    found = comparison.found
    total = len(found)
    if options.told:
        with open(options.told, encoding="utf-8", errors="surrogateescape") as lines:
            found = silent(found, told_by(lines), [tree.group_of() for tree in comparison.trees])
    if options.births:
        with open(options.births, encoding="utf-8", errors="surrogateescape") as lines:
            found += wrong_births(lines, options.left)
    for path, kind, text in found:
        shown = path if len(path) < 200 else path[:90] + b"..." + path[-90:]
        print(f"{shown!r}: {kind}: {text}")
    print(f"{comparison.compared} objects compared, {total} differences, {len(found)} not told",
          file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
