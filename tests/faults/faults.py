#!/usr/bin/env python3
"""Disturbs every command at every system call on files, or allocation, and looks at what is left.

  faults.py kills|errors|memory PROGRAM FOLDER      FOLDER has fault_run, fault_memory and make_repository

A sample that fits into 25 seconds; everything with HOLDFAST_TEST_LONG=1; or, with either, what fits into
FAULT_SECONDS. Every site of a command comes before any a second time. What is chosen depends on
HOLDFAST_TEST_SEED only. FAULT_OPERATION=prune disturbs just that command; FAULT_KEEP=1 leaves failed worlds.
"""
import collections
import concurrent.futures
import os
import random
import shutil
import sys
import tempfile
import threading
import time

from operations import MUTATING, all_operations
from worlds import Failure, Templates

LONG = "HOLDFAST_TEST_LONG" in os.environ
SEED = int(os.environ.get("HOLDFAST_TEST_SEED", "1"))
SECONDS = float(os.environ.get("FAULT_SECONDS", "inf" if LONG else "25"))

# Which calls can fail so, by kind (fault_run.cc), and what the program must then say.
ERRORS = {
    "EIO": ({"read", "write", "sync", "look", "open", "create", "name", "change"}, "Input/output error"),
    "ENOSPC": ({"write", "sync", "create", "name"}, "No space left on device"),
    "EDQUOT": ({"write", "sync", "create", "name"}, "Disk quota exceeded"),
    "EROFS": ({"create", "name", "change"}, "Read-only file system"),
    "EMFILE": ({"open", "create"}, "Too many open files"),
    "EINTR": ({"read", "write", "open", "create", "lock"}, "Interrupted system call"),
    "short": ({"read", "write"}, ""),
}
# What goes on for ever would have to be waited for.
ONCE_ONLY = {"EINTR", "short"}

Fault = collections.namedtuple("Fault", "operation at what sticky site")


def site_of(fault):
    return fault.operation.name, fault.what, fault.sticky, fault.site


def sample(faults):
    """In random order, and a new site always before one that was disturbed so already."""
    chosen = random.Random(SEED)
    groups = collections.defaultdict(list)
    for fault in faults:
        groups[site_of(fault)].append(fault)
    rounds = collections.defaultdict(list)
    for group in groups.values():
        chosen.shuffle(group)
        for i, fault in enumerate(group):
            rounds[i].append(fault)
    for i in sorted(rounds):
        chosen.shuffle(rounds[i])
        yield from rounds[i]


