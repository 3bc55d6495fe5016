"""The commands that are disturbed: the state that each starts from, and what must hold when it has ended, was
killed or failed, and after it was run again."""
import os

from worlds import NEW_PASSWORD, PASSWORD, Failure, compare, describe, snapshot_of

MUTATING = {"create", "write", "sync", "name", "change"}


class Operation:
    """One command. Subclasses say what differs."""

    name = ""
    mutates = True
    reports = False  # tells what is wrong as its result, on standard output

    def __init__(self, templates):
        self.templates = templates

    def template(self):
        return self.templates.two

    def arguments(self, world):
        raise NotImplementedError

    def roots(self, world):
        return [world.repository, world.cache]

    def kept(self):
        """Snapshots that were there before and must be there whatever happens."""
        return dict(self.templates.expected)

    def verify(self, world, done):
        """After a run that ended somehow. A run that claims success has succeeded."""
        self.verify_kept(world)
        if done.status == 0:
            self.verify_effect(world, done)
        self.run_again(world)
        self.verify_kept(world)
        world.expect_sound()

    def verify_kept(self, world, password=PASSWORD):
        world.expect_sound(password)
        for snapshot, expected in self.kept().items():
            world.expect_restored(snapshot, expected, password)

    def verify_effect(self, world, done):
        """Of a run that claims success."""

    def run_again(self, world):
        self.verify_effect(world, world.must(self.arguments(world)))


class Init(Operation):
    name = "init"

    def template(self):
        return self.templates.empty

    def arguments(self, world):
        return ["init"]

    def verify(self, world, done):
        opened = world.run(["snapshots"])
        if opened.status not in (0, 10) or (done.status == 0 and opened.status != 0):
            raise Failure(f"after init ({done}): {opened}")
        world.must(["init"], statuses=(0,) if opened.status == 10 else (1,))
        world.expect_sound()


class Backup(Operation):
    name = "backup"

    def arguments(self, world):
        return ["backup", "--json", world.source]

    def verify_effect(self, world, done):
        snapshot = snapshot_of(done)
        if snapshot is None:
            raise Failure(f"a backup that succeeded names no snapshot: {done}")
        world.expect_restored(snapshot, self.templates.versions[2])


class FirstBackup(Backup):
    name = "first backup"

    def template(self):
        return self.templates.fresh

    def kept(self):
        return {}


class BackupFromSource(Backup):
    """What can't be read of the source is told, and the rest is there."""

    name = "backup (source)"
    mutates = False

    def template(self):
        return self.templates.fresh

    def kept(self):
        return {}

    def roots(self, world):
        return [world.source]

    def verify(self, world, done):
        if done.status == 3:
            if "/source" not in done.err:
                raise Failure(f"left something out, and doesn't say what: {done}")
            back = f"{world.top}/back"
            world.must(["restore", "latest", "--target", back])
            there = describe(back + world.source)
            expected = self.templates.versions[2]
            files = {path: facts for path, facts in there.items() if len(facts) > 4}
            compare(files, {path: expected[path] for path in files}, "a partial snapshot")
        super().verify(world, done)


class Forget(Operation):
    name = "forget"

    def arguments(self, world):
        return ["forget", self.templates.first]

    def kept(self):
        return {self.templates.second: self.templates.expected[self.templates.second]}

    def verify_effect(self, world, done):
        if self.templates.first in world.snapshots():
            raise Failure("forgotten, and still listed")

    def run_again(self, world):
        statuses = (0,) if self.templates.first in world.snapshots() else (1,)
        self.verify_effect(world, world.must(self.arguments(world), statuses=statuses))


class Prune(Operation):
    name = "prune"

    def template(self):
        return self.templates.forgot

    def arguments(self, world):
        return ["prune", "--max-unused", "0", "--abort-after", "0h", "--wait", "0"]

    def kept(self):
        return {self.templates.second: self.templates.expected[self.templates.second]}


class KeyAdd(Operation):
    name = "key add"

    def arguments(self, world):
        return ["key", "add", "--new-password-file", self.templates.new_password_file]

    def verify_effect(self, world, done):
        world.must(["snapshots"], NEW_PASSWORD)


class KeyRemove(Operation):
    name = "key remove"

    def template(self):
        return self.templates.keyed

    def arguments(self, world):
        return ["key", "remove", self.templates.key]

    def verify_effect(self, world, done):
        if world.run(["snapshots"], NEW_PASSWORD).status != 12:
            raise Failure("a removed key still opens")

    def run_again(self, world):
        self.verify_effect(world, world.must(self.arguments(world), statuses=(0, 1)))


class KeyPasswd(Operation):
    name = "key passwd"

    def arguments(self, world):
        return ["key", "passwd", "--new-password-file", self.templates.new_password_file]

    def verify(self, world, done):
        old, new = (world.run(["snapshots"], word).status for word in (PASSWORD, NEW_PASSWORD))
        if (old, new) not in ((0, 0), (0, 12), (12, 0)):
            raise Failure(f"old password: {old}, new password: {new} after {done}")
        if done.status == 0 and (old, new) != (12, 0):
            raise Failure(f"the password was changed, yet old: {old}, new: {new}")
        if old == 0:
            world.must(self.arguments(world))
        if world.run(["snapshots"], PASSWORD).status != 12:
            raise Failure("the old password still opens")
        self.verify_kept(world, NEW_PASSWORD)


class KeyRotate(Operation):
    name = "key rotate"

    def arguments(self, world):
        return ["key", "rotate"]

    def verify_effect(self, world, done):
        if "epochs 0-" not in world.must(["key", "list"]).out:
            raise Failure(f"no key opens a new epoch after {done}")
        made = world.back_up()
        world.expect_restored(made, self.templates.versions[2])


class Restore(Operation):
    name = "restore"
    mutates = False

    def arguments(self, world):
        return ["restore", self.templates.first, "--target", world.target]

    def roots(self, world):
        return [world.repository, world.target]

    def verify_kept(self, world, password=PASSWORD):
        """Nothing of the repository was written to."""

    def verify_effect(self, world, done):
        found = describe(world.target + world.source)
        compare(found, self.templates.expected[self.templates.first], "a restore that succeeded")


class Check(Operation):
    name = "check"
    mutates = False
    reports = True

    def arguments(self, world):
        return ["check", "--read-data", "--json"]

    def roots(self, world):
        return [world.repository]

    def verify(self, world, done):
        if done.status == 13:
            raise Failure(f"what could not be read is called damaged: {done}")
        world.expect_sound()


def all_operations(templates):
    from mending import MENDING  # pylint: disable=import-outside-toplevel  # which builds upon this file
    kinds = [Init, FirstBackup, Backup, BackupFromSource, Forget, Prune, KeyAdd, KeyRemove, KeyPasswd,
              KeyRotate, Restore, Check, *MENDING]
    if os.environ.get("FAULT_OPERATION"):
        kinds = [kind for kind in kinds if kind.name == os.environ["FAULT_OPERATION"]]
    return [kind(templates) for kind in kinds]
