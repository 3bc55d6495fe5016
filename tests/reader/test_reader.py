"""Tests of the reader: primitives against vectors and by hand, whole repositories from sample.py."""

import contextlib
import io
import json
import os
import random
import shutil
import stat
import tempfile
import unittest

import holdfast_reader
import plain_blake3
import sample
from basics import Address, FormatError, Input, PackId, Time, Txn, kind_of, parse_vital
from holdfast_reader import Repository, Restore, Verify
from packs import coefficient, inverse, product, rebuild_stripe, weighted_sum
from sample import Sample, attributes, block, blob, inner, listed, root_of, svarint, u32, u64, varint
from transactions import parse_slots
from trees import merge, order, parse_block

VECTORS = os.path.join(os.path.dirname(__file__), "..", "vectors", "blake3", "test_vectors.json")


class Blake3(unittest.TestCase):
    """Both paths against the official vectors."""

    def check_vectors(self):
        with open(VECTORS, encoding="utf-8") as file:
            vectors = json.load(file)
        key, context = vectors["key"].encode(), vectors["context_string"]
        for case in vectors["cases"]:
            data = bytes(i % 251 for i in range(case["input_len"]))
            for size in (32, 131) if len(data) < 9000 else (32,):
                found = {"hash": plain_blake3.blake3(data, size),
                         "keyed_hash": plain_blake3.keyed(key, data, size),
                         "derive_key": plain_blake3.derive_key(context, data, size)}
                for mode, digest in found.items():
                    self.assertEqual(digest.hex(), case[mode][:2 * size], (mode, len(data)))

    def test_lanes(self):
        self.assertIsNotNone(plain_blake3.numpy)
        self.addCleanup(setattr, plain_blake3, "LANES_PAY", plain_blake3.LANES_PAY)
        plain_blake3.LANES_PAY = 0
        self.check_vectors()

    def test_plain(self):
        self.addCleanup(setattr, plain_blake3, "numpy", plain_blake3.numpy)
        plain_blake3.numpy = None
        self.check_vectors()

    def test_many_is_one_by_one(self):
        source = random.Random(1)
        for size in (0, 1, 64, 1023, 1024, 1025, 4096, 5001):
            messages = [source.randbytes(size) for _ in range(5)]
            self.assertEqual(plain_blake3.many(messages), [plain_blake3.blake3(m) for m in messages])
            key = source.randbytes(32)
            self.assertEqual(plain_blake3.many(messages, key), [plain_blake3.keyed(key, m) for m in messages])


class Conventions(unittest.TestCase):

    def test_varint(self):
        for data, value in ((b"\0", 0), (b"\x7f", 127), (b"\x80\1", 128), (b"\xff" * 9 + b"\1", 2**64 - 1)):
            self.assertEqual(Input(data, "").varint(), value)
        for bad in (b"", b"\x80", b"\x80\0", b"\xff" * 9 + b"\2", b"\x80" * 10 + b"\1"):
            with self.assertRaises(FormatError):
                Input(bad, "").varint()

    def test_svarint(self):
        for data, value in ((b"\0", 0), (b"\1", -1), (b"\2", 1), (b"\xff" * 9 + b"\1", -2**63)):
            self.assertEqual(Input(data, "").svarint(), value)
            self.assertEqual(svarint(value), data)

    def test_refuses_counts_and_rests(self):
        with self.assertRaises(FormatError):
            Input(b"\x05abcd", "").count()
        with self.assertRaises(FormatError):
            Input(b"\x05abcd", "").blob()
        with self.assertRaises(FormatError):
            Input(b"a", "").end()

    def test_pack_names(self):
        pack = PackId(Txn(0xAB, 255), 3)
        self.assertEqual(pack.name(2), "m/00/00000000000000ab-000000ff-00000003.2")
        self.assertEqual(PackId(Txn(0xAB, 1), 4).name(0), "d/03/00000000000000ab-00000001-00000004.0")

    def test_kinds(self):
        self.assertEqual(kind_of("t/0000000000000001-00000001/man"), 5)
        with self.assertRaises(FormatError):
            kind_of("log/1")

    def test_slot_runs(self):
        self.assertEqual(parse_slots(Input(b"\2\3\2\1\4", "")), [range(3, 5), range(6, 10)])
        self.assertEqual(sample.runs({3, 4, 6, 7, 8, 9}), b"\2\3\2\1\4")
        for bad in (b"\2\3\2\0\4", b"\1\0\0"):
            with self.assertRaises(FormatError):
                parse_slots(Input(bad, ""))


