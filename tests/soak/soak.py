#!/usr/bin/env python3
"""Everybody works on one repository at once, and is killed, for as long as told; nothing may be lost.

  soak.py PROGRAM [--seconds N] [--seed S] [--make MAKE_REPOSITORY] [--folder DIR] [--kill PERCENT]

Hosts with changing trees back up, forget and bring back; others prune, check, repair, mirror, change keys,
mount and restore, each with a cache of its own. Of their commands some are killed, some interrupted, some
stopped for a while. A byte of an object is changed now and then. Of each snapshot that was acknowledged, or
is listed, there is a manifest made from its source by us; each restore, dump and look into a mount is
compared with it. From time to time, and at the end, all processes end: then everything is checked and
restored, and packs are destroyed and fetched from the mirror.

A short run by default; HOLDFAST_TEST_LONG=1: an hour. The seed decides what each one does, not how they meet.
Where something fails, everything is kept, and it is told how to repeat. --betray removes all packs of
content behind everybody's back halfway: such a run must fail, which tries the soak itself.
"""
import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from actors import Checker, Host, KeyKeeper, Mirrorer, Mount, Pruner, Reader, Repairer, Vandal
from ledger import PASSWORD, Failure, Ledger, Machine


class Watch:
    """Whether something went on at any moment of a stretch of time."""

    def __init__(self):
        self.lock, self.now, self.begun = threading.Lock(), 0, 0

    @contextlib.contextmanager
    def going_on(self):
        with self.lock:
            self.now += 1
            self.begun += 1
        try:
            yield
        finally:
            with self.lock:
                self.now -= 1

    @contextlib.contextmanager
    def watch(self):
        with self.lock:
            now, begun = self.now, self.begun
        yield lambda: now > 0 or self.begun != begun


class Gate:
    """Turns are made while it is open; who closes it waits until nobody is in one."""

    def __init__(self):
        self.condition, self.inside, self.closed = threading.Condition(), 0, False

    @contextlib.contextmanager
    def turn(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.closed)
            self.inside += 1
        try:
            yield
        finally:
            with self.condition:
                self.inside -= 1
                self.condition.notify_all()

    @contextlib.contextmanager
    def quiet(self):
        with self.condition:
            self.closed = True
            self.condition.wait_for(lambda: self.inside == 0)
        try:
            yield
        finally:
            with self.condition:
                self.closed = False
                self.condition.notify_all()


