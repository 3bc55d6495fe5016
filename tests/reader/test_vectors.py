"""docs/format/vectors.json by the reader's own means: it must follow from the specification alone."""

import json
import os
import struct
import unittest
from types import SimpleNamespace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import kits
import plain_blake3
from basics import (Address, FormatError, Input, PackId, Txn, derive, hash_of, keyed, open_sealed,
                    open_session, open_slot, parse_bundle, parse_key_file, parse_vital, public_of, signed_by)
from packs import coefficient, rebuild_stripe, weighted_sum
from transactions import parse_open, parse_page
from trees import Tree, parse_block, parse_inner

PATH = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "format", "vectors.json")
PREFIX = "holdfast 0 "


def unhex(text):
    return bytes.fromhex(text)


def first_word(digest):
    return int.from_bytes(digest[:8], "little")


def described(entries):
    """Entries as the vectors describe them."""
    return [{"path": e.path.decode(), "type": e.type, "mode": e.attributes.mode, "seconds": e.mtime.seconds,
             "nanoseconds": e.mtime.nanoseconds, "size": e.size, "link group": e.link,
             "flags": e.attributes.file_flags, "project": e.attributes.project,
             "birth": list(e.birth) if e.birth else None,
             "target": e.target.decode(), "extents": [described_extent(x) for x in e.extents]}
            for e in entries]


def described_extent(extent):
    slot = extent.chunk.address.slot if extent.chunk else None
    return {"slot": slot, "offset": extent.offset, "length": extent.length}


def cut(table, limits, data):
    """The ends of all chunks of data, as src/chunk/chunk.h defines them."""
    smallest, average, largest = limits
    bits = average.bit_length() - 1
    ends, start = [], 0
    while start < len(data):
        rolling, length = 0, min(largest, len(data) - start)
        for p in range(1, length):
            rolling = (2 * rolling + table[data[start + p - 1]]) % 2**64
            zeros = bits + 2 if p < average else bits - 2
            if p >= smallest and rolling >> (64 - zeros) == 0:
                length = p
                break
        start += length
        ends.append(start)
    return ends


