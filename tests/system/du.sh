# How much is where: like du --apparent-size, as it is stored, and what no other snapshot needs.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir -p "$data/a/deep" "$data/b" "$data/empty"
head -c 300000 /dev/zero | tr '\0' x >"$data/a/soft" # compresses
head -c 400000 /dev/urandom >"$data/b/hard"
printf '12345' >"$data/a/deep/five"
ln "$data/b/hard" "$data/b/again"
ln -s five "$data/a/deep/link"
exits 0 hf init
exits 0 hf backup "$data"

# Sizes of folders, as the bytes of the files below.
exits 0 hf du "latest:$data"
[ "$(wc -l <"$scratch/output")" = 5 ] || fail "other folders: $(cat "$scratch/output")"
says "$(printf '5\t%s/a/deep' "$data")"
says "$(printf '300005\t%s/a' "$data")"
says "$(printf '400000\t%s/b' "$data")"
says "$(printf '0\t%s/empty' "$data")"
[ "$(tail -n 1 "$scratch/output")" = "$(printf '700005\t%s' "$data")" ] || fail "the sum is not last"
exits 0 hf du "$data" --depth 0 --json
says "{\"message_type\":\"directory\",\"path\":\"$data\",\"total_size\":700005,\"entries\":10}"
[ "$(wc -l <"$scratch/output")" = 1 ] || fail "--depth 0 told of more: $(cat "$scratch/output")"
exits 0 hf du -a latest "$data/a/deep"
says "$(printf '5\t%s/a/deep/five' "$data")"
exits 0 hf du --human-readable latest "$data/b/hard"
says "$(printf '390.625 KiB\t%s/b/hard' "$data")"
exits 1 hf du latest /not/there

# field N PATH: the Nth number of the line of PATH.
field() { sed -n "s|^\(.*\)	$2\$|\1|p" "$scratch/output" | cut -f "$1"; }
exits 0 hf du latest "$data" --only-here
[ "$(field 2 "$data/a")" -lt 3000 ] || fail "text is stored in $(field 2 "$data/a")"
[ "$(field 2 "$data/b")" -ge 400000 ] || fail "noise is stored in $(field 2 "$data/b")"
[ "$(field 3 "$data/b")" = "$(field 2 "$data/b")" ] || fail "another snapshot needs it, but there is none"

# What a second snapshot shares with the first is needed by that.
head -c 200000 /dev/urandom >"$data/empty/new"
exits 0 hf backup "$data"
exits 0 hf du latest "$data" --only-here
[ "$(field 3 "$data/b")" = 0 ] || fail "only here: $(field 3 "$data/b")"
[ "$(field 3 "$data/empty")" -ge 200000 ] || fail "only here: $(field 3 "$data/empty")"
