"""The judge finds each kind of difference that is made on purpose, and none where there is none."""

import contextlib
import io
import json
import os
import tempfile
import unittest
import unittest.mock

import compare
import linux

MIB = 1 << 20
ROOT = os.geteuid() == 0


def judged(*words):
    """Exit status and the kinds of differences printed, by path."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = compare.main(list(words))
    kinds = {}
    for line in out.getvalue().splitlines():
        path, kind = line.split(": ")[:2]
        kinds.setdefault(path[2:-1], set()).add(kind)
    return status, kinds


class Judge(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="holdfast-judge.")
        self.addCleanup(scratch.cleanup)
        self.sides = [os.path.join(scratch.name, side) for side in ("left", "right")]
        self.scratch = scratch.name
        for side in self.sides:
            self.build(side)
        self.settle()

    def build(self, top):
        os.makedirs(os.path.join(top, "folder"))
        for name in ("file", "other", "folder/inner", "bytes \udcff"):
            with open(os.path.join(top, name), "w") as file:
                file.write("content of " + ascii(name))
        os.symlink("file", os.path.join(top, "link"))
        os.mkfifo(os.path.join(top, "fifo"))
        with open(os.path.join(top, "sparse"), "wb") as file:
            file.seek(20 * MIB)
            file.write(b"end")
        os.link(os.path.join(top, "file"), os.path.join(top, "second"))
        os.setxattr(os.path.join(top, "file"), "user.a", b"1")

    def settle(self):
        """All times alike, so that only what a test does differs."""
        for side in self.sides:
            for folder, folders, files in os.walk(side, topdown=False):
                for name in folders + files:
                    os.utime(os.path.join(folder, name), ns=(0, 10**18 + 5), follow_symlinks=False)
            os.utime(side, ns=(0, 10**18 + 5))

    def right(self, name):
        return os.path.join(self.sides[1], name)

    def expect(self, path, kind, *words, settle=True):
        if settle:
            self.settle()
        status, kinds = judged(*words, *self.sides)
        self.assertEqual(kinds, {path: {kind}} if kind else {})
        self.assertEqual(status, 1 if kind else 0)

    def test_equal_trees(self):
        self.expect("", None)

    def test_content(self):
        with open(self.right("other"), "r+b") as file:
            file.write(b"C")
        self.expect("other", "content")

    def test_the_last_byte_of_a_sparse_file(self):
        with open(self.right("sparse"), "r+b") as file:
            file.seek(20 * MIB + 2)
            file.write(b"D")
        self.expect("sparse", "content")

    def test_length(self):
        os.truncate(self.right("other"), 3)
        self.expect("other", "content")

    def test_missing_and_too_many(self):
        os.unlink(self.right("folder/inner"))
        self.expect("folder/inner", "missing")
        with open(self.right("folder/new"), "w"):
            pass
        self.settle()
        self.assertEqual(set(judged(*self.sides)[1]), {"folder/inner", "folder/new"})

    def test_type(self):
        os.unlink(self.right("fifo"))
        os.symlink("file", self.right("fifo"))
        self.expect("fifo", "type")

    def test_target(self):
        os.unlink(self.right("link"))
        os.symlink("filf", self.right("link"))
        self.expect("link", "target")

    def test_mode(self):
        os.chmod(self.right("folder"), 0o1755)
        self.expect("folder", "mode")

    def test_mtime_to_the_nanosecond(self):
        os.utime(self.right("link"), ns=(0, 10**18 + 6), follow_symlinks=False)
        self.expect("link", "mtime", settle=False)

    def test_the_top_itself(self):
        os.chmod(self.sides[1], 0o700)
        self.expect("", "mode")
        self.expect("", None, "--below")

    def test_links(self):
        os.unlink(self.right("second"))
        with open(self.right("second"), "w") as file:
            file.write("content of 'file'")
        os.setxattr(self.right("second"), "user.a", b"1")
        self.settle()
        self.assertEqual(judged(*self.sides), (1, {"file": {"links"}, "second": {"links"}}))

    def test_linked_to_another(self):
        for name in ("one", "two"):
            for side in self.sides:
                with open(os.path.join(side, name), "w") as file:
                    file.write("alike")
        os.link(os.path.join(self.sides[0], "one"), os.path.join(self.sides[0], "three"))
        os.link(self.right("two"), self.right("three"))
        self.settle()
        self.assertEqual(set(judged(*self.sides)[1]), {"one", "two", "three"})

    def test_holes(self):
        for side, offset in zip(self.sides, (0, MIB // 2)):
            with open(os.path.join(side, "sparse"), "r+b") as file:
                file.write(bytes(MIB // 2 + offset))
        self.expect("sparse", "holes")
        self.expect("sparse", None, "--holes", str(MIB))
        self.expect("sparse", None, "--holes", "0")
        with open(self.right("sparse"), "r+b") as file:
            file.write(bytes(3 * MIB))
        self.expect("sparse", "holes", "--holes", str(MIB))

    def test_xattrs(self):
        os.setxattr(self.right("file"), "user.a", b"2")
        self.settle()
        self.assertEqual(judged(*self.sides)[1], {"file": {"xattr user.a"}, "second": {"xattr user.a"}})
        os.setxattr(self.right("file"), "user.a", b"1")
        os.setxattr(self.right("folder"), "user.more", b"")
        self.expect("folder", "xattr user.more")

    def test_acls(self):
        none = 0xFFFFFFFF
        os.setxattr(self.right("folder"), "system.posix_acl_default",
                    linux.acl((1, 7, none), (4, 5, none), (32, 5, none)))
        self.expect("folder", "xattr system.posix_acl_default")

    def test_flags(self):
        fd = os.open(self.right("other"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        try:
            linux.change_flags(fd, "d")
        except OSError as error:
            self.skipTest(f"no flags here: {error}")
        self.expect("other", "flags")

    def test_projects(self):
        """Where the scratch folder lies there may be none: the kernel's answer is made up."""
        def project(fd):
            return int(os.readlink(f"/proc/self/fd/{fd}") == self.right("other"))
        with unittest.mock.patch.object(linux, "project", project):
            self.expect("other", "project")
        with unittest.mock.patch.object(linux, "project_at", lambda folder, name: folder * (name == b"fifo")):
            self.expect("fifo", "project")

    @unittest.skipUnless(ROOT, "needs root")
    def test_what_only_root_can_make(self):
        for name, minor in zip(self.sides, (3, 5)):
            os.mknod(os.path.join(name, "device"), 0o20600, os.makedev(1, minor))
        self.expect("device", "device")
        os.unlink(self.right("device"))
        os.mknod(self.right("device"), 0o20600, os.makedev(1, 3))
        self.expect("device", None)
        os.lchown(self.right("link"), 5, 0)
        self.expect("link", "owner")
        os.lchown(self.right("link"), 0, 0)
        os.setxattr(self.right("link"), "trusted.t", b"t", follow_symlinks=False)
        self.expect("link", "xattr trusted.t")
        os.removexattr(self.right("link"), "trusted.t", follow_symlinks=False)
        os.setxattr(self.right("other"), "security.capability", linux.capability(1 << 13))
        self.expect("other", "xattr security.capability")

    def test_beyond_path_max(self):
        for side, mode in zip(self.sides, (0o644, 0o600)):
            folder = os.open(side, os.O_RDONLY)
            for _ in range(25):
                os.mkdir("d" * 250, dir_fd=folder)
                below = os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
                os.close(folder)
                folder = below
            os.close(os.open("f", os.O_WRONLY | os.O_CREAT, mode, dir_fd=folder))
            os.utime("f", ns=(0, 5), dir_fd=folder)
            os.close(folder)
        status, kinds = judged("--ignore", "mtime", *self.sides)
        self.assertEqual((status, list(kinds.values())), (1, [{"mode"}]))

    def test_what_was_told_is_not_printed(self):
        os.chmod(self.right("folder"), 0o700)
        os.chmod(self.right("other"), 0o600)
        os.unlink(self.right("folder/inner"))
        self.settle()
        told = os.path.join(self.scratch, "told")
        with open(told, "w") as file:
            for during, item in (("restore of mode", "/folder"), ("restore", "/folder/inner"),
                                 ("restore of owner", "/other")):
                print(json.dumps({"message_type": "error", "during": during, "item": item}), file=file)
        self.expect("other", "mode", "--told", told)

    def test_births(self):
        birth = linux.birth_ns(os.open(self.sides[0], os.O_RDONLY), b"file")
        if birth is None:
            self.skipTest("no birth times here")
        path = os.path.join(os.path.realpath(self.sides[0]), "file")
        told = os.path.join(self.scratch, "births")
        for wrong in (0, 1):
            from datetime import datetime, timezone
            seconds, rest = divmod(birth + wrong, 10**9)
            text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
            with open(told, "w") as file:
                print(json.dumps({"path": path, "birthtime": f"{text}.{rest:09}Z"}), file=file)
            self.expect("file", "birth" if wrong else None, "--births", told)

    def test_ignoring_a_kind(self):
        os.chmod(self.right("folder"), 0o700)
        self.expect("folder", None, "--ignore", "mode")


if __name__ == "__main__":
    unittest.main()
