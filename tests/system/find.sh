# find: what it prints is not gathered first, so memory does not grow with it.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir "$data"
(cd "$data" && seq -f 'file-with-a-name-of-some-length-%06g' 1 20000 | xargs touch)
exits 0 hf init
for run in $(seq 10); do
  echo "$run" >"$data/changes"
  exits 0 hf backup "$data"
done

python3 - "$scratch/found.json" <<'CHECK' || fail "see above"
import json, os, resource, subprocess, sys

def find(pattern):
    with open(sys.argv[1], "wb") as out:
        subprocess.run([os.environ["HOLDFAST_BIN"], "find", pattern, "--json"], stdout=out, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # the largest until now

least, peak = find("nothing"), find("file-*")
output = os.path.getsize(sys.argv[1]) / 2**20
assert output > 50, output
assert peak < least + output / 4, f"{peak} MiB for {output} MiB of output, {least} MiB for none"
found = json.load(open(sys.argv[1]))
assert len(found) == 10, len(found)
for one in found:
    assert one["hits"] == len(one["matches"]) == 20000
    assert set(one) == {"matches", "hits", "snapshot"} and len(one["snapshot"]) == 64
CHECK

# As text: a heading, lines, an empty line for each snapshot that has any.
exits 0 hf find file-with-a-name-of-some-length-000001 changes
[ "$(grep -c '^in snapshot' "$scratch/output")" = 10 ] || fail "not one heading for each snapshot"
[ "$(grep -c "^$data/" "$scratch/output")" = 20 ] || fail "not two matches for each snapshot"
[ "$(grep -c '^$' "$scratch/output")" = 10 ] || fail "no empty line between"
exits 0 hf find nothing-of-that-name
[ ! -s "$scratch/output" ] || fail "found something"
exits 0 hf find nothing-of-that-name --json
says '[]'
