"""Trees: inner nodes, leaves, extents: docs/format/tree.md."""

import dataclasses
import stat
from typing import NamedTuple, Optional

from basics import OWN_OBJECTS, Address, Input, PackId, Time, require

REGULAR, DIRECTORY, SYMLINK, FIFO, SOCKET, CHARACTER, BLOCK_DEVICE = range(7)
FILE_TYPES = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR,
              stat.S_IFBLK)


HAS_FLAGS, HAS_PROJECT = 16, 32
PATH_MAX, CHILDREN_MAX, ENTRIES_MAX, TEXT_MAX, XATTR_TEXT = 65535, 512, 2048, 16 << 20, 64
SLOTS_MAX, EXTENTS_MAX, NODE_TEXT_MAX, LEVELS_MAX = 65536, 4 << 20, 4 << 20, 16


class ChunkRef(NamedTuple):
    address: Address
    id: Optional[bytes]


class Extent(NamedTuple):
    """Bytes of a chunk; a hole if the chunk is None."""
    chunk: Optional[ChunkRef]
    offset: int
    length: int


class Attributes(NamedTuple):
    type: int
    mode: int
    uid: int
    gid: int
    user: str
    group: str
    xattrs: list
    file_flags: int = 0
    project: int = 0


@dataclasses.dataclass
class Entry:
    path: bytes
    attributes: Attributes
    mtime: Time
    size: int = 0
    link: int = 0
    flags: int = 0
    target: bytes = b""
    device: int = 0
    extents: tuple = ()
    birth: Optional[Time] = None

    @property
    def type(self):
        return self.attributes.type


class Child(NamedTuple):
    first: bytes
    address: Address
    id: bytes
    totals: tuple


def order(path):
    """The sort key of a path: `/` comes below every other byte."""
    return path.replace(b"/", b"\0")


def parse_path(box, before):
    shared, rest = box.varint(), box.blob()
    require(shared <= len(before), f"{box.what}: a path shares more than there is")
    require(shared + len(rest) <= PATH_MAX, f"{box.what}: a path is too long")
    return before[:shared] + rest


def parse_paths(box, count):
    paths, before = [], b""
    for _ in range(count):
        before = parse_path(box, before)
        require(not paths or order(paths[-1]) < order(before), f"{box.what}: paths are not in order")
        paths.append(before)
    return paths


def parse_place(box, transactions):
    """varint transaction index, varint pack, varint slot."""
    index, pack, slot = box.varint(), box.varint(), box.varint()
    require(index < len(transactions) and pack < OWN_OBJECTS and slot < SLOTS_MAX,
            f"{box.what}: an address that can't be")
    return Address(PackId(transactions[index], pack), slot)


def parse_positions(box, count, read=lambda: None):
    """varint n, n × (gap, value): values by position."""
    found, at = {}, -1
    for _ in range(box.count()):
        at += box.varint() + 1
        require(at < count, f"{box.what}: position {at} of {count}")
        found[at] = read()
    return found


def parse_attributes(box):
    first = box.u8()
    made = Attributes(first & ~(HAS_FLAGS | HAS_PROJECT), box.varint(), box.varint(), box.varint(),
                      box.text(), box.text(), box.list(lambda: (box.blob(), box.blob()), 2),
                      parse_number(box, first & HAS_FLAGS), parse_number(box, first & HAS_PROJECT))
    require(made.type <= BLOCK_DEVICE and made.mode < 4096, f"{box.what}: unknown type or mode")
    require(all(b"\0" not in name for name, _ in made.xattrs), f"{box.what}: a NUL in an xattr's name")
    return made


def parse_number(box, there):
    """A u32 that is only there where it isn't 0."""
    value = box.varint() if there else 0
    require(not there or 0 < value < 1 << 32, f"{box.what}: flags or a project that can't be")
    return value


def attributes_text(attributes):
    return (len(attributes.user.encode(errors="surrogateescape"))
            + len(attributes.group.encode(errors="surrogateescape"))
            + sum(len(name) + len(value) + XATTR_TEXT for name, value in attributes.xattrs))


