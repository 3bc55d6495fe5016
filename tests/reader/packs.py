"""Packs: frames, parity, directory, relocation: docs/format/pack.md."""

import functools
import os
import struct
from typing import NamedTuple

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import plain_blake3
from basics import FormatError, Input, KeyPlace, Missing, hash_of, require

# ---------------------------------------------------------------- parity (pack.md)


STRIPE_DATA, STRIPE_PARITY = 124, 4


def field_tables():
    """Exponents and logarithms of GF(2⁸) with polynomial 0x11d, to base 2."""
    exponents, logarithms, value = [], [0] * 256, 1
    for i in range(255):
        exponents.append(value)
        logarithms[value] = i
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    return exponents, logarithms


EXPONENTS, LOGARITHMS = field_tables()


def product(a, b):
    return EXPONENTS[(LOGARITHMS[a] + LOGARITHMS[b]) % 255] if a and b else 0


def inverse(a):
    return EXPONENTS[-LOGARITHMS[a] % 255]


@functools.lru_cache(maxsize=256)
def product_table(a):
    """The products of all bytes with a, for bytes.translate."""
    return bytes(product(a, b) for b in range(256))


def coefficient(parity, position):
    return inverse((STRIPE_DATA + parity) ^ position)


def weighted_sum(terms, size):
    """The sum of coefficient × frame over terms, which are such pairs."""
    total = 0
    for factor, frame in terms:
        total ^= int.from_bytes(frame.translate(product_table(factor)), "little")
    return total.to_bytes(size, "little")


def solve(matrix, values, size):
    """Solves a square system over GF(2⁸) whose right-hand sides are frames, by elimination."""
    matrix, values = [list(row) for row in matrix], list(values)
    for i in range(len(matrix)):
        pivot = next(r for r in range(i, len(matrix)) if matrix[r][i])
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        values[i], values[pivot] = values[pivot], values[i]
        scale = inverse(matrix[i][i])
        matrix[i] = [product(scale, x) for x in matrix[i]]
        values[i] = values[i].translate(product_table(scale))
        for r in range(len(matrix)):
            factor = matrix[r][i]
            if r != i and factor:
                matrix[r] = [x ^ product(factor, y) for x, y in zip(matrix[r], matrix[i])]
                values[r] = weighted_sum([(1, values[r]), (factor, values[i])], size)
    return values


def rebuild_stripe(frames, parities, size):
    """Fills in the lost frames (None) of a stripe, given its parity frames (None where lost too)."""
    lost = [d for d, frame in enumerate(frames) if frame is None]
    rows = [p for p, frame in enumerate(parities) if frame is not None][:len(lost)]
    require(len(rows) == len(lost), f"a stripe lost {len(lost)} frames and has {len(rows)} of parity")
    known = [(d, frame) for d, frame in enumerate(frames) if frame is not None]
    values = [weighted_sum([(1, parities[p])] + [(coefficient(p, d), frame) for d, frame in known], size)
              for p in rows]
    found = solve([[coefficient(p, d) for d in lost] for p in rows], values, size)
    filled = list(frames)
    for d, frame in zip(lost, found):
        filled[d] = frame
    return filled


# ---------------------------------------------------------------- packs (pack.md)


BLOCK = 4096


class Slot(NamedTuple):
    """An entry of a pack's directory."""
    id: bytes
    offset: int
    stored: int
    plain: int
    codec: int
    type: int


def checked_block(data, what):
    """The first 4064 bytes of a header or trailer whose digest fits."""
    require(len(data) == BLOCK and hash_of(data[:4064]) == data[4064:], f"{what}: damaged")
    return data[:4064]


def zero_rest(box):
    require(not any(box.take(box.left())), f"{box.what}: not zero after its content")


