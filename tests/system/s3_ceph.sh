# A repository in a bucket of Ceph: every day's commands, two hosts at once, a kill, and what can be wrong.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
server=$(dirname "$0")/../servers/radosgw

# shellcheck disable=SC2154  # scratch is lib.sh's
trap '"$server" stop "$scratch/ceph"; chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
"$server" start "$scratch/ceph"
# shellcheck source=/dev/null
. "$scratch/ceph/environment"
"$server" bucket "$scratch/ceph" plain
"$server" bucket "$scratch/ceph" old versioned
export HOLDFAST_REPOSITORY=s3:$S3_ORIGIN/plain/deep/er AWS_EC2_METADATA_DISABLED=true

exits 10 hf snapshots
says "no repository"
exits 0 hf init
exits 1 hf init
says "holds a repository already"
mkdir -p "$scratch/data/sub"
seq 300000 >"$scratch/data/numbers"
head -c 5000000 /dev/urandom >"$scratch/data/sub/noise"
for i in $(seq 200); do echo "$i" >"$scratch/data/sub/$i"; done
exits 0 hf backup "$scratch/data"
echo more >>"$scratch/data/numbers"
exits 0 hf backup "$scratch/data"
exits 0 hf check --read-data
exits 0 hf restore latest --target "$scratch/back"
same_tree "$scratch/data" "$scratch/back$scratch/data"

# Without what this machine remembers, and piece by piece.
HOLDFAST_CACHE_DIR=$scratch/other exits 0 hf dump latest "$scratch/data/sub/17"
says 17
exits 0 hf ls latest
says "$scratch/data/sub/noise"
exits 0 hf find 17

# Two hosts at once, and one that is killed in the middle; then a prune beside a backup.
HOLDFAST_CACHE_DIR=$scratch/a HOLDFAST_HOST=a hf -q backup "$scratch/data" &
one=$!
HOLDFAST_CACHE_DIR=$scratch/b HOLDFAST_HOST=b hf -q backup "$scratch/data" || fail "b"
wait $one || fail "a"
head -c 30000000 /dev/urandom >"$scratch/data/more"
(HOLDFAST_CACHE_DIR=$scratch/b HOLDFAST_HOST=b timeout -s KILL 0.7 "$HOLDFAST_BIN" -q backup \
  "$scratch/data" 2>/dev/null) || true
exits 0 hf backup "$scratch/data"
exits 0 hf forget --keep-last 1 --group-by ''
HOLDFAST_CACHE_DIR=$scratch/a HOLDFAST_HOST=a hf -q backup "$scratch/data" &
one=$!
pruned=0
hf prune >"$scratch/output" 2>&1 || pruned=$?
case $pruned in
  0) ;;
  3) says "still running" ;; # what was killed may have begun, and is given hours to come back
  *) fail "prune: $pruned: $(cat "$scratch/output")" ;;
esac
wait $one || fail "a, beside a prune"
exits 0 hf check --read-data
exits 0 hf restore latest --target "$scratch/again"
same_tree "$scratch/data" "$scratch/again$scratch/data"

# Verbatim to a folder and back again.
exits 0 hf mirror --to "$scratch/mirror"
exits 0 hf -r "$scratch/mirror" check --read-data
exits 0 hf -r "$scratch/mirror" mirror --to "s3:$S3_ORIGIN/plain/second"
exits 0 hf -r "s3:$S3_ORIGIN/plain/second" check --read-data

# One clear line, what to do, and the right status.
AWS_SECRET_ACCESS_KEY=wrong exits 1 hf snapshots
says "SignatureDoesNotMatch"
says "hint: check AWS_SECRET_ACCESS_KEY"
AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' HOME=$scratch exits 1 hf snapshots
says "no credentials for S3 were found"
exits 10 hf -r "s3:$S3_ORIGIN/nobody/x" init
says "hint: make the bucket first"
exits 2 hf -r s3: snapshots
exits 2 hf -o s3.bucket=1 snapshots

# Where a bucket keeps versions this Ceph ignores If-None-Match: the oldest version counts.
export HOLDFAST_REPOSITORY=s3:$S3_ORIGIN/old/x
exits 0 hf init
HOLDFAST_CACHE_DIR=$scratch/a HOLDFAST_HOST=a hf -q backup "$scratch/data" &
one=$!
HOLDFAST_CACHE_DIR=$scratch/b HOLDFAST_HOST=b hf -q backup "$scratch/data" || fail "b, versioned"
wait $one || fail "a, versioned"
exits 0 hf check --read-data
"$server" request "$scratch/ceph" PUT /old/x/holdfast vandalism
"$server" request "$scratch/ceph" DELETE /old/x/holdfast
exits 0 hf check
exits 0 hf forget --keep-last 1 --group-by ''
exits 0 hf prune
exits 0 hf restore latest --target "$scratch/versioned"
same_tree "$scratch/data" "$scratch/versioned$scratch/data"
