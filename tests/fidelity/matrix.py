#!/usr/bin/python3
"""matrix.py PROGRAM: backs up hard trees on ext4, xfs and btrfs, restores each onto each; compare.py judges.

As root, on file systems in images of its own, mounted in a mount namespace of its own; says "skipped: why"
and exits 77 where that can't be. On the file system that a tree came from everything must come back; on the
others and for an ordinary user what doesn't must have been told, and be of a kind that is expected to be lost
there. HOLDFAST_TEST_LONG=1: 10⁵ names in a folder, 10⁵ names of a file, an ordinary user on all three.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import compare

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = os.environ.get("HOLDFAST_TEST_LONG") == "1"
KINDS = ("ext4", "xfs", "btrfs")
MAKE = {"ext4": ["mkfs.ext4", "-q", "-b", "4096", "-I", "256", "-N", "600000" if LONG else "40000"],
        "xfs": ["mkfs.xfs", "-q", "-K"], "btrfs": ["mkfs.btrfs", "-q", "-K"]}
TOOLS = ("setpriv", "unshare", "mount")
# What may be lost on the way from one to another. "all": the object can't be made there.
LOST = {("ext4", "xfs"): {"flags", "all"}, ("ext4", "btrfs"): {"flags", "project"},
        ("xfs", "ext4"): {"project"}, ("xfs", "btrfs"): {"flags", "project"},
        ("btrfs", "ext4"): {"flags", "xattr", "mtime"}, ("btrfs", "xfs"): {"flags", "xattr", "mtime", "all"}}
if LONG:
    LOST[("xfs", "ext4")] |= {"links"}
    LOST[("xfs", "btrfs")] |= {"links"}
# What an ordinary user can't set of what root saved.
LOST_TO_USER = {"owner", "mode", "xattr", "flags", "project", "all"}
USER = 12345


class Failed(Exception):
    pass


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def mount_all(scratch):
    """Images of the file systems, mounted; why not, if that can't be."""
    for kind in KINDS:
        image, place = os.path.join(scratch, kind + ".img"), os.path.join(scratch, kind)
        with open(image, "wb") as file:
            file.truncate((3000 if LONG else 400) << 20)
        os.mkdir(place)
        for command in (MAKE[kind] + [image], ["mount", "-o", "loop", image, place]):
            try:
                made = subprocess.run(command, capture_output=True, text=True)
            except FileNotFoundError:
                return f"no {command[0]}"
            if made.returncode:
                return f"{' '.join(command[:1])} of {kind}: {(made.stderr or made.stdout).strip()}"
        os.chmod(place, 0o755)
        os.mkdir(os.path.join(place, "user"))
        os.chown(os.path.join(place, "user"), USER, USER)
    return None


