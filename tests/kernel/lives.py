"""What is done to a repository while its disk is recorded, what is promised at each moment, and the judgement
of a disk that lost power then. Shares no code with the program."""
import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults"))
from worlds import NEW_PASSWORD, PASSWORD, Failure, World, describe, noise, prose  # noqa: E402
from worlds import snapshot_of, write  # noqa: E402

PRUNE = ["prune", "--max-unused", "0", "--abort-after", "0h", "--wait", "0"]


@dataclasses.dataclass(frozen=True)
class Promise:
    """What holds at a moment. Snapshots are what describe() says of them, by id."""

    made: bool = False  # the repository is there
    snapshots: dict = dataclasses.field(default_factory=dict)
    perhaps: tuple = ()  # what one more snapshot may be, of a backup under way
    leaving: frozenset = frozenset()  # may be forgotten already
    gone: frozenset = frozenset()
    passwords: tuple = (PASSWORD,)  # one of them opens
    mirrored: dict = dataclasses.field(default_factory=dict)  # must be in the mirror as well
    again: tuple = ()  # the command under way, which succeeds when it is run anew


class Place(World):
    """A repository on a disk, its mirror beside it, and the machine's own folder there or elsewhere."""

    def __init__(self, program, disk, machine, scratch, source):
        super().__init__(program, scratch, source)
        self.disk, self.machine, self.preload = disk, machine, {}
        self.repository, self.mirror = f"{disk}/store/repository", f"{disk}/store/mirror"

    def environment(self, password=PASSWORD):
        return super().environment(password) | self.preload | {
            "HOLDFAST_CACHE_DIR": f"{self.machine}/cache", "HOLDFAST_STATE_DIR": f"{self.machine}/state"}


class Sources:
    """Versions of a source. What is backed up lies in `path`."""

    def __init__(self, path, files=12):
        self.path, self.number, self.files = path, 0, files
        self._put("large", noise(20, 300_000))
        self._put("image", prose(22, 40 * 4096))
        for i in range(files):
            self._put(f"folder/small-{i}", prose(i, 300 + 50 * i))
        os.symlink("folder/small-1", f"{path}/link")
        self.next()

    def _put(self, name, content):
        write(f"{self.path}/{name}", content)
        when = (1_500_000_000 + 1000 * self.number) * 10**9 + 123
        os.utime(f"{self.path}/{name}", ns=(when, when))

    def next(self):
        """Something new, edited, and gone."""
        self.number += 1
        number = self.number
        self._put(f"new-{number}", noise(100 + number, 150_000))
        if os.path.exists(f"{self.path}/new-{number - 2}"):
            os.remove(f"{self.path}/new-{number - 2}")
        self._put(f"folder/small-{number % self.files}", prose(200 + number, 400))
        image = bytearray(prose(22, 40 * 4096))
        image[number % 40 * 4096:][:4096] = b""
        image[number % 40 * 4096:(number % 40 + 1) * 4096] = prose(300 + number, 4096)
        self._put("image", bytes(image))
        when = (1_500_000_000 + 1000 * number) * 10**9 + 456
        for folder in (f"{self.path}/folder", self.path):
            os.utime(folder, ns=(when, when))
        return self.version()

    def version(self):
        return describe(self.path)


class Life:
    """Commands one after the other. `note` is told of each new promise."""

    def __init__(self, place, tools, sources, note):
        self.place, self.tools, self.sources, self.note = place, tools, sources, note
        self.promise = Promise()

    def become(self, **changes):
        self.promise = dataclasses.replace(self.promise, **changes)
        self.note(self.promise)

    def begin(self, words, **changes):
        self.become(again=tuple(words), **changes)

    def make(self):
        """A repository whose password takes no time."""
        self.begin([])
        subprocess.run([self.tools.make_repository, self.place.repository, PASSWORD], check=True,
                       env=os.environ | self.place.preload)
        self.become(made=True)

    def init(self):
        self.begin(["init"])
        self.place.must(["init"])
        self.become(made=True, again=())

    def back_up(self):
        version = self.sources.next()
        words = ["backup", "--json", self.sources.path]
        self.begin(words, perhaps=(version,))
        done = self.place.must(words)
        self.add(snapshot_of(done), version, perhaps=())

    def add(self, snapshot, version, perhaps):
        self.become(snapshots=self.promise.snapshots | {snapshot: version}, perhaps=perhaps, again=())

    def killed_back_up(self):
        """One that is killed at some call, and, later, its rerun."""
        version = self.sources.next()
        words = ["backup", "--json", self.sources.path]
        self.begin(words, perhaps=(version,))
        at = random.Random(self.sources.number).randrange(60, 160)
        before = [self.tools.fault_run, "--root", self.place.repository, "--at", str(at),
                  "--do", "kill-before", "--"]
        done = self.place.run(words, before=before)
        if done.status not in (0, 137):
            raise Failure(f"a backup that was to be killed: {done}")
        done = self.place.must(words)
        self.add(snapshot_of(done), version, perhaps=(version,))

    def forget(self):
        first = next(iter(self.promise.snapshots))
        words = ["forget", first]
        left = {key: version for key, version in self.promise.snapshots.items() if key != first}
        self.begin(words, snapshots=left, leaving=frozenset([first]))
        self.place.must(words)
        self.become(leaving=frozenset(), gone=self.promise.gone | {first}, again=())

    def simple(self, *words):
        self.begin(words)
        self.place.must(words)
        self.become(again=())

    def prune(self):
        self.simple(*PRUNE)

    def tag(self):
        self.simple("tag", "--add", "kept", next(reversed(self.promise.snapshots)))

    def repair(self):
        """A frame of each pack is damaged, and mended from parity."""
        for folder, _, files in os.walk(f"{self.place.repository}/d"):
            for name in files:
                with open(f"{folder}/{name}", "r+b") as pack:
                    pack.seek(5000)
                    pack.write(b"damage!!")
        self.simple("repair", "packs")

    def copy(self):
        words = ["mirror", "--to", self.place.mirror]
        self.begin(words)
        self.place.must(words)
        self.become(again=(), mirrored=dict(self.promise.snapshots))

    def add_key(self):
        words = ["key", "add", "--new-password-file", self.tools.new_password_file]
        self.begin(words)
        self.place.must(words)
        self.become(again=())

    def change_password(self):
        words = ["key", "passwd", "--new-password-file", self.tools.new_password_file]
        self.begin([], passwords=(PASSWORD, NEW_PASSWORD))
        self.place.must(words)
        self.become(passwords=(NEW_PASSWORD,))


