"""Those who work on the repository at once. Each has `turn()`: one piece of work, its result judged."""
import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

from ledger import Failure, Machine
from trees import Tree, below, describe, difference, digest_of

ANY = range(256)


class Host(Machine):
    """A machine that is backed up. It alone forgets its snapshots, so after each command it can find out what
    holds; everything else goes on beside it."""

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.tree = Tree(f"{self.top}/files", f"{soak.seed} {name} tree")
        self.backups = 0

    def turn(self):
        self.backup()
        live = self.soak.ledger.of("live", self.name)
        if len(live) > 3 and self.random.random() < 0.5:
            self.random.choice([self.forget_some, self.forget_by_policy, self.forget_by_policy])(live)
            if self.random.random() < 0.4:
                self.bring_back()
        if self.random.random() < 0.03:
            shutil.rmtree(f"{self.top}/cache", ignore_errors=True)

    def options(self):
        return self.random.choice([[], [], [], ["--full"], ["--differential"], ["--no-cache"],
                                   ["--compression", "max"], ["--checkpoint-interval", "1s"],
                                   ["--read-concurrency", "1"]])

    def backup(self):
        if self.random.random() < 0.9:
            self.tree.change()
        self.backups += 1
        manifest, tag = describe(self.tree.top), f"{self.name}-{self.backups}"
        self.soak.ledger.begin(tag, self.name, manifest)
        with self.soak.aborts.watch() as aborted:
            words = ["backup", "--json", "--tag", tag, *self.options(), self.tree.top]
            done = self.run(words, ANY)
            if done.status not in (0, None) and not (done.status == 11 and aborted()):
                raise Failure(str(done))
        if done.status == 0:
            self.soak.ledger.add(snapshot_of(done), self.name, manifest)
            return
        for entry in self.listing():
            if tag in entry.get("tags", []):
                if done.status == 11:
                    raise Failure(f"snapshot {entry['id']} is there, but: {done}")
                self.soak.ledger.add(entry["id"], self.name, manifest)
                self.soak.count("snapshots of killed backups")

    def settle(self, names):
        """Finds out which snapshots are there, after a command that may have changed that."""
        listed = {entry["id"] for entry in self.listing()}
        self.soak.ledger.set_state([name for name in names if name in listed], "live")
        self.soak.ledger.set_state([name for name in names if name not in listed], "forgotten")
        return listed

    def forget_some(self, live):
        names = [s.name for s in self.random.sample(live, self.random.randrange(1, 3))]
        self.soak.ledger.set_state(names, "doubt")
        done = self.run(["forget", *names])
        listed = self.settle(names)
        if done.status == 0 and listed & set(names):
            raise Failure(f"forgotten, and still listed: {names}")

    def forget_by_policy(self, live):
        names, keep = [s.name for s in live], self.random.randrange(2, 5)
        self.soak.ledger.set_state(names, "doubt")
        done = self.run(["forget", "--host", self.name, "--keep-last", keep])
        listed = self.settle(names)
        if done.status == 0 and listed & set(names) != set(names[-keep:]):
            raise Failure(f"of {names} not the last {keep} were kept: {listed & set(names)}")

    def bring_back(self):
        gone = self.soak.ledger.of("forgotten", self.name)
        if not gone:
            return
        name = self.random.choice(gone[-3:]).name
        self.soak.ledger.set_state([name], "doubt")
        done = self.run(["undelete", name], (0, 1))
        if (done.status == 0) and name not in self.settle([name]):
            raise Failure(f"brought back, and not there: {name}")
        if done.status != 0:
            self.settle([name])


def snapshot_of(done):
    """The id that a backup reported."""
    for line in done.out.splitlines():
        message = json.loads(line)
        if message.get("message_type") == "summary" and message.get("snapshot_id"):
            return message["snapshot_id"]
    raise Failure(f"a backup that succeeded names no snapshot: {done}")


