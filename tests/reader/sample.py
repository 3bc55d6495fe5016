"""Writes small repositories by the document, for the reader's tests: no chunking, no dedup, fixed secrets."""

import os
import struct

import zstandard
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from basics import SECRETS, ZERO_HASH, PackId, Txn, derive, hash_of, keyed, kind_of, public_of
from packs import STRIPE_DATA, STRIPE_PARITY, coefficient, weighted_sum

PASSWORD = b"correct horse"
PUBLIC = ("admin", "commit", "log", "read")
WRITER = 0x0123456789ABCDEF


def u16(value):
    return struct.pack("<H", value)


def u32(value):
    return struct.pack("<I", value)


def u64(value):
    return struct.pack("<Q", value)


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def svarint(value):
    return varint(value << 1 if value >= 0 else ~(value << 1))


def blob(data):
    return varint(len(data)) + data


def listed(items):
    """`varint n, n × item` of items that are coded already."""
    items = list(items)
    return varint(len(items)) + b"".join(items)


def time(seconds, nanoseconds=0):
    return svarint(seconds) + varint(nanoseconds)


def vital(kind, body):
    copy = b"HFV0" + bytes([kind, 0, 0, 0]) + u32(len(body)) + body
    return (copy + hash_of(copy)) * 2


def seal(key, aad, plain):
    salt = hash_of(b"salt" + aad)
    nonce = keyed(derive("seal nonce", key + salt), plain)[:12]
    box = AESGCM(derive("seal", key + salt)).encrypt(nonce, plain, aad)
    return salt + derive("seal commit", key + salt) + nonce + box


def runs(slots):
    """Slots in use, as runs."""
    out, end, count, i, slots = b"", 0, 0, 0, sorted(slots)
    while i < len(slots):
        j = i
        while j + 1 < len(slots) and slots[j + 1] == slots[j] + 1:
            j += 1
        out += varint(slots[i] - end) + varint(j - i + 1)
        end, count, i = slots[j] + 1, count + 1, j + 1
    return varint(count) + out


