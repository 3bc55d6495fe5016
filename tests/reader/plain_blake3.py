"""BLAKE3 from its paper (https://github.com/BLAKE3-team/BLAKE3-specs), in Python.

Two paths give the same result and are tested against each other and against the official vectors:
the plain one, a direct transcription, and one on numpy that compresses many chunks side by side, for
inputs of some size and for many inputs of one length. Without numpy everything takes the plain one.
"""

import functools
import struct

try:
    import numpy
except ImportError:
    numpy = None

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED, CONTEXT, MATERIAL = (1 << bit for bit in range(7))
BLOCK, CHUNK = 64, 1024
MASK = 0xFFFFFFFF

# Below this many chunks the plain path is faster than setting up lanes.
LANES_PAY = 16


def schedule():
    """The order of the message words in each of the seven rounds."""
    rounds = [tuple(range(16))]
    for _ in range(6):
        rounds.append(tuple(rounds[-1][i] for i in PERMUTATION))
    return tuple(rounds)


SCHEDULE = schedule()
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
QUARTERS = tuple((a, b, c, d, 2 * i) for i, (a, b, c, d) in enumerate(COLUMNS + DIAGONALS))


# ---------------------------------------------------------------- plain


def compress(chaining, block, counter, length, flags):
    """One compression: 16 words; the first eight are the next chaining value."""
    v = [*chaining, *IV[:4], counter & MASK, counter >> 32, length, flags]
    m = struct.unpack("<16I", block.ljust(BLOCK, b"\0"))
    for order in SCHEDULE:
        for ia, ib, ic, id_, word in QUARTERS:
            a, b, c, d = v[ia], v[ib], v[ic], v[id_]
            a = (a + b + m[order[word]]) & MASK
            d ^= a
            d = (d >> 16 | d << 16) & MASK
            c = (c + d) & MASK
            b ^= c
            b = (b >> 12 | b << 20) & MASK
            a = (a + b + m[order[word + 1]]) & MASK
            d ^= a
            d = (d >> 8 | d << 24) & MASK
            c = (c + d) & MASK
            b ^= c
            v[ia], v[ib], v[ic], v[id_] = a, (b >> 7 | b << 25) & MASK, c, d
    return [x ^ y for x, y in zip(v[:8], v[8:])] + [x ^ y for x, y in zip(v[8:], chaining)]


