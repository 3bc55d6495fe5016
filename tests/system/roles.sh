# Keys of less right than all: a host that only writes, one that only prunes, one that only scrubs.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

admin() { HOLDFAST_CACHE_DIR=$scratch/admin-cache hf "$@"; }
as() { # as ROLE COMMAND…: with the secret key of that role and with a cache of its own
  local role=$1
  shift
  HOLDFAST_KEY_FILE=$scratch/$role.key HOLDFAST_CACHE_DIR=$scratch/$role-cache HOLDFAST_PASSWORD='' \
    "$HOLDFAST_BIN" "$@"
}

exits 0 admin init
for role in read write maint audit; do
  exits 0 hf key new-recipient "$scratch/$role.key"
  exits 0 admin key add --role "$role" --recipient "$scratch/$role.key.pub" --label "$role@host"
done
[ "$(stat -c %a "$scratch/write.key")" = 600 ] || fail "others may read the secret key"
exits 1 hf key new-recipient "$scratch/write.key" # there already: never overwritten
exits 2 admin key add --recipient "$scratch/write.key" # the secret one
says "secret key"
exits 0 admin key list
for role in read write maint audit; do says "$role  "; done
says "recipient"
echo typewriter >"$scratch/password"
exits 0 admin key add --role read --new-password-file "$scratch/password"

# The host writes: twice, the second run storing little, and reads nothing.
mkdir -p "$scratch/data/sub"
seq 60000 >"$scratch/data/numbers"
head -c 3000000 /dev/urandom >"$scratch/data/sub/noise"
exits 0 as write backup "$scratch/data"
echo more >>"$scratch/data/numbers"
added=$(as write backup --json "$scratch/data" | grep '"summary"' |
  grep -o '"data_added_packed":[0-9]*' | cut -d: -f2)
[ "$added" -lt 200000 ] || fail "the second backup stored $added bytes"
exits 0 as write snapshots
[ "$(grep -c "$scratch/data" "$scratch/output")" = 2 ] || fail "not two snapshots: $(cat "$scratch/output")"
for refused in "restore latest --target $scratch/out" "dump latest $scratch/data/numbers" "ls latest" \
  "find numbers" "diff latest latest" "check" "copy --from-repo $HOLDFAST_REPOSITORY"; do
  # shellcheck disable=SC2086
  HOLDFAST_FROM_KEY_FILE=$scratch/write.key exits 1 as write $refused
  says "lacks the right to read what snapshots hold, which the roles admin and read have"
done
for refused in prune "forget latest" "forget --keep-last 1" "tag --add x latest" "undelete latest"; do
  # shellcheck disable=SC2086
  exits 1 as write $refused
  says "lacks the right to forget, tag and remove snapshots, which the roles admin and maint have"
done
exits 1 as write key add --new-password-file "$scratch/password"
says "which the role admin has"
[ ! -e "$scratch/out" ] || fail "something was restored"
# What it begins and does not commit is in nobody's way.
exits 0 as write backup --skip-if-unchanged "$scratch/data"
exits 0 as write check --quick

# The reader restores, and writes nothing.
exits 0 as read restore latest --target "$scratch/out"
same_tree "$scratch/data" "$scratch/out$scratch/data"
exits 0 as read check --read-data
exits 1 as read backup "$scratch/data"
says "lacks the right to add snapshots, which the roles admin and write have"
HOLDFAST_PASSWORD=typewriter exits 0 hf ls latest

# The maintainer removes what was forgotten, once somebody who may read has walked the trees.
exits 0 admin forget --keep-last 1
exits 1 as maint prune --wait 0
says "prune --confirm-only"
exits 0 admin prune --confirm-only
says "walked the trees of 1 snapshot"
exits 0 as maint prune --wait 0
exits 0 as maint check --quick
exits 1 as maint restore latest --target "$scratch/out2"
says "lacks the right to read what snapshots hold"
exits 1 as maint backup "$scratch/data"
exits 0 admin check --read-data
exits 0 as read restore latest --target "$scratch/out3"
same_tree "$scratch/data" "$scratch/out3$scratch/data"
[ "$(admin snapshots --json | grep -o '"short_id"' | wc -l)" = 1 ] || fail "not one snapshot is left"

# The auditor finds damage that it can't understand.
exits 0 as audit check
exits 1 as audit snapshots
says "lacks the right to see which snapshots there are"
pack=$(find "$HOLDFAST_REPOSITORY/d" -type f | head -n 1)
chmod u+w "$pack" && printf 'x' | dd of="$pack" bs=1 seek=5000 conv=notrunc 2>/dev/null
exits 0 as audit check
says "a spare copy is damaged, nothing is lost"
for ((at = 5000; at < $(stat -c %s "$pack"); at += 4096)); do
  printf 'x' | dd of="$pack" bs=1 seek="$at" conv=notrunc 2>/dev/null
done
exits 13 as audit check

# A key that was removed opens nothing any more.
id=$(admin key list --json | grep -o '{[^}]*"role":"write"[^}]*}' |
  grep -o '"id":"[0-9a-f]*"' | cut -d'"' -f4)
exits 0 admin key remove "$id"
exits 12 as write snapshots

# One that is damaged is listed as such, and can be taken away.
id=$(admin key list --json | grep -o '{[^}]*"role":"read"[^}]*}' |
  grep -o '"id":"[0-9a-f]*"' | cut -d'"' -f4 | sed -n 1p)
chmod u+w "$HOLDFAST_REPOSITORY/keys/$id" && echo garbage >"$HOLDFAST_REPOSITORY/keys/$id"
exits 3 admin key list
says "unreadable"
says "admin"
exits 3 admin key list --json
says "\"id\":\"$id\",\"readable\":false"
exits 0 admin cat key "$id"
exits 0 admin key remove "${id:0:12}"
exits 0 admin key list
[ ! -e "$HOLDFAST_REPOSITORY/keys/$id" ] || fail "it is there still"
