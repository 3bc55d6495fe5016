"""Conventions, objects, sealing, config and keys: docs/format/README.md and keys.md."""

import dataclasses
import datetime
import os
import re
import struct
from typing import NamedTuple

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import plain_blake3

ZERO_HASH = bytes(32)
OWN_OBJECTS = 0xFFFFFFFF


class FormatError(Exception):
    """Something is not as the specification says: damaged, forged, or newer than this reader."""


class Missing(FormatError):
    """An object is not there."""


def require(condition, message):
    """Refuses the input unless the condition holds."""
    if not condition:
        raise FormatError(message)


# ---------------------------------------------------------------- conventions (README.md)


class Txn(NamedTuple):
    """A transaction's id."""
    writer: int
    sequence: int

    def __str__(self):
        return f"{self.writer:016x}-{self.sequence:08x}"

    def name(self, part):
        """The name of one of its own objects."""
        return f"t/{self}/{part}"

    def coded(self):
        return struct.pack("<QI", *self)


class PackId(NamedTuple):
    """Which pack: the generation is the log's matter."""
    txn: Txn
    pack: int

    def __str__(self):
        return f"{self.txn}-{self.pack:08x}"

    def name(self, generation):
        """The name of the object that holds it."""
        kind = "m" if self.pack % 2 else "d"
        return f"{kind}/{(self.txn.sequence + self.pack // 2) % 256:02x}/{self}.{generation}"

    def coded(self):
        return self.txn.coded() + struct.pack("<I", self.pack)


class Address(NamedTuple):
    """Where a chunk is."""
    pack: PackId
    slot: int

    def __str__(self):
        return f"{self.pack}:{self.slot}"


class KeyPlace(NamedTuple):
    """Which keys a transaction was written under."""
    domain: int
    epoch: int


class Time(NamedTuple):
    """Seconds and nanoseconds since 1970."""
    seconds: int
    nanoseconds: int

    def __str__(self):
        try:
            moment = datetime.datetime.fromtimestamp(self.seconds, datetime.timezone.utc)
            return moment.strftime("%Y-%m-%d %H:%M:%S")
        except (OverflowError, ValueError, OSError):
            return f"@{self.seconds}"

    def total(self):
        return self.seconds * 10**9 + self.nanoseconds


