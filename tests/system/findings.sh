# What check, repair and mirror find has one form in JSON.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir "$data" && seq 1000 >"$data/one"
exits 0 hf init
exits 0 hf backup "$data"
pack=$(find "$HOLDFAST_REPOSITORY/d" -type f)
chmod u+w "$pack"
head -c "$(stat -c %s "$pack")" /dev/zero >"$scratch/zeros" && cat "$scratch/zeros" >"$pack"

for command in "check" "repair packs" "mirror --to $scratch/copy"; do
  # shellcheck disable=SC2086
  exits 13 hf $command --json
  python3 - "$scratch/output" "$command" <<'CHECK' || fail "$command: see above"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
findings = [one for line in lines for one in line.get("findings", [])]
findings += [line for line in lines if line["message_type"] == "stays"]
damaged = [one for one in findings if one["severity"] == "damaged"]
assert damaged, lines
for one in damaged:
    one.pop("message_type", None)
    assert list(one) == ["severity", "kind", "object", "snapshots", "message", "wanted"], one
    assert one["kind"] == "pack" and one["object"].startswith("d/"), one
    assert len(one["snapshots"]) == (1 if sys.argv[2] == "check" else 0), one
CHECK
done