class Node:
    """The last compression of a chunk or a parent, not yet done: whether it is the root shows later."""

    def __init__(self, chaining, block, counter, flags):
        self.chaining, self.block, self.counter, self.flags = chaining, block, counter, flags

    def value(self):
        """The chaining value that a parent takes."""
        return compress(self.chaining, self.block, self.counter, self.length(), self.flags)[:8]

    def length(self):
        return len(self.block)

    def output(self, size):
        """The extended output of this node as the root."""
        out = b""
        while len(out) < size:
            words = compress(self.chaining, self.block, len(out) // BLOCK, self.length(), self.flags | ROOT)
            out += struct.pack("<16I", *words)
        return out[:size]


def chunk_node(key, data, counter, flags):
    """The node of one chunk of at most 1024 bytes."""
    chaining, start = key, CHUNK_START
    last = max(len(data) - 1, 0) // BLOCK * BLOCK
    for at in range(0, last, BLOCK):
        chaining = compress(chaining, data[at:at + BLOCK], counter, BLOCK, flags | start)[:8]
        start = 0
    return Node(chaining, data[last:], counter, flags | start | CHUNK_END)


def parent_node(key, left, right, flags):
    """The node over two chaining values."""
    return Node(key, struct.pack("<16I", *left, *right), 0, flags | PARENT)


def root_node(key, data, flags):
    """The root, chunk by chunk and then pair by pair; an odd one out moves up a level as it is."""
    nodes = [chunk_node(key, data[at:at + CHUNK], at // CHUNK, flags)
             for at in range(0, max(len(data), 1), CHUNK)]
    while len(nodes) > 1:
        pairs = [parent_node(key, nodes[i].value(), nodes[i + 1].value(), flags)
                 for i in range(0, len(nodes) - 1, 2)]
        nodes = pairs + nodes[len(pairs) * 2:]
    return nodes[0]


# ---------------------------------------------------------------- lanes


def rotate(x, bits, scratch):
    """Rotates every word of x right, in place."""
    numpy.left_shift(x, 32 - bits, out=scratch)
    numpy.right_shift(x, bits, out=x)
    numpy.bitwise_or(x, scratch, out=x)


def mix(a, b, c, d, first, second, scratch):
    """Four quarter rounds at once: the rows of the state against the words for each column."""
    for words, turn_d, turn_b in ((first, 16, 12), (second, 8, 7)):
        a += b
        a += words
        d ^= a
        rotate(d, turn_d, scratch)
        c += d
        b ^= c
        rotate(b, turn_b, scratch)


def compress_lanes(chaining, words, counters, length, flags):
    """Compresses one block per lane. chaining is 8 × lanes, words 16 × lanes; gives 8 × lanes."""
    lanes = words.shape[1]
    a, b = chaining[:4].copy(), chaining[4:].copy()
    c = numpy.repeat(numpy.array(IV[:4], numpy.uint32)[:, None], lanes, axis=1)
    d = numpy.empty((4, lanes), numpy.uint32)
    d[0] = counters & MASK
    d[1] = counters >> 32
    d[2], d[3] = length, flags
    scratch = numpy.empty_like(a)
    for order in SCHEDULE:
        m = words[list(order)]
        mix(a, b, c, d, m[0:8:2], m[1:8:2], scratch)
        b, c, d = b[[1, 2, 3, 0]], c[[2, 3, 0, 1]], d[[3, 0, 1, 2]]
        mix(a, b, c, d, m[8:16:2], m[9:16:2], scratch)
        b, c, d = b[[3, 0, 1, 2]], c[[2, 3, 0, 1]], d[[1, 2, 3, 0]]
    return numpy.concatenate((a ^ c, b ^ d))


def start_lanes(key, lanes):
    """The key as the chaining value of every lane."""
    return numpy.repeat(numpy.array(key, numpy.uint32)[:, None], lanes, axis=1)


def chunk_lanes(key, chunks, counters, flags, root):
    """Chaining values of chunks of one length, one per lane; chunks is a lanes × bytes array."""
    lanes, size = chunks.shape
    blocks = max(1, -(-size // BLOCK))
    padded = numpy.zeros((lanes, blocks * BLOCK), numpy.uint8)
    padded[:, :size] = chunks
    words = numpy.ascontiguousarray(padded.view("<u4").reshape(lanes, blocks, 16).transpose(1, 2, 0))
    chaining = start_lanes(key, lanes)
    for i in range(blocks):
        last = i == blocks - 1
        flag = flags | (CHUNK_START if i == 0 else 0) | ((CHUNK_END | root) if last else 0)
        chaining = compress_lanes(chaining, words[i], counters, size - i * BLOCK if last else BLOCK, flag)
    return chaining


def hash_lanes(key, messages, flags):
    """Digests of messages of one length: messages and result are arrays of a row each."""
    count, size = messages.shape
    whole = (size - 1) // CHUNK if size else 0        # chunks before the last one
    counters = numpy.tile(numpy.arange(whole, dtype=numpy.uint64), count)
    last = chunk_lanes(key, messages[:, whole * CHUNK:], numpy.full(count, whole, numpy.uint64), flags,
                       0 if whole else ROOT)
    level = last.reshape(8, count, 1)
    if whole:
        head = messages[:, :whole * CHUNK].reshape(count * whole, CHUNK)
        full = chunk_lanes(key, head, counters, flags, 0).reshape(8, count, whole)
        level = numpy.concatenate((full, level), axis=2)
    while level.shape[2] > 1:
        level = parent_lanes(key, level, flags)
    return numpy.ascontiguousarray(level[:, :, 0].T).astype("<u4").view(numpy.uint8)


def parent_lanes(key, level, flags):
    """The next level of the trees: level is 8 × messages × nodes."""
    _, count, nodes = level.shape
    pairs = nodes // 2
    left, right = level[:, :, 0:2 * pairs:2], level[:, :, 1:2 * pairs:2]
    words = numpy.concatenate((left, right)).reshape(16, count * pairs)
    flag = flags | PARENT | (ROOT if nodes == 2 else 0)
    zeros = numpy.zeros(count * pairs, numpy.uint64)
    parents = compress_lanes(start_lanes(key, count * pairs), words, zeros, BLOCK, flag)
    return numpy.concatenate((parents.reshape(8, count, pairs), level[:, :, 2 * pairs:]), axis=2)


# ---------------------------------------------------------------- what others call


def digest(key, data, flags, size=32):
    """Hashes with the given key words and mode flags, on the path that suits the length."""
    if numpy is not None and size == 32 and len(data) > LANES_PAY * CHUNK:
        return hash_lanes(key, numpy.frombuffer(data, numpy.uint8)[None, :], flags).tobytes()
    return root_node(key, data, flags).output(size)


def key_words(key):
    return struct.unpack("<8I", key)


def blake3(data, size=32):
    """BLAKE3 of data."""
    return digest(IV, data, 0, size)


def keyed(key, data, size=32):
    """BLAKE3 keyed with 32 bytes."""
    return digest(key_words(key), data, KEYED, size)


@functools.lru_cache(maxsize=64)
def context_key(context):
    return root_node(IV, context.encode(), CONTEXT).output(32)


def derive_key(context, material, size=32):
    """BLAKE3 derive_key: context is a string fixed in a program's text."""
    return digest(key_words(context_key(context)), material, MATERIAL, size)


def many(messages, key=None):
    """Digests of byte strings of one length each, hashed side by side; keyed if a key is given."""
    if not messages:
        return []
    words, flags = (key_words(key), KEYED) if key else (IV, 0)
    if numpy is None:
        return [root_node(words, message, flags).output(32) for message in messages]
    rows = numpy.frombuffer(b"".join(messages), numpy.uint8).reshape(len(messages), -1)
    return [row.tobytes() for row in hash_lanes(words, rows, flags)]