class Header:
    """The header of a pack."""

    def __init__(self, data, what):
        box = Input(data, what)
        require((box.take(4), box.u16(), box.u16()) == (b"HFP0", 0, 1), f"{what}: unknown format or suite")
        self.repository, self.id = box.take(16), box.pack()
        shift = box.u8()
        require(12 <= shift <= 16 and box.take(3) == bytes(3), f"{what}: unknown frame size")
        self.frame_size = 1 << shift
        self.salt, self.commit = box.take(32), box.take(32)
        self.place = KeyPlace(box.u32(), box.u32())
        require(box.u64() == 0, f"{what}: unknown incompatible features")
        box.take(16)
        zero_rest(Input(data[box.at:512], what))
        self.identity = data[:512]
        box = Input(data[512:], what)
        self.generation, self.frames = box.u32(), box.u32()
        bitmap = box.take(box.u32())
        zero_rest(box)
        self.kept = self.parse_map(bitmap, what)
        self.digest = hash_of(data)

    def parse_map(self, bitmap, what):
        """The kept frames of generation 0, or None in generation 0 itself."""
        if self.generation == 0:
            require(self.frames == 0 and not bitmap, f"{what}: a map in generation 0")
            return None
        require(len(bitmap) == -(-self.frames // 8), f"{what}: the map does not fit its frames")
        kept = [i for i in range(len(bitmap) * 8) if bitmap[i // 8] >> i % 8 & 1]
        require(kept and kept[-1] < self.frames, f"{what}: the map keeps frames that were not")
        return kept


class Trailer:
    """The trailer of a pack."""

    def __init__(self, data, what):
        box = Input(data, what)
        require(box.take(4) == b"HFT0", f"{what}: not a trailer")
        self.data, self.directory, self.stripes, self.parity = box.u32(), box.u32(), box.u16(), box.u16()
        self.stream, self.slots = box.u64(), box.u32()
        self.root, self.header = box.take(32), box.blob()
        zero_rest(box)
        require(not self.header.endswith(b"\0"), f"{what}: zeros at the end of the header's copy")
        self.header = self.header.ljust(4064, b"\0")
        self.count = self.data + self.directory
        stripes, parity = -(-self.count // STRIPE_DATA), min(STRIPE_PARITY, self.count)
        require((self.stripes, self.parity) == (stripes, parity),
                f"{what}: wrong number of stripes or parity frames")
        self.total = self.count + self.stripes * self.parity

    def root_of(self, header_digest, table):
        counts = struct.pack("<IIHH", self.data, self.directory, self.stripes, self.parity)
        return hash_of(header_digest + counts + table)


class Pack:
    """A pack's object: frames by their number in generation 0, chunks by slot.

    What is damaged is repaired in memory from parity, by the table; `repairs` counts such frames.
    """

    def __init__(self, store, id_, generation, repository, keys_of):
        self.name, self.id = id_.name(generation), id_
        try:
            self.file = open(store.path(self.name), "rb")
        except FileNotFoundError:
            raise Missing(f"{self.name}: not there") from None
        self.size = os.fstat(self.file.fileno()).st_size
        self.read_ends()
        require(self.header.repository == repository and self.header.id == id_
                and self.header.generation == generation, f"{self.name}: is another pack's")
        require(self.size == 2 * BLOCK + self.trailer.total * (self.header.frame_size + 64),
                f"{self.name}: of wrong size")
        self.map_frames()
        self.aad = hash_of(self.header.identity)
        self.keys = keys_of(self.header, self.name)
        self.repairs = 0
        self.plain = functools.lru_cache(maxsize=96)(self.read_plain)

    def read_ends(self):
        """Header and trailer; the trailer has a copy of a damaged header."""
        end = checked_block(self.at(self.size - BLOCK, BLOCK), f"{self.name} trailer")
        self.trailer = Trailer(end, self.name)
        self.header_whole = True
        try:
            block = checked_block(self.at(0, BLOCK), f"{self.name} header")
            require(block == self.trailer.header, f"{self.name}: the trailer's copy of the header differs")
        except FormatError:
            self.header_whole = False
        self.header = Header(self.trailer.header, self.name)

    def map_frames(self):
        """Where each frame of generation 0 lies, and which of them hold the directory."""
        kept, trailer = self.header.kept, self.trailer
        numbers = kept if kept is not None else range(trailer.count)
        require(len(numbers) == trailer.count, f"{self.name}: the map keeps another number of frames")
        self.position = {number: i for i, number in enumerate(numbers)}
        first = (self.header.frames if kept is not None else trailer.count) - trailer.directory
        self.directory_frames = range(first, first + trailer.directory)
        require(self.position.keys() >= set(self.directory_frames), f"{self.name}: lacks directory frames")

    def at(self, offset, size):
        require(offset >= 0, f"{self.name}: too short")
        self.file.seek(offset)
        return self.file.read(size)

    def stored(self, index):
        """Frame as it lies in the object."""
        return self.at(BLOCK + index * self.header.frame_size, self.header.frame_size)

    def tables(self):
        """Both copies of the frame table."""
        size = 32 * self.trailer.total
        start = BLOCK + self.trailer.total * self.header.frame_size
        return self.at(start, size), self.at(start + size, size)

    @functools.cached_property
    def table(self):
        """The frames' hashes, from a table that fits the root."""
        for table in self.tables():
            if self.trailer.root_of(self.header.digest, table) == self.trailer.root:
                return [table[i:i + 32] for i in range(0, len(table), 32)]
        raise FormatError(f"{self.name}: both frame tables are damaged")

    def stripe(self, number):
        """The indexes of a stripe's frames and of its parity frames."""
        trailer = self.trailer
        first = trailer.count + number * trailer.parity
        return range(number, trailer.count, trailer.stripes), range(first, first + trailer.parity)

    def repaired(self, index):
        """A frame as it was written, by way of parity."""
        frames, parities = ([frame if digest == self.table[i] else None
                             for i, frame, digest in self.hashed(indexes)]
                            for indexes in self.stripe(index % self.trailer.stripes))
        filled = rebuild_stripe(frames, parities, self.header.frame_size)[index // self.trailer.stripes]
        require(hash_of(filled) == self.table[index], f"{self.name}: parity gives a wrong frame {index}")
        self.repairs += 1
        return filled

    def hashed(self, indexes, batch=64):
        """Triples of index, frame and its hash."""
        for at in range(0, len(indexes), batch):
            part = indexes[at:at + batch]
            frames = [self.stored(i) for i in part]
            yield from zip(part, frames, plain_blake3.many(frames))

    def decrypt(self, number, frame):
        key = self.keys[number in self.directory_frames][0]
        return AESGCM(key).decrypt(frame[:12], frame[12:], self.aad + struct.pack("<I", number))

    def read_plain(self, number):
        """The plain text of a frame by its number in generation 0."""
        require(number in self.position, f"{self.name}: frame {number} is not kept")
        index = self.position[number]
        try:
            return self.decrypt(number, self.stored(index))
        except InvalidTag:
            pass
        try:
            return self.decrypt(number, self.repaired(index))
        except InvalidTag:
            raise FormatError(f"{self.name}: frame {number} does not decrypt") from None

    @functools.cached_property
    def directory(self):
        """The slots."""
        box = Input(b"".join(self.plain(i) for i in self.directory_frames), f"{self.name} directory")
        count = box.u32()
        require(count == self.trailer.slots and count * 48 <= box.left(), f"{box.what}: wrong count of slots")
        slots = [Slot(*fields) for fields in struct.iter_unpack("<32sIIIBBxx", box.take(48 * count))]
        zero_rest(box)
        return slots

    def frames_of(self, slot):
        """The numbers of the frames that a chunk lies in."""
        room = self.header.frame_size - 28
        return range(slot.offset // room, -(-(slot.offset + slot.stored) // room))

    def chunk(self, number):
        """The slot and plain text of a chunk."""
        require(number < len(self.directory), f"{self.name}: has no slot {number}")
        slot = self.directory[number]
        require(slot.offset + slot.stored <= self.trailer.stream,
                f"{self.name}: slot {number} beyond the stream")
        frames = self.frames_of(slot)
        stream = b"".join(self.plain(i) for i in frames)
        start = slot.offset - frames.start * (self.header.frame_size - 28)
        return slot, self.unpack(slot, stream[start:start + slot.stored], number)

    def unpack(self, slot, stored, number):
        what = f"{self.name}: slot {number}"
        require(slot.codec in (0, 1), f"{what}: unknown codec {slot.codec}")
        plain = stored
        if slot.codec == 1:
            try:
                plain = zstandard.ZstdDecompressor().decompress(stored, max_output_size=slot.plain)
            except zstandard.ZstdError as error:
                raise FormatError(f"{what}: {error}") from None
        require(len(plain) == slot.plain, f"{what}: not of the length it should have")
        return plain
