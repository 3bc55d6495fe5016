# A store that shows an older state than this machine has seen is found out, and accepted only knowingly.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir "$data" && seq 1000 >"$data/one"
exits 0 hf init
exits 0 hf backup "$data"
cp -a "$HOLDFAST_REPOSITORY" "$scratch/older"
put_back() {
  chmod -R u+w "$HOLDFAST_REPOSITORY" && rm -rf "$HOLDFAST_REPOSITORY"
  cp -a "$1" "$HOLDFAST_REPOSITORY"
}

# A snapshot is gone: readers are told, writers stop, also without the cache.
seq 2000 >"$data/two"
exits 0 hf backup "$data"
cp -a "$HOLDFAST_REPOSITORY" "$scratch/newer"
put_back "$scratch/older"
rm -rf "$HOLDFAST_CACHE_DIR"
exits 3 hf snapshots
says "is not what this machine saw before: t/"
exits 3 hf restore latest --target "$scratch/out"
cmp "$data/one" "$scratch/out$data/one" || fail "not what it was"
for command in "backup $data" "forget latest" prune "tag --add x latest"; do
  # shellcheck disable=SC2086
  exits 13 hf $command
  says "check --accept-history"
done
[ "$(find "$HOLDFAST_REPOSITORY/t" -name fate | wc -l)" = 1 ] || fail "something was written"
exits 13 hf check
says "was there and is not"
# As it was it is good again.
put_back "$scratch/newer"
exits 0 hf check
exits 0 hf snapshots

# What was forgotten is back: an older log.
exits 0 hf forget --keep-last 1
put_back "$scratch/newer"
exits 3 hf snapshots
says "the log ends before it"
exits 13 hf prune
# Another machine has seen nothing of it.
HOLDFAST_STATE_DIR=$scratch/another exits 0 hf snapshots
# Accepted once, it is what was seen.
exits 0 hf check --accept-history
says "accepted: "
exits 0 hf check
exits 0 hf backup "$data"
exits 0 hf prune
