"""What the soak knows: the snapshots that must be there with their manifests, how each command ended, and how
commands are started, stopped and killed. Shares no code with the program."""
import collections
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time

PASSWORD = "main password"
HANG_SECONDS = 300


class Failure(Exception):
    pass


class Ended(Exception):
    """The time is over: whatever is being done may be left."""


class Done:
    """How a command ended. `status` is None where it was killed or interrupted; or outrun: it had opened the
    repository before the read key was rotated, and met what was written afterwards."""

    def __init__(self, words, status, out, err, outrun=False):
        self.words, self.status, self.out, self.err, self.outrun = words, status, out, err, outrun

    def __str__(self):
        status = "killed" if self.status is None else f"status {self.status}"
        said = self.err.decode(errors="replace").strip() or self.out.decode(errors="replace").strip()[-2000:]
        return f"`{' '.join(self.words)}`: {status}: {said}"


class Snapshot:
    """state: live, forgotten, or doubt while somebody changes it. `epoch` counts changes."""

    def __init__(self, name, host, manifest):
        self.name, self.host, self.manifest = name, host, manifest
        self.state, self.epoch = "live", 0


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.snapshots = {}
        self.intents = {}  # tag -> (host, manifest), of every backup that was begun

    def begin(self, tag, host, manifest):
        with self.lock:
            self.intents[tag] = host, manifest

    def add(self, name, host, manifest):
        with self.lock:
            if name in self.snapshots:
                raise Failure(f"snapshot {name} was reported twice")
            self.snapshots[name] = Snapshot(name, host, manifest)

    def set_state(self, names, state):
        with self.lock:
            for name in names:
                self.snapshots[name].state = state
                self.snapshots[name].epoch += 1

    def of(self, state, host=None):
        with self.lock:
            return [s for s in self.snapshots.values() if s.state == state and host in (None, s.host)]

    def epochs(self, state):
        with self.lock:
            return {s.name: s.epoch for s in self.snapshots.values() if s.state == state}

    def unchanged(self, name, epoch):
        with self.lock:
            return self.snapshots[name].epoch == epoch

    def judge_listing(self, before, listed):
        """`before`: epochs('live') and epochs('forgotten') from before the listing. What has not been touched
        since is listed, or isn't."""
        names = {entry["id"] for entry in listed}
        for state, epochs in before.items():
            for name, epoch in epochs.items():
                if (name in names) != (state == "live") and self.unchanged(name, epoch):
                    raise Failure(f"snapshot {name} is {state}, and {'not ' * (name not in names)}listed")
        for entry in listed:
            with self.lock:
                if not set(entry.get("tags", [])) & self.intents.keys():
                    raise Failure(f"nobody made snapshot {entry['id']}")


class Machine:
    """Somebody with a cache and a memory of their own who runs the program, and whose commands are killed."""

    def __init__(self, soak, name):
        self.soak, self.name = soak, name
        self.random = random.Random(f"{soak.seed} {name}")
        self.top = f"{soak.top}/{name}"
        os.makedirs(self.top)
        self.lasted = collections.defaultdict(lambda: 0.3)

    def environment(self, password):
        return {"PATH": os.environ["PATH"], "HOME": self.top, "HOLDFAST_REPOSITORY": self.soak.repository,
                "HOLDFAST_CACHE_DIR": f"{self.top}/cache", "HOLDFAST_PASSWORD": password,
                "HOLDFAST_HOST": self.name, "TZ": "UTC", "LC_ALL": "C", "TMPDIR": self.soak.top}

    def start(self, words, password=PASSWORD):
        words = [str(word) for word in words]
        return subprocess.Popen([self.soak.program, *words], env=self.environment(password),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, words, statuses=(0,), password=PASSWORD, mortal=True, kind=None):
        """Runs a command, perhaps kills it, counts how it ended. Any status but these is a failure."""
        kind = kind or words[0]
        began = time.monotonic()
        process = self.start(words, password)
        fate = self.fate(kind) if mortal and not self.soak.over() else None
        killer = threading.Thread(target=self.meddle, args=(process, fate)) if fate else None
        if killer:
            killer.start()
        with self.soak.rotations.watch() as rotated:
            try:
                out, err = process.communicate(timeout=HANG_SECONDS)
            except subprocess.TimeoutExpired:
                raise Failure(f"`{' '.join(map(str, words))}` hangs: {self.stacks(process)}") from None
            outrun = process.returncode == 1 and b"after the read key was rotated" in err and rotated()
        if killer:
            killer.join()
        seconds = time.monotonic() - began
        # Before it has begun to listen, SIGINT ends it as it ends any program.
        ends = {"kill": [-signal.SIGKILL], "interrupt": [-signal.SIGINT, 130]}
        killed = fate and process.returncode in ends.get(fate[0], ())
        status = None if killed or outrun else process.returncode
        done = Done([str(word) for word in words], status, out, err, outrun)
        if not fate:
            self.lasted[kind] = 0.8 * self.lasted[kind] + 0.2 * seconds
        self.soak.note(self, kind, done, seconds, fate)
        if done.status is not None and done.status not in statuses:
            raise Failure(str(done))
        return done

    def fate(self, kind):
        """(what, after how many seconds), or None."""
        chance = self.random.random() * 100
        when = self.random.random() * 1.1 * self.lasted[kind]
        if chance < self.soak.kill_percent:
            return ("kill", when)
        if chance < self.soak.kill_percent + self.soak.stop_percent:
            return ("stop", when)
        if chance < self.soak.kill_percent + 2 * self.soak.stop_percent:
            return ("interrupt", when)
        return None

    def meddle(self, process, fate):
        what, when = fate
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(when)
            return
        if what != "stop":
            process.send_signal(signal.SIGKILL if what == "kill" else signal.SIGINT)
            return
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.random() * 4)
        process.send_signal(signal.SIGCONT)

    @staticmethod
    def stacks(process):
        found = []
        for task in os.listdir(f"/proc/{process.pid}/task"):
            path = f"/proc/{process.pid}/task/{task}/wchan"
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                found.append(file.read())
        process.kill()
        return f"threads wait in {found}"

    def must(self, words, password=PASSWORD):
        """A command that nobody kills and that must succeed, on the repository as it is by then."""
        while True:
            done = self.run(words, password=password, mortal=False)
            if not done.outrun:
                return done

    def listing(self, repository=None):
        words = ["snapshots", "--json"] + (["--repo", repository] if repository else [])
        return json.loads(self.must(words).out)
