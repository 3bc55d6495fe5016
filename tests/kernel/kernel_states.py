#!/usr/bin/env python3
"""States that a loss of power leaves behind on ext4, xfs and btrfs: nothing that was promised is lost.

  kernel_states.py record|shutdown PROGRAM FOLDER FAULTS
      FOLDER has block_recorder and libno_sync.so, FAULTS has fault_run and make_repository

As root, with loop devices and FUSE, in a mount namespace of its own; else "skipped: why", and 77. A sample by
default, at length with HOLDFAST_TEST_LONG=1. HOLDFAST_TEST_SEED seeds; SIGTERM ends it early and cleanly.
  KERNEL_STATES=N      tries at most so many of each life, from all that there are
  KERNEL_CYCLES=N      shuts each file system down so often
  KERNEL_WORKERS=N     looks at so many lives at a time
  KERNEL_ONLY=WORDS    takes the lives whose title has these words
docs/crash-states.md
"""
import collections
import concurrent.futures
import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

import disks
import lives
import shutdowns
import states
from worlds import NEW_PASSWORD, Failure, write

LONG = os.environ.get("HOLDFAST_TEST_LONG") == "1"
SEED = int(os.environ.get("HOLDFAST_TEST_SEED", "1"))
SUBSETS = 20 if LONG else 4  # at each flush
WORKERS = int(os.environ.get("KERNEL_WORKERS", os.cpu_count()))
STATES = int(os.environ.get("KERNEL_STATES", "2000" if LONG else "8"))
ONLY = os.environ.get("KERNEL_ONLY", "")
CYCLES = int(os.environ.get("KERNEL_CYCLES", "1000" if LONG else "4"))  # for each file system
FAILURES = 5  # of one life, then it ends

ENDED = threading.Event()

Case = collections.namedtuple("Case", "kind way life machine no_sync busy")


class Tools:
    def __init__(self, program, folder, faults, scratch):
        self.program = program
        self.recorder, self.no_sync = f"{folder}/block_recorder", f"{folder}/libno_sync.so"
        self.fault_run, self.make_repository = f"{faults}/fault_run", f"{faults}/make_repository"
        self.new_password_file = f"{scratch}/new-password"
        write(self.new_password_file, NEW_PASSWORD.encode() + b"\n")


def title_of(case):
    words = [case.kind, case.way, case.life, f"machine {case.machine}", "busy" if case.busy else "",
             case.no_sync and f"no sync of {case.no_sync}"]
    return ", ".join(word for word in words if word)


def cases():
    """Sample: a short life on each. At length: all lives, ways to mount, and both places of the machine."""
    if not LONG:
        for kind in disks.KINDS:
            yield Case(kind, next(iter(disks.WAYS[kind])), "short", "within", "", False)
        return
    kinds = [(kind, way) for kind in reversed(disks.KINDS) for way in disks.WAYS[kind]]
    lives_led = ("days", "elsewhere", False), ("days", "within", True), ("keys", "elsewhere", False)
    for (life, machine, busy), (kind, way) in itertools.product(lives_led, kinds):
        yield Case(kind, way, life, machine, "", busy)


def controls():
    """Where syncs are left out, something must be lost: else nothing would be shown by finding nothing."""
    yield Case("ext4", "ordered", "short", "within", "all", False)
    if LONG:  # an fsync of a file makes its new name durable, too, on ext4 and xfs
        for kind, what in (("ext4", "files"), ("xfs", "files"), ("btrfs", "files"), ("btrfs", "folders")):
            yield Case(kind, next(iter(disks.WAYS[kind])), "short", "elsewhere", what, False)


