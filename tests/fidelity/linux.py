"""What Python's library lacks of Linux: birth times, flags of chattr, projects, ACLs, capabilities."""

import array
import ctypes
import errno
import fcntl
import os
import struct

GETFLAGS, SETFLAGS = 0x80086601, 0x40086602
FSGETXATTR, FSSETXATTR = 0x801C581F, 0x401C5820
FILE_GETATTR, FILE_SETATTR = 468, 469
AT_SYMLINK_NOFOLLOW = 0x100
LETTERS = {0x1: "s", 0x2: "u", 0x4: "c", 0x8: "S", 0x10: "i", 0x20: "a", 0x40: "d", 0x80: "A", 0x400: "m",
           0x800: "E", 0x4000: "j", 0x8000: "t", 0x10000: "D", 0x20000: "T", 0x100000: "V", 0x800000: "C",
           0x2000000: "x", 0x20000000: "P", 0x40000000: "F"}
BITS = {letter: bit for bit, letter in LETTERS.items()}
ABSENT = (errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)

libc = ctypes.CDLL(None, use_errno=True)


def flags(fd):
    """The letters of lsattr of an open file; "" where the file system has none."""
    buffer = array.array("I", [0, 0])
    try:
        fcntl.ioctl(fd, GETFLAGS, buffer, True)
    except OSError as error:
        if error.errno in ABSENT:
            return ""
        raise
    return "".join(letter for bit, letter in LETTERS.items() if buffer[0] & bit)


def change_flags(fd, add="", remove=""):
    buffer = array.array("I", [0, 0])
    fcntl.ioctl(fd, GETFLAGS, buffer, True)
    for letter in add:
        buffer[0] |= BITS[letter]
    for letter in remove:
        buffer[0] &= ~BITS[letter]
    fcntl.ioctl(fd, SETFLAGS, buffer, False)


def project(fd):
    buffer = bytearray(28)
    try:
        fcntl.ioctl(fd, FSGETXATTR, buffer, True)
    except OSError as error:
        if error.errno in ABSENT:
            return 0
        raise
    return struct.unpack_from("I", buffer, 12)[0]


def change_project(fd, number):
    buffer = bytearray(28)
    fcntl.ioctl(fd, FSGETXATTR, buffer, True)
    struct.pack_into("I", buffer, 12, number)
    fcntl.ioctl(fd, FSSETXATTR, buffer, False)


def _attr_call(number, folder, name, buffer):
    if libc.syscall(number, folder, ctypes.c_char_p(name), buffer, ctypes.c_size_t(24), AT_SYMLINK_NOFOLLOW):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def project_at(folder, name):
    """Of what can't be opened; 0 where the kernel or the file system can't tell."""
    buffer = ctypes.create_string_buffer(24)
    try:
        _attr_call(FILE_GETATTR, folder, name, buffer)
    except OSError as error:
        if error.errno in ABSENT:
            return 0
        raise
    return struct.unpack_from("I", buffer.raw, 16)[0]


def change_project_at(folder, name, number):
    buffer = ctypes.create_string_buffer(24)
    _attr_call(FILE_GETATTR, folder, name, buffer)
    struct.pack_into("I", buffer, 16, number)
    _attr_call(FILE_SETATTR, folder, name, buffer)


def birth_ns(folder, name):
    """Nanoseconds since 1970 at which it was made; None where the file system doesn't say."""
    buffer = ctypes.create_string_buffer(256)
    if libc.statx(folder, ctypes.c_char_p(name), AT_SYMLINK_NOFOLLOW, 0x800, buffer):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    if not struct.unpack_from("I", buffer.raw, 0)[0] & 0x800:
        return None
    seconds, nanoseconds = struct.unpack_from("qI", buffer.raw, 0x50)
    return seconds * 10**9 + nanoseconds


def acl(*entries):
    """A POSIX ACL as the kernel codes it, of (tag, permissions, id)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def capability(bits):
    """security.capability, version 2: the permitted set, effective."""
    return struct.pack("<IIIII", 0x02000001, bits & 0xFFFFFFFF, 0, bits >> 32, 0)
