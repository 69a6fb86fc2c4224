# Sourced by other scripts: makes a large log, and measures commands.

# Writes a log of MIB mebibytes to FILE. Its rows are those of the failing logs of the fixtures, with
# other times and other first numbers. Arguments: the project, MIB, FILE.
make_log() {
  find "$1/fixtures" -name '*.log' -size +1k -print0 | sort -z | xargs -0 cat |
    sed -E 's/^[^ ]+ (stdout|stderr) [FP] //' |
    awk -v limit=$(($2 * 1024 * 1024)) 'BEGIN { srand(1) }
      { rows[n++] = $0 }
      END {
        while (size < limit) {
          row = rows[i++ % n]
          sub(/[0-9][0-9]+/, int(rand() * 100000), row)
          at += rand() * 0.002
          line = sprintf("2026-01-02T%02d:%02d:%02d.%09dZ %s F %s", at / 3600 % 24,
            at / 60 % 60, at % 60, rand() * 1000000000, rand() < 0.1 ? "stderr" : "stdout", row)
          print line
          size += length(line) + 1
        }
      }' >"$3"
}

# Prints the time that a command takes, in microseconds.
spent() {
  local begin=${EPOCHREALTIME/./}
  "$@" >"$scratch/out" 2>"$scratch/err"
  echo $((${EPOCHREALTIME/./} - begin))
}

# Prints the median of the numbers in a file.
median() { sort -n "$1" | sed -n "$((rounds / 2 + 1))p"; }

# Prints the largest memory that a command takes, in bytes.
peak() {
  rm -rf "$scratch/recorded"
  "$rundown" --root "$scratch/recorded" record -- "$@" >"$scratch/out" 2>"$scratch/err"
  "$rundown" --root "$scratch/recorded" --once --format json |
    sed -n 's/.*"max_rss_bytes": \([0-9]*\).*/\1/p'
}

# Prints a comparison: the name, our time and theirs in microseconds, and their name.
compare() {
  printf '%-8s rundown %8d us   %-20s %8d us   ratio %d.%02d\n' \
    "$1" "$2" "$4" "$3" $(($2 / $3)) $(($2 * 100 / $3 % 100))
}
