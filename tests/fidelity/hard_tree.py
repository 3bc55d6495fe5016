#!/usr/bin/python3
"""Makes the tree that is hard to back up: hard_tree.py FOLDER KIND [--long].

KIND is ext4, xfs, btrfs (as root, on that file system: what it should be able to hold must be made, or this
fails) or user (what anybody can make on any of the three). Everything is seeded.
"""

import os
import random
import socket
import stat
import sys

import linux

# What each file system holds besides what all do.
FLAGS = {"ext4": "SdADTs", "xfs": "SdA", "btrfs": "SdAD", "user": ""}
FILE_ONLY, FOLDER_ONLY = "jt", "DT"
HAS_PROJECTS = ("ext4", "xfs")
TIMES = {"before 1970": -1, "long before": -2 * 10**9, "1901": -(2**31), "2038": 2**31, "2106": 2**32 + 5,
         "2400": 13_569_465_600, "zero": 0}
BEYOND = {"btrfs": {"2500": 16_725_225_600, "1800": -5_364_662_400}}
LINK = {"ext4": 4000, "btrfs": 4000, "xfs": 1023, "user": 1023}  # bytes of a symbolic link
MINOR = {"ext4": 1_048_575, "btrfs": 1_048_575, "xfs": 262_143}  # of a device
CAP_NET_RAW = 1 << 13


def write(path, data=b"x", mode=0o644):
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


def stamp(path, seconds, nanoseconds=123_456_789):
    os.utime(path, ns=(0, seconds * 10**9 + nanoseconds), follow_symlinks=False)


