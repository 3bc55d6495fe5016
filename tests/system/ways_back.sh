# A file comes back the same whichever way it is asked for, and with nothing but repository and password.
# shellcheck shell=bash source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

data=$scratch/data
mkdir -p "$data/folder/below"
seq 1000 >"$data/folder/below/private"
seq 200000 >"$data/folder/large"
chmod 0600 "$data/folder/below/private" && chmod 0751 "$data/folder/large"
touch -d '2011-12-13 14:15:16.171819 UTC' "$data/folder/below/private" "$data/folder/large"
chmod 2750 "$data/folder/below" && touch -d '2009-08-07 06:05:04 UTC' "$data/folder/below" "$data/folder"

exits 0 hf init
exits 0 hf backup "$data"
rm -rf "$HOLDFAST_CACHE_DIR"

exits 0 hf restore latest --target "$scratch/whole"
same_tree "$data" "$scratch/whole$data"
exits 0 hf restore "latest:$data/folder" --target "$scratch/folder"
same_tree "$data/folder/below" "$scratch/folder/below"
exits 0 hf restore latest --include "$data/folder/below" --target "$scratch/included"
same_tree "$data/folder/below" "$scratch/included$data/folder/below"
exits 0 hf restore "latest:$data/folder/below/private" --target "$scratch/one"
exits 0 hf --no-cache restore latest --overwrite always --target "$scratch/whole"
same_tree "$data" "$scratch/whole$data"
mkdir "$scratch/tar" && hf dump latest "$data/folder" | tar -x -p -C "$scratch/tar"
same_tree "$data/folder/below" "$scratch/tar/below"

facts() { stat -c '%a %Y %s' "$1"; }
wanted=$(facts "$data/folder/below/private")
for way in "$scratch/whole$data/folder/below" "$scratch/folder/below" "$scratch/one" "$scratch/tar/below"; do
  [ "$(facts "$way/private")" = "$wanted" ] || fail "$way: $(facts "$way/private"), not $wanted"
  cmp "$data/folder/below/private" "$way/private" || fail "$way: other content"
done

# What can't be written to is no success.
# shellcheck disable=SC2016  # it is that shell's to expand
exits 15 sh -c '"$HOLDFAST_BIN" ls latest >/dev/full'
# shellcheck disable=SC2016
exits 15 sh -c '"$HOLDFAST_BIN" dump latest "$1" >/dev/full' sh "$data/folder/large"