class Vectors(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        with open(PATH, encoding="utf-8") as file:
            cls.all = json.load(file)

    def test_derived_keys(self):
        self.assertEqual(len(self.all["derived keys"]), 19)
        for case in self.all["derived keys"]:
            self.assertTrue(case["context"].startswith(PREFIX))
            found = derive(case["context"][len(PREFIX):], unhex(case["material"]))
            self.assertEqual(found.hex(), case["key"], case["context"])

    def test_seal(self):
        case = {name: unhex(value) for name, value in self.all["seal"].items()}
        self.assertEqual(case["sealed"][:32], case["salt"])
        self.assertEqual(open_sealed(case["key"], case["aad"], case["sealed"], "vector"), case["plain"])

    def test_vital_object(self):
        case = self.all["vital object"]
        vital = parse_vital(unhex(case["object"]), case["kind"], "vector")
        self.assertEqual((vital.body.hex(), vital.written.hex()), (case["body"], case["object"]))
        self.assertEqual(vital.whole, (True, True))

    def test_key_slots(self):
        case = self.all["key slots"]
        repository, name = unhex(case["repository id"]), case["name"]
        secrets = {"content": unhex(case["content"]), "index": unhex(case["index"]),
                   "admin public": unhex(case["admin public"])}
        read = {**secrets, "read": unhex(case["read"]), "reads": {1: unhex(case["read of epoch 1"])}}
        secret = parse_key_file(case["secret key file"], "holdfast-secret-key-1")
        self.assertEqual(parse_key_file(case["recipient file"], "holdfast-recipient-1"),
                         public_of("read", secret))
        by_password = parse_vital(unhex(case["password slot"]), 2, "vector").body
        found = open_slot(by_password, name, repository, case["password"].encode())
        self.assertEqual(found, {**secrets, "reads": {}})
        self.assertIsNone(open_slot(by_password, name, repository, b"other"))
        by_key = parse_vital(unhex(case["recipient slot"]), 2, "vector").body
        self.assertEqual(open_slot(by_key, name, repository, secret=secret), read)
        self.assertIsNone(open_slot(by_key, name, repository, b"password", hash_of(b"other")))

    def test_kits(self):
        case = self.all["recovery kit"]
        wanted = unhex(case["repository id"]), parse_bundle(unhex(case["bundle"]), "vector")
        self.assertEqual(kits.secrets_of(case["whole"]), wanted)
        shares = case["shares of threshold 2"]
        for some in ((0, 1), (2, 0), (1, 2)):
            self.assertEqual(kits.secrets_of("\f".join(shares[i] for i in some)), wanted)
        for wrong in (shares[0], shares[1].replace("  1  ", "  1  X", 1)):
            with self.assertRaises(FormatError):
                kits.secrets_of(wrong)

    def test_ids(self):
        case = self.all["ids"]
        content, plain = unhex(case["content secret"]), unhex(case["plain"])
        chunk_id = keyed(derive("chunk id", content), bytes([case["type"]]) + plain)
        self.assertEqual(chunk_id.hex(), case["chunk id"])
        self.assertEqual(keyed(derive("member id", content), plain)[:16].hex(), case["member id"])

    def test_cuts(self):
        case = self.all["cuts"]
        content = unhex(case["content secret"])
        table = struct.unpack("<256Q", plain_blake3.keyed(derive("gear", content), b"gear", 2048))
        self.assertEqual([table[i] for i in case["table positions"]], case["table"])
        data = plain_blake3.keyed(content, b"cut input", 65536)
        self.assertEqual(cut(table, case["limits"], data), case["chunk ends"])

    def test_boundaries(self):
        case = self.all["boundaries"]
        content = unhex(case["content secret"])
        bundle, tree = derive("bundle boundary", content), derive("tree boundary", content)
        names = [b"file%d" % i for i in range(2000)]
        self.assertEqual([i for i, name in enumerate(names) if first_word(keyed(tree, name)) % 512 == 0],
                         case["leaf ends after"])
        self.assertEqual([i for i, name in enumerate(names)
                          if first_word(keyed(tree, b"\1" + name)) % 128 == 0],
                         case["node of level 1 ends after"])
        self.assertEqual([i for i, name in enumerate(names)
                          if first_word(keyed(bundle, struct.pack("<Q", 32 * i) + name)) >> 32
                          < ((32 * i + 256) << 32) >> 20], case["bundle ends after"])

    def test_reference_page(self):
        case = self.all["reference page"]
        found = [{"writer": pack.txn.writer, "sequence": pack.txn.sequence, "pack": pack.pack,
                  "slots": [slot for run in runs for slot in run]}
                 for pack, runs in parse_page(unhex(case["page"]), "vector")]
        self.assertEqual(found, case["packs"])

    def test_reference_page_ends(self):
        case = self.all["reference page ends"]
        txn = Txn(case["writer"], case["sequence"])
        ends = [i for i in range(case["packs"]) if hash_of(PackId(txn, i).coded())[0] == 0]
        self.assertEqual(ends, case["page ends after"])
        self.assertTrue(ends)

    def test_leaves(self):
        case = self.all["tree"]
        box = Input(unhex(case["full leaf"]), "leaf")
        self.assertEqual((box.u8(), box.u8()), (0, 0))
        entries = parse_block(box)
        self.assertEqual(described(entries), case["entries"])
        box = Input(unhex(case["delta leaf"]), "delta")
        self.assertEqual((box.u8(), box.u8()), (0, 1))
        base = box.address()
        self.assertEqual((base.slot, box.take(16)), (case["delta base slot"], b"\7" + bytes(15)))
        removed, at = [], -1
        for _ in range(box.count()):
            at += box.varint() + 1
            removed.append(at)
        self.assertEqual(removed, case["delta removes"])
        self.assertEqual(described(parse_block(box)), case["delta changes"])

    def test_merged_leaf(self):
        """The delta over the full leaf, by the reader's own Tree."""
        case = self.all["tree"]
        writer, nodes = 0x1122334455667788, {}
        base, top = (Address(PackId(Txn(writer, 1), 1), slot) for slot in (9, 10))
        nodes[base] = (b"\7" + bytes(15), unhex(case["full leaf"]))
        nodes[top] = (b"\1" * 16, unhex(case["delta leaf"]))

        def chunk(address):
            id_, plain = nodes[address]
            return SimpleNamespace(type=3, id=id_ + bytes(16)), plain

        repository = SimpleNamespace(chunk=chunk)
        merged = Tree(repository, None).leaf(top, b"\1" * 16)
        self.assertEqual([entry.path for entry in merged], [b"home/a", b"home/b"])

    def test_node(self):
        case = self.all["tree"]
        found = [{"first": child.first.decode(), "sequence": child.address.pack.txn.sequence,
                  "slot": child.address.slot, "totals": list(child.totals)}
                 for child in parse_inner(unhex(case["node of level 1"]), 1, "node")]
        self.assertEqual(found, case["children"])

    def test_parity(self):
        case = self.all["parity"]
        for p, row in enumerate(case["coefficients"]):
            self.assertEqual(bytes(coefficient(p, d) for d in range(124)).hex(), row)
        frames, sums = ([unhex(frame) for frame in case[name]] for name in ("frames", "parity"))
        for p, expected in enumerate(sums):
            terms = [(coefficient(p, d), frame) for d, frame in enumerate(frames)]
            self.assertEqual(weighted_sum(terms, 16), expected)
        self.assertEqual(rebuild_stripe([None] * 3, sums, 16), frames)

    def test_open(self):
        case = self.all["open"]
        name, repository = case["name"], unhex(case["repository id"])
        body = parse_vital(unhex(case["object"]), 3, "vector").body
        signed_by(unhex(case["commit public"]), body[-64:], repository, name, body[:-64], name)
        opened = parse_open(Input(body[:-64], "vector"))
        self.assertEqual((opened.txn.name("open"), opened.place),
                         (name, (case["key domain"], case["key epoch"])))
        read = unhex(case["read of epoch 1"])
        found = open_session(read, public_of("read", read), opened.ephemeral, opened.sealed,
                             repository + name.encode(), "vector")
        self.assertEqual(found.hex(), case["session secret"])

    def test_frame(self):
        case = self.all["frame"]
        material = unhex(case["session secret"]) + unhex(case["salt"])
        plain = bytes(i % 256 for i in range(4068))
        number = struct.pack("<I", case["number"])
        nonce = keyed(derive("pack nonce", material), number + plain)[:12]
        aad = hash_of(unhex(case["identity"])) + number
        frame = nonce + AESGCM(derive("pack", material)).encrypt(nonce, plain, aad)
        self.assertEqual((frame[:64].hex(), frame[-16:].hex(), hash_of(frame).hex()),
                         (case["first 64 bytes"], case["tag"], case["hash"]))


if __name__ == "__main__":
    unittest.main()
