#!/usr/bin/env bash
# Measures the recorder as its users see it: the time that it adds to a command, bulk output, many
# recorders of one run, its memory, and the masking of secrets. What is compared runs in turn.
# Needs `cargo build --release`, and 2 GiB of free space for temporary files.
# Usage: benches/record.sh [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-51}
rundown=$here/target/release/rundown
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
unset RUNDOWN_RUN RUNDOWN_JOB
export RUNDOWN_ROOT=$scratch/store

# Prints the time that a command takes, in microseconds.
spent() {
  local begin=${EPOCHREALTIME/./}
  "$@" >"$scratch/out"
  echo $((${EPOCHREALTIME/./} - begin))
}
median() { sort -n "$1" | sed -n "$((($(wc -l <"$1") + 1) / 2))p"; }
ratio() { printf '%d.%02d' $(($1 / $2)) $(($1 * 100 / $2 % 100)); }

# added NAME COMMAND…: prints the time that recording adds to `true`, as the median of pairs.
added() {
  local name=$1 plain
  shift
  : >"$scratch/pairs"
  for _ in $(seq "$rounds"); do
    plain=$(spent /bin/true)
    echo $(($(spent "$@" -- /bin/true) - plain)) >>"$scratch/pairs"
  done
  printf '%-28s %6d us over true\n' "$name" "$(median "$scratch/pairs")"
}

# compare NAME ROUNDS PLAIN OTHER: runs two functions in turn, and prints the ratio of their times.
compare() {
  : >"$scratch/plain"
  : >"$scratch/other"
  for _ in $(seq "$2"); do
    spent "$3" >>"$scratch/plain"
    spent "$4" >>"$scratch/other"
    rm -rf "$RUNDOWN_ROOT"
  done
  local a b
  a=$(median "$scratch/other") b=$(median "$scratch/plain")
  printf '%-28s %6d ms / %6d ms = %s\n' "$1" $((a / 1000)) $((b / 1000)) "$(ratio "$a" "$b")"
}

"$rundown" record -- true
added "record" "$rundown" record
RUNDOWN_RUN=$("$rundown" begin)
export RUNDOWN_RUN
added "step of a begun run" "$rundown" record --job step
unset RUNDOWN_RUN

# 512 MiB of lines of 100 bytes.
line=$(printf '%099d' 0)
lines() { yes "$line" | head -c $((512 << 20)); }
export -f lines
export line
to_file() { bash -c lines | cat >"$scratch/plain.txt"; }
recorded() { "$rundown" record -- bash -c lines >/dev/null; }
compare "512 MiB" 7 to_file recorded

# The memory of a recorder, as recorded by another one.
"$rundown" record -- env RUNDOWN_ROOT="$scratch/inner" "$rundown" record -- bash -c lines >/dev/null
bytes=$("$rundown" --once --format json | sed -n 's/.*"max_rss_bytes": \([0-9]*\).*/\1/p')
printf '%-28s %6d KiB\n' "memory" $((bytes / 1024))
rm -rf "$RUNDOWN_ROOT" "$scratch/inner"

# 20 tokens, looked for in 512 MiB.
for n in $(seq 20); do
  export "S${n}_TOKEN=$(printf '%s' "secret $n" | sha256sum | cut -c1-$((20 + n)))"
done
unmasked() { "$rundown" record --no-default-masks -- bash -c lines >/dev/null; }
compare "masking of 20 secrets" 7 unmasked recorded
for n in $(seq 20); do unset "S${n}_TOKEN"; done

# 8 recorders with 1,000 commands each, in one run.
RUNDOWN_RUN=$("$rundown" begin)
export RUNDOWN_RUN
commands() { for _ in $(seq 1000); do "$rundown" record --job "$1" -- /bin/true; done; }
eight() {
  for job in 1 2 3 4 5 6 7 8; do commands "$job" & done
  wait
}
took=$(spent eight 2>"$scratch/messages")
"$rundown" end
recorded=$("$rundown" --once --format json | grep -c '"n":')
printf '%-28s %6d commands per second, %d messages, %d commands found\n' "8 recorders, one run" \
  $((8000 * 1000000 / took)) "$(wc -l <"$scratch/messages")" "$recorded"