class Soak:
    def __init__(self, options, top):
        self.options, self.top = options, top
        self.program, self.seed = os.path.abspath(options.program), options.seed
        self.kill_percent, self.stop_percent = options.kill, 5
        self.repository, self.mirror, self.mirrored = f"{top}/repository", f"{top}/mirror", False
        self.ledger, self.aborts, self.gate = Ledger(), Watch(), Gate()
        self.rotations = Watch()
        self.counts, self.runs = collections.Counter(), collections.defaultdict(collections.Counter)
        self.lock, self.stop, self.failure = threading.Lock(), threading.Event(), None
        self.began = time.monotonic()
        self.log = open(f"{top}/log.jsonl", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.vandal, self.chosen = Vandal(self), random.Random(f"{self.seed} soak")

    def over(self):
        return self.stop.is_set() or time.monotonic() - self.began > self.options.seconds

    def wait(self, seconds):
        if not self.over():
            self.stop.wait(seconds)

    def damaged(self):
        return bool(self.vandal.damaged())

    def objects(self):
        return [os.path.join(folder, name) for folder, _, names in os.walk(self.repository)
                for name in sorted(names)]

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def tell(self, who, what, **more):
        line = {"at": round(time.monotonic() - self.began, 3), "who": who, "what": what, **more}
        with self.lock:
            self.log.write(json.dumps(line) + "\n")
            self.log.flush()

    def note(self, machine, kind, done, seconds, fate):
        ended = f"{fate[0]}ed" if done.status is None and fate else f"exit {done.status}"
        ended = "outrun" if done.outrun else ended
        with self.lock:
            self.runs[kind]["runs"] += 1
            self.runs[kind][ended] += 1
            self.runs[kind]["stopped"] += bool(fate and fate[0] == "stop" and done.status is not None)
        said = done.err if done.status in (0, None) else done.err + done.out
        self.tell(machine.name, " ".join(done.words), ended=ended, seconds=round(seconds, 3), fate=fate,
                  said=said.decode(errors="replace")[-1000:])

    def note_mount(self, machine, status):
        with self.lock:
            self.runs["mount"]["runs"] += 1
            self.runs["mount"]["killed" if status == -9 else f"exit {status}"] += 1
        self.tell(machine.name, "mount", ended=status)

    def fail(self, who, text):
        with self.lock:
            self.failure = self.failure or f"{who}: {text}"
        self.stop.set()

    def make_repository(self):
        if self.options.make:
            subprocess.run([self.options.make, self.repository, PASSWORD], check=True)
        else:
            Machine(self, "maker").must(["init"])

    def actors(self):
        hosts = [Host(self, f"host{i}") for i in range(self.options.hosts)]
        others = [Reader(self, "reader0"), Reader(self, "reader1"), Pruner(self, "pruner0"),
                  Pruner(self, "pruner1"), Checker(self, "checker"), Repairer(self, "repairer"),
                  Mirrorer(self, "mirrorer"), KeyKeeper(self, "keys")]
        if os.access("/dev/fuse", os.R_OK | os.W_OK) and shutil.which("fusermount3"):
            others.append(Mount(self, "mount"))
        else:
            print("no mount: /dev/fuse can't be opened, or there is no fusermount3")
        return hosts + others

    def work(self, actor):
        try:
            while not self.over():
                with self.gate.turn():
                    if not self.over():
                        actor.turn()
        except Failure as failure:
            self.fail(actor.name, failure)
        except Exception:  # a mistake of ours ends the run as well
            self.fail(actor.name, traceback.format_exc())

    def run(self):
        self.make_repository()
        threads = [threading.Thread(target=self.work, args=(actor,)) for actor in self.actors()]
        judge = Judge(self)
        for thread in threads:
            thread.start()
        try:
            self.oversee(judge)
        except Failure as failure:
            self.fail("judge", failure)
        except Exception:
            self.fail("judge", traceback.format_exc())
        for thread in threads:
            thread.join()
        if self.failure:
            raise Failure(self.failure)
        judge.at_the_end()

    def oversee(self, judge):
        quiet = time.monotonic() + self.options.quiet
        betrayed = not self.options.betray
        while not self.over():
            self.stop.wait(self.chosen.random() * 2)
            if self.chosen.random() < 0.5:
                self.vandal.strike(self.chosen)
            if not betrayed and time.monotonic() - self.began > self.options.seconds / 2:
                betrayed = judge.betray()
            if time.monotonic() > quiet and not self.over():
                with self.gate.quiet():
                    judge.in_between()
                quiet = time.monotonic() + self.options.quiet

    def report(self):
        print(f"{'command':22} {'runs':>7} {'done':>7} {'killed':>7} {'stopped':>7}  other ends")
        for kind, ends in sorted(self.runs.items()):
            other = ", ".join(f"{end}: {n}" for end, n in sorted(ends.items())
                              if end not in ("runs", "exit 0", "killed", "stopped"))
            numbers = " ".join(f"{ends[end]:7}" for end in ("runs", "exit 0", "killed", "stopped"))
            print(f"{kind:22} {numbers}  {other}")
        states = collections.Counter(s.state for s in self.ledger.snapshots.values())
        self.counts.update({f"snapshots {state} at the end": n for state, n in states.items()})
        self.counts["commands"] = sum(ends["runs"] for ends in self.runs.values())
        self.counts["kills"] = sum(ends["killed"] for ends in self.runs.values())
        for what, number in sorted(self.counts.items()):
            print(f"{what}: {number}")


class Judge(Machine):
    """Looks at everything while nobody works."""

    def __init__(self, soak):
        super().__init__(soak, "judge")
        self.reader = Reader(soak, "judge-reader")

    def at_the_end(self):
        self.all_is_there()
        self.must(["repair", "packs"])
        self.must(["prune", "--max-unused", "0", "--abort-after", "0h", "--wait", "0"])
        self.all_is_there()

    def in_between(self):
        """Packs are destroyed that the mirror has, and the repair that fetches them is killed at times."""
        self.soak.count("times of quiet")
        self.must(["repair", "packs"])
        self.must(["mirror", "--to", self.soak.mirror])
        self.soak.mirrored = True
        packs = [path for path in self.soak.objects() if "/d/" in path or "/m/" in path]
        for path in self.random.sample(packs, min(2, len(packs))):
            self.soak.tell("judge", f"destroys {path}")
            if self.random.random() < 0.5:
                os.remove(path)
            else:
                os.truncate(path, os.path.getsize(path) // 3)
            self.soak.count("packs destroyed")
        for _ in range(3):
            self.run(["repair", "packs", "--from", self.soak.mirror], kind="repair packs --from")
        self.must(["repair", "packs", "--from", self.soak.mirror])
        self.all_is_there()

    def all_is_there(self):
        before = {state: self.soak.ledger.epochs(state) for state in ("live", "forgotten")}
        if self.soak.ledger.of("doubt"):
            raise Failure(f"nobody knows of {[s.name for s in self.soak.ledger.of('doubt')]}")
        listed = self.listing()
        self.soak.ledger.judge_listing(before, listed)
        if {entry["id"] for entry in listed} != before["live"].keys():
            raise Failure("more is listed than there must be")
        self.must(["check", "--read-data"])
        for snapshot in self.soak.ledger.of("live"):
            self.reader.whole(snapshot)

    def betray(self):
        """False where there was nothing to take yet. From the mirror too, or a repair might fetch it."""
        packs = [path for path in self.soak.objects() if "/d/" in path]
        for path in packs:
            self.soak.tell("judge", f"betrays {path}")
            os.remove(path)
        shutil.rmtree(f"{self.soak.mirror}/d", ignore_errors=True)
        return bool(packs)


def options_of(words):
    long = os.environ.get("HOLDFAST_TEST_LONG") == "1"
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=3600 if long else 9)
    parser.add_argument("--seed", default=os.environ.get("HOLDFAST_TEST_SEED", "1"))
    parser.add_argument("--make", help="makes the repository: MAKE FOLDER PASSWORD")
    parser.add_argument("--folder", help="where it all lies; default: a new one below TMPDIR or /tmp")
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--kill", type=int, default=35, help="percent of the commands that are killed")
    parser.add_argument("--quiet", type=float, default=60, help="seconds between looks at everything")
    parser.add_argument("--betray", action="store_true")
    return parser.parse_args(words)


def main():
    options = options_of(sys.argv[1:])
    top = os.path.realpath(options.folder or tempfile.mkdtemp(prefix="holdfast-soak."))
    os.makedirs(top, exist_ok=True)
    soak = Soak(options, top)
    failed = None
    try:
        soak.run()
    except Failure as failure:
        failed = str(failure)
    soak.report()
    if failed:
        print(f"FAILED {failed}\nEverything is kept in {top}; log.jsonl there tells all.\nRepeat with: "
              f"{sys.executable} {' '.join(sys.argv)} --seed {options.seed}")
        sys.exit(1)
    print("nothing was lost")
    shutil.rmtree(top)


if __name__ == "__main__":
    main()