class VitalObjects(unittest.TestCase):

    def setUp(self):
        self.whole = sample.vital(3, b"body")

    def damaged(self, *places):
        data = bytearray(self.whole)
        for place in places:
            data[place] ^= 1
        return parse_vital(bytes(data), 3, "it")

    def test_one_copy_suffices(self):
        self.assertEqual(self.damaged().whole, (True, True))
        half = len(self.whole) // 2
        for place in range(half):
            self.assertEqual(self.damaged(place), (b"body", self.whole, (False, True)))
            self.assertEqual(self.damaged(place + half), (b"body", self.whole, (True, False)))

    def test_refuses(self):
        with self.assertRaises(FormatError):
            self.damaged(1, len(self.whole) // 2)
        with self.assertRaises(FormatError):
            parse_vital(self.whole, 4, "it")


class Parity(unittest.TestCase):

    def test_field(self):
        def slow_product(a, b):
            total = 0
            for bit in range(8):
                total ^= (a << bit) if b >> bit & 1 else 0
            for bit in range(14, 7, -1):
                total ^= (0x11D << bit - 8) if total >> bit & 1 else 0
            return total
        for a in range(256):
            self.assertEqual([product(a, b) for b in range(256)], [slow_product(a, b) for b in range(256)])
            self.assertTrue(a == 0 or product(a, inverse(a)) == 1)

    def test_coefficients(self):
        for p in range(4):
            for d in range(124):
                self.assertEqual(product(coefficient(p, d), (124 + p) ^ d), 1)

    def test_rebuilds_what_was_lost(self):
        source = random.Random(2)
        frames = [source.randbytes(32) for _ in range(124)]
        parities = [weighted_sum([(coefficient(p, d), frame) for d, frame in enumerate(frames)], 32)
                    for p in range(4)]
        for _ in range(50):
            lost = set(source.sample(range(128), 4))
            seen = [None if i in lost else frame for i, frame in enumerate(frames + parities)]
            self.assertEqual(rebuild_stripe(seen[:124], seen[124:], 32), frames)
        with self.assertRaises(FormatError):
            rebuild_stripe([None] * 5 + frames[5:], parities, 32)


class Leaves(unittest.TestCase):

    # Two entries, byte by byte: `a`, a directory, and `a/b`, a file of 3 bytes 5 s and 7 ns later.
    BLOCK = bytes.fromhex(
        "02" "01 0100000000000000 02000000" "01 00 01 04 00"        # entries, transactions, chunks
        "02" "01 ed03 00 00 00 00 00" "00 a403 05 06 01 75 00 01 01 78 01 79"        # attributes
        "00 01 61" "01 02 2f62" "00 01" "14 0a" "02 08" "03"        # paths, attributes, times, size
        "01 01 09" "01 00 01" "02 01 02 03")                        # links, flags, content

    def test_by_hand(self):
        folder, file = parse_block(Input(self.BLOCK, "block"))
        self.assertEqual((folder.path, folder.type, folder.attributes.mode), (b"a", 1, 0o755))
        self.assertEqual((folder.mtime, folder.flags, folder.link), (Time(10, 1), 1, 0))
        self.assertEqual((file.path, file.type, file.attributes.mode), (b"a/b", 0, 0o644))
        self.assertEqual((file.attributes.uid, file.attributes.gid), (5, 6))
        self.assertEqual((file.attributes.user, file.attributes.group), ("u", ""))
        self.assertEqual(file.attributes.xattrs, [(b"x", b"y")])
        self.assertEqual((file.mtime, file.size, file.link), (Time(15, 4), 3, 9))

    def test_flags_projects_and_births(self):
        more = self.BLOCK.replace(bytes.fromhex("01 ed03 00 00 00 00 00"),
                                  bytes.fromhex("11 ed03 00 00 00 00 00 50"))
        more = more.replace(bytes.fromhex("00 a403 05 06 01 75 00 01 01 78 01 79"),
                            bytes.fromhex("20 a403 05 06 01 75 00 01 01 78 01 79 07"))
        folder, file = parse_block(Input(more + bytes.fromhex("02 00 00" "00 01" "01 0c"), "block"))
        self.assertEqual((folder.attributes.file_flags, folder.attributes.project), (0x50, 0))
        self.assertEqual((file.attributes.file_flags, file.attributes.project), (0, 7))
        self.assertEqual((folder.birth, file.birth), (Time(10, 0), Time(14, 6)))
        only_file = parse_block(Input(more + bytes.fromhex("01 01" "01" "0c"), "block"))
        self.assertEqual([entry.birth for entry in only_file], [None, Time(14, 6)])
        for wrong in ("03 00 00 00", "02 00 01 00 00 00 00", "01 00 00 03", "01 00 00"):
            with self.assertRaises(FormatError):
                parse_block(Input(more + bytes.fromhex(wrong), "block"))
        with self.assertRaises(FormatError):  # flags that are said to be there are not 0
            parse_block(Input(more.replace(b"\0\x50", b"\0\0"), "block"))

    def test_every_cut_is_refused(self):
        for size in range(len(self.BLOCK)):
            with self.assertRaises(FormatError):
                parse_block(Input(self.BLOCK[:size], "block"))

    def test_limits(self):
        def attempt(count, prefix=b"", xattr=b"", attribute=None):
            rows = [(prefix + b"%06d" % i, 0, 0, 0) for i in range(count)]
            made = attribute or attributes(1, 0, xattrs=[(b"a", xattr)])
            parse_block(Input(block(b"\0\0", [made], rows, [b"\0\0"]), "block"))
        share = (1 << 20) - 6 - 1 - 64
        attempt(16, xattr=bytes(share))
        attempt(2048)
        attempt(1, prefix=b"d" * 65529)
        for count, prefix, xattr in ((16, b"", bytes(share + 1)), (2049, b"", b""), (1, b"d" * 65530, b""),
                                     (300, b"d" * 60000, b"")):
            with self.assertRaises(FormatError):
                attempt(count, prefix, xattr)

    def test_order(self):
        paths = [b"a", b"a/b", b"a/b/c", b"a\1", b"a b", b"a.b", b"b"]
        self.assertEqual(sorted(reversed(paths), key=order), paths)

    def test_merge(self):
        def rows(*paths, stamp=0):
            return parse_block(Input(block(b"\0\0", [attributes(1, 0)], [(p, 0, stamp, 0) for p in paths],
                                           [b"\0\0"]), "block"))
        merged = merge(rows(b"a", b"b", b"c"), {0: None}, rows(b"aa", b"c", stamp=1))
        self.assertEqual([(e.path, e.mtime.seconds) for e in merged], [(b"aa", 1), (b"b", 0), (b"c", 1)])


# ---------------------------------------------------------------- whole repositories


def content_for_tests():
    source = random.Random(3)
    return {"big": source.randbytes(600_000), "small": b"small file\n" * 3, "other": b"another\n",
            "unused": source.randbytes(12_000)}


class Built:
    """A repository with two snapshots of a small tree, and what it should restore to."""

    def __init__(self, root):
        self.sample, self.content = Sample(root), content_for_tests()
        self.first, previous = self.snapshot(1, (0, bytes(32)))
        self.second, _ = self.snapshot(2, (1, previous))

    def snapshot(self, sequence, previous):
        made, content = self.sample, self.content
        txn = made.begin(sequence)
        members = content["small"] + content["other"]
        table = bytes(16) + u32(len(content["small"])) + bytes(16) + u32(len(content["other"])) + u32(2)
        data = [(1, content["big"]), (2, members + table), (1, content["unused"])]
        trees = self.trees(txn, made.chunk_id(1, content["big"]))
        rows = [made.put_pack(PackId(txn, 0), data), made.put_pack(PackId(txn, 1), trees)]
        top = Address(PackId(txn, 1), 3)
        root = root_of(1, top, made.chunk_id(*trees[3]), (9, 6, 2 * 700_000 + 41 + 66 + 8))
        references = {PackId(txn, 0): {0, 1}, PackId(txn, 1): {0, 1, 2, 3}}
        return txn, made.commit(txn, rows, root, references, previous)

    def trees(self, txn, big):
        """Chunks: a full leaf, a delta on it, another full leaf, and the node over delta and leaf."""
        small = len(self.content["small"])
        tables = sample.transactions_and_chunks(PackId(txn, 0), [(0, big), (1, None)])
        kinds = [attributes(1, 0o750), attributes(0, 0o640, [(b"user.note", b"\0\1")]), attributes(2, 0o777),
                 attributes(3, 0o600)]
        hole = varint(3) + varint(0) + varint(100_000) + varint(1) + varint(0) + varint(600_000)
        bundled = varint(2) + varint(2) + varint(0) + varint(small)
        full = b"\0\0" + block(
            tables, kinds,
            [(b"d", 0, -5, 9), (b"d/gone", 1, 6, 0), (b"d/hole", 1, 6, 1), (b"d/small", 1, 8, 0)],
            [varint(0) + varint(700_000) + varint(small), b"\0\0", hole + bundled])
        base = Address(PackId(txn, 1), 0)
        delta = b"\0\1" + base.pack.coded() + u32(0) + self.sample.chunk_id(3, full)[:16]
        delta += listed([varint(1)])
        delta += block(tables, kinds, [(b"d/link", 2, 7, 0), (b"d/pipe", 3, 7, 0), (b"d/small", 1, 9, 0)],
                       [varint(small), listed([varint(2) + varint(1)]), b"\0", blob(b"../else"), bundled])
        last = b"\0\0" + block(
            tables, kinds, [(b"e", 1, 1, 0), (b"e2", 1, 1, 0), (b"f", 1, 2, 0), (b"g", 1, 2, 0)],
            [varint(small) + varint(8) + varint(700_000) + varint(41), listed([varint(0) + varint(1)]), b"\0",
             bundled, varint(0), hole, varint(2) + varint(1) + varint(9) + varint(41)])
        totals = ((5, 2, 700_000 + small), (4, 4, 700_000 + small + 8 + 41))
        top = inner(1, [(b"d", Address(base.pack, 1), self.sample.chunk_id(3, delta), totals[0]),
                        (b"e", Address(base.pack, 2), self.sample.chunk_id(3, last), totals[1])])
        return [(3, full), (3, delta), (3, last), (4, top)]

    def files(self):
        hole = bytes(100_000) + self.content["big"]
        return {b"d/hole": hole, b"d/small": self.content["small"], b"e": self.content["small"],
                b"e2": self.content["other"], b"f": hole, b"g": self.content["big"][9:50]}


class Whole(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.pristine = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.pristine)
        cls.built = Built(cls.pristine)

    def setUp(self):
        self.work = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.work)
        self.path = os.path.join(self.work, "repository")
        shutil.copytree(self.pristine, self.path)

    def writer(self):
        """The pristine sample, to write more into this test's copy."""
        more = Sample.__new__(Sample)
        more.__dict__.update(self.built.sample.__dict__)
        more.root = self.path
        return more

    def open(self):
        repository = Repository(self.path, sample.PASSWORD)
        self.addCleanup(repository.close)
        return repository

    def problems(self):
        check = Verify(self.open(), 2, lambda _: None)
        check.run()
        return check.problems

    def flip(self, name, *places):
        with open(os.path.join(self.path, name), "r+b") as file:
            for place in places:
                file.seek(place)
                byte = file.read(1)[0] ^ 0x40
                file.seek(place)
                file.write(bytes([byte]))

    def restore(self, wanted="latest"):
        """Restores and checks contents; gives the target."""
        target, repository = os.path.join(self.work, "target"), self.open()
        Restore(repository, target, self.fail).run(repository.snapshot(wanted))
        for path, content in self.built.files().items():
            with open(os.path.join(target.encode(), path), "rb") as file:
                self.assertEqual(file.read(), content, path)
        return target

    def test_sound(self):
        self.assertEqual(self.problems(), [])
        snapshots, errors = self.open().snapshots()
        self.assertEqual(([commit.txn.sequence for commit in snapshots], errors), ([1, 2], []))
        self.assertEqual((snapshots[0].zone, snapshots[0].host, snapshots[0].paths), (-90, "host", ["/src"]))

    def test_wrong_password(self):
        with self.assertRaises(FormatError):
            Repository(self.path, b"wrong")

    def test_restores_metadata(self):
        target = self.restore()
        self.assertEqual(sorted(os.listdir(target + "/d")), ["hole", "link", "pipe", "small"])
        folder, hole = os.lstat(target + "/d"), os.lstat(target + "/d/hole")
        self.assertEqual((stat.S_IMODE(folder.st_mode), folder.st_mtime_ns), (0o750, -5 * 10**9 + 9))
        self.assertEqual((stat.S_IMODE(hole.st_mode), hole.st_mtime_ns), (0o640, 6 * 10**9 + 1))
        self.assertLess(hole.st_blocks * 512, 640_000)
        self.assertEqual(os.readlink(target + "/d/link"), "../else")
        self.assertTrue(stat.S_ISFIFO(os.lstat(target + "/d/pipe").st_mode))
        self.assertTrue(os.path.samefile(target + "/d/small", target + "/e"))
        self.assertEqual(os.getxattr(target + "/e2", "user.note"), b"\0\1")

    def test_repairs_from_parity(self):
        """Four frames of each of two stripes, the header, and one frame table."""
        name = PackId(self.built.second, 0).name(0)
        self.flip(name, 100, *(4096 * (i + 1) + 50 for i in (0, 1, 2, 3, 4, 5, 6, 7)))
        self.restore()
        size = os.path.getsize(os.path.join(self.path, name))
        self.flip(name, size - 4096 - 1)
        found = " ".join(self.problems())
        for expected in ("header is damaged", "frame table", "frame 7 is damaged", "rebuilt from parity"):
            self.assertIn(expected, found)

    def test_beyond_repair(self):
        self.flip(PackId(self.built.second, 0).name(0), *(4096 * (i + 1) + 50 for i in range(0, 10, 2)))
        with self.assertRaisesRegex(FormatError, "stripe"):
            self.restore()
        shutil.rmtree(os.path.join(self.work, "target"))
        self.restore(self.open().snapshots()[0][0].id.hex()[:12])

    def test_parity_alone_is_checked(self):
        name = PackId(self.built.second, 1).name(0)
        size = os.path.getsize(os.path.join(self.path, name))
        self.flip(name, size - 4096 - 2 * 32 * 6 - 30)
        self.assertIn("parity frame", " ".join(self.problems()))

    def test_vital_objects(self):
        for name in ("holdfast", self.built.first.name("fate"), self.built.second.name("open")):
            self.flip(name, 20)
        found = [problem.split(": ")[-1] for problem in self.problems()]
        self.assertEqual(found, ["copy 1 is damaged"] * 3)
        self.restore()

    def test_unknown_fate(self):
        half = os.path.getsize(os.path.join(self.path, self.built.first.name("fate"))) // 2
        self.flip(self.built.first.name("fate"), 20, half + 20)
        snapshots, errors = self.open().snapshots()
        self.assertEqual((len(snapshots), len(errors)), (1, 1))

    def test_forget_and_void(self):
        more = self.writer()
        forget = b"\1" + listed([self.built.first.coded()])
        more.log(forget, signer="commit")
        self.assertEqual(len(self.open().snapshots()[0]), 2)
        more.log(forget)
        self.assertEqual([commit.txn for commit in self.open().snapshots()[0]], [self.built.second])
        more.log(b"\2" + listed([self.built.first.coded()]))
        more.log(b"\6" + self.built.first.coded() + listed([blob(b"kept")]))
        self.assertEqual([commit.tags for commit in self.open().snapshots()[0]], [["kept"], []])
        self.assertEqual(self.problems(), [])

    def test_log_chain(self):
        more = self.writer()
        for _ in range(3):
            more.log(b"\1" + listed([]))
        os.remove(os.path.join(self.path, "log/0000000000000001"))
        self.assertIn("gap", " ".join(map(str, self.problems())))

    def test_damaged_log_entry(self):
        """What can be read of the log still counts, and the damage is told."""
        more = self.writer()
        more.log(b"\1" + listed([]))
        more.log(b"\1" + listed([self.built.first.coded()]))
        name = "log/" + "0" * 16
        self.flip(name, 20, os.path.getsize(os.path.join(self.path, name)) // 2 + 20)
        snapshots, errors = self.open().snapshots()
        self.assertEqual(([commit.txn for commit in snapshots], len(errors)), ([self.built.second], 1))

    def test_a_pack_under_other_keys_than_its_transaction(self):
        more = self.writer()
        for pack, place in ((4, (0, 0)), (6, (0, 1)), (8, (1, 0))):
            more.place_in_packs = b"".join(map(u32, place))
            more.put_pack(PackId(self.built.second, pack), [(1, b"text")])
        repository = self.open()
        self.assertEqual(repository.read_chunk(Address(PackId(self.built.second, 4), 0))[1], b"text")
        for pack in (6, 8):
            with self.assertRaisesRegex(FormatError, "under other keys"):
                repository.read_chunk(Address(PackId(self.built.second, pack), 0))

    def test_relocation(self):
        """Slots 0 and 1 live on in generation 1; slot 2 is gone."""
        more, pack = self.writer(), PackId(self.built.second, 0)
        content, table = self.built.content, bytes(16) + u32(33) + bytes(16) + u32(8) + u32(2)
        chunks = [(1, content["big"]), (2, content["small"] + content["other"] + table),
                  (1, content["unused"])]
        more.put_pack(pack, chunks, generation=1, keep=(0, 1))
        item = pack.coded() + sample.runs({0, 1})
        more.log(b"\3" + listed([item]))
        more.log(b"\5" + u64(0) + u64(0) + listed([item + u32(1)]))
        sizes = [os.path.getsize(os.path.join(self.path, pack.name(generation))) for generation in (0, 1)]
        self.assertGreater(sizes[0], sizes[1] + 4096)
        os.remove(os.path.join(self.path, pack.name(0)))
        self.restore()
        self.assertEqual(self.problems(), [])

    def test_delete_needs_its_head(self):
        more, pack = self.writer(), PackId(self.built.second, 0)
        item = pack.coded() + b"\0"
        more.log(b"\3" + listed([item]))
        more.log(b"\5" + u64(0) + u64(7) + listed([item + u32(0)]))
        self.assertEqual(self.problems(), [])
        more.log(b"\5" + u64(0) + u64(1) + listed([item + u32(0)]))
        self.assertIn("refers to what is deleted", " ".join(map(str, self.problems())))

    def test_commands(self):
        os.environ["HOLDFAST_PASSWORD"] = sample.PASSWORD.decode()
        for command, expected in ((["snapshots"], "/src"), (["ls", "latest"], "d/link -> ../else"),
                                  (["dump-config"], "262144"), (["verify"], "0 problems")):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                self.assertEqual(holdfast_reader.main(["-r", self.path, *command]), 0, command)
            self.assertIn(expected, out.getvalue())


class UnsafePaths(unittest.TestCase):
    """Entries that would leave the target, or go through something else than a directory."""

    def attempt(self, error, *entries):
        rows = [(path, index, 0, 0) for path, index in entries]
        links = sum(index == 1 for _, index in entries)
        made = parse_block(Input(block(b"\0\0", [attributes(1, 0o755), attributes(2, 0o777)], rows,
                                       [b"\0\0", blob(b"/") * links]), "block"))
        with tempfile.TemporaryDirectory() as target:
            restore = Restore(None, target, self.fail)
            with self.assertRaises(error):
                for entry in made:
                    restore.entry(entry)

    def test_refused(self):
        for path in (b"", b"..", b"../x", b"a/../b", b"/a", b"a//b", b"a/", b".", b"a\0b"):
            self.attempt(FormatError, (path, 0))
        self.attempt(FileExistsError, (b"a", 1), (b"a/b", 0))


if __name__ == "__main__":
    unittest.main()