class Reader(Machine):
    """Reads a snapshot in one of many ways and compares. What is live all the time must come back."""

    repository = None

    def turn(self):
        live = self.soak.ledger.of("live")
        if not live:
            time.sleep(0.1)
            return
        ways = [self.whole, self.whole, self.over, self.over, self.part, self.one_file, self.archive,
                self.list]
        self.random.choice(ways)(self.random.choice(live))

    def read(self, snapshot, words):
        """True if it succeeded. It must, unless killed, or somebody forgot the snapshot meanwhile."""
        epoch = snapshot.epoch
        if self.repository:
            words = [*words, "--repo", self.repository]
        done = self.run(words, ANY, kind=f"{words[0]}{' (mirror)' if self.repository else ''}")
        if done.status in (0, None):
            return done if done.status == 0 else None
        if self.soak.ledger.unchanged(snapshot.name, epoch) and snapshot.state == "live":
            raise Failure(f"snapshot {snapshot.name} is live: {done}")
        self.soak.count("reads of what was forgotten meanwhile")
        return None

    def compare(self, found, expected, snapshot, how):
        unlike = difference(found, expected)
        if unlike:
            raise Failure(f"{how} of snapshot {snapshot.name} of {snapshot.host}: {unlike}")
        self.soak.count("comparisons")
        self.soak.count("files compared", len(found))

    def source(self, snapshot):
        return f"{self.soak.top}/{snapshot.host}/files"

    def restored(self, snapshot, words, target, folder, expected):
        if self.read(snapshot, ["restore", *words, "--target", target]):
            self.compare(describe(folder), expected, snapshot, " ".join(["restore", *words]))

    def whole(self, snapshot):
        target = f"{self.top}/whole"
        shutil.rmtree(target, ignore_errors=True)
        self.restored(snapshot, [snapshot.name], target, target + self.source(snapshot), snapshot.manifest)

    def over(self, snapshot):
        """Onto what an earlier restore, which may have been killed, left there."""
        target = f"{self.top}/over"
        folder = target + self.source(snapshot)
        self.restored(snapshot, [snapshot.name, "--delete"], target, folder, snapshot.manifest)

    def part(self, snapshot):
        target = f"{self.top}/part"
        shutil.rmtree(target, ignore_errors=True)
        folders = [path for path, facts in snapshot.manifest.items() if facts[0] == stat.S_IFDIR]
        if not folders:
            return
        folder = self.random.choice(folders)
        expected = without_links(below(snapshot.manifest, folder))
        os.makedirs(target)
        name = f"{snapshot.name}:{self.source(snapshot)}/{folder}"
        if self.read(snapshot, ["restore", name, "--target", target]):
            self.compare(without_links(describe(target)), expected, snapshot, f"restore of {folder!r}")

    def one_file(self, snapshot):
        files = [path for path, facts in snapshot.manifest.items() if facts[0] == stat.S_IFREG]
        if not files:
            return
        name, path = self.random.choice(files), f"{self.top}/dumped"
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        if self.read(snapshot, ["dump", snapshot.name, f"{self.source(snapshot)}/{name}", "--target", path]):
            found = [os.path.getsize(path), digest_of(path)]
            self.compare({name: found}, {name: snapshot.manifest[name][2:4]}, snapshot, "dump")

    def archive(self, snapshot):
        path, target = f"{self.top}/archive.tar", f"{self.top}/unpacked"
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        shutil.rmtree(target, ignore_errors=True)
        os.mkdir(target)
        if self.read(snapshot, ["dump", snapshot.name, self.source(snapshot), "--target", path]):
            subprocess.run(["tar", "-xpf", path, "-C", target, "--warning=no-timestamp", "--numeric-owner",
                            "--delay-directory-restore"], check=True)
            self.compare(describe(target), snapshot.manifest, snapshot, "tar")

    def list(self, snapshot):
        before = {state: self.soak.ledger.epochs(state) for state in ("live", "forgotten")}
        done = self.run(["snapshots", "--json"])
        if done.status == 0 and not self.repository:
            self.soak.ledger.judge_listing(before, json.loads(done.out))


def without_links(manifest):
    """Of the names of one file only those in a part come back with it."""
    return {path: facts[:8] for path, facts in manifest.items()}


