"""Transactions and the maintenance log: docs/format/transactions.md."""

import dataclasses
from typing import NamedTuple, Optional

from basics import Address, FormatError, Input, KeyPlace, Time, Txn, hash_of, require, signed_by

@dataclasses.dataclass
class Root:
    type: int
    name: str
    level: int
    address: Address
    id: bytes
    totals: tuple


@dataclasses.dataclass
class Commit:
    """A COMMIT fate."""
    txn: Txn
    id: bytes
    run: bytes
    domain: int
    kind: int
    partial: bool
    mode: int
    previous: int
    previous_hash: bytes
    start: Time
    stop: Time
    zone: int
    labels: object  # Labels; of a key domain, sealed bytes until they are opened
    parent: Optional[Txn]
    roots: list
    statistics: list
    manifest_hash: bytes
    refs_hash: bytes
    pages: list


    def __getattr__(self, name):
        if name in ("host", "user", "program", "paths", "tags", "excludes"):
            return getattr(self.labels, name)
        raise AttributeError(name)


@dataclasses.dataclass
class Labels:
    """All of a commit that names somebody or something."""
    host: str
    user: str
    program: str
    paths: list
    tags: list
    excludes: list


def parse_labels(box):
    return Labels(box.text(), box.text(), box.text(), *(box.list(box.text) for _ in range(3)))


def parse_domain_labels(plain, commit, what):
    """Those of a commit of a key domain, with the names of its roots."""
    box = Input(plain, what)
    labels, names = parse_labels(box), box.list(box.text)
    box.end()
    require(len(names) == len(commit.roots), f"{what}: names of other roots")
    return labels


class Abort(NamedTuple):
    txn: Txn
    time: Time
    reason: str


class Open(NamedTuple):
    """How a transaction begins."""
    txn: Txn
    run: bytes
    time: Time
    place: KeyPlace
    ephemeral: bytes
    sealed: bytes


class ManifestChunk(NamedTuple):
    id: bytes
    type: int
    plain: int
    stored: int


class ManifestPack(NamedTuple):
    size: int
    root: bytes
    chunks: list


class LogEntry(NamedTuple):
    number: int
    time: Time
    type: int
    fields: tuple


def parse_open(box):
    """What stands before the signature."""
    txn, run, _, time = box.txn(), box.take(16), box.take(16), box.time()
    opened = Open(txn, run, time, KeyPlace(box.u32(), box.u32()), box.take(32), box.blob())
    box.end()
    return opened


def parse_root(box):
    root = Root(box.u8(), box.text(), box.u8(), box.address(), box.take(16),
                (box.varint(), box.varint(), box.varint()))
    require(root.type == 1, f"{box.what}: root type {root.type} is unknown")
    return root


def parse_commit(plain, body, what):
    box = Input(plain, what)
    head = dict(txn=box.txn(), id=hash_of(body), run=box.take(16), domain=box.u32())
    commit = Commit(
        **head, kind=box.u8(), partial=bool(box.u8() & 1),
        mode=box.u8(), previous=box.u32(), previous_hash=box.take(32), start=box.time(), stop=box.time(),
        zone=box.svarint(), labels=box.blob() if head["domain"] else parse_labels(box),
        parent=box.optional(box.txn),
        roots=box.list(lambda: parse_root(box), 42),
        statistics=box.list(lambda: (box.text(), box.varint()), 2),
        manifest_hash=box.take(32), refs_hash=box.take(32),
        pages=box.list(lambda: (box.txn(), box.varint()), 13))
    box.end()
    require(commit.kind in (1, 2) and commit.mode <= 2, f"{what}: unknown kind or mode")
    return commit


def parse_manifest(plain, what):
    """The transaction that it names and its packs, by pack number."""
    box = Input(plain, what)
    txn, packs, last = box.txn(), {}, -1
    for _ in range(box.count(45)):
        number, size, root = box.u32(), box.u64(), box.take(32)
        chunks = box.list(lambda: ManifestChunk(box.take(32), box.u8(), box.varint(), box.varint()), 35)
        require(number > last, f"{what}: packs do not ascend")
        packs[number], last = ManifestPack(size, root, chunks), number
    box.end()
    return txn, packs


def parse_slots(box):
    """Runs of slots, as ranges."""
    runs, at = [], 0
    for i in range(box.count(2)):
        gap, length = box.varint(), box.varint()
        require(length >= 1 and (gap >= 1 or i == 0), f"{box.what}: runs of slots are not in shortest form")
        runs.append(range(at + gap, at + gap + length))
        at = runs[-1].stop
    require(at <= 1 << 32, f"{box.what}: slot beyond 32 bits")
    return runs


def parse_page(page, what):
    """A reference page: runs of slots by pack."""
    box = Input(page, what)
    entries = box.list(lambda: (box.pack(), parse_slots(box)), 17)
    box.end()
    require(all(a[0] < b[0] for a, b in zip(entries, entries[1:])), f"{what}: entries do not ascend")
    return entries


def parse_log_fields(box, type_):
    """What follows the type in a log entry."""
    item = lambda: (box.pack(), parse_slots(box))
    match type_:
        case 1 | 2 | 8:
            return (box.list(box.txn, 12),)
        case 3 | 9 | 10:
            return (box.list(item, 17),)
        case 4:
            return box.u64(), box.list(box.pack, 16)
        case 5:
            return box.u64(), box.u64(), box.list(lambda: (*item(), box.u32()), 21)
        case 6:
            return box.txn(), box.list(box.blob)
        case 7:
            return (box.txn(),)
        case 11:
            return box.u32(), box.take(32), box.take(64)
        case 12:
            return box.u32(), box.time(), box.blob(), box.take(64)
        case 13:
            return box.u32(), box.time(), box.take(64)
        case 14:
            return (box.take(16),)
    raise FormatError(f"{box.what}: unknown type {type_}")


class Log:
    """What the maintenance log says in the end, and what of it could not be read."""

    def __init__(self):
        self.forgotten, self.tags, self.generations, self.removed = set(), {}, {}, set()
        self.kept, self.errors, self.length = {}, [], 0
        self.lost = {}  # the wanted list: slots by pack
        self.read_keys = {}
        self.domains, self.erased = set(), {}

    def apply(self, entry):
        """Takes an entry in; None is a void one."""
        match entry and entry.type:
            case 1:
                self.forgotten.update(entry.fields[0])
            case 2:
                self.forgotten.difference_update(entry.fields[0])
            case 5 if entry.fields[1] + 1 == entry.number:
                for name, kept, generation in entry.fields[2]:
                    self.delete(name, kept, generation)
            case 11 if entry.fields[0] == len(self.read_keys) + 1:
                self.read_keys[entry.fields[0]] = entry.fields[1]
            case 6:
                self.tags[entry.fields[0]] = entry.fields[1]
            case 9 | 10:
                for name, slots in entry.fields[0]:
                    self.list_lost(name, {slot for run in slots for slot in run}, entry.type == 9)
            case 12:
                self.domains.add(entry.fields[0])
            case 13 if entry.fields[0] in self.domains:
                self.erased.setdefault(entry.fields[0], entry.fields[1])

    def list_lost(self, name, slots, lost):
        before = self.lost.get(name, set())
        self.lost[name] = before | slots if lost else before - slots

    def delete(self, name, kept, generation):
        if kept:
            self.generations[name], self.kept[name] = generation, kept
        else:
            self.removed.add(name)
