# A long run that is killed: the next one goes on from its last checkpoint. And a stop is quick.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# Files that take the best compression many seconds.
data=$scratch/data
mkdir "$data"
seq 1000000 6000000 | split -a 4 -b 200000 - "$data/part"
files=$(find "$data" -type f | wc -l)
bytes=$(cat "$data"/part* | wc -c)
exits 0 hf init
exits 2 hf backup --checkpoint-interval soon "$data"
says "90s, 15m or 1h30m"

commits() { find "$HOLDFAST_REPOSITORY" -name fate | wc -l; }

"$HOLDFAST_BIN" backup --compression max --checkpoint-interval 1s "$data" >/dev/null 2>&1 &
running=$!
while [ "$(commits)" = 0 ]; do
  kill -0 "$running" 2>/dev/null || fail "it ended before it committed a checkpoint"
  sleep 0.02
done
kill -KILL "$running"
wait "$running" 2>/dev/null || true
exits 0 hf snapshots --json
says '[]'

exits 0 hf backup "$data" --json --checkpoint-interval off
python3 - "$scratch/output" "$files" "$bytes" <<'PYTHON' || fail "not the rest: $(tail -1 "$scratch/output")"
import json, sys
with open(sys.argv[1]) as lines:
    summary = json.loads(lines.readlines()[-1])
assert summary["files_new"] == int(sys.argv[2])
assert summary["data_added"] < int(sys.argv[3]) - 200000
PYTHON
exits 0 hf check --read-data
exits 0 hf restore latest --target "$scratch/back"
same_tree "$data" "$scratch/back$data"

# Hours of compression lie ahead of a stop; it takes seconds, and keeps what is complete.
cat "$data"/part* >"$data/zz-large"
for i in 1 2 3; do cp "$data/zz-large" "$data/zz-large-$i" && printf '%s' "$i" >>"$data/zz-large-$i"; done
before=$(commits)
"$HOLDFAST_BIN" backup --full --compression max "$data" >"$scratch/output" 2>&1 &
running=$!
sleep 1
kill -INT "$running"
status=0
wait "$running" || status=$?
[ "$status" = 130 ] || fail "stopped with $status, not 130: $(cat "$scratch/output")"
[ "$(commits)" -gt "$before" ] || fail "nothing was kept"
exits 0 hf backup "$data" --json
exits 0 hf restore latest --target "$scratch/again"
same_tree "$data" "$scratch/again$data"
