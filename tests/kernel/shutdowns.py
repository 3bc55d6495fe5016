"""A file system is shut down (FS_IOC_SHUTDOWN) while commands run on it, mounted again and judged; what is
left goes through the next round. ext4 and xfs: btrfs can't be shut down so."""
import dataclasses
import os
import random
import shutil
import tempfile
import threading
import time

import disks
import lives
from worlds import Failure

KINDS = ("ext4", "xfs")
ROUNDS = 25  # on one file system, then a new one is made
STEPS = ("back_up", "forget", "prune", "tag", "copy")
# At once is what a crash is like; the others write the journal, or everything, before.
WAYS = (disks.AT_ONCE, disks.AT_ONCE, disks.AT_ONCE, disks.LOG_FIRST, disks.SYNC_FIRST)
SNAPSHOTS = 3  # beyond these one is forgotten


def adopt(promise, place, version):
    """What holds for whoever goes on after a crash was judged."""
    there = place.snapshots()
    return dataclasses.replace(
        promise, snapshots={snapshot: promise.snapshots.get(snapshot, version) for snapshot in there},
        perhaps=(), leaving=frozenset(), gone=promise.gone | promise.leaving.difference(there), again=())


class Rounds:
    """Commands and crashes on one file system in turn."""

    def __init__(self, kind, tools, folder, seed):
        self.kind, self.choice = kind, random.Random(seed)
        self.image, self.disk = f"{folder}/image", f"{folder}/disk"
        self.options = next(iter(disks.WAYS[kind].values()))
        disks.make_image(self.image, kind)
        self.sources = lives.Sources(f"{folder}/source")
        machine = self.choice.choice([f"{self.disk}/machine", f"{folder}/machine"])
        self.place = lives.Place(tools.program, self.disk, machine, folder, self.sources.path)
        self.life = lives.Life(self.place, tools, self.sources, lambda promise: None)
        self.took = {}

    def mounted(self, device):
        return disks.mounted(device, self.disk, self.kind, self.options)

    def begin(self, device):
        """Every command once, undisturbed: how long do they take?"""
        with self.mounted(device):
            os.mkdir(f"{self.disk}/store")
            disks.sync(self.disk)
            self.life.make()
            for step in ("back_up", *STEPS, "back_up"):
                began = time.monotonic()
                getattr(self.life, step)()
                self.took[step] = time.monotonic() - began

    def crash(self, device):
        """One round; what was done, and what was wrong or nothing."""
        step = "forget" if len(self.life.promise.snapshots) > SNAPSHOTS else self.choice.choice(STEPS)
        if step == "forget" and len(self.life.promise.snapshots) < 2:
            step = "back_up"
        way, after = self.choice.choice(WAYS), self.choice.uniform(0, 2) * self.took[step]
        with self.mounted(device):
            timer = threading.Timer(after, disks.shut_down, (self.disk, way))
            timer.start()
            try:
                getattr(self.life, step)()
                ended = "done"
            except Failure as failure:  # as it must without a disk
                said = any(word in str(failure) for word in ("Input/output error", "Read-only file system"))
                ended = "failed" if said else f"failed otherwise ({failure})"
            timer.join()
        if ended not in ("done", "failed"):
            return ended, f"{self.kind}, {step}: {ended}"
        what = f"{self.kind}, {step} {ended}, shut down after {after * 1000:.0f} ms in way {way}"
        try:
            with self.mounted(device):
                lives.Judge(self.place, self.sources, what).judge(self.life.promise)
                self.life.promise = adopt(self.life.promise, self.place, self.sources.version())
        except (Failure, OSError) as failure:
            return ended, f"{what}: {failure}"
        return ended, None


def cycles_on(kind, tools, scratch, count, seed, ended):
    done, failures, tried = 0, [], 0
    while tried < count and len(failures) < 5 and not ended.is_set():
        folder = tempfile.mkdtemp(dir=scratch)
        rounds = Rounds(kind, tools, folder, seed * 1000 + tried)
        with disks.loop_device(rounds.image) as device:
            rounds.begin(device)
            for _ in range(min(ROUNDS, count - tried)):
                tried += 1
                result, failure = rounds.crash(device)
                done += result == "done"
                if failure:
                    failures.append(failure)
                if failure or ended.is_set():
                    break
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{kind}: {tried} times shut down, {tried - done} of them before the command had ended, "
          f"{len(failures)} failed", flush=True)
    for failure in failures:
        print(f"FAILED {failure}", flush=True)
    return failures


def cycles(tools, scratch, count, seed, ended):
    failures = []
    for kind in KINDS:
        failures += cycles_on(kind, tools, scratch, count, seed, ended)
    return 1 if failures else 0
