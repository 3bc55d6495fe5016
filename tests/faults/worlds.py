"""Repositories in a known state, and what of a run must hold afterwards. Shares no code with the program."""
import hashlib
import json
import os
import random
import shutil
import stat
import subprocess

PASSWORD = "secret"
NEW_PASSWORD = "another secret"


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def prose(seed, size):
    words = random.Random(seed)
    text = " ".join(words.choice(["anchor", "rope", "harbour", "tide", "keel"]) for _ in range(size // 4))
    return text[:size].encode()


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def describe(top):
    """Everything below a folder that a restore must bring back, by relative path."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            facts = [stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_mtime_ns, info.st_uid]
            if stat.S_ISLNK(info.st_mode):
                facts.append(os.readlink(path))
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    facts.append(hashlib.sha256(file.read()).hexdigest())
            found[os.path.relpath(path, top)] = facts
    return found


class Failure(Exception):
    pass


class Run:
    """How a command ended."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return f"status {self.status}, said: {self.err.strip() or self.out.strip()}"


class World:
    """A folder with a repository, a cache, and a place to restore to. `shared` has the source."""

    def __init__(self, program, top, source):
        self.program, self.top, self.source = program, top, source
        self.repository, self.cache = f"{top}/repository", f"{top}/cache"
        self.target = f"{top}/target"

    def copy(self, top):
        shutil.copytree(self.top, top, symlinks=True)
        return World(self.program, top, self.source)

    def environment(self, password=PASSWORD):
        return {"PATH": os.environ["PATH"], "HOME": self.top, "HOLDFAST_REPOSITORY": self.repository,
                "HOLDFAST_CACHE_DIR": self.cache, "HOLDFAST_PASSWORD": password, "HOLDFAST_HOST": "host",
                "TZ": "UTC", "LC_ALL": "C"}

    def run(self, arguments, password=PASSWORD, before=(), extra=None):
        environment = self.environment(password)
        environment.update(extra or {})
        done = subprocess.run([*before, self.program, *arguments], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Run(status, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def must(self, arguments, password=PASSWORD, statuses=(0,)):
        done = self.run(arguments, password)
        if done.status not in statuses:
            raise Failure(f"{' '.join(arguments)}: {done}")
        return done

    def back_up(self):
        return snapshot_of(self.must(["backup", "--json", self.source]))

    def expect_restored(self, snapshot, expected, password=PASSWORD):
        """The snapshot comes back as it was."""
        target = f"{self.top}/back"
        shutil.rmtree(target, ignore_errors=True)
        self.must(["restore", snapshot, "--target", target], password)
        compare(describe(target + self.source), expected, f"snapshot {snapshot[:8]}")
        shutil.rmtree(target)

    def expect_sound(self, password=PASSWORD):
        self.must(["check", "--read-data"], password)

    def snapshots(self, password=PASSWORD):
        return [s["id"] for s in json.loads(self.must(["snapshots", "--json"], password).out)]


def compare(found, expected, what):
    if found == expected:
        return
    for path in sorted(set(found) | set(expected)):
        if found.get(path) != expected.get(path):
            raise Failure(f"{what}: {path} is {found.get(path)}, must be {expected.get(path)}")


def snapshot_of(done):
    """The id that a backup reported."""
    for line in done.out.splitlines():
        message = json.loads(line)
        if message.get("message_type") == "summary" and message.get("snapshot_id"):
            return message["snapshot_id"]
    return None


class Templates:
    """The states that commands start from. The source ends in its third version."""

    def __init__(self, program, make_repository, top):
        self.program, self.make_repository, self.top = program, make_repository, top
        self.source = f"{top}/source"
        self.versions = []
        os.makedirs(top, exist_ok=True)
        self.empty = self._world("empty")
        self.fresh = self._world("fresh")
        self._make(self.fresh)
        self._first_source()
        self.one = self._world("one")
        self._make(self.one)
        self.first = self.one.back_up()
        self._second_source()
        self.two = self.one.copy(f"{top}/two")
        self.second = self.two.back_up()
        self.forgot = self.two.copy(f"{top}/forgot")
        self.forgot.must(["forget", self.first])
        self.keyed = self.two.copy(f"{top}/keyed")
        write(f"{top}/new-password", NEW_PASSWORD.encode() + b"\n")
        self.new_password_file = f"{top}/new-password"
        added = self.keyed.must(["key", "add", "--json", "--new-password-file", self.new_password_file])
        self.key = json.loads(added.out)["id"]
        self._third_source()
        self.expected = {self.first: self.versions[0], self.second: self.versions[1]}

    def _world(self, name):
        os.makedirs(f"{self.top}/{name}")
        return World(self.program, f"{self.top}/{name}", self.source)

    def _make(self, world):
        subprocess.run([self.make_repository, world.repository, PASSWORD], check=True)

    def _put(self, name, content, when):
        path = f"{self.source}/{name}"
        write(path, content)
        os.utime(path, ns=(when, when))

    def _note(self, when):
        for folder in (self.source, f"{self.source}/folder"):
            os.utime(folder, ns=(when, when))
        self.versions.append(describe(self.source))

    def _first_source(self):
        when = 1_500_000_000_123_456_789
        for i in range(12):
            self._put(f"folder/small-{i}", prose(i, 300 + 50 * i), when)
        self._put("large", noise(20, 300_000), when)
        self._put("doomed", noise(21, 400_000), when)
        self._put("image", prose(22, 40 * 4096), when)
        self._put("empty", b"", when)
        os.chmod(f"{self.source}/large", 0o751)
        os.symlink("folder/small-1", f"{self.source}/link")
        self._note(when)

    def _second_source(self):
        when = 1_600_000_000_000_000_001
        self._put("folder/small-3", b"edited", when)
        self._put("new", noise(23, 200_000), when)
        os.remove(f"{self.source}/doomed")
        self._note(when)

    def _third_source(self):
        when = 1_700_000_000_000_000_002
        self._put("folder/small-5", b"edited as well", when)
        image = bytearray(prose(22, 40 * 4096))
        image[8192:12288] = prose(24, 4096)
        self._put("image", bytes(image), when)
        self._put("newer", noise(25, 150_000), when)
        self._note(when)
