#!/usr/bin/env bash
# Compares `rundown bundle` with `zstd -3` on the same log, in turn: time, size and peak memory. Then
# measures how long the bundle takes to print its last rows, and how much of it that reads.
# The log is made of the failing logs of the fixtures, with other times and other first numbers.
# Usage: benches/bundle.sh [MIB] [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
mib=${1:-1024}
rounds=${2:-5}
rundown=$here/target/release/rundown
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

job=$scratch/store/runs/bench/01a2274e-0000-7011-bb6d-d9055a07adc9/jobs/build
log=$job/sh-1.log
mkdir -p "$job"
find "$here/fixtures" -name '*.log' -size +1k -print0 | sort -z | xargs -0 cat |
  sed -E 's/^[^ ]+ (stdout|stderr) [FP] //' >"$scratch/rows"
awk -v limit=$((mib * 1024 * 1024)) 'BEGIN { srand(1) }
  { rows[n++] = $0 }
  END {
    while (size < limit) {
      row = rows[i++ % n]
      sub(/[0-9][0-9]+/, int(rand() * 100000), row)
      at += rand() * 0.002
      line = sprintf("2026-01-02T%02d:%02d:%02d.%09dZ %s F %s", at / 3600 % 24, at / 60 % 60,
        at % 60, rand() * 1000000000, rand() < 0.1 ? "stderr" : "stdout", row)
      print line
      size += length(line) + 1
    }
  }' "$scratch/rows" >"$log"

# Prints the time that a command takes, in microseconds.
spent() {
  local begin=${EPOCHREALTIME/./}
  "$@" >"$scratch/out" 2>"$scratch/err"
  echo $((${EPOCHREALTIME/./} - begin))
}
median() { sort -n "$1" | sed -n "$((rounds / 2 + 1))p"; }
peak() {
  rm -rf "$scratch/recorded"
  "$rundown" --root "$scratch/recorded" record -- "$@" >"$scratch/out" 2>"$scratch/err"
  "$rundown" --root "$scratch/recorded" --once --format json |
    sed -n 's/.*"max_rss_bytes": \([0-9]*\).*/\1/p'
}

bundle=$scratch/x.rundown
ours=("$rundown" bundle --root "$scratch/store" -o "$bundle")
theirs=(zstd -3 -q -f "$log" -o "$scratch/x.zst")
open=("$rundown" "$bundle" --once --tail 20)
for _ in $(seq "$rounds"); do
  spent "${theirs[@]}" >>"$scratch/theirs"
  spent "${ours[@]}" >>"$scratch/ours"
  spent "${open[@]}" >>"$scratch/open"
done
a=$(median "$scratch/ours") b=$(median "$scratch/theirs")
size() { stat -c %s "$1" 2>/dev/null || stat -f %z "$1"; }
printf 'time     rundown %8d us   zstd -3 %8d us   ratio %d.%02d\n' \
  "$a" "$b" $((a / b)) $((a * 100 / b % 100))
printf 'size     rundown %8d KiB  zstd -3 %8d KiB  of %d KiB\n' \
  $(($(size "$bundle") / 1024)) $(($(size "$scratch/x.zst") / 1024)) $(($(size "$log") / 1024))
printf 'memory   rundown %8d KiB  zstd -3 %8d KiB\n' \
  $(($(peak "${ours[@]}") / 1024)) $(($(peak "${theirs[@]}") / 1024))
printf 'open     rundown %8d us\n' "$(median "$scratch/open")"