class Recording:
    """A life on a recorded disk: its image before, its events, and the promises by number of mark."""

    def __init__(self, case, tools, scratch):
        self.case, self.tools, self.scratch = case, tools, scratch
        self.disk, self.image = f"{scratch}/disk", f"{scratch}/image"
        self.elsewhere = f"{scratch}/machine"
        self.promises = []
        os.makedirs(self.elsewhere)
        os.makedirs(self.disk)
        self.sources = lives.Sources(f"{scratch}/source")
        disks.make_image(self.image, case.kind)
        self.before = states.Disk(states.read_image(self.image))
        self.record()

    def place(self):
        machine = f"{self.disk}/machine" if self.case.machine == "within" else self.elsewhere
        return lives.Place(self.tools.program, self.disk, machine, self.scratch, self.sources.path)

    def record(self):
        log, folder = f"{self.scratch}/log", f"{self.scratch}/fuse"
        options = disks.WAYS[self.case.kind][self.case.way]
        with disks.recorded(self.tools.recorder, self.image, log, folder, self.elsewhere):
            def note(promise):
                self.promises.append(promise)
                with open(f"{folder}/mark", "wb", buffering=0) as mark:
                    mark.write(str(len(self.promises) - 1).encode())

            with disks.loop_device(f"{folder}/disk") as device, \
                    disks.mounted(device, self.disk, self.case.kind, options), \
                    disks.busy(self.disk, self.case.busy):
                os.mkdir(f"{self.disk}/store")
                place = self.place()
                if self.case.no_sync:
                    place.preload = {"LD_PRELOAD": self.tools.no_sync, "NO_SYNC": self.case.no_sync}
                else:  # the folder itself is the user's
                    disks.sync(self.disk)
                life = lives.Life(place, self.tools, self.sources, note)
                for step in lives.LIVES[self.case.life]:
                    getattr(life, step)()
        self.events = list(states.read_log(log))

    def lay_out(self, state):
        """The state as an image."""
        with open(self.image, "r+b") as image:
            image.truncate(0)
            image.truncate(disks.SIZE[self.case.kind])
            both = state.disk.sectors | state.overlay
            numbers = sorted(both)
            begin = 0
            for i in range(1, len(numbers) + 1):
                if i == len(numbers) or numbers[i] != numbers[i - 1] + 1 or i - begin == 1000:
                    contents = [both[number] for number in numbers[begin:i]]
                    os.pwritev(image.fileno(), contents, numbers[begin] * states.SECTOR)
                    begin = i

    def lay_out_machine(self, state):
        shutil.rmtree(self.elsewhere)
        os.makedirs(self.elsewhere)
        for name, content in states.files_of(state.machine).items():
            write(f"{self.elsewhere}/{name}", content)

    def try_state(self, state, device):
        """Raises Failure where the state breaks a promise, OSError where the kernel doesn't mount it."""
        self.lay_out(state)
        self.lay_out_machine(state)
        options = disks.WAYS[self.case.kind][self.case.way]
        with disks.mounted(device, self.disk, self.case.kind, options):
            judge = lives.Judge(self.place(), self.sources, state.title)
            judge.judge(self.promises[int(state.mark)])


def try_all(recording):
    """How many states were tried, how many there are, and what failed."""

    def every():
        return states.states(recording.before, recording.events, SUBSETS, SEED)

    tried, failures = 0, []
    picked, total = states.some(every, STATES, SEED)
    with disks.loop_device(recording.image) as device:
        for state in picked:
            if ENDED.is_set():
                break
            tried += 1
            if tried % 100 == 0:
                print(f"{title_of(recording.case)}: {tried} so far", flush=True)
            try:
                recording.try_state(state, device)
            except (Failure, OSError) as failure:
                failures.append(f"{title_of(recording.case)}: {state.title}: {failure}")
                if len(failures) >= FAILURES:
                    break
    return tried, total, failures


def examine(case, tools, scratch):
    """How many states were tried, and what is wrong."""
    if ENDED.is_set():
        return 0, []
    folder = tempfile.mkdtemp(dir=scratch)
    began = time.monotonic()
    try:
        recording = Recording(case, tools, folder)
        tried, total, failures = try_all(recording)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    what = "lose something, as they must" if case.no_sync else "failed"
    print(f"{title_of(case)}: {len(failures)} {what}, of {tried} states tried of {total} "
          f"({time.monotonic() - began:.0f} s)", flush=True)
    if case.no_sync:
        return 0, [] if failures or ENDED.is_set() else ["nothing is lost where it must be"]
    for failure in failures:
        print(f"FAILED {failure}", flush=True)
    return tried, failures


def record(tools, scratch):
    counts, failed = collections.Counter(), 0
    todo = [case for case in [*controls(), *cases()] if ONLY in title_of(case)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for case, (tried, failures) in zip(todo, pool.map(lambda case: examine(case, tools, scratch), todo)):
            counts[case.kind] += tried
            failed += len(failures)
    said = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    print(f"{sum(counts.values())} states ({said}), {failed} failed")
    return 1 if failed or not counts else 0


def main(what, program, folder, faults):
    if os.geteuid() != 0:
        raise disks.NotHere("mounting takes root")
    for tool in ("losetup", "unshare", *(words[0] for words in disks.MAKE.values())):
        if shutil.which(tool) is None:
            raise disks.NotHere(f"no {tool}")
    if os.environ.get("HOLDFAST_MOUNTS") != "own":
        disks.run("unshare", "-m", "true")
        os.environ["HOLDFAST_MOUNTS"] = "own"  # mounts end with this process
        os.execvp("unshare", ["unshare", "-m", sys.executable, "-B", *sys.argv])
    signal.signal(signal.SIGTERM, lambda *_: ENDED.set())
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="holdfast-kernel.", dir=base))
    try:
        tools = Tools(program, folder, faults, scratch)
        if what == "shutdown":
            return shutdowns.cycles(tools, scratch, CYCLES, SEED, ENDED)
        return record(tools, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except disks.NotHere as why:
        print(f"skipped: {why}")
        sys.exit(77)