class Maker:
    def __init__(self, top, kind, long):
        self.top, self.kind, self.long = top, kind, long
        self.root = kind != "user"
        self.random = random.Random(7)
        self.locked = []  # (path, letters): set at the very end

    def at(self, *names):
        path = os.path.join(self.top, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def make(self):
        for part in (self.contents, self.names, self.deep, self.links, self.sparse, self.special, self.modes,
                     self.times, self.attributes, self.flags, self.projects, self.many):
            part()
        for path, letters in reversed(self.locked):
            fd = os.open(path, os.O_RDONLY)
            linux.change_flags(fd, letters)
            os.close(fd)

    def contents(self):
        for size in (0, 1, 4095, 4096, 4097, 65536, 131072, 131073, 1 << 20, (1 << 20) + 1, 3 << 20):
            write(self.at("contents", f"{size} bytes"), self.random.randbytes(size))

    def names(self):
        alphabet = bytes(byte for byte in range(1, 256) if byte != 0x2F)
        base = os.fsencode(self.at("names", "x"))[:-1]
        for i in range(0, len(alphabet), 4):
            write(base + b"b" + alphabet[i:i + 4])
        names = [b"\n", b" ", b"...", b"-rf", b"*", b"a\\b", b"\xff" * 255, "ü".encode() * 127 + b"z",
                 "u\u0308".encode(), "\u00fc".encode(), b"con", b"A", b"a"]
        names += [self.random.sample(alphabet, 200) for _ in range(5)]
        for name in names:
            write(base + bytes(name), bytes(name))

    def deep(self):
        """30 levels of 250 bytes: 7,500, nearly twice PATH_MAX."""
        folder = os.open(os.path.dirname(self.at("deep", "x")), os.O_RDONLY)
        for level in range(30):
            name = bytes([97 + level % 26]) * 250
            os.mkdir(name, dir_fd=folder)
            below = os.open(name, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
            self.in_deep(folder, level)
        os.close(folder)

    def in_deep(self, folder, level):
        fd = os.open("file", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=folder)
        os.write(fd, b"level %d" % level)
        os.setxattr(fd, "user.level", b"%d" % level)
        os.close(fd)
        os.symlink("file", "link", dir_fd=folder)
        os.link("file", "name two", src_dir_fd=folder, dst_dir_fd=folder)
        if self.root:
            os.setxattr(b"/proc/self/fd/%d/link" % folder, "trusted.link", b"t", follow_symlinks=False)

    def links(self):
        first = self.at("links", "a", "0")
        write(first, b"many names")
        # ext4 allows 65,000 names of a file, btrfs 65,535: of xfs they can't hold all.
        count = (100_000 if self.kind == "xfs" else 64_000) if self.long else 300
        for i in range(1, count):
            os.link(first, self.at("links", "ab"[i % 2], str(i)))
        write(self.at("links", "large"), self.random.randbytes(300_000))
        os.link(self.at("links", "large"), self.at("links", "large too"))
        write(self.at("links", "nothing"), b"")
        os.link(self.at("links", "nothing"), self.at("links", "nothing too"))
        os.symlink("nowhere", self.at("links", "symlink"))
        os.link(self.at("links", "symlink"), self.at("links", "symlink too"), follow_symlinks=False)
        os.mkfifo(self.at("links", "fifo"))
        os.link(self.at("links", "fifo"), self.at("links", "fifo too"))

    def sparse(self):
        with open(self.at("sparse", "1 TiB"), "wb") as file:
            for at in (0, 1 << 30, (1 << 39) + (5 << 20), (1 << 40) - (1 << 20)):
                file.seek(at)
                file.write(self.random.randbytes(1 << 20))
            file.truncate(1 << 40)
        with open(self.at("sparse", "nothing but a hole"), "wb") as file:
            file.truncate(10 << 20)
        with open(self.at("sparse", "holes of 4 KiB"), "wb") as file:
            for at in range(0, 4 << 20, 8192):
                file.seek(at)
                file.write(self.random.randbytes(4096))
            file.truncate(4 << 20)
        with open(self.at("sparse", "odd end"), "wb") as file:
            file.seek(20 << 20)
            file.write(b"end")
        write(self.at("sparse", "written zeros"), bytes(500_000))

    def special(self):
        os.makedirs(self.at("special", "empty folder"))
        os.mkfifo(self.at("special", "fifo"), 0o620)
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.getcwd()
            os.chdir(self.at("special"))
            listener.bind("socket")
            os.chdir(here)
        os.chmod(self.at("special", "socket"), 0o611)
        for name, target in (("short", "x"), ("long", "y" * LINK[self.kind]), ("bytes", b"\xff\n/../.."),
                             ("up", "../..")):
            os.symlink(target, self.at("special", "link " + name))
        if self.root:
            os.lchown(self.at("special", "link short"), 3_000_000_000, 7)
            devices = (("null", stat.S_IFCHR, 1, 3), ("disk", stat.S_IFBLK, 259, MINOR[self.kind]),
                       ("zero", stat.S_IFCHR, 0, 0))
            for name, kind, major, minor in devices:
                os.mknod(self.at("special", name), kind | 0o660, os.makedev(major, minor))
            os.link(self.at("special", "null"), self.at("special", "null too"))

    def modes(self):
        for mode in (0o000, 0o111, 0o400, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777):
            if not self.root and not mode & 0o400:
                continue
            write(self.at("modes", f"file {mode:o}"), b"m", mode)
            os.mkdir(self.at("modes", f"folder {mode:o}"))
            if mode & 0o500 == 0o500 or self.root:
                os.chmod(self.at("modes", f"folder {mode:o}"), mode)
        if self.root:
            for uid, gid in ((1, 2), (65534, 65534), (4_294_967_294, 4_294_967_294), (70_000, 0)):
                write(self.at("modes", f"owner {uid}"))
                os.chown(self.at("modes", f"owner {uid}"), uid, gid)
                os.chmod(self.at("modes", f"owner {uid}"), 0o6755)
            os.chown(self.at("modes", "folder 2755"), 5, 6)
            os.chmod(self.at("modes", "folder 2755"), 0o2755)
            write(self.at("modes", "folder 2755", "inherits the group"))

    def times(self):
        for name, seconds in (TIMES | BEYOND.get(self.kind, {})).items():
            write(self.at("times", name))
            stamp(self.at("times", name), seconds)
            os.symlink("x", self.at("times", "link " + name))
            stamp(self.at("times", "link " + name), seconds, 1)
            os.mkdir(self.at("times", "folder " + name))
            stamp(self.at("times", "folder " + name), seconds, 999_999_999)

    def attributes(self):
        owner, user, group, mask, other = 1, 2, 4, 16, 32
        none = 0xFFFFFFFF
        access = linux.acl((owner, 7, none), (user, 4, 12345), (4, 4, none), (8, 6, 7), (mask, 6, none),
                           (other, 0, none))
        for name in ("file", "folder"):
            path = self.at("attributes", name)
            write(path) if name == "file" else os.mkdir(path)
            os.setxattr(path, "user.text", b"hello")
            os.setxattr(path, "user.bytes", bytes(range(256)))
            os.setxattr(path, "user.empty", b"")
            os.setxattr(path, "user." + "n" * 250, b"long name")
            os.setxattr(path, "system.posix_acl_access", access)
        os.setxattr(self.at("attributes", "folder"), "system.posix_acl_default", access)
        write(self.at("attributes", "folder", "inherits the ACL"))
        write(self.at("attributes", "large value"))
        os.setxattr(self.at("attributes", "large value"), "user.large", self.random.randbytes(3000))
        write(self.at("attributes", "nothing in it"), b"")
        os.setxattr(self.at("attributes", "nothing in it"), "user.a", b"1")
        write(self.at("attributes", "read only"), b"r", 0o444)
        os.chmod(self.at("attributes", "read only"), 0o644)
        os.setxattr(self.at("attributes", "read only"), "user.a", b"1")
        os.chmod(self.at("attributes", "read only"), 0o444)
        if self.root:
            self.attributes_of_root()

    def attributes_of_root(self):
        os.symlink("x", self.at("attributes", "link"))
        os.mkfifo(self.at("attributes", "fifo"))
        for name in ("file", "folder", "link", "fifo"):
            os.setxattr(self.at("attributes", name), "trusted.t", b"trusted", follow_symlinks=False)
            os.setxattr(self.at("attributes", name), "security.s", b"secure", follow_symlinks=False)
        for owner in (0, 33):
            path = self.at("attributes", f"capability {owner}")
            write(path, b"program", 0o755)
            os.chown(path, owner, owner)
            os.setxattr(path, "security.capability", linux.capability(CAP_NET_RAW))

    def flags(self):
        for letter in FLAGS[self.kind]:
            for name in ("file", "folder", "nothing"):
                if (letter in FOLDER_ONLY) != (name == "folder") and letter in FILE_ONLY + FOLDER_ONLY:
                    continue
                self.flagged(f"{letter} {name}", letter)
        if self.kind == "user":
            return
        for letters in ("i", "a", "ia"):
            for name in ("file", "nothing", "folder"):
                self.locked.append((self.flagged(f"{letters} {name}", ""), letters))
        write(self.at("flags", "i folder", "in it"))
        write(self.at("flags", "two names"))
        os.link(self.at("flags", "two names"), self.at("flags", "two names too"))
        self.locked.append((self.at("flags", "two names"), "iS"))
        if self.kind == "btrfs":
            self.flags_of_btrfs()

    def flagged(self, name, letters):
        path = self.at("flags", name)
        if name.endswith("folder"):
            os.mkdir(path)
        else:
            write(path, b"" if name.endswith("nothing") else b"f")
        fd = os.open(path, os.O_RDONLY)
        linux.change_flags(fd, letters)
        os.close(fd)
        return path

    def flags_of_btrfs(self):
        for letter in "cCm":
            for name in ("folder", "nothing"):
                self.flagged(f"{letter} {name}", letter)
            path = self.flagged(f"{letter} full, nothing", letter)
            with open(path, "wb") as file:
                file.write(self.random.randbytes(50_000))
        os.setxattr(self.flagged("zstd nothing", "c"), "btrfs.compression", b"zstd")
        write(self.at("flags", "C folder", "inherits"), self.random.randbytes(100))

    def projects(self):
        if self.kind not in HAS_PROJECTS:
            return
        write(self.at("projects", "file"))
        os.mkdir(self.at("projects", "folder"))
        for name, number in (("file", 42), ("folder", 4_000_000_000)):
            fd = os.open(self.at("projects", name), os.O_RDONLY)
            try:
                linux.change_project(fd, number)
            except OSError:
                if self.kind == "xfs":
                    raise
                print("ext4 without projects here")  # it needs a kernel with quotas
                return
            if name == "folder":
                linux.change_flags(fd, "P")
            os.close(fd)
        write(self.at("projects", "folder", "inherits"), b"")
        os.symlink("x", self.at("projects", "folder", "link"))
        os.mkfifo(self.at("projects", "folder", "fifo"))

    def many(self):
        os.makedirs(self.at("many"))
        folder = os.open(self.at("many"), os.O_RDONLY)
        for i in range(100_000 if self.long else 3_000):
            fd = os.open(f"name {i}", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder)
            if i % 10 == 0:
                os.write(fd, b"%d" % i)
            os.close(fd)
        os.close(folder)


def main(arguments):
    top, kind = arguments[:2]
    os.umask(0o022)
    os.makedirs(top, exist_ok=True)
    Maker(top, kind, "--long" in arguments).make()


if __name__ == "__main__":
    main(sys.argv[1:])
