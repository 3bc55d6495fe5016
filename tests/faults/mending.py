"""The commands that mend, copy and change keys: what they start from, and what must hold whatever happens to
them. Damage that was there before is there after a kill, too, but never more of it."""
import json
import os

from operations import Operation
from worlds import NEW_PASSWORD, PASSWORD, Failure, World


def packs(repository, folder):
    found = os.walk(f"{repository}/{folder}")
    return sorted(f"{place}/{name}" for place, _, names in found for name in names)


def change_bytes(path, places):
    with open(path, "r+b") as file:
        for at in places:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 0x20]))


class Mending(Operation):
    """A repair: what parity or the mirror can give is whole afterwards; until then each run leaves no less
    than it found."""

    damaged = None  # the template, made once
    reports = True

    def template(self):
        if self.damaged is None:
            self.damaged = self.templates.two.copy(f"{self.templates.top}/{self.name.replace(' ', '-')}")
            self.damage(self.damaged.repository)
        return self.damaged

    def damage(self, repository):
        raise NotImplementedError

    def verify(self, world, done):
        if done.status == 0:
            self.verify_effect(world, done)
        self.run_again(world)
        self.verify_kept(world)
        world.must(["prune", "--max-unused", "0", "--abort-after", "0h", "--wait", "0"])
        self.verify_kept(world)

    def verify_effect(self, world, done):
        self.verify_kept(world)


class RepairPacks(Mending):
    """A byte of every pack, which parity gives back."""

    name = "repair packs"

    def arguments(self, world):
        return ["repair", "packs"]

    def damage(self, repository):
        for path in packs(repository, "d") + packs(repository, "m"):
            change_bytes(path, [300])

    def verify_effect(self, world, done):
        said = world.must(["check", "--read-data", "--json"])
        if json.loads(said.out)["num_warnings"]:
            raise Failure(f"repaired, and the check still warns: {said.out}")

    def verify(self, world, done):
        self.verify_kept(world)  # reading mends by itself, before, between and after
        super().verify(world, done)


class RepairFrom(Mending):
    """A pack is gone, another is beyond parity, and so are small objects. The mirror has them."""

    name = "repair packs --from"

    def template(self):
        if self.damaged is None:
            good = self.templates.two.copy(f"{self.templates.top}/good")
            self.replica = good.repository
        return super().template()

    def arguments(self, world):
        return ["repair", "packs", "--from", self.replica]

    def damage(self, repository):
        data, trees = packs(repository, "d"), packs(repository, "m")
        os.remove(data[0])
        os.truncate(data[-1], os.path.getsize(data[-1]) // 3)
        change_bytes(trees[0], range(200, os.path.getsize(trees[0]), 2000))
        for folder, _, names in sorted(os.walk(f"{repository}/t")):
            if "man" in names:
                os.remove(f"{folder}/man")
                break


class RepairIndex(Operation):
    name = "repair index"

    def arguments(self, world):
        return ["repair", "index"]

    def verify_effect(self, world, done):
        world.back_up()


class RepairSnapshots(Operation):
    """Only looks."""

    name = "repair snapshots"
    reports = True

    def arguments(self, world):
        return ["repair", "snapshots"]


class Mirror(Operation):
    """A new mirror: it is an older state at any moment, and a second run completes it."""

    name = "mirror"

    def arguments(self, world):
        return ["mirror", "--to", f"{world.top}/mirror"]

    def roots(self, world):
        return [f"{world.top}/mirror"]

    def seen_from_there(self, world):
        there = World(world.program, world.top, world.source)
        there.repository, there.cache = f"{world.top}/mirror", f"{world.top}/mirror-cache"
        return there

    def verify(self, world, done):
        there = self.seen_from_there(world)
        opened = there.run(["snapshots", "--json"])
        if opened.status not in (0, 10, 12):
            raise Failure(f"what an interrupted mirror left: {opened}")
        if opened.status == 0:
            for entry in json.loads(opened.out):
                there.expect_restored(entry["id"], self.templates.expected[entry["id"]])
        elif done.status == 0:
            raise Failure(f"a mirror that was made does not open: {opened}")
        self.run_again(world)

    def verify_effect(self, world, done):
        there = self.seen_from_there(world)
        if set(there.snapshots()) != set(self.templates.expected):
            raise Failure("the mirror has other snapshots")
        self.verify_kept(there)


class KeyAddRole(Operation):
    """A key of another role: it opens, or there is none."""

    name = "key add --role"

    def arguments(self, world):
        return ["key", "add", "--role", "read", "--new-password-file", self.templates.new_password_file]

    def verify_effect(self, world, done):
        world.must(["snapshots"], NEW_PASSWORD)


class KeyRecover(Operation):
    """All passwords are lost, and the kit is at hand."""

    name = "key recover"

    def template(self):
        if not hasattr(self, "lost"):
            kit = self.templates.two.must(["key", "kit"])
            self.kit = f"{self.templates.top}/kit"
            with open(self.kit, "w", encoding="utf-8") as file:
                file.write(kit.out)
            self.lost = self.templates.two.copy(f"{self.templates.top}/lost")
            for path in packs(self.lost.repository, "keys"):
                os.remove(path)
        return self.lost

    def arguments(self, world):
        return ["key", "recover", "--new-password-file", self.templates.new_password_file, self.kit]

    def verify(self, world, done):
        status = world.run(["snapshots"], NEW_PASSWORD).status
        if status not in (0, 12) or (done.status == 0 and status != 0):
            raise Failure(f"status {status} with the password that was recovered, after {done}")
        if status != 0:
            world.must(self.arguments(world))
        self.verify_kept(world, NEW_PASSWORD)
        if world.run(["snapshots"], PASSWORD).status != 12:
            raise Failure("a password opens whose slot is gone")


MENDING = [RepairPacks, RepairFrom, RepairIndex, RepairSnapshots, Mirror, KeyAddRole, KeyRecover]