def require_text(what, entries):
    """The limit on what the entries of a leaf say, counted as if nothing were shared."""
    text, of = 0, {}
    for entry in entries:
        key = id(entry.attributes)
        if key not in of:
            of[key] = attributes_text(entry.attributes)
        text += len(entry.path) + len(entry.target) + of[key]
    require(len(entries) <= ENTRIES_MAX and text <= TEXT_MAX, f"{what}: is larger than a leaf may be")


def wrapped(seconds):
    """As a signed number of 64 bits, which sums of times are taken modulo."""
    return (seconds + 2**63) % 2**64 - 2**63


def parse_times(box, count):
    seconds, before = [], 0
    for _ in range(count):
        before = wrapped(before + box.svarint())
        seconds.append(before)
    times, before = [], Time(0, 0)
    for second in seconds:
        value = box.svarint() + (before.nanoseconds if second == before.seconds else 0)
        require(0 <= value < 10**9, f"{box.what}: nanoseconds beyond a second")
        before = Time(second, value)
        times.append(before)
    return times


def parse_births(box, entries):
    """Up to the end of the block; nothing where no entry has a birth time."""
    if not box.left():
        return
    born = [entries[position] for position in parse_positions(box, len(entries))]
    seconds = [wrapped(entry.mtime.seconds + box.svarint()) for entry in born]
    for entry, second in zip(born, seconds):
        value = box.svarint() + (entry.mtime.nanoseconds if second == entry.mtime.seconds else 0)
        require(0 <= value < 10**9, f"{box.what}: nanoseconds beyond a second")
        entry.birth = Time(second, value)


def parse_content(box, size, chunks, before):
    """The extents of a file; `before`: that of the nearest earlier file that ends in a chunk, if any."""
    code = box.varint()
    if code == 0:
        require(before and before.chunk, f"{box.what}: nothing for content to go on from")
        return (Extent(before.chunk, before.offset + before.length, size),)
    require(2 * (code - 1) <= box.left(), f"{box.what}: count of extents can't be")
    extents = tuple(parse_extent(box, chunks) for _ in range(code - 1))
    covered = sum(extent.length for extent in extents)
    require(covered == size, f"{box.what}: extents cover {covered} of {size} bytes")
    return extents


def parse_extent(box, chunks):
    index = box.varint()
    if index == 0:
        return Extent(None, 0, box.varint())
    require(index <= len(chunks), f"{box.what}: chunk index {index - 1} of {len(chunks)}")
    return Extent(chunks[index - 1], box.varint(), box.varint())


def parse_block(box):
    """The entries of a block; reads the input to its end."""
    count = box.count(5)
    require(count <= ENTRIES_MAX, f"{box.what}: {count} entries")
    transactions = box.list(box.txn, 12)
    chunks = box.list(lambda: ChunkRef(parse_place(box, transactions), box.optional(lambda: box.take(16))), 4)
    attributes = box.list(lambda: parse_attributes(box), 7)
    require(len(attributes) <= ENTRIES_MAX, f"{box.what}: {len(attributes)} attributes")
    paths = parse_paths(box, count)
    indexes = [box.varint() for _ in range(count)]
    require(all(index < len(attributes) for index in indexes), f"{box.what}: unknown attributes")
    times = parse_times(box, count)
    entries = [Entry(path, attributes[index], time) for path, index, time in zip(paths, indexes, times)]
    for entry in of_type(entries, REGULAR):
        entry.size = box.varint()
    for position, link in parse_positions(box, count, box.varint).items():
        entries[position].link = link
    for position, flags in parse_positions(box, count, box.u8).items():
        entries[position].flags = flags
    for entry in of_type(entries, SYMLINK):
        entry.target = box.blob()
        require(b"\0" not in entry.target, f"{box.what}: a NUL in the target of a link")
    for entry in of_type(entries, CHARACTER, BLOCK_DEVICE):
        entry.device = box.varint()
    before = None
    for entry in of_type(entries, REGULAR):
        if entry.size:
            entry.extents = parse_content(box, entry.size, chunks, before)
            if entry.extents[-1].chunk:
                before = entry.extents[-1]
    parse_births(box, entries)
    box.end()
    require(sum(len(entry.extents) for entry in entries) <= EXTENTS_MAX, f"{box.what}: too many extents")
    require_text(box.what, entries)
    return entries


def of_type(entries, *types):
    return [entry for entry in entries if entry.type in types]


