# Two key domains and none in one repository; one is erased.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

stored() { # stored ARGUMENTS…: how much the backup added
  hf backup --json "$@" | grep '"summary"' | grep -o '"data_added_packed":[0-9]*' | cut -d: -f2
}
id_of() { hf snapshots --json --domain "$1" | grep -o '"id":"[0-9a-f]*"' | cut -d'"' -f4 | head -n 1; }
size() { du -sb "$HOLDFAST_REPOSITORY" | cut -f1; }

exits 0 hf init
exits 0 hf key add --role maint --new-password-file <(echo cleaner)
HOLDFAST_PASSWORD=cleaner exits 1 hf key domain add evil
says "which the role admin has"
exits 0 hf key domain add --dry-run ann
exits 0 hf key domain add ann
exits 0 hf key domain add bob
exits 1 hf key domain add ann
says "there is a key domain ann already"
exits 1 hf backup --domain eve "$scratch"
says "there is no key domain eve"

# The same data three times: nothing is shared between domains, all within one.
mkdir -p "$scratch/data/secret-plans"
head -c 3000000 /dev/urandom >"$scratch/data/noise"
seq 20000 >"$scratch/data/secret-plans/numbers"
for domain in '' ann bob; do
  added=$(stored --domain "$domain" --tag mark "$scratch/data")
  [ "$added" -gt 3000000 ] || fail "domain '$domain' stored only $added bytes: shared with another"
  added=$(stored --domain "$domain" --full "$scratch/data")
  [ "$added" -lt 100000 ] || fail "the second backup of '$domain' stored $added bytes"
done
ann=$(id_of ann) bob=$(id_of bob) none=$(id_of '')
exits 0 hf snapshots
says "Domain"
exits 0 hf tag --add wedding "$ann"
exits 0 hf snapshots --domain ann --tag wedding
says "1 snapshot"
exits 0 hf restore "$ann" --target "$scratch/ann"
same_tree "$scratch/data" "$scratch/ann$scratch/data"
exits 0 hf find --domain ann numbers
says secret-plans
exits 0 hf diff "$ann" "$ann"
exits 0 hf rewrite "$bob" --exclude noise
exits 0 hf snapshots --domain bob
says "3 snapshots"
exits 0 hf check --read-data
/usr/bin/python3 -B "$(dirname "$0")/../reader/holdfast_reader.py" -r "$HOLDFAST_REPOSITORY" \
  restore "$ann" "$scratch/by-reader"
diff -r "$scratch/data" "$scratch/by-reader$scratch/data" || fail "the reader restored something else"

# A mirror carries the secret; from it a lost one comes back.
exits 0 hf mirror --to "$scratch/mirror"
number=$(hf key domain list | grep -F ' ann ' | grep -o '#[0-9]*' | head -n 1)
object=domains/$(printf %08x "${number#\#}")
mv "$HOLDFAST_REPOSITORY/$object" "$scratch/lost"
exits 13 hf check --quick
says "$object"
exits 3 hf restore "$ann" --target "$scratch/never"
exits 3 hf restore "$bob" --target "$scratch/beside" # whole, but the list of snapshots is not
same_tree "$scratch/data" "$scratch/beside$scratch/data"
exits 0 hf repair packs --from "$scratch/mirror"
cmp "$HOLDFAST_REPOSITORY/$object" "$scratch/lost"
exits 0 hf check --quick

# A copy stays in a domain of that name, unless told otherwise.
other() { HOLDFAST_CACHE_DIR=$scratch/other-cache hf -r "$scratch/other" "$@"; }
exits 0 other init
copying() { other copy --from-repo "$HOLDFAST_REPOSITORY" "$@" "$ann"; }
export HOLDFAST_FROM_PASSWORD=$HOLDFAST_PASSWORD
exits 1 copying
says "there is no key domain ann"
exits 0 other key domain add ann
exits 0 copying
exits 0 copying
exits 0 other snapshots --domain ann --tag wedding
says "1 snapshot"
exits 0 copying --to-domain none
exits 0 other snapshots --domain ''
says "1 snapshot"
exits 0 other check --read-data
exits 0 other restore latest --domain ann --target "$scratch/copied"
same_tree "$scratch/data" "$scratch/copied$scratch/data"

