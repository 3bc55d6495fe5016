# What became of a file, what a backup would take, copies of a repository, and what its doctor says.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir -p "$data/work"
seq 1000 >"$data/work/notes"
seq 20000 >"$data/work/large.iso"
exits 0 hf init
exits 0 hf backup "$data"
seq 2000 >"$data/work/notes"
exits 0 hf backup "$data"
rm "$data/work/notes"
exits 0 hf backup "$data"

exits 0 hf log "$data/work/notes"
says added && says content && says removed && says "is in 2 of 3 snapshots"
(cd "$data/work" && exits 0 hf --json log notes)
says '"present_in":2'
exits 0 hf log "$data/never"
says "is in 0 of 3 snapshots"

# explain needs no repository, nor a password
exits 0 env -u HOLDFAST_REPOSITORY "$HOLDFAST_BIN" explain --of "$data" -e '*.iso' "$data/work/large.iso"
says "NOT included: --exclude: *.iso"
exits 0 hf explain "$data/work/large.iso"
says ": included" && says "is in 3 of 3 snapshots"

# a copy that needs no password to make, opens with the same one, and follows
exits 2 hf mirror
exits 0 hf mirror --to "$scratch/copy" --dry-run
[ ! -e "$scratch/copy" ] || fail "a dry run made a copy"
exits 0 env -u HOLDFAST_PASSWORD "$HOLDFAST_BIN" mirror --to "$scratch/copy"
diff -r "$scratch/repository" "$scratch/copy" || fail "the copy is not what the repository is"
exits 0 hf -r "$scratch/copy" restore latest --target "$scratch/restored"
same_tree "$data" "$scratch/restored$data"

# rewritten without the large file, the old ones forgotten, and pruned: the copy follows as far as it is told
exits 2 hf rewrite latest
exits 0 hf rewrite --exclude '*.iso' --dry-run
says "would rewrite"
exits 0 hf rewrite --exclude '*.iso' --forget
exits 0 hf explain "$data/work/large.iso"
says "is in 0 of 3 snapshots"
exits 0 hf prune --max-unused 0
exits 0 hf check --read-data
exits 0 hf mirror --to "$scratch/copy"
says "only in the copy"
exits 0 hf mirror --to "$scratch/copy" --delete --verify
diff -r "$scratch/repository" "$scratch/copy" || fail "the copy did not follow"
exits 0 hf -r "$scratch/copy" check --read-data

# checks take notes
exits 2 hf check --quick --max-duration 1m
exits 0 hf check --max-duration 1h
says "every pack was verified in full within 30 days"
rm -r "$HOLDFAST_CACHE_DIR"
exits 0 hf check
says "never:" && says "not checked"

# the doctor: one key only is a warning; a password that others may read is bad
exits 3 hf doctor
says "an object is never overwritten" && says "one key slot"
printf 'correct horse\n' >"$scratch/password" && chmod 0644 "$scratch/password"
exits 1 hf doctor --password-file "$scratch/password" --no-write
says "others may read"
exits 1 hf -r "$scratch/nowhere" doctor --json
says '"health":"bad"'
