"""The states that a log leads to, against what can be said of them by hand."""
import os
import tempfile
import unittest

import states

A, B, C = (bytes([letter]) * states.SECTOR for letter in b"abc")


def write(sector, *contents):
    text = b"".join(contents)
    return states.WRITE, sector * states.SECTOR, len(text), text


FLUSH, DISCARD_FIRST = (states.FLUSH, 0, 0, b""), (states.DISCARD, 0, states.SECTOR, b"")


def mark(number):
    return states.MARK, 0, 1, str(number).encode()


def disks_of(events, before=None, count=8):
    """Each state as its mark and the sectors that aren't zero."""
    found = set()
    for state in states.states(states.Disk(before or {}), events, count, 1):
        both = state.disk.sectors | state.overlay
        full = sorted((number, content[:1]) for number, content in both.items() if content != states.ZERO)
        found.add((state.mark, tuple(full)))
    return found


class States(unittest.TestCase):
    def test_of_two_writes_any_may_be_there(self):
        found = disks_of([mark(1), write(1, A), write(2, B), FLUSH])
        each = [(), ((1, b"a"),), ((2, b"b"),), ((1, b"a"), (2, b"b"))]
        self.assertEqual(found, {("1", disk) for disk in each})

    def test_what_was_flushed_stays(self):
        found = disks_of([mark(1), write(1, A), FLUSH, mark(2), write(2, B), FLUSH])
        self.assertTrue(all((1, b"a") in disk for number, disk in found if number == "2"))
        self.assertIn(("2", ((1, b"a"),)), found)

    def test_a_promise_counts_from_its_mark_on(self):
        """The write before the first flush is not durable at mark 1, but at mark 2."""
        found = disks_of([mark(1), write(1, A), FLUSH, mark(2)])
        self.assertEqual(found, {("1", ()), ("1", ((1, b"a"),)), ("2", ((1, b"a"),))})

    def test_a_promise_before_the_flush_does_not_wait_for_it(self):
        self.assertIn(("2", ()), disks_of([mark(1), write(1, A), mark(2), FLUSH]))

    def test_later_writes_win(self):
        found = disks_of([mark(1), write(1, A), write(1, B), FLUSH])
        self.assertEqual(found, {("1", ()), ("1", ((1, b"a"),)), ("1", ((1, b"b"),))})

    def test_a_write_of_several_sectors_is_torn_at_sectors(self):
        found = disks_of([mark(1), write(1, A, B, C), FLUSH], count=40)
        self.assertIn(("1", ((1, b"a"),)), found)
        self.assertIn(("1", ((2, b"b"), (3, b"c"))), found)

    def test_a_discard_is_zeros_or_not_done(self):
        found = disks_of([mark(1), DISCARD_FIRST, FLUSH], before={0: A})
        self.assertEqual(found, {("1", ((0, b"a"),)), ("1", ())})

    def test_nothing_before_the_first_mark(self):
        self.assertEqual(disks_of([write(1, A), FLUSH, write(2, B), FLUSH]), set())

    def test_the_digest_is_that_of_the_content(self):
        disk = states.Disk({1: A, 2: B})
        disk.apply({1: states.ZERO, 3: C})
        self.assertEqual(disk.digest, states.Disk({2: B, 3: C}).digest)
        self.assertNotEqual(disk.digest, states.Disk({2: C, 3: B}).digest)

    def test_some_are_as_many_as_asked_for(self):
        events = [mark(1)] + [write(n, A) for n in range(6)]
        picked, total = states.some(lambda: states.states(states.Disk({}), events, 64, 1), 5, 1)
        self.assertEqual((len(list(picked)), total), (5, 64))

    def test_logs_are_read_as_the_recorder_writes_them(self):
        machine = b"".join(len(word).to_bytes(8, "little") + word for word in (b"state/x", b"content"))
        events = [write(3, A), (states.MACHINE, 0, len(machine), machine), FLUSH, mark(7), DISCARD_FIRST]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log")
            with open(path, "wb") as log:
                for kind, offset, length, content in events:
                    log.write(states.HEADER.pack(kind, offset, length) + content)
            self.assertEqual(list(states.read_log(path)), events)
        self.assertEqual(states.files_of(machine), {"state/x": b"content"})


if __name__ == "__main__":
    unittest.main()
