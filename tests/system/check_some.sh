# check of chosen snapshots: by id, word or filter; packs and trees of others are left out, and it says so.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir "$data" && seq 1000 >"$data/one"
exits 0 hf init
exits 0 hf backup "$data" --tag old
mapfile -t packs < <(find "$HOLDFAST_REPOSITORY/d" "$HOLDFAST_REPOSITORY/m" -type f)
id=$(hf snapshots --json | grep -o '"short_id":"[0-9a-f]*"' | cut -d'"' -f4)
head -c 300000 /dev/urandom >"$data/one"
exits 0 hf backup "$data" --tag new
for pack in "${packs[@]}"; do
  chmod u+w "$pack"
  head -c "$(stat -c %s "$pack")" /dev/zero >"$scratch/zeros" && cat "$scratch/zeros" >"$pack"
done
exits 13 hf check
for old in "$id" latest~1 "--tag old"; do
  # shellcheck disable=SC2086
  exits 13 hf check $old
done
for new in latest "--tag new"; do
  # shellcheck disable=SC2086
  exits 0 hf check --read-data $new
  says "1 snapshot, 2 packs"
  says "that only other snapshots need were not checked"
done
exits 13 hf check --tag old --tag new
exits 0 hf check latest --json
says '"chosen_snapshots_only":true'
exits 1 hf check --tag none
exits 1 hf check ffffffff
exits 2 hf check latest --quick
exits 2 hf check latest --without-key