def parse_inner(plain, level, what):
    """The children of an inner node."""
    box = Input(plain, what)
    require((box.u8(), box.u8()) == (0, level), f"{what}: unknown form, or not of level {level}")
    transactions = box.list(box.txn, 12)
    children, before = [], b""
    count = box.count(24)
    require(count <= CHILDREN_MAX, f"{what}: {count} children")
    for _ in range(count):
        before = parse_path(box, before)
        children.append(Child(before, parse_place(box, transactions), box.take(16),
                              (box.varint(), box.varint(), box.varint())))
    box.end()
    require(children, f"{what}: has no children")
    require(sum(len(child.first) for child in children) <= NODE_TEXT_MAX, f"{what}: too long paths")
    return children


def merge(base, removed, changed):
    """A delta leaf: the base without what is removed or replaced, and what is changed."""
    replaced = {entry.path for entry in changed}
    kept = [entry for i, entry in enumerate(base) if i not in removed and entry.path not in replaced]
    merged = sorted(kept + changed, key=lambda entry: order(entry.path))
    require_text("merged leaf", merged)
    return merged


def totals_of(entries):
    """Entries, regular files, and bytes in them."""
    files = of_type(entries, REGULAR)
    return len(entries), len(files), sum(entry.size for entry in files)


class Tree:
    """The tree of one root. What it is made of is noted in `nodes`, addresses with the types they have."""

    def __init__(self, repository, root):
        self.repository, self.root, self.nodes = repository, root, {}

    def entries(self):
        """All entries in order; checks order, ids, first paths and totals on the way."""
        root, last, other = self.root, None, None
        require(root.level <= LEVELS_MAX, f"a tree of {root.level} levels")
        child = Child(None, root.address, root.id, root.totals)
        for entry in self.walk(root.level, child):
            require(last is None or order(last) < order(entry.path), f"{entry.path!r}: not in order")
            require(other is None or not entry.path.startswith(other + b"/"), f"{other!r}: is no directory")
            last = entry.path
            if entry.type != DIRECTORY:
                other = entry.path
            yield entry

    def node(self, address, id_, type_):
        slot, plain = self.repository.chunk(address)
        require(slot.type == type_ and slot.id[:16] == id_, f"{address}: is another chunk than the tree says")
        self.nodes[address] = type_
        return plain

    def walk(self, level, child):
        totals = (0, 0, 0)
        if level == 0:
            entries = self.leaf(child.address, child.id)
            totals = totals_of(entries)
            first = entries[0].path if entries else b""
            require(child.first in (None, first), f"{child.address}: wrong first path")
            yield from entries
        else:
            plain = self.node(child.address, child.id, 4)
            children = parse_inner(plain, level, f"inner node {child.address}")
            require(child.first in (None, children[0].first), f"{child.address}: wrong first path")
            for below in children:
                totals = tuple(map(sum, zip(totals, below.totals)))
                yield from self.walk(level - 1, below)
        require(totals == child.totals, f"{child.address}: totals {totals} where {child.totals} was said")

    def leaf(self, address, id_):
        plain = self.node(address, id_, 3)
        box = Input(plain, f"leaf {address}")
        require(box.u8() == 0, f"{box.what}: unknown form")
        form = box.u8()
        require(form <= 1, f"{box.what}: unknown form {form}")
        if form == 0:
            return parse_block(box)
        base = self.full_leaf(box.address(), box.take(16))
        removed = parse_positions(box, len(base))
        return merge(base, removed, parse_block(box))

    def full_leaf(self, address, id_):
        box = Input(self.node(address, id_, 3), f"leaf {address}")
        require((box.u8(), box.u8()) == (0, 0), f"{box.what}: the base of a delta is not a full leaf")
        return parse_block(box)


def is_content(slot, id_):
    """Whether a slot may be what an extent with that id (or None) refers to."""
    return slot.type in (1, 2) and id_ in (None, slot.id[:16])


def content(repository, entry):
    """The pieces of a file in order; None with a length for a hole."""
    for extent in entry.extents:
        if extent.chunk is None:
            yield extent.length, None
            continue
        slot, plain = repository.chunk(extent.chunk.address)
        piece = plain[extent.offset:extent.offset + extent.length]
        require(is_content(slot, extent.chunk.id) and len(piece) == extent.length,
                f"{extent.chunk.address}: is not the chunk that a file needs")
        yield extent.length, piece
