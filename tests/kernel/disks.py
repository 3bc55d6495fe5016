"""Disks of our own: images in memory, loop devices, file systems on them, and the recorder between."""
import contextlib
import ctypes
import fcntl
import os
import subprocess
import threading
import time

KINDS = ("ext4", "xfs", "btrfs")
SECTOR = 4096  # of the loop devices: what a disk writes whole or not at all
SIZE = {"ext4": 48 << 20, "xfs": 300 << 20, "btrfs": 128 << 20}
MAKE = {"ext4": ["mkfs.ext4", "-q", "-b", "4096", "-J", "size=4",
                 "-E", "lazy_itable_init=0,lazy_journal_init=0"],
        "xfs": ["mkfs.xfs", "-q", "-K", "-s", "size=4096"], "btrfs": ["mkfs.btrfs", "-q", "-K"]}
# How each is mounted, by a word for it.
WAYS = {"ext4": {"ordered": "data=ordered", "writeback": "data=writeback", "journal": "data=journal"},
        "xfs": {"": ""}, "btrfs": {"": ""}}
FORGET = 0x50009405  # BTRFS_IOC_FORGET_DEV: what the kernel remembers of earlier states of a disk
SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
SYNC_FIRST, LOG_FIRST, AT_ONCE = range(3)  # its ways

_libc = ctypes.CDLL(None, use_errno=True)


class NotHere(Exception):
    """Something that this machine can't do."""


def run(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotHere(f"no {words[0]}") from None
    if done.returncode:
        raise NotHere(f"{words[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def make_image(path, kind):
    """A new file system in a sparse file."""
    with open(path, "wb") as file:
        file.truncate(SIZE[kind])
    run(*MAKE[kind], path)


@contextlib.contextmanager
def loop_device(path):
    device = run("losetup", "--find", "--show", "--sector-size", str(SECTOR), path)
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


def mount(device, place, kind, options):
    """Fails with OSError as mount(2) does."""
    if kind == "btrfs":
        with open("/dev/btrfs-control", "rb") as control, contextlib.suppress(OSError):
            fcntl.ioctl(control, FORGET, bytearray(bytes(8) + device.encode().ljust(4088, b"\0")))
    words = [word.encode() for word in (device, place, kind)]
    if _libc.mount(*words, 0, options.encode() or None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), device)


def unmount(place):
    for _ in range(200):
        if _libc.umount2(place.encode(), 0) == 0:
            return
        time.sleep(0.01)  # somebody looks at it, as scanners of disks do
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), place)


@contextlib.contextmanager
def mounted(device, place, kind, options):
    os.makedirs(place, exist_ok=True)
    mount(device, place, kind, options)
    try:
        yield place
    finally:
        unmount(place)


def shut_down(place, how):
    """The file system in `place` takes no more writes from now on."""
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(folder, SHUTDOWN, how.to_bytes(4, "little"))
    finally:
        os.close(folder)


@contextlib.contextmanager
def recorded(program, image, log, folder, machine):
    """A folder with the files disk and mark of block_recorder.cc; `image` is altered."""
    os.makedirs(folder)
    with subprocess.Popen([program, image, log, folder, machine]) as server:
        try:
            while not os.path.exists(f"{folder}/disk"):
                if server.poll() is not None:
                    raise NotHere("no FUSE")
                time.sleep(0.01)
            yield folder
        finally:
            if server.poll() is None:
                unmount(folder)


def sync(place):
    """All that was written to the file system in `place`."""
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(folder) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), place)
    finally:
        os.close(folder)


@contextlib.contextmanager
def busy(place, really):
    """Meanwhile a neighbour on the same file system syncs it again and again, so that what the program hasn't
    yet made durable often is, and is not as often."""
    ended = threading.Event()

    def neighbour():
        while not ended.wait(0.004):
            sync(place)

    thread = threading.Thread(target=neighbour)
    if really:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if really:
            thread.join()
