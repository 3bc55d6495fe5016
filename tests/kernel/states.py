"""From a log of block writes to the states in which a loss of power could have left the disk.

A disk keeps what was written before its last flush; of what was written since then it may have any subset,
and of one write of many sectors any part. So a state is the durable disk at a flush and some later sectors.
"""
import hashlib
import random
import struct

SECTOR = 4096
ZERO = bytes(SECTOR)
WRITE, FLUSH, DISCARD, MARK, MACHINE = range(1, 6)
HEADER = struct.Struct("=QQQ")


def read_log(path):
    """The events: kind, offset, length, bytes."""
    with open(path, "rb") as log:
        while header := log.read(HEADER.size):
            kind, offset, length = HEADER.unpack(header)
            yield kind, offset, length, log.read(length) if kind in (WRITE, MARK, MACHINE) else b""


def sectors(event):
    """What an event leaves in which sectors, by number."""
    kind, offset, length, content = event
    if offset % SECTOR or length % SECTOR:
        raise ValueError(f"an access of {length} bytes at {offset}, which are no whole sectors")
    for at in range(0, length, SECTOR):
        yield (offset + at) // SECTOR, content[at:at + SECTOR] if kind == WRITE else ZERO


def read_image(path):
    """The sectors of an image that aren't zero."""
    disk = {}
    with open(path, "rb") as image:
        number = 0
        while content := image.read(SECTOR):
            if content != ZERO:
                disk[number] = content
            number += 1
    return disk


def _digest(number, content):
    if content == ZERO:
        return 0
    hashed = hashlib.blake2b(number.to_bytes(8, "little") + content, digest_size=16)
    return int.from_bytes(hashed.digest(), "little")


class Disk:
    """Sectors by number, without those that are zero, and a digest: the sum over the sectors."""

    def __init__(self, sectors_by_number):
        self.sectors = sectors_by_number
        self.digest = sum(_digest(*sector) for sector in sectors_by_number.items()) % (1 << 128)

    def copy(self):
        other = Disk({})
        other.sectors, other.digest = dict(self.sectors), self.digest
        return other

    def change(self, number):
        """The digest's difference where the sector becomes another."""
        return -_digest(number, self.sectors.get(number, ZERO))

    def digest_with(self, overlay):
        moved = sum(_digest(number, content) + self.change(number) for number, content in overlay.items())
        return (self.digest + moved) % (1 << 128)

    def apply(self, overlay):
        self.digest = self.digest_with(overlay)
        for number, content in overlay.items():
            if content == ZERO:
                self.sectors.pop(number, None)
            else:
                self.sectors[number] = content


def overlay_of(writes):
    overlay = {}
    for write in writes:
        overlay.update(sectors(write))
    return overlay


def torn(write, choice):
    """A part of a write, in whole sectors: its beginning, its end or any."""
    count = write[2] // SECTOR
    if count < 2:
        return []
    at = choice.randrange(1, count)
    kept = choice.choice([range(at), range(at, count), sorted(choice.sample(range(count), at))])
    return [(write[0], write[1] + i * SECTOR, SECTOR, write[3][i * SECTOR:(i + 1) * SECTOR]) for i in kept]


def subsets(writes, count, choice):
    """None and all; all others where they are few; and `count` by chance, with writes that are torn."""
    yield []
    yield writes
    size = len(writes)
    if size <= 12 and 2 ** size <= count:
        for bits in range(1, 2 ** size - 1):
            yield [write for i, write in enumerate(writes) if bits >> i & 1]
    for i in range(count if size else 0):
        if i % 4 == 0:  # the end is missing, and one write is torn
            at = choice.randrange(size)
            yield writes[:at] + torn(writes[at], choice)
        elif i % 4 == 1:  # one write is missing, or torn
            at = choice.randrange(size)
            yield writes[:at] + torn(writes[at], choice) + writes[at + 1:]
        else:
            likely = choice.choice([0.1, 0.5, 0.9])
            kept = [write for write in writes if choice.random() < likely]
            if kept and choice.random() < 0.5:
                at = choice.randrange(len(kept))
                kept[at:at + 1] = torn(kept[at], choice)
            yield kept


class State:
    """`overlay` upon `disk`, which changes as the next state is asked for; `mark` is the last note before,
    `machine` the files on another disk at that time."""

    def __init__(self, disk, overlay, mark, machine, title):
        self.disk, self.overlay, self.mark, self.machine, self.title = disk, overlay, mark, machine, title


def files_of(content):
    """Files of a machine event by name."""
    files, words, at = {}, [], 0
    while at < len(content):
        length = int.from_bytes(content[at:at + 8], "little")
        words.append(content[at + 8:at + 8 + length])
        at += 8 + length
    for name, text in zip(words[::2], words[1::2]):
        files[name.decode()] = text
    return files


def windows(events):
    """The writes between two flushes; the last mark and the machine's files before the second."""
    writes, mark, machine = [], None, b""
    for event in events:
        if event[0] == MARK:
            mark = event[3].decode()
        elif event[0] == MACHINE:
            machine = event[3]
        elif event[0] == FLUSH:
            yield writes, mark, machine
            writes = []
        else:
            writes.append(event)
    yield writes, mark, machine


def states(disk, events, count, seed):
    """Every state to be tried from the first mark on, none twice with the same mark and machine."""
    choice, seen, disk = random.Random(seed), set(), disk.copy()
    for number, (writes, mark, machine) in enumerate(windows(events)):
        if mark is not None:
            for kept in subsets(writes, count, choice):
                overlay = overlay_of(kept)
                key = (disk.digest_with(overlay), mark, machine)
                if key not in seen:
                    seen.add(key)
                    title = f"flush {number}, {len(kept)} of {len(writes)} writes, mark {mark}"
                    yield State(disk, overlay, mark, machine, title)
        disk.apply(overlay_of(writes))


def some(make, count, seed):
    """At most `count` of the states that make() gives, from everywhere, in order; and how many there are."""
    total = sum(1 for _ in make())
    chosen = set(random.Random(seed).sample(range(total), min(count, total)))
    return (state for number, state in enumerate(make()) if number in chosen), total
