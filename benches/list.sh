#!/usr/bin/env bash
# Compares `rundown list` with `sqlite3` and the same query, in turn, on one store. Prints the
# medians, their ratio, and the peak memory of rundown.
# To make a store: cargo run --release --example big_store -- DIR
# Usage: benches/list.sh DIR [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
store=${1:?the directory of a store}
rounds=${2:-31}
rundown=$here/target/release/rundown
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

db=$store/rundown.db
[ -e "$db" ] || db=$store/quire.db
sql() { sqlite3 -readonly "file:$db?immutable=1" "$1"; }
has() { [ "$(sql "SELECT count(*) FROM pragma_table_info('runs') WHERE name = '$1'")" = 1 ]; }
columns="id, repo, ref_name, sha, state, failure_kind, queued_at_ms, started_at_ms, finished_at_ms"
has state || columns="id, repo, ref_name, sha, outcome, created_at, dispatched_at, resolved_at"
repo=$(sql "SELECT repo FROM runs LIMIT 1")
ref=$(sql "SELECT ref_name FROM runs LIMIT 1")
middle=$(sql "SELECT id FROM runs ORDER BY id LIMIT 1 OFFSET (SELECT count(*) / 2 FROM runs)")
at=$(sql "SELECT pushed_at_ms FROM runs WHERE id = '$middle'")

# Prints the time that a command takes, in microseconds.
spent() {
  local begin=${EPOCHREALTIME/./}
  "$@" >"$scratch/out"
  echo $((${EPOCHREALTIME/./} - begin))
}
median() { sort -n "$1" | sed -n "$((rounds / 2 + 1))p"; }
peak() {
  rm -rf "$scratch/store"
  "$rundown" --root "$scratch/store" record -- "$@" >"$scratch/out"
  "$rundown" --root "$scratch/store" --once --format json |
    sed -n 's/.*"max_rss_bytes": \([0-9]*\).*/\1/p'
}

# compare NAME WHERE OPTION…: measures sqlite3 with the WHERE clause, and rundown with the options.
compare() {
  local name=$1 query="SELECT $columns FROM runs $2 ORDER BY pushed_at_ms DESC, id DESC LIMIT 50"
  shift 2
  local ours=("$rundown" list --root "$store" --limit 50 "$@")
  : >"$scratch/ours"
  : >"$scratch/theirs"
  for _ in $(seq "$rounds"); do
    spent sql "$query" >>"$scratch/theirs"
    spent "${ours[@]}" >>"$scratch/ours"
  done
  local a b
  a=$(median "$scratch/ours") b=$(median "$scratch/theirs")
  printf '%-10s rundown %7d us   sqlite3 %7d us   ratio %d.%02d   peak %d KiB\n' \
    "$name" "$a" "$b" $((a / b)) $((a * 100 / b % 100)) $(($(peak "${ours[@]}") / 1024))
}

compare all ""
compare --repo "WHERE repo = '$repo'" --repo "$repo"
compare --ref "WHERE ref_name = '$ref'" --ref "$ref"
compare --before "WHERE (pushed_at_ms, id) < ($at, '$middle')" --before "$middle"
