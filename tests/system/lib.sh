# What the scripts here share: a scratch folder of their own, a repository's environment, expectations.
# Each script is run as: bash NAME.sh PROGRAM, and passes if it exits 0.
# shellcheck shell=bash
set -euo pipefail

export HOLDFAST_BIN=$1

scratch=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-system.XXXXXX")
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
export HOLDFAST_REPOSITORY=$scratch/repository HOLDFAST_CACHE_DIR=$scratch/cache
export HOLDFAST_PASSWORD='correct horse'
unset HOLDFAST_PASSWORD_FILE HOLDFAST_PASSWORD_COMMAND

fail() {
  printf '%s:%s: %s\n' "${BASH_SOURCE[-1]}" "${BASH_LINENO[-2]}" "$*" >&2
  exit 1
}

hf() { "$HOLDFAST_BIN" "$@"; }

# listening PID: waits until the program heeds signals; before that, in the background, it ignores SIGINT.
listening() {
  local turns
  for turns in $(seq 600); do
    grep -q '^SigBlk:.*[2367abef]$' "/proc/$1/status" && return 0
    sleep 0.05
  done
  fail "process $1 does not listen after $turns turns"
}

# exits STATUS COMMAND…: the command must end with this status; what it prints goes to $scratch/output.
exits() {
  local wanted=$1 status=0
  shift
  "$@" >"$scratch/output" 2>&1 || status=$?
  [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $* — $(cat "$scratch/output")"
}

# says TEXT: the last command that `exits` ran has printed this.
says() { grep -qF -e "$1" "$scratch/output" || fail "did not say '$1': $(cat "$scratch/output")"; }

# Everything about a tree that a restore must bring back, one line an object; contents as digests.
describe() {
  (cd "$1" && find . \( -type d -printf '%p: d %m %U:%G %T@\n' \) -o \
    -printf '%p: %y %m %U:%G %T@ %s bytes, %n names, -> %l\n' | LC_ALL=C sort)
  (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum)
  (cd "$1" && find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - 2>/dev/null)
}

# same_tree A B: nothing that describe() sees differs.
same_tree() { diff <(describe "$1") <(describe "$2") >&2 || fail "$2 is not what $1 is"; }
