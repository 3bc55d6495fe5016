# A snapshot of which parts of the tree are lost: commands that read it go on behind them, name what is
# missing, and end with 3.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir -p "$data/mid"
fill() { for i in $(seq -f "$1%04g" "$2" "$3"); do printf '%s' "$4" >"$data/$i"; done; }
# A leaf has at most 2,048 entries, and is stored as a difference where less than a quarter of it changed.
fill a 0 599 x
fill mid/f 0 5999 x
exits 0 hf init
exits 0 hf backup "$data"
mapfile -t trees < <(find "$HOLDFAST_REPOSITORY/m" -type f)
fill a 0 599 xy
fill mid/f 5400 5999 xy
exits 0 hf backup "$data"
rm -f "${trees[@]}" # with them go the leaves in the middle, which the second snapshot shares

exits 3 hf ls latest
says "what comes after /"
says "is lost"
says "$data/a0000"
says "$data/mid/f5999"
lost=$(comm -23 <(find "$data/mid" -type f | sort) <(sort "$scratch/output") | sed -n 1p)
[ -n "$lost" ] || fail "nothing is lost"
exits 0 hf ls latest "$data/mid/f5999" # on the way to which nothing is lost
exits 3 hf ls latest "$lost"
exits 3 hf ls latest "$data/mid" # of which nobody can tell whether it is there
says "$data/mid/f5999"
exits 1 hf ls latest "$data/zzz"
says "has no"
exits 3 hf ls latest --json
grep -q '"message_type":"error"' "$scratch/output" || fail "no error in JSON"

exits 3 hf find 'f*' --snapshot latest
says "$data/mid/f5999"
says "up to what can be read again, is lost"
exits 3 hf find 'f*' # the first snapshot has lost everything
says "$data/mid/f5999"

for format in tar zip cpio; do
  exits 3 hf dump latest "$data" --archive "$format" --target "$scratch/torn.$format"
  says "what comes after /"
done
mkdir "$scratch/out" && tar -xf "$scratch/torn.tar" -C "$scratch/out"
exits 3 hf dump latest "$data/mid" --target "$scratch/mid.tar" # its own entry is lost
tar -tf "$scratch/mid.tar" >"$scratch/output"
says f5999

# The same as restore brings back.
exits 3 hf restore "latest:$data" --target "$scratch/restored"
diff <(cd "$scratch/restored" && find . -type f | LC_ALL=C sort) \
  <(cd "$scratch/out" && find . -type f | LC_ALL=C sort) || fail "dump has others than restore"
diff <(cd "$scratch/restored" && find . -type f | sed 's/^\.//' | LC_ALL=C sort) \
  <(hf ls "latest:$data" --json 2>/dev/null | grep '"type":"file"' | sed 's/.*"path":"\([^"]*\)".*/\1/' |
    sed "s|^$data||" | LC_ALL=C sort) || fail "ls has others than restore"
