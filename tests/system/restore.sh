# What a file system can hold comes back: names, links, holes, special files, attributes, times.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir -p "$data/empty" "$data/deep/$(printf 'd%.0s' {1..200})"
printf 'plain' >"$data/plain"
: >"$data/nothing"
printf 'x' >"$data/$(printf 'not\xff utf-8\n and a line')"
printf 'x' >"$data/ leading and trailing "
seq 300000 >"$data/large"
truncate -s 50M "$data/sparse" && printf 'end' >>"$data/sparse"
ln "$data/plain" "$data/second name"
ln -s plain "$data/link" && ln -s /no/such/target "$data/dangling"
mkfifo "$data/fifo"
chmod 4711 "$data/large" && chmod 1777 "$data/empty"
[ "$(id -u)" != 0 ] || chmod 000 "$data/nothing"
setfattr -n user.colour -v blue "$data/plain" 2>/dev/null || true # not every file system can
touch -d '1969-12-31 23:59:59.123456789 UTC' "$data/link" "$data/plain"
touch -h -d '2001-02-03 04:05:06.7 UTC' "$data/link"
touch -d '2040-01-01 UTC' "$data/empty"

touch "$data/no dump"
if chattr +d "$data/no dump" 2>/dev/null; then : ; fi # not every file system can
exits 0 hf init
exits 0 hf backup "$data"
exits 0 hf restore latest --target "$scratch/out"
same_tree "$data" "$scratch/out$data"
[ "$(stat -c %b "$scratch/out$data/sparse")" -lt 1000 ] || fail "the hole was filled"

# A second backup of the same: nothing new is stored, and it restores alone.
before=$(du -sb "$HOLDFAST_REPOSITORY" | cut -f 1)
exits 0 hf backup "$data"
after=$(du -sb "$HOLDFAST_REPOSITORY" | cut -f 1)
[ $((after - before)) -lt 65536 ] || fail "an unchanged backup stored data"
exits 0 hf restore latest --target "$scratch/again"
same_tree "$data" "$scratch/again$data"
exits 0 hf check --read-data

# nodump leaves a file out only where that is asked for.
exits 0 hf ls latest
says "$data/no dump"
if [ "$(lsattr "$data/no dump" 2>/dev/null | cut -d ' ' -f 1 | tr -dc d)" = d ]; then
  exits 0 hf backup --exclude-nodump "$data"
  exits 0 hf ls latest
  ! grep -qF 'no dump' "$scratch/output" || fail "nodump was not heeded"
fi