# A number is of one repository: where the source's log lacks the name, nothing goes to whoever has it there.
rm -rf "$scratch/holed" && cp -a "$HOLDFAST_REPOSITORY" "$scratch/holed"
rm "$scratch/holed/log/0000000000000000"
strange() { HOLDFAST_CACHE_DIR=$scratch/strange-cache hf -r "$scratch/strange" "$@"; }
exits 0 strange init
exits 0 strange key domain add dora
exits 0 strange key domain add emil
exits 13 strange copy --from-repo "$scratch/holed" "$ann"
says "is not known"
exits 0 strange snapshots --json
! grep -q '"domain"' "$scratch/output" || fail "copied into a stranger's domain: $(cat "$scratch/output")"

# Erased: only when meant, and then for everybody.
exits 0 hf key kit
cp "$scratch/output" "$scratch/kit"
cp -a "$HOLDFAST_REPOSITORY/keys" "$scratch/old-keys"
exits 0 hf key domain erase --dry-run ann
says "would lose snapshot ${ann:0:8}"
exits 14 hf key domain erase ann
exits 14 hf key domain erase ann --confirm bob
exits 0 hf restore "$ann" --target "$scratch/still"
[ -n "$(find "$HOLDFAST_CACHE_DIR" -name "domain-*${number#\#}")" ] || fail "no cache of the domain"
HOLDFAST_PASSWORD=cleaner exits 1 hf key domain erase ann --confirm ann
exits 0 hf key domain erase ann --confirm ann
[ ! -e "$HOLDFAST_REPOSITORY/$object" ] || fail "the secret is still there"
[ -z "$(find "$HOLDFAST_CACHE_DIR" -name "domain-*${number#\#}")" ] || fail "the cache is still there"
exits 0 hf key domain erase "$number"
says "was erased"
exits 1 hf restore "$ann" --target "$scratch/gone"
says "was erased on $(date +%Y-%m-%d)"
exits 1 hf undelete "$ann"
exits 1 hf backup --domain ann "$scratch/data"
says "there is no key domain ann"
exits 1 hf backup --domain "$number" "$scratch/data"
says "was erased on"
exits 0 hf snapshots
! grep -q "${ann:0:8}" "$scratch/output" || fail "the erased snapshot is listed"
exits 0 hf check --read-data
for other in "$bob" "$none"; do
  exits 0 hf restore "$other" --target "$scratch/$other"
  same_tree "$scratch/data" "$scratch/$other$scratch/data"
done
# All keys and the kit of before, with the store of now.
echo again >"$scratch/password"
exits 0 hf key recover "$scratch/kit" --new-password-file "$scratch/password"
HOLDFAST_PASSWORD=again exits 1 hf restore "$ann" --target "$scratch/gone"
cp -a "$scratch/old-keys/." "$HOLDFAST_REPOSITORY/keys/"
exits 1 hf dump "$ann" "$scratch/data/secret-plans/numbers"
[ ! -e "$scratch/gone" ] || fail "something was restored"

# The mirror loses the secret too, without a key; then the space comes back.
HOLDFAST_PASSWORD='' exits 0 hf mirror --to "$scratch/mirror"
says "destroyed 1 secret"
[ ! -e "$scratch/mirror/$object" ] || fail "the mirror still has the secret"
before=$(size)
exits 0 hf prune --wait 0
[ $((before - $(size))) -gt 3000000 ] || fail "prune freed $((before - $(size))) bytes"
exits 0 hf check --read-data
exits 0 hf restore "$bob" --target "$scratch/after"
same_tree "$scratch/data" "$scratch/after$scratch/data"

# An erasure that was interrupted after its entry: a prune finishes it.
exits 0 hf key domain list
number=$(hf key domain list | grep -F ' bob ' | grep -o '#[0-9]*' | head -n 1)
object=domains/$(printf %08x "${number#\#}")
cp -a "$HOLDFAST_REPOSITORY/$object" "$scratch/kept"
exits 0 hf key domain erase bob --confirm bob
cp -a "$scratch/kept" "$HOLDFAST_REPOSITORY/$object"
exits 1 hf restore "$bob" --target "$scratch/gone"
exits 0 hf prune --wait 0
[ ! -e "$HOLDFAST_REPOSITORY/$object" ] || fail "prune left the secret"
exits 0 hf restore latest --target "$scratch/last"
