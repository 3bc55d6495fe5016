# A mounted repository shows what was backed up, also while the store is slow or fails, and goes when told.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

point=$scratch/mnt
mkdir "$point"
if ! (exec 3<>/dev/fuse) 2>/dev/null || [ "$(id -u)" != 0 ] && ! command -v fusermount3 >/dev/null; then
  echo "skipped: /dev/fuse can't be opened, or there is no fusermount3"
  exit 0
fi
mounted() { grep -qF " $point fuse.holdfast " /proc/mounts; }
unmount() { ! mounted || fusermount3 -u -z "$point"; }
trap 'unmount; chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT

# wait_for COMMAND…: until it succeeds, for 20 seconds at most.
wait_for() {
  local tries
  for ((tries = 0; tries < 200; ++tries)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  fail "in vain waited for: $*"
}
mount_it() {
  "$HOLDFAST_BIN" mount "$point" "$@" >"$scratch/mount.out" 2>"$scratch/mount.err" &
  process=$!
  wait_for mounted
}
# ends STATUS: the mount's process has ended so.
ends() {
  local status=0
  wait "$process" || status=$?
  [ "$status" = "$1" ] || fail "mount ended with $status, not $1: $(cat "$scratch/mount.err")"
  ! mounted || fail "it is still mounted"
}

data=$scratch/data
mkdir -p "$data/sub/deeper" "$data/many"
(cd "$data/many" && seq -f 'file %05.0f' 4000 | xargs -d '\n' touch -d '2020-02-02 UTC')
printf 'plain' >"$data/plain"
printf 'x' >"$data/$(printf 'not\xff utf-8\n and a line')"
seq 3000000 >"$data/large"
truncate -s 50M "$data/sparse" && printf 'end' >>"$data/sparse"
ln "$data/plain" "$data/sub/second" && ln "$data/plain" "$data/third"
ln -s ../plain "$data/sub/link"
mkfifo "$data/fifo"
chmod 4711 "$data/large" && chmod 1777 "$data/sub/deeper"
setfattr -n user.colour -v blue "$data/plain" 2>/dev/null || true
touch -d '1969-12-31 23:59:59.123456789 UTC' "$data/plain"
if [ "$(id -u)" = 0 ]; then
  mknod "$data/null" c 1 3
  chown 1234:5678 "$data/large" && chmod 4711 "$data/large"
fi

exits 0 hf init
exits 0 hf backup --tag one --host here "$data"
exits 1 hf mount "$scratch/nowhere"
exits 2 hf mount --path-template '%z' "$point"
mount_it
latest=$point/snapshots/latest$data
same_tree "$data" "$latest"
diff -r --no-dereference "$data/sub" "$latest/sub" >&2 || fail "diff -r"
same_tree "$data" "$point/paths$data/latest"
[ "$(stat -c %h:%i "$latest/plain")" = "$(stat -c %h:%i "$latest/sub/second")" ] ||
  fail "hard links are two files"
[ "$(ls "$point/hosts")$(ls "$point/tags")" = hereone ] || fail "no folders by host or tag"
[ "$(stat -c %b "$latest/sparse")" -lt 1000 ] || fail "a hole takes space"
for offset in 1 4095 1048575 7654321 22000000; do
  cmp -n 3333 -i "$offset" "$data/large" "$latest/large" || fail "other bytes at $offset"
done
(! : >"$latest/new") 2>/dev/null || fail "it can be written to"

# A new snapshot appears without a new mount.
printf 'changed' >"$data/plain"
exits 0 hf backup "$data"
two() { [ "$(find "$point/ids" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]; }
wait_for two
[ "$(cat "$point/snapshots/latest$data/plain")" = changed ] || fail "latest is another one"
kill -INT "$process"
ends 0

# A store that loses its data and gets it back: an error for who reads, a line, and all is well again.
mount_it
ls "$point/snapshots/latest$data" >/dev/null
mv "$HOLDFAST_REPOSITORY/d" "$scratch/away"
! cat "$point/snapshots/latest$data/large" >/dev/null 2>"$scratch/cat.err" || fail "read what is not there"
grep -q 'Input/output error' "$scratch/cat.err" || fail "cat said $(cat "$scratch/cat.err")"
grep -q 'large: ' "$scratch/mount.err" || fail "nobody was told: $(cat "$scratch/mount.err")"
mv "$scratch/away" "$HOLDFAST_REPOSITORY/d"
cmp "$data/large" "$point/snapshots/latest$data/large" || fail "it did not recover"
fusermount3 -u "$point"
ends 3

# A slow store is slow, and right. Who is still in it does not keep it.
mount_it --limit-download 2M --owner-root --path-template '%h/%i' --time-template %s
snapshot=$(find "$point" -mindepth 2 -maxdepth 2 | head -n 1)
cmp -n 4000000 "$data/large" "$snapshot$data/large" || fail "wrong while slow"
[ "$(stat -c %U "$snapshot$data/large")" = root ] || fail "not root's"
exec 4<"$snapshot$data/large"
kill -TERM "$process"
ends 0
exec 4<&-
