# A restore into a folder that the file system encrypts (fscrypt): everything in it has the flag E, which
# is nothing to be warned of. Where no such file system can be made and mounted, there is nothing to test.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

skip() {
  echo "skipped: $*"
  exit 0
}
[ "$(id -u)" = 0 ] || skip "not root"
image=$scratch/image target=$scratch/mounted
truncate -s 16M "$image" && mkdir "$target"
mkfs.ext4 -q -O encrypt "$image" || skip "no mkfs.ext4 that can"
mount -o loop "$image" "$target" 2>/dev/null || skip "no loop mounts"
trap 'umount "$target"; chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
mkdir "$target/secret"
python3 - "$target" "$target/secret" <<'KEY' || skip "no fscrypt"
import array, fcntl, os, struct, sys
mount = os.open(sys.argv[1], os.O_RDONLY)
# struct fscrypt_add_key_arg: an identifier the kernel fills in; the key. Then struct fscrypt_policy_v2.
add = bytearray(struct.pack("<II32sII8I", 2, 0, b"", 64, 0, *[0] * 8) + bytes(range(64)))
try:
    fcntl.ioctl(mount, 0xC0506617, add)  # FS_IOC_ADD_ENCRYPTION_KEY
    policy = struct.pack("<BBBBB3s16s", 2, 1, 4, 2, 0, b"", bytes(add[8:24]))
    fcntl.ioctl(os.open(sys.argv[2], os.O_RDONLY), 0x800C6613, policy)  # FS_IOC_SET_ENCRYPTION_POLICY
except OSError as error:
    sys.exit(str(error))
KEY

data=$scratch/data
mkdir -p "$data/folder"
seq 100 >"$data/one" && seq 200 >"$data/folder/two" && : >"$data/empty"
exits 0 hf init
exits 0 hf backup "$data"
for overwrite in if-changed always; do
  exits 0 hf restore "latest:$data" --target "$target/secret" --overwrite "$overwrite"
  ! grep -q flags "$scratch/output" || fail "warned: $(cat "$scratch/output")"
done
cmp "$data/folder/two" "$target/secret/folder/two" || fail "not what it was"
lsattr -d "$target/secret/one" | grep -q E || fail "it is not encrypted at all"

# What was encrypted and is not any more is told.
exits 0 hf backup "$target/secret"
exits 3 hf restore "latest:$target/secret" --target "$scratch/plain"
says "flags E"
