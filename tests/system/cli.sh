# The main story from the command line: what each verb says, in text and in JSON, and how it ends.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# json EXPRESSION: true of `j`, the list of JSON values (one a line) that the last command of `exits` wrote.
json() {
  python3 - "$1" "$scratch/output" <<'PYTHON' || fail "not so: $1 — $(head -c 2000 "$scratch/output")"
import json, sys
with open(sys.argv[2]) as lines:
    j = [json.loads(line) for line in lines]
sys.exit(0 if eval(sys.argv[1]) else 1)
PYTHON
}

data=$scratch/data
mkdir -p "$data/sub/deep" "$data/cache"
printf 'one\n' >"$data/a" && printf 'two\n' >"$data/sub/b" && seq 50000 >"$data/large"
printf 'x' >"$data/sub/deep/x.o" && printf 'x' >"$data/keep.o" && ln -s a "$data/link"
printf 'Signature: 8a477f597d28d172789f06886806bc55\n' >"$data/cache/CACHEDIR.TAG" && : >"$data/cache/junk"

# Every command explains itself.
for command in init backup snapshots ls find diff dump restore forget undelete prune check copy \
  tag key stats cat version completion man; do
  exits 0 hf "$command" -h
  says "Usage: holdfast $command"
done
exits 2 hf
exits 2 env -u HOLDFAST_REPOSITORY "$HOLDFAST_BIN" snapshots
says "no repository named"
exits 1 hf snapshots -r gopher:host/bucket
says "not supported yet"
exits 10 hf snapshots --json
json 'j[-1]["message_type"] == "exit_error" and j[-1]["code"] == 10'

# init
exits 0 hf init --dry-run
exits 10 hf snapshots
exits 0 hf init --json
json 'j[0]["message_type"] == "initialized" and len(j[0]["id"]) == 32'

# backup
exits 2 hf backup
exits 2 env HOLDFAST_COMPRESSION=gzip "$HOLDFAST_BIN" backup "$data"
exits 2 env HOLDFAST_PROGRESS_FPS=often "$HOLDFAST_BIN" backup "$data"
exits 2 hf backup --full --differential "$data"
exits 0 hf backup --dry-run "$data" --json
json 'j[-1]["message_type"] == "summary" and j[-1]["files_new"] == 7 and "snapshot_id" not in j[-1]'
exits 0 hf snapshots --json
json 'j == [[]]'
exits 0 hf backup "$data" --tag first --host h1 --json -e '*.o' --include keep.o --exclude-caches
json 'j[-1]["files_new"] == 5 and j[-1]["error_count"] == 0 and len(j[-1]["snapshot_id"]) == 64'
printf 'more\n' >>"$data/a" && rm "$data/sub/b" && : >"$data/sub/new"
exits 0 hf backup "$data" --tag second,x --host h1
says "saved"

# Limits of bandwidth: taken by every command that opens the repository, whatever the unit.
exits 0 hf snapshots --limit-download 100000 --limit-upload 1.5G --json
json 'len(j[0]) == 2'
exits 0 hf backup --dry-run "$data" --limit-upload 50M --limit-download 0
for bad in fast -1 1X ''; do
  exits 2 hf snapshots --limit-upload "x$bad"
  exits 2 hf check --quick --without-key --limit-download "x$bad"
done

# Progress of a first backup has totals, by a second walk, unless that is not wanted. (Enough to read that
# the walk ends first; then a status comes at least when the last byte was read.)
mkdir "$scratch/much"
for i in 1 2 3; do head -c 30000000 /dev/urandom >"$scratch/much/$i"; done
exits 0 env HOLDFAST_PROGRESS_FPS=60 "$HOLDFAST_BIN" backup --dry-run --json "$scratch/much"
json 'any(s["message_type"] == "status" and s.get("total_bytes") == 90000000 for s in j)'
json 'any(s["message_type"] == "status" and 0 < s["bytes_done"] < 30000000 for s in j)'
exits 0 env HOLDFAST_PROGRESS_FPS=60 "$HOLDFAST_BIN" backup --dry-run --json --no-scan "$scratch/much"
json 'any(s["message_type"] == "status" for s in j) and all("total_bytes" not in s for s in j)'

