# Rotation of the read key: who has old keys reads nothing that came after; and rekey, which takes the rest.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

as() { # as ROLE COMMAND…: with the secret key of that role and with a cache of its own
  local role=$1
  shift
  HOLDFAST_KEY_FILE=$scratch/$role.key HOLDFAST_CACHE_DIR=$scratch/$role-cache HOLDFAST_PASSWORD='' \
    "$HOLDFAST_BIN" "$@"
}
# For a thief with the secret key of `old` and the store as it is now, the slot that he once copied put back.
stolen() {
  rm -rf "$scratch/stolen" && cp -r "$HOLDFAST_REPOSITORY" "$scratch/stolen"
  cp -n "$scratch/loot"/* "$scratch/stolen/keys/"
}

exits 0 hf init
for role in read write maint old; do
  exits 0 hf key new-recipient "$scratch/$role.key"
  exits 0 hf key add --role "${role/old/read}" --recipient "$scratch/$role.key.pub" --label "$role@host"
done
echo typewriter >"$scratch/password"
exits 0 hf key add --role read --new-password-file "$scratch/password" --label typist
exits 0 hf key kit --shares 1 --threshold 1 --target "$scratch"
mkdir "$scratch/data" && echo first >"$scratch/data/text"
head -c 400000 /dev/urandom >"$scratch/data/noise"
exits 0 as write backup "$scratch/data"
cp -r "$HOLDFAST_REPOSITORY/keys" "$scratch/loot"

# Only an admin rotates, and a dry run does not.
for role in read write maint; do
  exits 1 as "$role" key rotate
done
exits 0 hf key rotate --dry-run
says "would bring in the read key of epoch 1"
exits 0 hf key list
! grep -q "epochs" "$scratch/output" || fail "a dry run rotated"
id=$(hf key list --json | grep -o '{[^}]*"label":"old@host"[^}]*}' |
  grep -o '"id":"[0-9a-f]*"' | cut -d'"' -f4)
exits 0 hf key remove "$id"
exits 0 hf key rotate
says "brought in the read key of epoch 1"
says "(typist) will not open what is written from now on"
says "for whoever has kept an older key"
says "make new ones with \`holdfast key kit\`"
exits 0 hf key list
[ "$(grep -c "epochs 0-1" "$scratch/output")" = 2 ] || fail "not two keys: $(cat "$scratch/output")"
says "epoch 0 "

# What the host writes now, the reader and the admin read; the thief and the typist read only what was.
echo second >"$scratch/data/new"
exits 0 as write backup "$scratch/data"
for who in "hf" "as read"; do
  rm -rf "$scratch/out"
  $who restore latest --target "$scratch/out" >/dev/null || fail "$who can't restore"
  same_tree "$scratch/data" "$scratch/out$scratch/data"
done
exits 0 as read check --read-data
exits 0 as maint check --quick
stolen
exits 0 as old -r "$scratch/stolen" snapshots
exits 0 as old -r "$scratch/stolen" dump latest~1 "$scratch/data/text"
says "first"
exits 1 as old -r "$scratch/stolen" dump latest "$scratch/data/new"
says "after the read key was rotated (epoch 1); this key opens only epoch 0"
export HOLDFAST_PASSWORD=typewriter
exits 0 hf dump latest~1 "$scratch/data/text"
exits 1 hf dump latest "$scratch/data/new"
export HOLDFAST_PASSWORD='correct horse'
rm -rf "$scratch/copy" && exits 0 hf mirror --to "$scratch/copy"
exits 0 hf -r "$scratch/copy" dump latest "$scratch/data/new"

# A kit from before opens what was; a new one all.
cp -r "$HOLDFAST_REPOSITORY" "$scratch/lost" && chmod -R u+w "$scratch/lost" && rm "$scratch/lost/keys"/*
exits 0 hf -r "$scratch/lost" key recover --new-password-file "$scratch/password" "$scratch/share-1.txt"
HOLDFAST_PASSWORD=typewriter exits 1 hf -r "$scratch/lost" dump latest "$scratch/data/new"
rm "$scratch/lost/keys"/*
hf key kit >"$scratch/kit"
exits 0 hf -r "$scratch/lost" key recover --new-password-file "$scratch/password" "$scratch/kit"
HOLDFAST_PASSWORD=typewriter exits 0 hf -r "$scratch/lost" dump latest "$scratch/data/new"

# rekey takes from old keys what they could read before.
exits 2 hf rekey
says "key rotate"
exits 1 as read rekey --data
exits 0 hf rekey --data --dry-run
[ "$(grep -c "would store again" "$scratch/output")" = 2 ] || fail "not two: $(cat "$scratch/output")"
exits 0 hf rekey --data
says "2 snapshots stored again under the read key of epoch 1"
exits 0 hf rekey --data
says "0 snapshots stored again"
exits 0 hf prune --wait 0 --max-unused 0
[ "$(hf snapshots --json | grep -o '"short_id"' | wc -l)" = 2 ] || fail "not two snapshots"
exits 0 as read check --read-data
stolen
for snapshot in latest latest~1; do
  exits 1 as old -r "$scratch/stolen" dump "$snapshot" "$scratch/data/text"
  says "this key opens only epoch 0"
  exits 0 as read dump "$snapshot" "$scratch/data/text"
  says "first"
done
rm -rf "$scratch/out"
exits 0 as read restore latest --target "$scratch/out"
same_tree "$scratch/data" "$scratch/out$scratch/data"
