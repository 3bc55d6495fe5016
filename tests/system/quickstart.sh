# tools/quickstart does its job on a folder given to it, and leaves that folder alone.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
tools=$(cd "$(dirname "$0")/../../tools" && pwd)

mkdir -p "$scratch/some folder"/{a,b/c}
for i in $(seq 40); do seq "$i" 400 >"$scratch/some folder/b/file $i"; done
describe "$scratch/some folder" >"$scratch/before"
exits 0 env TMPDIR="$scratch" "$tools/quickstart" "$scratch/some folder"
says "identical:"
describe "$scratch/some folder" >"$scratch/after"
cmp "$scratch/before" "$scratch/after"