class Disturber:
    def __init__(self, program, folder, scratch):
        self.folder, self.scratch = folder, scratch
        self.templates = Templates(program, f"{folder}/make_repository", f"{scratch}/templates")
        self.operations = all_operations(self.templates)
        self.tried = collections.Counter()
        self.sites = set()
        self.failures = []
        self.lock = threading.Lock()
        self.numbers = iter(range(1, 1 << 60))

    def world(self, operation):
        with self.lock:
            number = next(self.numbers)
        return operation.template().copy(f"{self.scratch}/{number}")

    def fault_run(self, operation, world, *words):
        roots = [word for root in operation.roots(world) for word in ("--root", root)]
        return [f"{self.folder}/fault_run", *roots, *words, "--"]

    def calls(self, operation):
        """Kind, name and site of each system call on files that the command makes."""
        world = self.world(operation)
        path = f"{world.top}/calls"
        before = self.fault_run(operation, world, "--list", path)
        done = world.run(operation.arguments(world), before=before)
        if done.status != 0:
            raise Failure(f"{operation.name} fails undisturbed: {done}")
        calls = listed(path)
        shutil.rmtree(world.top)
        return calls

    def kills(self):
        for operation in self.operations:
            if operation.mutates:
                for at, (kind, site) in enumerate(self.calls(operation), 1):
                    if kind in MUTATING:
                        yield Fault(operation, at, "kill-before", False, site)
                        yield Fault(operation, at, "kill-after", False, site)

    def errors(self):
        for operation in self.operations:
            for at, (kind, site) in enumerate(self.calls(operation), 1):
                for what, (kinds, _) in ERRORS.items():
                    if kind in kinds:
                        yield Fault(operation, at, what, False, site)
                        if what not in ONCE_ONLY:
                            yield Fault(operation, at, what, True, site)

    def memory(self):
        for operation in self.operations:
            world = self.world(operation)
            count = f"{world.top}/count"
            extra = {"LD_PRELOAD": f"{self.folder}/libfault_memory.so", "FAULT_COUNT": count}
            world.run(operation.arguments(world), extra=extra)
            with open(count, encoding="utf-8") as file:
                total = int(file.read())
            shutil.rmtree(world.top)
            # Where allocations are dense, neighbours come from one place.
            step = 1 if LONG and total < 2000 else max(1, total // (500 if LONG else 60))
            for at in range(1, total + 1, step):
                for sticky in (False, True):
                    yield Fault(operation, at, "no memory", sticky, str(at))

    def disturbed(self, fault, world):
        arguments = fault.operation.arguments(world)
        if fault.what == "no memory":
            extra = {"LD_PRELOAD": f"{self.folder}/libfault_memory.so", "FAULT_AT": str(fault.at)}
            if fault.sticky:
                extra["FAULT_STICKY"] = "1"
            return world.run(arguments, extra=extra)
        words = ["--at", str(fault.at), "--do", fault.what, "--list", f"{world.top}/calls"]
        if fault.sticky:
            words += ["--sticky", ",".join(sorted(ERRORS[fault.what][0]))]
        return world.run(arguments, before=self.fault_run(fault.operation, world, *words))

    def examine(self, fault):
        world = self.world(fault.operation)
        try:
            done = self.disturbed(fault, world)
            try:
                self.judge(fault, done, world)
                fault.operation.verify(world, done)
            except Failure as failure:
                sticky = ", for ever" if fault.sticky else ""
                text = (f"{fault.operation.name}: {fault.what} at {fault.at} ({fault.site}){sticky}: "
                        f"{failure}\n    the run itself: {done}")
                with self.lock:
                    self.failures.append(text)
                    print(f"FAILED {text}", flush=True)
                if "FAULT_KEEP" in os.environ:
                    return
        finally:
            if "FAULT_KEEP" not in os.environ:
                shutil.rmtree(world.top, ignore_errors=True)
        with self.lock:
            self.tried[(fault.operation.name, fault.what)] += 1
            self.sites.add(site_of(fault))

    @staticmethod
    def judge(fault, done, world):
        """How a disturbed run may end: killed only by us, and failed only with a reason."""
        if fault.what.startswith("kill"):
            if done.status not in (137, 0):
                raise Failure("neither killed nor done")
            return
        if done.status >= 124:
            raise Failure("it crashed or hung")
        if done.status == 0:
            # Whatever was synced is not known to be there, and never will be. Threads make their calls in no
            # fixed order: what counts is the call that failed this time.
            if fault.what not in ("EINTR", "short", "no memory"):
                met = listed(f"{world.top}/calls")[fault.at - 1:]
                for _, call in met if fault.sticky else met[:1]:
                    if call.startswith(("fsync repository", "fdatasync repository")):
                        raise Failure(f"a sync failed, and it claims success: {call}")
            return
        said = done.out + done.err if fault.operation.reports else done.err
        if not said.strip():
            raise Failure("it failed without a word")
        word = ERRORS.get(fault.what, (None, ""))[1]
        if word and word not in said:
            raise Failure(f"it does not say '{word}'")


def listed(path):
    """Kind, and name and site, of the calls that fault_run listed."""
    with open(path, encoding="utf-8") as lines:
        calls = [line.rstrip("\n").split(" ", 2) for line in lines]
    return [(kind, f"{name} {site}") for kind, name, site in calls]


def main():
    what, program, folder = sys.argv[1:4]
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder_for_all = os.environ.get("TMPDIR", base)
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="holdfast-faults.", dir=folder_for_all))
    try:
        disturber = Disturber(program, folder, scratch)
        faults = list(sample(getattr(disturber, what)()))
        sites = {site_of(fault) for fault in faults}
        end = time.monotonic() + SECONDS
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            waiting = collections.deque()
            for fault in faults:
                if time.monotonic() > end or len(disturber.failures) > 20:
                    break
                waiting.append(pool.submit(disturber.examine, fault))
                while len(waiting) > 2 * os.cpu_count():
                    waiting.popleft().result()
            for future in waiting:
                future.result()
        for (operation, kind), count in sorted(disturber.tried.items()):
            print(f"{operation:16} {kind:12} {count:6}")
        total = sum(disturber.tried.values())
        print(f"{what}: {total} of {len(faults)} states, {len(disturber.sites)} of {len(sites)} sites, "
              f"{len(disturber.failures)} failed")
        sys.exit(1 if disturber.failures or total == 0 else 0)
    finally:
        if "FAULT_KEEP" not in os.environ:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
