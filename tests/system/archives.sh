# Folders as zip and cpio archives: other programs read back what was backed up, and what is lost is told.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir -p "$data/sub/deeper" "$data/empty"
printf 'plain' >"$data/plain"
: >"$data/nothing"
seq 200000 >"$data/sub/large"
truncate -s 3M "$data/sparse" && printf 'end' >>"$data/sparse"
printf 'u' >"$data/$(printf 'gr\xc3\xbc\xc3\x9f')"
printf 'x' >"$data/$(printf 'not\xff utf-8')"
ln -s ../plain "$data/sub/link"
chmod 750 "$data/sub" && chmod 600 "$data/plain"
touch -d '2001-02-03 04:05:06 UTC' "$data/plain"
exits 0 hf init
exits 0 hf backup "$data"

# files FOLDER: kinds, modes and contents of what is there.
files() {
  (cd "$1" && find . -mindepth 1 -printf '%p %y %m %l\n' | LC_ALL=C sort)
  (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}
same_files() { diff <(files "$data") <(files "$1") >&2 || fail "$1 has other files than $data"; }

# Zip, by three programs; the names that are UTF-8 are marked so.
exits 0 hf dump latest "$data" --archive zip --target "$scratch/all.zip"
mkdir "$scratch/zip" && bsdtar -xpf "$scratch/all.zip" -C "$scratch/zip"
same_files "$scratch/zip"
[ "$(stat -c %Y "$scratch/zip/plain")" = "$(stat -c %Y "$data/plain")" ] || fail "zip: another time"
exits 0 unzip -tqq "$scratch/all.zip"
python3 - "$scratch/all.zip" "$data" <<'CHECK' || fail "zipfile reads something else"
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
assert "grüß" in archive.namelist(), archive.namelist()
assert archive.getinfo("grüß").flag_bits & 0x800
assert not archive.getinfo("plain").flag_bits & 0x800
assert archive.read("sub/large") == open(sys.argv[2] + "/sub/large", "rb").read()
CHECK
hf dump latest "$data" --archive zip | cmp - "$scratch/all.zip" || fail "a pipe gets another zip"

# Cpio, with hard links and special files.
ln "$data/plain" "$data/sub/second" && ln "$data/plain" "$data/zz"
mkfifo "$data/fifo"
exits 0 hf backup "$data"
exits 0 hf dump latest "$data" --archive cpio --target "$scratch/all.cpio"
mkdir "$scratch/cpio" && (cd "$scratch/cpio" && cpio -idm --quiet <"$scratch/all.cpio")
same_files "$scratch/cpio"
[ "$(stat -c %h "$scratch/cpio/zz")" = 3 ] || fail "cpio: no hard links"
mkdir "$scratch/cpio2" && bsdtar -xpf "$scratch/all.cpio" -C "$scratch/cpio2"
same_files "$scratch/cpio2"

# What zip can't hold is told and counted; all names have the content.
exits 3 hf dump latest "$data" --archive zip --target "$scratch/lossy.zip"
says "fifo: zip can't hold all of it"
says "sub/second: zip can't hold that it is one file with plain"
says '1 object left out, 2 reduced: a zip archive'
[ "$(unzip -p "$scratch/lossy.zip" zz)" = plain ] || fail "zip: a linked file is empty"
if setfattr -n user.colour -v blue "$data/plain" 2>/dev/null; then
  exits 0 hf backup "$data"
  exits 3 hf dump latest "$data" --archive cpio --target "$scratch/lossy.cpio"
  says "plain: cpio can't hold extended attributes"
fi
exits 15 hf dump latest "$data" --archive cpio --target /dev/full # no space