class Input:
    """Decodes bytes from the front and refuses to go past their end."""

    def __init__(self, data, what):
        self.data, self.what, self.at = data, what, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        require(size <= self.left(), f"{self.what}: ends too early")
        self.at += size
        return self.data[self.at - size:self.at]

    def end(self):
        require(self.left() == 0, f"{self.what}: {self.left()} bytes left over")

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return int.from_bytes(self.take(2), "little")

    def u32(self):
        return int.from_bytes(self.take(4), "little")

    def u64(self):
        return int.from_bytes(self.take(8), "little")

    def varint(self):
        value = 0
        for i in range(10):
            byte = self.u8()
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                require(byte or i == 0, f"{self.what}: superfluous byte in a varint")
                require(value < 1 << 64, f"{self.what}: varint beyond 64 bits")
                return value
        raise FormatError(f"{self.what}: varint of more than 10 bytes")

    def svarint(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def count(self, smallest=1):
        """A varint count of items of at least `smallest` bytes each."""
        value = self.varint()
        require(value * smallest <= self.left(), f"{self.what}: count {value} can't be")
        return value

    def list(self, read, smallest=1):
        return [read() for _ in range(self.count(smallest))]

    def blob(self):
        return self.take(self.varint())

    def text(self):
        return self.blob().decode("utf-8", "surrogateescape")

    def time(self):
        seconds, nanoseconds = self.svarint(), self.varint()
        require(nanoseconds < 10**9, f"{self.what}: nanoseconds beyond a second")
        return Time(seconds, nanoseconds)

    def txn(self):
        return Txn(self.u64(), self.u32())

    def pack(self):
        return PackId(self.txn(), self.u32())

    def address(self):
        return Address(self.pack(), self.u32())

    def optional(self, read):
        """`u8 has, [value]`."""
        has = self.u8()
        require(has <= 1, f"{self.what}: flag {has} is neither 0 nor 1")
        return read() if has else None


def hash_of(data):
    """H(x)."""
    return plain_blake3.blake3(data)


def keyed(key, data):
    """H(k, x)."""
    return plain_blake3.keyed(key, data)


def derive(context, material):
    """D("… context", x)."""
    return plain_blake3.derive_key("holdfast 0 " + context, material)


def open_sealed(key, aad, sealed, what):
    """seal() undone: commitment first, then GCM, then the nonce, which must follow from the text."""
    box = Input(sealed, what)
    salt, commit, nonce = box.take(32), box.take(32), box.take(12)
    require(box.left() >= 16, f"{what}: too short to be sealed")
    require(commit == derive("seal commit", key + salt), f"{what}: sealed with another key")
    try:
        plain = AESGCM(derive("seal", key + salt)).decrypt(nonce, box.take(box.left()), aad)
    except InvalidTag:
        raise FormatError(f"{what}: does not decrypt") from None
    require(nonce == keyed(derive("seal nonce", key + salt), plain)[:12],
            f"{what}: nonce does not follow from the text")
    return plain


def signed_by(public, signature, repository, name, body, what):
    """Checks a signature over `id ‖ string name ‖ body`."""
    require(len(name) < 128, f"{what}: name too long")
    message = repository + bytes([len(name)]) + name.encode() + body
    check_signature(public, signature, message, what)


def check_signature(public, signature, message, what):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise FormatError(f"{what}: signature does not fit") from None


# ---------------------------------------------------------------- objects


TXN = "[0-9a-f]{16}-[0-9a-f]{8}"
KINDS = (("holdfast", 1), ("keys/[0-9a-f]{32}", 2), (f"t/{TXN}/open", 3), (f"t/{TXN}/fate", 4),
         (f"t/{TXN}/man", 5), (f"t/{TXN}/refs", 6), ("log/[0-9a-f]{16}", 7),
         ("domains/[0-9a-f]{8}", 8), (r"domains/[0-9a-f]{8}\.erased", 9))


def kind_of(name):
    """The kind of a vital object."""
    for pattern, kind in KINDS:
        if re.fullmatch(pattern, name):
            return kind
    raise FormatError(f"{name}: not the name of an object")


class Store:
    """A directory whose files are the objects."""

    def __init__(self, root):
        self.root = root

    def path(self, name):
        return os.path.join(self.root, name)

    def has(self, name):
        return os.path.exists(self.path(name))

    def read(self, name):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise Missing(f"{name}: not there") from None

    def list(self, folder):
        """The names in a folder, sorted; none if there is no such folder."""
        try:
            return sorted(os.listdir(self.path(folder)))
        except FileNotFoundError:
            return []


class Vital(NamedTuple):
    """A vital object: its body, its bytes as they were written, and whether each half is whole."""
    body: bytes
    written: bytes
    whole: tuple


def parse_copy(data, kind):
    """The body of a copy that begins at the front of data, or None if it is not whole."""
    if len(data) < 44 or data[:4] != b"HFV0" or data[4] != kind or data[5:8] != bytes(3):
        return None
    size = int.from_bytes(data[8:12], "little")
    if len(data) < size + 44 or hash_of(data[:12 + size]) != data[12 + size:44 + size]:
        return None
    return data[12:12 + size]


def parse_vital(data, kind, name):
    """Takes the first whole copy. The second begins at half the object."""
    half = len(data) // 2
    copies = [parse_copy(data, kind), parse_copy(data[half:], kind)]
    body = next((copy for copy in copies if copy is not None), None)
    require(body is not None, f"{name}: both copies are damaged")
    copy = b"HFV0" + bytes([kind, 0, 0, 0]) + struct.pack("<I", len(body)) + body
    written = (copy + hash_of(copy)) * 2
    whole = tuple(half * 2 == len(data) and data[i * half:(i + 1) * half] == written[:half] for i in (0, 1))
    return Vital(body, written, whole)


@dataclasses.dataclass
class Config:
    """The object `holdfast`."""
    id: bytes
    created: Time
    features: tuple
    admin: bytes
    commit: bytes
    log: bytes
    read: bytes
    chunk_sizes: tuple


def parse_config(body):
    require(len(body) <= 65536, "config: longer than 64 KiB")
    box = Input(body, "config")
    require(box.blob() == b"holdfast", "config: not a holdfast repository")
    require(box.u16() == 0, "config: not format version 0")
    id_, created = box.take(16), box.time()
    features = (box.u64(), box.u64(), box.u64())
    require(features[0] == 0, "config: unknown incompatible features")
    require((box.u32(), box.u32(), box.u16(), box.u16()) == (0, 0, 1, 1),
            "config: unknown key domain or suite")
    admin, commit, log, read = (box.take(32) for _ in range(4))
    sizes = (box.u32(), box.u32(), box.u32())
    signed_by(admin, box.take(64), id_, "holdfast", body[:-64], "config")
    box.end()
    return Config(id_, created, features, admin, commit, log, read, sizes)


# ---------------------------------------------------------------- keys (keys.md)


SECRETS = {1: "content", 2: "index", 3: "read", 4: "admin", 5: "commit", 6: "log"}


def open_slot(body, name, repository, password=None, secret=None):
    """The secrets of a key slot by name, or None if the password, or the secret key, is not this slot's."""
    box = Input(body, name)
    kind = box.u8()
    require(kind in (1, 2), f"{name}: unknown type of slot")
    box.blob(), box.time()
    rights, epoch = box.u8(), box.u32()
    fields = (box.u32(), box.u32(), box.take(16)) if kind == 1 else (box.take(32), box.take(32))
    head, sealed = body[:box.at], box.blob()
    signed = body[:box.at]
    signature = box.take(64) if kind == 2 else None
    box.end()
    kek = password_kek(password, fields, name) if kind == 1 else recipient_kek(secret, fields, name)
    if kek is None or sealed[32:64] != derive("seal commit", kek + sealed[:32]):
        return None
    secrets = parse_bundle(open_sealed(kek, repository + name.encode() + head, sealed, name), name)
    held = sum(1 << which - 1 for which, of in SECRETS.items() if of in secrets)
    require(rights == held and epoch == max(secrets["reads"], default=0),
            f"{name}: says that it opens other secrets")
    if kind == 2:
        signed_by(secrets["admin public"], signature, repository, name, signed, name)
    return secrets


def password_kek(password, fields, name):
    passes, memory, salt = fields
    require(1 <= passes <= 64 and memory <= 4 << 20, f"{name}: asks for too much work")
    if password is None:
        return None
    return hash_secret_raw(password, salt, passes, memory, 1, 32, Type.ID, 19)        # 19: version 1.3


def recipient_kek(secret, fields, name):
    recipient, ephemeral = fields
    if secret is None or public_of("read", secret) != recipient:
        return None
    return derive("slot recipient", exchanged(secret, ephemeral, name) + ephemeral + recipient)


def parse_bundle(plain, name):
    """Secrets by name; also the admin's public key and the read keys of later epochs."""
    box = Input(plain, name)
    require(box.u8() == 0, f"{name}: unknown bundle of secrets")
    admin = box.take(32)
    pairs = box.list(lambda: (box.u8(), box.take(32)), 33)
    reads = box.list(lambda: (box.u32(), box.take(32)), 36)
    box.end()
    order = [which for which, _ in pairs]
    require(order == sorted(set(order)) and set(order) <= set(SECRETS), f"{name}: secrets are not in order")
    epochs = [epoch for epoch, _ in reads]
    require(epochs == sorted(set(epochs) - {0}), f"{name}: epochs are not in order")
    require(3 in order or not epochs, f"{name}: later read keys without the first")
    secrets = {SECRETS[which]: secret for which, secret in pairs}
    return {**secrets, "admin public": admin, "reads": dict(reads)}


def parse_key_file(text, word):
    """The key in a recipient's file."""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        require(len(words) == 3 and words[0] == word, f"no line {word}")
        require(hash_of((word + words[1]).encode())[:4].hex() == words[2], "the key's check does not fit")
        return bytes.fromhex(words[1])
    raise FormatError(f"no line {word}")


def public_of(name, secret):
    """The public key that belongs to a secret."""
    private = X25519PrivateKey if name == "read" else Ed25519PrivateKey
    return private.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def exchanged(secret, public, what):
    """X25519."""
    try:
        private = X25519PrivateKey.from_private_bytes(secret)
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise FormatError(f"{what}: the shared secret is zero") from None
    require(any(shared), f"{what}: the shared secret is zero")
    return shared


def open_session(secret, public, ephemeral, sealed, aad, what):
    """The session secret of a transaction."""
    shared = exchanged(secret, ephemeral, what)
    session = open_sealed(derive("recipient", shared + ephemeral + public), aad, sealed, what)
    require(len(session) == 32, f"{what}: the session secret is not 32 bytes")
    return session