# snapshots
exits 0 hf snapshots --json
json 'len(j[0]) == 2 and [s["tags"] for s in j[0]] == [["first"], ["second", "x"]]'
json 'all(s["id"].startswith(s["short_id"]) and s["hostname"] == "h1" for s in j[0])'
json 'j[0][0]["summary"]["files_new"] == 5 and j[0][1]["summary"]["total_files_processed"] == 7'
json 'j[0][1]["parent"] == j[0][0]["id"] and j[0][0]["program_version"].startswith("holdfast ")'
exits 0 hf snapshots --tag x --json
json 'len(j[0]) == 1'
exits 0 hf snapshots --host nobody --json
json 'j == [[]]'
exits 0 hf snapshots --latest 1 --json
json 'len(j[0]) == 1 and j[0][0]["tags"] == ["second", "x"]'

# ls, find, diff
exits 0 hf ls "latest~1:$data"
says "$data/keep.o"
! grep -qF x.o "$scratch/output" || fail "what was left out is there"
exits 0 hf ls latest "$data/sub" --json
json 'j[0]["message_type"] == "snapshot" and [n["name"] for n in j[1:]] == ["sub", "deep", "new"]'
exits 0 hf ls -l latest
says "lrwxrwxrwx"
exits 1 hf ls latest:/nothing
exits 1 hf ls ffffffff
exits 0 hf find '*.o' --json
json 'len(j[0]) == 2 and j[0][0]["hits"] == 2 and j[0][1]["hits"] == 1'
exits 0 hf find large --reverse --human-readable
says "KiB"
exits 0 hf diff latest~1 latest --json
json '{(c["modifier"], c["path"][-4:]) for c in j[:-1]} >= {("M", "ta/a"), ("-", "ub/b"), ("+", "/new")}'
json 'j[-1]["message_type"] == "statistics" and j[-1]["removed"]["files"] == 1'
exits 0 hf diff latest latest --json
json 'len(j) == 1 and j[0]["added"]["data_blobs"] == 0'

# dump
[ "$(hf dump latest "$data/a")" = $'one\nmore' ] || fail "dump gives other bytes"
[ "$(hf dump "latest~1:$data" sub | tar -xO b)" = two ] || fail "the archive has other bytes"
exits 1 hf dump latest /nothing

# streams
seq 100000 | hf backup --stdin --stdin-filename numbers --tag stream -q || fail "a stream can't be backed up"
seq 100000 | cmp - <(hf dump latest numbers) || fail "the stream came back otherwise"
exits 1 hf backup --stdin-from-command -- sh -c 'echo half; exit 3'
exits 0 hf snapshots --json
json 'len(j[0]) == 3'

# restore
exits 2 hf restore latest
exits 0 hf restore "latest~1:$data" --path "$data" --target "$scratch/part" --include sub --json
json 'j[-1]["message_type"] == "summary" and j[-1]["error_count"] == 0'
{ [ -e "$scratch/part/sub/b" ] && [ ! -e "$scratch/part/a" ]; } || fail "another part was restored"
exits 0 hf restore latest --tag x --target "$scratch/dry" --dry-run
[ ! -e "$scratch/dry" ] || fail "a dry run wrote something"

# tag, stats, cat
exits 0 hf tag --add y --tag second --dry-run --json
json 'j[-1]["changed_snapshots"] == 1 and j[-1]["dry_run"] and j[0]["message_type"] == "changed"'
exits 0 hf snapshots --tag y --json
json 'j == [[]]'
exits 0 hf tag --add y --remove x --tag second
exits 0 hf snapshots --tag second,y --json
json 'len(j[0]) == 1'
exits 0 hf stats --json
json 'j[0]["snapshots_count"] == 3 and j[0]["total_size"] > 0'
exits 0 hf stats --mode raw-data --json
json 'j[0]["total_uncompressed_size"] > j[0]["total_size"] > 0'
for type in config snapshot manifest references key log; do
  exits 0 hf cat "$type"
  json 'len(j) == 1'
done

# key
printf 'second' >"$scratch/second"
exits 0 hf key add --new-password-file "$scratch/second" --label spare
exits 0 hf -p "$scratch/second" key list --json
json 'len(j[0]) == 2 and [k["label"] for k in j[0] if k["current"]] == ["spare"]'
exits 0 hf key add --new-password-file "$scratch/second" --user ann --host box --dry-run --json
json 'j[0]["message_type"] == "key_added" and j[0]["dry_run"] and "id" not in j[0]'
exits 0 hf key add --new-password-file "$scratch/second" --user ann --host box --json
key=$(grep -o '"id":"[^"]*' "$scratch/output" | cut -d '"' -f 4)
exits 0 hf key list --json
json '("ann", "box") in [(k.get("userName"), k.get("hostName")) for k in j[0]]'
exits 0 hf key remove "$key" --json
printf 'third' >"$scratch/third"
exits 0 hf -p "$scratch/second" key passwd --new-password-file "$scratch/third"
exits 12 hf -p "$scratch/second" snapshots
exits 0 hf -p "$scratch/third" snapshots
exits 0 hf key list --json
json 'len(j[0]) == 2'

