# The benchmark measures everything, and leaves the store as it was.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

exits 10 hf benchmark
exits 0 hf init
objects() { find "$HOLDFAST_REPOSITORY" -type f | LC_ALL=C sort; }
before=$(objects)
exits 0 hf benchmark --dry-run
says "Would write 64.000 MiB"
exits 2 hf benchmark --size 0
exits 0 hf benchmark --size 9M
says "A backup of new data is bound by"
says "sealing"
exits 0 hf benchmark --size 1M --json
python3 - "$scratch/output" <<'CHECK' || fail "other JSON: $(cat "$scratch/output")"
import json, sys
found = json.load(open(sys.argv[1]))
parts = {part["part"]: part for part in found["machine"]}
assert {"chunking", "hashing", "compression 3", "sealing", "parity"} <= parts.keys()
assert all(part["bytes_per_second_one"] > 0 and part["bytes_per_second_all"] > 0 for part in parts.values())
assert parts["compression 19"]["bytes_per_second_one"] < parts["compression 1"]["bytes_per_second_one"]
assert found["store"]["bytes"] == 1 << 20 and found["store"]["objects"] == 17
assert found["bottleneck"] in [*parts, "writing to the store"]
CHECK
[ "$(objects)" = "$before" ] || fail "it left something behind"
