#!/bin/bash
# Backs a varied tree up with holdfast, several times between changes, and restores every snapshot with the
# independent reader: bytes and metadata have to be those of the tree at the time. Then damages packs.
#
#     compare.sh BINARY

set -euo pipefail
binary=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
export HOLDFAST_PASSWORD='correct horse battery staple' HOME=$work PYTHONDONTWRITEBYTECODE=1
repository=$work/repository
source=$work/source
expected=0          # snapshots made so far; their trees are kept as $work/state.N

reader() { /usr/bin/python3 "$here/holdfast_reader.py" -r "$repository" "$@"; }
fail() { echo "compare.sh: $*" >&2; exit 1; }

# bytes SEED COUNT: repeatable incompressible bytes
bytes() {
  openssl enc -aes-128-ctr -K "$(printf '%032x' "$1")" -iv 0 -in /dev/zero 2>/dev/null | head -c "$2" || true
}

make_tree() {
  mkdir -p "$source"/{empty,many,nested/a/b/c,names}
  local i
  for i in $(seq 600); do seq "$i" $((i * 3)) > "$source/many/file-$i"; done
  bytes 1 20000000 > "$source/large.bin"
  seq 700000 > "$source/large.txt"
  bytes 2 $((12 * 1048576)) > "$source/image.raw"
  truncate -s 40M "$source/sparse"
  bytes 3 70000 | dd of="$source/sparse" bs=1M seek=11 conv=notrunc status=none
  truncate -s 3M "$source/only-hole"
  : > "$source/nothing"
  for i in 1 65535 65536 65537 262144 1048576 1048577; do bytes "$i" "$i" > "$source/size-$i"; done
  echo deep > "$source/nested/a/b/c/file"
  echo x > "$source/nested/a.txt"          # sorts between `a` and `a/…` if `/` is not below all
  echo y > "$source/names/$(printf 'tab\tand\nnewline')"
  echo z > "$source/names/$(printf 'latin\xe9')"
  echo w > "$source/names/ünïcödé 名前"
  ln -s nested/a "$source/link"
  ln -s /nowhere/at/all "$source/dangling"
  ln "$source/many/file-1" "$source/hard-1"
  ln "$source/many/file-1" "$source/nested/hard-2"
  ln "$source/large.bin" "$source/hard-large"
  mkfifo "$source/fifo"
  chmod 0640 "$source/many/file-2"; chmod 4755 "$source/many/file-3"; chmod 0 "$source/many/file-4"
  chmod 1777 "$source/empty"; chmod 0500 "$source/nested/a/b"
  setfattr -n user.comment -v 'an attribute' "$source/large.txt" 2>/dev/null || true
  setfattr -n user.empty "$source/nested" 2>/dev/null || true
  if [[ $EUID == 0 ]]; then
    chown 1234:5678 "$source/many/file-5"; chown -h 42:43 "$source/link"
    mknod "$source/device" c 1 3 2>/dev/null || true
    mknod "$source/block" b 259 70000 2>/dev/null || true
  else
    chmod 0400 "$source/many/file-4"
  fi
  touch -d '1969-12-31 23:59:58.5 UTC' "$source/many/file-6"
  touch -d '2038-02-03 04:05:06.123456789 UTC' "$source/many/file-7"
  touch -h -d '2001-02-03 04:05:06.7 UTC' "$source/link"
  touch -d '2010-01-01 UTC' "$source/empty"
}

change_tree() {
  local i
  for i in 10 200 300; do echo changed >> "$source/many/file-$i"; done
  rm "$source/many/file-11"
  mv "$source/many/file-12" "$source/moved"
  echo new > "$source/many/file-100a"
  bytes 9 100 | dd of="$source/image.raw" bs=1 seek=5000000 conv=notrunc status=none
  bytes 8 100 | dd of="$source/large.bin" bs=1 seek=7000000 conv=notrunc status=none
  chmod 0600 "$source/many/file-2"
  rm "$source/hard-1"
  rmdir "$source/empty"
}

replace_tree() {
  rm -r "$source/many" "$source/names"
  mkdir "$source/fresh"
  rm "$source/link"; mkdir "$source/link"; echo inside > "$source/link/file"
  bytes 20 3000000 > "$source/fresh/blob"
  truncate -s 1000 "$source/large.txt"
}

back_up() {
  "$binary" -r "$repository" backup "$source"
  cp -a --sparse=always "$source" "$work/state.$expected"
  expected=$((expected + 1))
}

# same_tree STATE TARGET: the tree lies in TARGET under the path that it was backed up from, or right there;
# then the tree has no entry for its top, whose metadata can't be compared.
same_tree() {
  if [[ -d $2$source ]]; then
    /usr/bin/python3 "$here/compare_trees.py" "$1" "$2$source"
  else
    /usr/bin/python3 "$here/compare_trees.py" --below "$1" "$2"
  fi
}

check_snapshot() {
  local target=$work/restored
  reader restore "$1" "$target"
  same_tree "$2" "$target" || fail "snapshot $1 differs"
  chmod -R u+rwx "$target"
  rm -rf "$target"
}

check_all() {
  local i=0 id
  for id in $(reader snapshots | cut -d ' ' -f 1); do
    check_snapshot "$id" "$work/state.$i"
    i=$((i + 1))
  done
  [[ $i == "$expected" ]] || fail "$i snapshots where $expected were made"
}

# Overwrites 20 bytes inside the first frame of every pack, which parity has to bring back.
damage_packs() {
  local pack
  find "$repository/d" "$repository/m" -type f | while read -r pack; do
    chmod u+w "$pack"
    bytes 99 20 | dd of="$pack" bs=1 seek=4200 conv=notrunc status=none
  done
}

# A pack is gone for good: the next backup stores again what was in it, and repair fills it in where it was.
lose_pack() {
  local found=0
  rm -f "$(find "$repository/d" -type f | sort | head -n 1)"
  "$binary" -r "$repository" repair packs || found=$?
  [[ $found == 13 ]] || fail "repair exits with $found where a pack is lost"
  back_up
  "$binary" -r "$repository" repair packs || fail "what was stored again was not filled in"
  reader verify || fail "verify finds problems in a pack that was filled in"
}

"$binary" -r "$repository" init
make_tree
back_up
back_up                      # nothing changed
lose_pack
change_tree
back_up
replace_tree
back_up
rm -r "$source/fresh"
back_up
check_all
reader ls latest > /dev/null
reader verify || fail "verify finds problems in a sound repository"
damage_packs
check_all
if reader verify > "$work/found"; then fail "verify does not find damage"; fi
grep -q 'is damaged' "$work/found" || fail "verify does not tell of damaged frames"
echo "compare.sh: $expected snapshots restored, twice"
