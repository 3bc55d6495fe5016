# Damage to one part of a repository keeps nobody from reading the rest, and is never passed over.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# spoil FILE [OFFSET]: zeros instead of all of it, or one other byte there.
spoil() {
  chmod u+w "$1"
  if [ $# = 1 ]; then
    head -c "$(stat -c %s "$1")" /dev/zero >"$scratch/zeros" && cat "$scratch/zeros" >"$1"
  else
    printf 'X' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
  fi
}

data=$scratch/data
mkdir "$data" && seq 1000 >"$data/one" && seq 200000 >"$data/two"
exits 0 hf init
exits 0 hf backup "$data"
exits 0 hf tag --add kept latest
cp -a "$HOLDFAST_REPOSITORY" "$scratch/good"

# The log: what was decided is not known any more, so nothing is decided by it; what is there is read.
spoil "$HOLDFAST_REPOSITORY/log/0000000000000000"
exits 13 hf check
says log/0000000000000000
exits 3 hf snapshots
says "the log can't be read to its end"
exits 3 hf restore latest --target "$scratch/without-log"
same_tree "$data" "$scratch/without-log$data"
exits 13 hf prune
exits 13 hf forget latest
exits 13 hf backup "$data"

# A leaf of the tree: what it named is lost, and told.
rm -rf "$HOLDFAST_REPOSITORY" && cp -a "$scratch/good" "$HOLDFAST_REPOSITORY"
tree=$(find "$HOLDFAST_REPOSITORY/m" -type f)
spoil "$tree" 5000
exits 0 hf restore latest --target "$scratch/rebuilt"
says "rebuilt from parity"
same_tree "$data" "$scratch/rebuilt$data"
for ((at = 4200; at < $(stat -c %s "$tree"); at += 4096)); do spoil "$tree" "$at"; done
exits 3 hf restore latest --target "$scratch/without-leaf"
says "what comes next in the snapshot is lost"
exits 13 hf check --read-data
exits 13 hf repair packs
exits 13 hf repair snapshots
says "names too"
exits 0 hf repair packs --from "$scratch/good"
exits 0 hf restore latest --target "$scratch/with-leaf"
same_tree "$data" "$scratch/with-leaf$data"
exits 0 hf check --read-data
exits 0 hf repair snapshots --json
says '"lost_files":0'
exits 0 hf repair index --dry-run
exits 0 hf repair index
exits 0 hf backup "$data"

# A fate: "latest" must not be the one before in silence.
rm -rf "$HOLDFAST_REPOSITORY" && cp -a "$scratch/good" "$HOLDFAST_REPOSITORY"
exits 13 hf backup "$data" # this machine saw more than what was put back
exits 0 hf check --accept-history
seq 10 >"$data/three"
exits 0 hf backup "$data"
spoil "$(find "$HOLDFAST_REPOSITORY" -name fate -newer "$data/three" | head -n 1)"
exits 3 hf restore latest --target "$scratch/the-one-before"
says "a snapshot may be missing here"
