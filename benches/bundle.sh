#!/usr/bin/env bash
# Compares `rundown bundle` with `zstd -3` on the same log, in turn: time, size and peak memory. Then
# measures how long the bundle takes to print its last rows.
# Usage: benches/bundle.sh [MIB] [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
mib=${1:-1024}
rounds=${2:-5}
rundown=$here/target/release/rundown
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
. "$here/benches/log.sh"

job=$scratch/store/runs/bench/01a2274e-0000-7011-bb6d-d9055a07adc9/jobs/build
log=$job/sh-1.log
mkdir -p "$job"
make_log "$here" "$mib" "$log"

bundle=$scratch/x.rundown
ours=("$rundown" bundle --root "$scratch/store" -o "$bundle")
theirs=(zstd -3 -q -f "$log" -o "$scratch/x.zst")
open=("$rundown" "$bundle" --once --tail 20)
for _ in $(seq "$rounds"); do
  spent "${theirs[@]}" >>"$scratch/theirs"
  spent "${ours[@]}" >>"$scratch/ours"
  spent "${open[@]}" >>"$scratch/open"
done
compare time "$(median "$scratch/ours")" "$(median "$scratch/theirs")" 'zstd -3'
size() { stat -c %s "$1" 2>/dev/null || stat -f %z "$1"; }
printf 'size     rundown %8d KiB  zstd -3 %8d KiB  of %d KiB\n' \
  $(($(size "$bundle") / 1024)) $(($(size "$scratch/x.zst") / 1024)) $(($(size "$log") / 1024))
printf 'memory   rundown %8d KiB  zstd -3 %8d KiB\n' \
  $(($(peak "${ours[@]}") / 1024)) $(($(peak "${theirs[@]}") / 1024))
printf 'open     rundown %8d us\n' "$(median "$scratch/open")"