class Matrix:
    def __init__(self, program, scratch):
        self.program, self.scratch = program, scratch
        self.lines = os.path.join(scratch, "told")
        self.environment = os.environ | {"HOLDFAST_PASSWORD": "correct horse"}
        self.failures = 0

    def run(self, *words, user=False, expect=(0,), repository):
        """Runs the program; its JSON lines, of both streams, are left in self.lines."""
        as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if user else []
        place = os.path.join(self.scratch, "user" if user else "root")
        environment = self.environment | {"HOLDFAST_REPOSITORY": os.path.join(place, repository),
                                          "HOLDFAST_CACHE_DIR": os.path.join(place, "cache")}
        with open(self.lines, "wb") as out:
            status = subprocess.run(as_user + [self.program, *words, "--json"], env=environment, stdout=out,
                                    stderr=subprocess.STDOUT).returncode
        if status not in expect:
            with open(self.lines, errors="replace") as lines:
                text = "".join(line for line in lines if '"status"' not in line)[:3000]
            raise Failed(f"{words[:2]} ended with {status}: {text}")
        return status

    def make_tree(self, top, kind, user=False):
        as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if user else []
        command = as_user + ["/usr/bin/python3", "-B", os.path.join(HERE, "hard_tree.py"), top, kind]
        subprocess.run(command + (["--long"] if LONG else []), check=True)

    def judge(self, left, right, lost):
        """What differs must have been told in self.lines, and be of a kind in `lost`."""
        options = ["--below", "--holes", str(compare.PIECE)]
        with open(self.lines, encoding="utf-8", errors="surrogateescape") as lines:
            told = compare.told_by(lines)
        kinds = {kind.split()[0] for _, kind in told}
        if kinds - lost:
            examples = sorted((path[-80:], kind) for path, kind in told if kind.split()[0] not in lost)[:5]
            raise Failed(f"lost beyond what was expected: {kinds - lost}: {examples}")
        if compare.main(options + ["--told", self.lines, left, right]):
            raise Failed(f"{right} is not what {left} is, and it was not said")
        return kinds

    def counted(self):
        """The summary counts by kind."""
        with open(self.lines, encoding="utf-8", errors="surrogateescape") as lines:
            messages = [json.loads(line) for line in lines]
        counts, said = {}, [m["not_set"] for m in messages if m.get("message_type") == "summary"][0]
        for message in messages:
            during = message.get("during", "")
            if during.startswith("restore of ") and not during.endswith(" links"):
                kind = during.removeprefix("restore of ").split()[0]
                counts[kind] = counts.get(kind, 0) + 1
        if counts != said:
            raise Failed(f"counted {said}, told {counts}")

    @contextlib.contextmanager
    def step(self, what):
        began = time.monotonic()
        try:
            yield
            print(f"{what}: as it should be ({time.monotonic() - began:.1f} s)", flush=True)
        except (Failed, subprocess.CalledProcessError) as failure:
            self.failures += 1
            print(f"{what}: FAILED: {failure}", flush=True)

    def at(self, *names):
        return os.path.join(self.scratch, *names)

    def restore(self, kind, tree, out, lost, **how):
        status = self.run("restore", f"latest:{tree}", "--target", out, repository=kind, expect=(0, 3), **how)
        kinds = self.judge(tree, out, lost)
        if (status == 3) != bool(kinds):
            raise Failed(f"exit status {status} where {kinds or 'nothing'} was lost")
        self.counted()

    def from_kind(self, kind):
        tree = self.at(kind, "tree")
        with self.step(f"backup of {kind}"):
            self.make_tree(tree, kind)
            self.run("init", repository=kind)
            self.run("backup", tree, repository=kind)
            # 1 TiB of holes leaves no hashes of its pages behind.
            cache = subprocess.run(["du", "-sm", self.at("root", "cache")], capture_output=True, check=True)
            if int(cache.stdout.split()[0]) > 64 + 128 * LONG:
                raise Failed(f"the cache takes {cache.stdout.split()[0].decode()} MiB")
            self.run("ls", f"latest:{tree}", "--recursive", repository=kind)
            if compare.main(["--below", "--births", self.lines, tree, tree]):
                raise Failed("birth times are not what they were")
        for target in KINDS:
            with self.step(f"{kind} to {target}"):
                out = self.at(target, "from " + kind)
                self.restore(kind, tree, out, LOST.get((kind, target), set()))
                if target == kind:  # over what is there, locked files and all
                    self.restore(kind, tree, out, set())
                subprocess.run(["chattr", "-R", "-f", "-i", "-a", out], check=False, capture_output=True)
                shutil.rmtree(out)

    def of_user(self, kind):
        tree = self.at(kind, "user", "tree")
        with self.step(f"an ordinary user on {kind}"):
            self.make_tree(tree, "user", user=True)
            repository = "of " + kind
            self.run("init", repository=repository, user=True)
            self.run("backup", tree, repository=repository, user=True)
            self.restore(repository, tree, self.at(kind, "user", "out"), set(), user=True)
        with self.step(f"what root saved of {kind}, to an ordinary user"):
            shutil.copytree(self.at("root", kind), self.at("user", kind))
            subprocess.run(["chown", "-R", f"{USER}:{USER}", self.at("user")], check=True)
            out = self.at(kind, "user", "of root")
            self.restore(kind, self.at(kind, "tree"), out, LOST_TO_USER, user=True)


def main(program):
    if os.geteuid() != 0:
        skip("mounting takes root")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip(f"no {missing[0]}")
    if os.environ.get("HOLDFAST_MOUNTS") != "own":
        tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True)
        if tried.returncode:
            skip(f"no mount namespace: {tried.stderr.strip()}")
        os.environ["HOLDFAST_MOUNTS"] = "own"  # mounts end with this process
        os.execvp("unshare", ["unshare", "-m", "/usr/bin/python3", "-B", __file__, program])
    with tempfile.TemporaryDirectory(prefix="holdfast-fidelity.", ignore_cleanup_errors=True) as scratch:
        os.chmod(scratch, 0o755)
        try:
            return run(program, scratch)
        finally:
            subprocess.run(["umount", *(os.path.join(scratch, kind) for kind in KINDS)], capture_output=True)


def run(program, scratch):
    why = mount_all(scratch)
    if why:
        skip(why)
    for place in ("root", "user"):
        os.mkdir(os.path.join(scratch, place))
    os.chown(os.path.join(scratch, "user"), USER, USER)
    matrix = Matrix(program, scratch)
    for kind in KINDS:
        matrix.from_kind(kind)
    for kind in KINDS if LONG else KINDS[:1]:
        matrix.of_user(kind)
    return 1 if matrix.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