class Sample:
    """A repository being written into a directory."""

    def __init__(self, root):
        self.root, self.id = root, bytes(range(16))
        self.secrets = {name: hash_of(name.encode()) for name in SECRETS.values()}
        self.public = {name: public_of(name, self.secrets[name]) for name in PUBLIC}
        self.session, self.log_hash, self.log_number = hash_of(b"session"), ZERO_HASH, 0
        self.place_in_packs = u32(0) * 2
        self.put("spec", b"the specification\n")
        self.put_vital("holdfast", self.config())
        self.put_slot("keys/" + "5" * 32)

    def put(self, name, data):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)

    def put_vital(self, name, body):
        self.put(name, vital(kind_of(name), body))
        return hash_of(vital(kind_of(name), body))

    def sign(self, who, message):
        return Ed25519PrivateKey.from_private_bytes(self.secrets[who]).sign(message)

    def signed(self, who, name, body):
        return body + self.sign(who, self.id + blob(name.encode()) + body)

    def hidden(self, name, plain):
        """A blob sealed with the index secret."""
        return blob(seal(self.secrets["index"], self.id + name.encode(), plain))

    def config(self):
        body = blob(b"holdfast") + u16(0) + self.id + time(1) + u64(0) * 3 + u32(0) * 2 + u16(1) * 2
        body += b"".join(self.public[name] for name in PUBLIC)
        body += u32(262144) + u32(1048576) + u32(4194304)
        return self.signed("admin", "holdfast", body)

    def put_slot(self, name):
        salt = bytes(16)
        kek = hash_secret_raw(PASSWORD, salt, 1, 64, 1, 32, Type.ID, 19)
        bundle = b"\0" + self.public["admin"]
        bundle += listed(bytes([which]) + self.secrets[secret] for which, secret in SECRETS.items())
        bundle += listed([])
        head = b"\1" + blob(b"test") + time(2) + b"\x3f" + u32(0) + u32(1) + u32(64) + salt
        self.put_vital(name, head + blob(seal(kek, self.id + name.encode() + head, bundle)))

    # transactions

    def begin(self, sequence):
        txn = Txn(WRITER, sequence)
        name = txn.name("open")
        private = X25519PrivateKey.from_private_bytes(hash_of(b"ephemeral"))
        ephemeral = public_of("read", hash_of(b"ephemeral"))
        shared = private.exchange(X25519PublicKey.from_public_bytes(self.public["read"]))
        sealed = seal(derive("recipient", shared + ephemeral + self.public["read"]), self.id + name.encode(),
                      self.session)
        body = txn.coded() + bytes(16) + bytes(16) + time(3) + u32(0) * 2 + ephemeral + blob(sealed)
        self.put_vital(name, self.signed("commit", name, body))
        return txn

    def commit(self, txn, rows, root, references, previous=(0, ZERO_HASH)):
        """Manifest, one page of references, and the fate; gives the hash of the fate's body."""
        name = txn.name("man")
        manifest = self.put_vital(name, self.hidden(name, txn.coded() + listed(rows)))
        name = txn.name("refs")
        page = listed(pack.coded() + runs(slots) for pack, slots in sorted(references.items()))
        refs = self.put_vital(name, self.hidden(name, listed([blob(page)])))
        name = txn.name("fate")
        plain = txn.coded() + bytes(16) + u32(0) + b"\1\0\0" + u32(previous[0]) + previous[1]
        plain += time(100 + txn.sequence) + time(101 + txn.sequence) + svarint(-90)
        plain += blob(b"host") + blob(b"user") + blob(b"sample 0") + listed([blob(b"/src")]) + listed([])
        plain += listed([]) + b"\0" + listed([root]) + listed([blob(b"files") + varint(3)])
        plain += manifest + refs + listed([txn.coded() + varint(0)])
        body = self.signed("commit", name, b"\1" + self.hidden(name, plain))
        self.put_vital(name, body)
        return hash_of(body)

    def log(self, entry, signer="log"):
        name = f"log/{self.log_number:016x}"
        body = u64(self.log_number) + self.log_hash + time(200) + self.hidden(name, entry)
        body = self.signed(signer, name, body)
        self.put_vital(name, body)
        self.log_hash, self.log_number = hash_of(body), self.log_number + 1

    # packs

    def chunk_id(self, type_, plain):
        return keyed(derive("chunk id", self.secrets["content"]), bytes([type_]) + plain)

    def put_pack(self, id_, chunks, frame_size=4096, generation=0, keep=None):
        """Writes (type, plain) chunks; with `keep`, the frames of these slots and the directory alone."""
        stored = [min((zstandard.compress(plain), 1), (plain, 0), key=lambda pair: len(pair[0]))
                  for _, plain in chunks]
        stream, directory, spans, room = b"", u32(len(chunks)), [], frame_size - 28
        for (type_, plain), (data, codec) in zip(chunks, stored):
            directory += self.chunk_id(type_, plain) + u32(len(stream)) + u32(len(data)) + u32(len(plain))
            directory += bytes([codec, type_, 0, 0])
            spans.append(range(len(stream) // room, -(-(len(stream) + len(data)) // room)))
            stream += data
        salt = hash_of(id_.coded())
        identity = self.identity(id_, frame_size, salt)
        data, listing = (cut(text, room) for text in (stream, directory))
        frames = self.encrypt(identity, salt, data, listing)
        kept = range(len(frames))
        if keep is not None:
            kept = sorted({i for slot in keep for i in spans[slot]} | set(range(len(data), len(frames))))
        header = self.header(identity, generation, len(frames), kept)
        root = self.put_object(id_.name(generation), header, [frames[i] for i in kept], len(listing),
                               u64(len(stream)) + u32(len(chunks)))
        size = os.path.getsize(os.path.join(self.root, id_.name(generation)))
        return u32(id_.pack) + u64(size) + root + listed(
            self.chunk_id(type_, plain) + bytes([type_]) + varint(len(plain)) + varint(len(data))
            for (type_, plain), (data, _) in zip(chunks, stored))

    def identity(self, id_, frame_size, salt):
        head = b"HFP0" + u16(0) + u16(1) + self.id + id_.coded()
        head += bytes([frame_size.bit_length() - 1, 0, 0, 0])
        commit = derive("pack commit", self.session + salt)
        return (head + salt + commit + self.place_in_packs + u64(0) * 3).ljust(512, b"\0")

    def header(self, identity, generation, count, kept):
        bitmap = bytearray(-(-count // 8) if generation else 0)
        for i in kept if generation else ():
            bitmap[i // 8] |= 1 << i % 8
        variable = u32(generation) + u32(count if generation else 0) + u32(len(bitmap)) + bitmap
        return (identity + variable).ljust(4064, b"\0")

    def encrypt(self, identity, salt, data, listing):
        material, hidden, aad = self.session + salt, self.secrets["index"] + salt, hash_of(identity)
        keys = [(derive("pack", material), derive("pack nonce", material))] * len(data)
        keys += [(derive("directory", hidden), derive("directory nonce", hidden))] * len(listing)
        frames = []
        for number, ((key, nonce_key), plain) in enumerate(zip(keys, data + listing)):
            nonce = keyed(nonce_key, u32(number) + plain)[:12]
            frames.append(nonce + AESGCM(key).encrypt(nonce, plain, aad + u32(number)))
        return frames

    def put_object(self, name, header, frames, directory, lengths):
        """Lays out a pack's object; gives its root."""
        stripes, parity = -(-len(frames) // STRIPE_DATA), min(STRIPE_PARITY, len(frames))
        size = len(frames[0])
        all_frames = list(frames)
        for stripe in range(stripes):
            for p in range(parity):
                terms = [(coefficient(p, d), frame) for d, frame in enumerate(frames[stripe::stripes])]
                all_frames.append(weighted_sum(terms, size))
        table = b"".join(hash_of(frame) for frame in all_frames)
        counts = u32(len(frames) - directory) + u32(directory) + u16(stripes) + u16(parity)
        root = hash_of(hash_of(header) + counts + table)
        trailer = (b"HFT0" + counts + lengths + root + blob(header.rstrip(b"\0"))).ljust(4064, b"\0")
        self.put(name, b"".join([header, hash_of(header), *all_frames, table * 2, trailer, hash_of(trailer)]))
        return root


def cut(text, room):
    """Plain texts of frames: the text in pieces, zeros after it."""
    return [text[at:at + room].ljust(room, b"\0") for at in range(0, len(text), room)]


# ---------------------------------------------------------------- trees


def transactions_and_chunks(pack, chunks):
    """The tables of a block whose chunks are (slot, id or None) of one pack."""
    place = varint(0) + varint(pack.pack)
    return listed([pack.txn.coded()]) + listed(
        place + varint(slot) + (b"\1" + id_[:16] if id_ else b"\0") for slot, id_ in chunks)


def attributes(type_, mode, xattrs=(), owner=(0, 0)):
    names = listed(blob(name) + blob(value) for name, value in xattrs)
    return bytes([type_]) + varint(mode) + varint(owner[0]) + varint(owner[1]) + blob(b"") + blob(b"") + names


def block(tables, attribute_list, rows, columns):
    """A block: rows are (path, attribute index, seconds, nanoseconds); columns: what follows the times."""
    paths, times, nanoseconds, before = b"", b"", b"", (b"", 0, 0, 0)
    for row in rows:
        shared = len(os.path.commonprefix([row[0], before[0]]))
        paths += varint(shared) + blob(row[0][shared:])
        times += svarint(row[2] - before[2])
        nanoseconds += svarint(row[3] - before[3] if row[2] == before[2] else row[3])
        before = row
    indexes = b"".join(varint(row[1]) for row in rows)
    return (varint(len(rows)) + tables + listed(attribute_list) + paths + indexes + times + nanoseconds
            + b"".join(columns))


def inner(level, children):
    """A node over children: (first path, address, id, totals), all of one transaction."""
    out, before = b"", b""
    for path, address, id_, totals in children:
        shared = len(os.path.commonprefix([path, before]))
        out += varint(shared) + blob(path[shared:])
        out += varint(0) + varint(address.pack.pack) + varint(address.slot)
        out += id_[:16] + b"".join(map(varint, totals))
        before = path
    return bytes([0, level]) + listed([children[0][1].pack.txn.coded()]) + varint(len(children)) + out


def root_of(level, address, id_, totals):
    return (b"\1" + blob(b"files") + bytes([level]) + address.pack.coded() + u32(address.slot) + id_[:16]
            + b"".join(map(varint, totals)))


def data_pack(txn):
    return PackId(txn, 0)


def tree_pack(txn):
    return PackId(txn, 1)
