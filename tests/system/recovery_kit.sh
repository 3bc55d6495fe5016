# All passwords lost: a kit on paper, or enough shares of one, opens the repository again.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir "$data" && seq 1000 >"$data/one"
exits 0 hf init
exits 0 hf backup "$data"
hf key kit >"$scratch/kit"
grep -q "key recover" "$scratch/kit" || fail "the kit does not say how it is used"
mkdir "$scratch/shares"
exits 2 hf key kit --shares 5
exits 0 hf key kit --shares 5 --threshold 3 --target "$scratch/shares" --dry-run
[ -z "$(ls "$scratch/shares")" ] || fail "a dry run wrote"
exits 0 hf key kit --shares 5 --threshold 3 --target "$scratch/shares"
[ "$(stat -c %a "$scratch/shares/share-1.txt")" = 600 ] || fail "others may read a share"
exits 0 hf key kit --shares 5 --threshold 3
cp "$scratch/output" "$scratch/other-set"

# As somebody would type it: the numbered lines alone, in small letters. Every key slot is lost.
rm -rf "$HOLDFAST_REPOSITORY/keys"
exits 12 hf snapshots
grep '^ *[0-9]* ' "$scratch/kit" | tr '[:upper:]' '[:lower:]' >"$scratch/typed"
echo first >"$scratch/first"
exits 0 hf key recover --dry-run "$scratch/typed"
exits 12 hf snapshots
exits 0 hf key recover --new-password-file "$scratch/first" "$scratch/typed"
HOLDFAST_PASSWORD=first exits 0 hf restore latest --target "$scratch/out"
same_tree "$data" "$scratch/out$data"
HOLDFAST_PASSWORD=first exits 0 hf key list
says admin

# A wrong letter is found.
sed -E '/^ *4 /s/[a-z0-9]{4}$/zzzz/' "$scratch/typed" >"$scratch/mistyped"
exits 2 hf key recover --new-password-file "$scratch/first" "$scratch/mistyped"
says "line 4 has several wrong characters"

# Shares.
share() { echo "$scratch/shares/share-$1.txt"; }
exits 2 hf key recover --new-password-file "$scratch/first" "$(share 1)" "$(share 5)"
says "2 of the 3 shares that are needed were given"
exits 2 hf key recover --new-password-file "$scratch/first" "$(share 1)" "$(share 5)" "$scratch/other-set"
says "shares of different sets are mixed"
echo second >"$scratch/second"
cat "$(share 4)" "$(share 1)" "$(share 5)" |
  hf key recover --new-password-file "$scratch/second" >"$scratch/output" || fail "not recovered from a pipe"
HOLDFAST_PASSWORD=second exits 0 hf backup "$data"

# Another repository's kit.
HOLDFAST_REPOSITORY=$scratch/another exits 0 hf init
HOLDFAST_REPOSITORY=$scratch/another exits 12 \
  hf key recover --new-password-file "$scratch/first" "$scratch/kit"
says "the kit is of repository"