# forget, undelete, prune, check
exits 2 hf forget
exits 2 hf prune --keep-daily 7
says "holdfast forget"
exits 0 hf forget --keep-last 1 --dry-run --json
json 'sorted(len(g["remove"]) for g in j[0]) == [0, 1]'
json 'all(g["reasons"][0]["matches"] for g in j[0])'
exits 0 hf forget --keep-last 1
says "forgot 1 snapshot"
exits 0 hf snapshots --forgotten --json
json 'len(j[0]) == 1 and j[0][0]["tags"] == ["first"]'
id=$(grep -o '"short_id":"[^"]*' "$scratch/output" | cut -d '"' -f 4)
exits 0 hf undelete "$id"
exits 0 hf snapshots --json
json 'len(j[0]) == 3'
exits 0 hf forget "$id" --prune
exits 1 hf forget --undo "$id"
exits 0 hf check --read-data --json
json 'j[-1]["message_type"] == "summary" and j[-1]["num_errors"] == 0'
json 'j[-1]["packs_read"] == j[-1]["packs"]'
exits 0 hf check --read-data-subset 1 --json
json '0 < j[-1]["packs_read"] < j[-1]["packs"] and j[-1]["suggest_prune"] in (True, False)'
exits 0 hf check --read-data-subset 10G --json
json 'j[-1]["packs_read"] == j[-1]["packs"]'
exits 2 hf check --read-data-subset 0
exits 2 hf check --read-data-subset much
exits 0 env -u HOLDFAST_PASSWORD "$HOLDFAST_BIN" check --without-key

# copy
export HOLDFAST_FROM_PASSWORD=$HOLDFAST_PASSWORD
exits 0 hf -r "$scratch/other" init --from-repo "$HOLDFAST_REPOSITORY"
exits 0 hf -r "$scratch/other" copy --from-repo "$HOLDFAST_REPOSITORY" --dry-run --json
json '[c["message_type"] for c in j] == ["would_copy", "would_copy"]'
exits 0 hf -r "$scratch/other" copy --from-repo "$HOLDFAST_REPOSITORY" --json
json '[c["was_there"] for c in j if c["message_type"] == "copied"] == [False, False]'
exits 0 hf -r "$scratch/other" copy --from-repo "$HOLDFAST_REPOSITORY" --json
json '[c["was_there"] for c in j if c["message_type"] == "copied"] == [True, True]'
exits 0 hf -r "$scratch/other" restore latest --tag second --target "$scratch/copied"
same_tree "$data" "$scratch/copied$data"

# Nothing changed, in files old enough to be trusted, below folders that no other test writes to: no snapshot.
exits 0 hf -r "$scratch/other" backup /usr/share/common-licenses --host h2
exits 0 hf -r "$scratch/other" backup /usr/share/common-licenses --host h2 --skip-if-unchanged
says "no snapshot made"

# A request to stop ends with 130, and keeps nothing half done.
mkfifo "$scratch/pipe"
"$HOLDFAST_BIN" backup --stdin --stdin-filename endless <"$scratch/pipe" 2>"$scratch/output" &
running=$!
exec 7>"$scratch/pipe"
printf 'half' >&7
listening "$running"
kill -INT "$running"
status=0
wait "$running" || status=$?
exec 7>&-
[ "$status" = 130 ] || fail "stopped with $status, not 130"
exits 0 hf snapshots --json
json 'all(s["paths"] != ["/endless"] for s in j[0])'

# What the program prints of itself.
mkdir "$scratch/man"
exits 0 hf man "$scratch/man"
{ [ -s "$scratch/man/holdfast.1" ] && [ -s "$scratch/man/holdfast-backup.1" ]; } || fail "pages are missing"
hf completion bash >"$scratch/completion"
bash -n "$scratch/completion" || fail "bash can't read its completion"
exits 0 hf help backup
says "Usage: holdfast backup"
