"""Source trees that change by a seed, and the manifest of a tree: what a restore must bring back.

  trees.py FOLDER      prints the manifest of FOLDER as JSON; a process of its own, so that it can be killed
                       where a mount hangs
"""
import hashlib
import json
import os
import random
import stat
import sys

WORDS = ["anchor", "rope", "harbour", "tide", "keel", "mast", "sail", "rudder", "buoy", "lee"]
NAMES = ["report", "Kopie von", "übersicht", "data", ".hidden", "a-b", "new\nline", "img_", "bad\udcff",
         "x" * 200]


def describe(top):
    """By relative path: type, mode, size, hash, mtime, target of a link, owner, first name of a hard link."""
    found, first = {}, {}
    for folder, folders, files in os.walk(top, onerror=raise_it):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            relative = os.path.relpath(path, top)
            kind = stat.S_IFMT(info.st_mode)
            size, digest, target, link = 0, "", "", ""
            if kind == stat.S_IFREG:
                size, digest = info.st_size, digest_of(path)
                if info.st_nlink > 1:
                    link = first.setdefault((info.st_dev, info.st_ino), relative)
            if kind == stat.S_IFLNK:
                target = os.readlink(path)
            found[relative] = [kind, stat.S_IMODE(info.st_mode), size, digest, info.st_mtime_ns, target,
                               info.st_uid, info.st_gid, link]
    return found


def raise_it(error):
    raise error


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read(), digest_size=16).hexdigest()


def difference(found, expected):
    """The first path that isn't what it must be, or None."""
    if found == expected:
        return None
    for path in sorted(found.keys() | expected.keys()):
        if found.get(path) != expected.get(path):
            return f"{path!r} is {found.get(path)}, must be {expected.get(path)}"
    return None


def below(manifest, folder):
    """The part of a manifest that lies below a folder, named from there."""
    return {path[len(folder) + 1:]: facts for path, facts in manifest.items()
            if path.startswith(folder + "/")}


class Tree:
    """One machine's files. `change()` is a working day."""

    def __init__(self, top, seed):
        self.top, self.random, self.made = top, random.Random(seed), 0
        os.makedirs(top)
        for _ in range(30):
            self.new_file()
        self.new_file(self.random.randrange(2_000_000, 4_000_000))

    def change(self):
        deeds = [self.new_file, self.new_folder, self.edit, self.edit, self.append, self.cut, self.remove,
                 self.rename, self.touch, self.mode, self.link, self.hard_link, self.copy, self.large,
                 self.fifo, self.sparse, self.grow]
        for _ in range(self.random.randrange(1, 12)):
            self.random.choice(deeds)()

    def content(self, size):
        if self.random.random() < 0.5:
            return self.random.randbytes(size)
        words = " ".join(self.random.choice(WORDS) for _ in range(size // 4 + 1))
        return words[:size].encode()

    def some_size(self):
        return self.random.choice([0, self.random.randrange(200), self.random.randrange(20_000),
                                   self.random.randrange(200_000)])

    def paths(self, *kinds):
        out = []
        for folder, folders, files in os.walk(self.top):
            for name in sorted(folders + files):
                path = os.path.join(folder, name)
                if stat.S_IFMT(os.lstat(path).st_mode) in kinds:
                    out.append(path)
        return sorted(out)

    def a_file(self):
        return self.random.choice(self.paths(stat.S_IFREG) or [self.new_file()])

    def a_place(self):
        """A path that isn't there yet."""
        self.made += 1
        folder = self.random.choice([self.top, *self.paths(stat.S_IFDIR)])
        return os.path.join(folder, f"{self.random.choice(NAMES)}{self.made}")

    def new_file(self, size=None):
        path = self.a_place()
        with open(path, "wb") as file:
            file.write(self.content(self.some_size() if size is None else size))
        return path

    def new_folder(self):
        folder = self.a_place()
        os.mkdir(folder)
        for _ in range(self.random.randrange(6)):
            self.made += 1
            with open(os.path.join(folder, f"{self.random.choice(NAMES)}{self.made}"), "wb") as file:
                file.write(self.content(self.random.randrange(3000)))

    def edit(self):
        with open(self.a_file(), "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(self.random.randrange(size + 1))
            file.write(self.content(self.random.randrange(1, 5000)))

    def append(self):
        with open(self.a_file(), "ab") as file:
            file.write(self.content(self.random.randrange(1, 50_000)))

    def cut(self):
        path = self.a_file()
        os.truncate(path, self.random.randrange(os.path.getsize(path) + 1))

    def remove(self):
        everything = self.paths(stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO)
        if len(everything) > 60:
            for path in self.random.sample(everything, 25):
                os.remove(path)
        for folder in reversed(self.paths(stat.S_IFDIR)):
            if not os.listdir(folder):
                os.rmdir(folder)

    def rename(self):
        path = self.random.choice(self.paths(stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK) or [self.new_file()])
        place = self.a_place()
        if not place.startswith(path + "/"):
            os.rename(path, place)

    def touch(self):
        when = self.random.randrange(-2**33, 2**33) * 1_000_000_000 + self.random.randrange(10**9)
        os.utime(self.random.choice([self.top, self.a_file()]), ns=(when, when))

    def mode(self):
        os.chmod(self.a_file(), self.random.choice([0o600, 0o644, 0o751, 0o4755, 0o2711, 0o400, 0o000]))

    def link(self):
        to = self.random.choice(["nowhere", "../..", "/etc/passwd", "übersicht", "y" * 300])
        os.symlink(to, self.a_place())

    def hard_link(self):
        os.link(self.a_file(), self.a_place())

    def copy(self):
        with open(self.a_file(), "rb") as file, open(self.a_place(), "wb") as other:
            other.write(file.read())

    def large(self):
        if sum(os.path.getsize(path) for path in self.paths(stat.S_IFREG)) < 12_000_000:
            self.new_file(self.random.randrange(500_000, 3_000_000))
        else:
            os.remove(max(self.paths(stat.S_IFREG), key=os.path.getsize))

    def fifo(self):
        os.mkfifo(self.a_place())

    def sparse(self):
        with open(self.a_place(), "wb") as file:
            file.truncate(self.random.randrange(1, 3_000_000))
            file.seek(self.random.randrange(1_000_000))
            file.write(self.content(100))

    def grow(self):
        """An image of which some pages change."""
        with open(max(self.paths(stat.S_IFREG), key=os.path.getsize), "r+b") as file:
            for _ in range(3):
                file.seek(4096 * self.random.randrange(700))
                file.write(self.content(4096))


if __name__ == "__main__":
    json.dump(describe(sys.argv[1]), sys.stdout)