LIVES = {
    "short": ["make", "back_up", "back_up", "forget", "prune", "back_up"],
    "days": ["make", "back_up", "back_up", "copy", "tag", "forget", "prune", "killed_back_up", "repair",
             "back_up", "forget", "copy", "prune", "killed_back_up"],
    "keys": ["init", "back_up", "add_key", "change_password"],
}


class Judge:
    """Looks at a disk after a crash. A Failure tells what of a promise doesn't hold."""

    def __init__(self, place, sources, seed):
        self.place, self.sources, self.choice = place, sources, random.Random(seed)

    def judge(self, promise):
        place = self.place
        if not promise.made:
            opened = place.run(["snapshots"])
            if opened.status == 0:
                place.expect_sound()
            elif opened.status != 10:
                raise Failure(f"a repository in the making: {opened}")
            elif promise.again:
                place.must(promise.again)
            return
        password = self.password_of(promise)
        place.must(["check", "--read-data"], password)
        self.expect(promise, password)
        if promise.mirrored:
            self.expect_mirror(promise, password)
        self.go_on(promise, password)

    def password_of(self, promise):
        if len(promise.passwords) == 1:
            return promise.passwords[0]
        opens = [word for word in promise.passwords if self.place.run(["snapshots"], word).status == 0]
        if not opens:
            raise Failure(f"no password opens: {self.place.run(['snapshots'], promise.passwords[0])}")
        return opens[0]

    def expect(self, promise, password):
        there = self.place.snapshots(password)
        missing = [snapshot for snapshot in promise.snapshots if snapshot not in there]
        if missing:
            raise Failure(f"lost snapshots: {missing}")
        # The check has read what all of them consist of; of the older ones one by chance is compared as well.
        known = list(promise.snapshots)
        compared = known[-1:] + self.choice.sample(known, min(1, len(known)))
        for snapshot in there:
            if snapshot in promise.snapshots and snapshot not in compared:
                continue
            if snapshot in promise.snapshots:
                self.place.expect_restored(snapshot, promise.snapshots[snapshot], password)
            elif snapshot in promise.gone:
                raise Failure(f"snapshot {snapshot} was forgotten and is back")
            elif snapshot not in promise.leaving:
                self.expect_one_of(snapshot, promise.perhaps, password)

    def expect_one_of(self, snapshot, versions, password):
        for version in versions:
            self.place.expect_restored(snapshot, version, password)
            return
        raise Failure(f"snapshot {snapshot} comes from nowhere")

    def expect_mirror(self, promise, password):
        place = self.place
        mirror = Place(place.program, place.disk, place.machine, place.top, place.source)
        mirror.repository = mirror.mirror
        there = mirror.snapshots(password)
        mirror.must(["check", "--read-data"], password)
        for snapshot, version in promise.mirrored.items():
            if snapshot not in there:
                if snapshot in promise.gone or snapshot in promise.leaving:
                    continue
                raise Failure(f"lost from the mirror: {snapshot}")
            if snapshot == next(reversed(promise.mirrored)):
                mirror.expect_restored(snapshot, version, password)

    def go_on(self, promise, password):
        """What was under way succeeds, as does the next backup; nothing is lost by them."""
        place = self.place
        if promise.again and promise.again[0] not in ("backup", "forget"):
            place.must(promise.again, password)
        if promise.again[:1] == ("forget",) and promise.again[1] in place.snapshots(password):
            place.must(promise.again, password)
        done = place.must(["backup", "--json", self.sources.path], password)
        place.expect_restored(snapshot_of(done), self.sources.version(), password)
        place.must(["check"], password)
