# Each kind of failure ends with its own exit status, and says what to do.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

exits 2 hf no-such-command
exits 2 hf backup --no-such-option /tmp
exits 10 hf snapshots

mkdir "$scratch/data" && seq 200000 >"$scratch/data/numbers"
exits 0 hf init
exits 0 hf backup "$scratch/data"
exits 12 env HOLDFAST_PASSWORD=wrong "$HOLDFAST_BIN" snapshots
exits 1 hf init # there is one already
exits 1 hf restore 00000000 --target "$scratch/out"

# Damage beyond repair is found, and named as such.
pack=$(find "$HOLDFAST_REPOSITORY/d" -type f | head -n 1)
[ -n "$pack" ] || fail "no data pack in the repository"
chmod u+w "$pack" && : >"$pack"
exits 13 hf check --read-data