class Mount(Reader):
    """Looks at snapshots as files, until the mount is ended, or killed while it is being read."""

    def turn(self):
        point = f"{self.top}/mnt"
        os.makedirs(point, exist_ok=True)
        live = self.soak.ledger.of("live")
        process = self.start(["mount", point])
        try:
            end = time.monotonic() + 60
            while not os.path.ismount(point):
                if process.poll() is not None or time.monotonic() > end:
                    raise Failure(f"mount doesn't mount: {process.communicate(timeout=10)}")
                time.sleep(0.05)
            for _ in range(self.random.randrange(1, 5)):
                if live and not self.look(point, self.random.choice(live), process):
                    break
        finally:
            self.end(point, process)
        self.soak.note_mount(self, process.returncode)

    def look(self, point, snapshot, process):
        """False where the mount was killed meanwhile."""
        epoch, live = snapshot.epoch, snapshot.state == "live"
        trees = os.path.join(os.path.dirname(__file__), "trees.py")
        folder = f"{point}/ids/{snapshot.name[:8]}{self.source(snapshot)}"
        looker = subprocess.Popen([sys.executable, "-B", trees, folder], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        kill = self.random.random() * 100 < self.soak.kill_percent
        if kill:
            with contextlib.suppress(subprocess.TimeoutExpired):
                looker.wait(self.random.random())
            process.kill()
        try:
            out, err = looker.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            looker.kill()
            raise Failure(f"reading {folder} hangs") from None
        if looker.returncode == 0:
            self.compare(json.loads(out), snapshot.manifest, snapshot, "mount")
        elif not kill and live and self.soak.ledger.unchanged(snapshot.name, epoch):
            raise Failure(f"reading {folder} fails: {err.decode(errors='replace')}")
        return not kill

    def end(self, point, process):
        if process.poll() is None and self.random.random() < 0.5:
            process.send_signal(signal.SIGTERM)
        else:
            subprocess.run(["fusermount3", "-u", "-z", point], capture_output=True, check=False)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure("mount doesn't end when it is told to") from None
        finally:
            subprocess.run(["fusermount3", "-u", "-z", point], capture_output=True, check=False)


class Pruner(Machine):
    def turn(self):
        self.soak.wait(self.random.random() * 3)
        # 3: a backup was still running, so that nothing more was removed. 11: others kept changing the log.
        words = ["prune", "--max-unused", self.random.choice(["0", "0", "20", "unlimited"])]
        if self.random.random() < 0.6:
            with self.soak.aborts.going_on():
                self.run([*words, "--abort-after", "0h", "--wait", "0"], (0, 3, 11))
        else:
            self.run([*words, "--wait", "1"], (0, 3, 11))


class Checker(Machine):
    def turn(self):
        self.soak.wait(self.random.random() * 2)
        words = self.random.choice([[], ["--quick"], ["--read-data"], ["--read-data-subset", "30%"],
                                    ["--max-duration", "1s"], ["--without-key"]])
        # Without a key, nobody can tell whether what is wrong with a pack can be made good.
        self.run(["check", *words], (0, 13) if words == ["--without-key"] and self.soak.damaged() else (0,))


class Repairer(Machine):
    def turn(self):
        self.soak.wait(self.random.random() * 3)
        words = self.random.choice([["packs"], ["packs"], ["index"], ["snapshots"],
                                    ["packs", "--from", self.soak.mirror]])
        if "--from" in words and not self.soak.mirrored:
            words = ["packs"]
        self.run(["repair", *words], kind=f"repair {words[0]}{' --from' if '--from' in words else ''}")


class Mirrorer(Reader):
    """Makes the mirror, and reads from it with a memory of its own: to it the mirror is the repository."""

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.visitor = Reader(soak, f"{name}-visitor")
        self.visitor.repository = soak.mirror

    def turn(self):
        self.soak.wait(self.random.random() * 2)
        before = self.soak.ledger.epochs("live")
        words = self.random.choice([[], [], ["--delete"], ["--verify"]])
        # 3: what a prune removed meanwhile stays in the copy, and the next run removes it.
        statuses = (0, 3, 13) if self.soak.damaged() else (0, 3)
        done = self.run(["mirror", "--to", self.soak.mirror, *words], statuses)
        if done.status == 0:
            self.soak.mirrored = True
            self.visit([name for name, epoch in before.items() if self.soak.ledger.unchanged(name, epoch)])

    def visit(self, names):
        self.visitor.must(["check", "--read-data", "--repo", self.soak.mirror])
        listed = {entry["id"] for entry in self.visitor.listing(self.soak.mirror)}
        for name in names:
            if name not in listed:
                raise Failure(f"snapshot {name} was live before the mirror was made, and isn't in it")
        if names:
            snapshot = self.soak.ledger.snapshots[self.random.choice(names)]
            self.random.choice([self.visitor.whole, self.visitor.archive, self.visitor.part])(snapshot)


class KeyKeeper(Machine):
    """Makes, changes and drops keys of its own. The main password stays, as all others use it."""

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.keys, self.made = {}, 0  # label -> passwords that open it
        self.rotates = "rotate" in self.must(["key", "--help"]).out.decode()

    def turn(self):
        self.soak.wait(self.random.random() * 2)
        deeds = [self.add, self.add, self.remove, self.change]
        self.random.choice(deeds + ([self.rotate] if self.rotates else []))()

    def word(self):
        self.made += 1
        with open(f"{self.top}/word", "w", encoding="ascii") as file:
            file.write(f"word {self.made}\n")
        return f"word {self.made}"

    def opens(self, word):
        return self.run(["key", "list"], ANY, password=word, mortal=False, kind="key list").status != 12

    def add(self):
        word, label = self.word(), f"key-{self.made}"
        role = self.random.choice(["admin", "read", "write", "maint", "audit"])
        done = self.run(["key", "add", "--role", role, "--label", label,
                         "--new-password-file", f"{self.top}/word"], kind="key add")
        if self.opens(word):
            self.keys[label] = word
        elif done.status == 0:
            raise Failure(f"a key that was added does not open: {done}")

    def change(self):
        if not self.keys:
            return
        label = self.random.choice(sorted(self.keys))
        old, new = self.keys[label], self.word()
        done = self.run(["key", "passwd", "--new-password-file", f"{self.top}/word"], password=old,
                        kind="key passwd")
        opens = self.opens(old), self.opens(new)
        if not any(opens) or (done.status == 0 and opens != (False, True)):
            raise Failure(f"the old password opens: {opens[0]}, the new one: {opens[1]}, after {done}")
        if opens[1]:
            self.keys[label] = new

    def remove(self):
        if not self.keys:
            return
        label = self.random.choice(sorted(self.keys))
        keys = json.loads(self.must(["key", "list", "--json"]).out)
        word = self.keys.pop(label)
        for name in [key["id"] for key in keys if key["label"] == label]:
            self.run(["key", "remove", name], kind="key remove")
        if not self.opens(word):
            return
        # A killed change leaves two keys, and a killed removal may leave one: what opens is still known.
        self.keys[label] = word

    def rotate(self):
        with self.soak.rotations.going_on():
            self.run(["key", "rotate"], (0, 11), kind="key rotate")


class Vandal:
    """Changes one byte of an object: what two copies or parity make good. No object twice."""

    def __init__(self, soak):
        self.soak, self.done = soak, set()

    def damaged(self):
        return [path for path in sorted(self.done) if os.path.exists(path)]

    def strike(self, chosen):
        paths = [path for path in self.soak.objects() if path not in self.done and
                 not path.endswith("/spec") and age(path) > 20]
        if not paths:
            return
        path = chosen.choice(paths)
        self.done.add(path)
        with contextlib.suppress(FileNotFoundError), open(path, "r+b") as file:
            at = chosen.randrange(os.path.getsize(path))
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ (1 << chosen.randrange(8))]))
            self.soak.count("bytes damaged")
            self.soak.tell("vandal", f"byte {at} of {path}")


def age(path):
    with contextlib.suppress(FileNotFoundError):
        return time.time() - os.stat(path).st_mtime
    return 0
