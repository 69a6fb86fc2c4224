#!/usr/bin/env bash
# Measures a store in object storage on a real server of this machine:
#   push     a run with a log, compared with `zstd -3 | rclone rcat`, and the peak memory
#   list     the newest 50 of many runs, compared with a bare LIST request by curl
#   screen   the failed run, opened at its cause twice: requests and bytes
#   end      its last rows: requests and bytes
#   record   a command that computes for half a minute and prints 3 MB, with and without --push
# Usage: tests/servers.sh benches/remote.sh [MIB] [RUNS] [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
mib=${1:-1024}
runs=${2:-100000}
rounds=${3:-5}
rundown=$here/target/release/rundown
scratch=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT
. "$here/benches/log.sh"

server=${RUNDOWN_TEST_SEAWEEDFS:?run this by tests/servers.sh benches/remote.sh}
export AWS_ACCESS_KEY_ID=rundown AWS_SECRET_ACCESS_KEY=secret-of-rundown
export AWS_ENDPOINT_URL_S3=$server XDG_CACHE_HOME=$scratch/cache
export RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other RCLONE_CONFIG_S3_ENDPOINT=$server
export RCLONE_CONFIG_S3_ENV_AUTH=true

# A proxy that counts requests and the bytes of answers.
"$RUNDOWN_SERVERS_BIN/python3" - "${server##*/}" "$scratch/port" "$scratch/count" <<'PYTHON' &
import socket, sys, threading
upstream, port_file, count_file = sys.argv[1:]
host, port = upstream.split(":")
lock, counts = threading.Lock(), [0, 0]

def passed(client):
    server = socket.create_connection((host, int(port)))
    def back():
        while data := server.recv(65536):
            with lock:
                counts[1] += len(data)
                open(count_file, "w").write(f"{counts[0]} {counts[1]}\n")
            client.sendall(data)
        client.close()
    threading.Thread(target=back, daemon=True).start()
    while data := client.recv(65536):
        with lock:
            counts[0] += sum(data.count(verb) for verb in (b"GET /", b"HEAD /", b"PUT /"))
        server.sendall(data)

listener = socket.create_server(("127.0.0.1", 0))
open(port_file, "w").write(str(listener.getsockname()[1]))
while True:
    threading.Thread(target=passed, args=(listener.accept()[0],), daemon=True).start()
PYTHON
pids+=($!)
until [[ -s $scratch/port ]]; do sleep 0.1; done
counted=http://127.0.0.1:$(<"$scratch/port")
# Prints the requests and the bytes of a command.
requests() {
  local before after
  read -r -a before <"$scratch/count"
  AWS_ENDPOINT_URL_S3=$counted "$@" >"$scratch/out" 2>"$scratch/err" || true
  sleep 0.2
  read -r -a after <"$scratch/count"
  printf '%d requests, %d KiB' $((after[0] - before[0])) $(((after[1] - before[1]) / 1024))
}
echo 0 0 >"$scratch/count"

# Opens the screen, and leaves it when it shows the cause.
screen() {
  "$RUNDOWN_SERVERS_BIN/python3" - E0425 "$rundown" "$@" <<'PYTHON'
import fcntl, os, pty, struct, sys, termios, time
awaited, command = sys.argv[1].encode(), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm-256color"
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
shown = b""
while awaited not in shown:
    shown += os.read(terminal, 65536)
time.sleep(2)
os.write(terminal, b"q")
try:
    while os.read(terminal, 65536):
        pass
except OSError:
    pass
os.waitpid(child, 0)
PYTHON
}

# A failed run with one log, which ends with its cause.
store=$scratch/store
cause='error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:3:5\n'
"$rundown" record --root "$store" -- sh -c "printf '$cause'; exit 101" >"$scratch/out" 2>&1 || true
make_log "$here" "$mib" "$scratch/log"
log=$(find "$store" -name sh-1.log)
cat "$scratch/log" "$log" >"$scratch/both" && mv "$scratch/both" "$log"

for round in $(seq "$rounds"); do
  url=s3://rundown/bench-$round
  spent "$rundown" push --root "$store" "$url" >>"$scratch/ours"
  spent sh -c "zstd -3 -c '$log' | '$RUNDOWN_SERVERS_BIN/rclone' rcat S3:rundown/bench/$round" \
    >>"$scratch/theirs"
done
compare push "$(median "$scratch/ours")" "$(median "$scratch/theirs")" 'zstd -3 | rclone'
printf 'memory   rundown %8d KiB\n' \
  $(($(peak "$rundown" push --root "$store" s3://rundown/bench-memory) / 1024))
printf 'push     %s\n' "$(requests "$rundown" push --root "$store" s3://rundown/bench-count)"

# Opened for the first time, and again.
at=s3://rundown/bench-1
for times in 1 2; do
  printf 'screen   %s (%d)\n' "$(requests screen --root $at latest)" $times
done
printf 'end      %s\n' "$(requests "$rundown" --root $at --once --tail 20)"

# Many runs in the list: only their entries.
"$RUNDOWN_SERVERS_BIN/python3" - "$RUNDOWN_TEST_SEAWEEDFS_FILER" "$runs" <<'PYTHON'
import http.client, sys
server, runs = http.client.HTTPConnection(sys.argv[1]), int(sys.argv[2])
for n in range(runs):
    at = 9999999999999 - (1767225600000 + n * 60000)
    run = f"01a2274e-0000-7011-bb6d-{n:012x}"
    key = f"many/v1/list/all/{at:013}!{run}!complete!!!12!4000!example!refs_2fheads_2fmain!{n:040x}!!!"
    server.request("PUT", f"/buckets/rundown/{key}", body=b"")
    answer = server.getresponse()
    answer.read()
    assert answer.status < 300, answer.status
PYTHON
query="list-type=2&max-keys=50&prefix=many%2Fv1%2Flist%2Fall%2F"
bare=(curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
  "$server/rundown?$query")
for _ in $(seq "$rounds"); do
  spent "$rundown" list --root s3://rundown/many --limit 50 >>"$scratch/list"
  spent "${bare[@]}" >>"$scratch/bare"
done
compare list "$(median "$scratch/list")" "$(median "$scratch/bare")" 'a bare LIST'
printf 'list     %s\n' "$(requests "$rundown" list --root s3://rundown/many --limit 50)"

# The time that the command itself takes.
command=(sh -c 'i=0
  while [ $i -lt 200 ]; do seq 1 3000; head -c 30000000 /dev/zero | sha256sum; i=$((i + 1)); done')
recorded() {
  "$rundown" record --root "$scratch/recording" "$@" -- "${command[@]}" >"$scratch/out" 2>&1
  "$rundown" list --root "$scratch/recording" --limit 1 --format json |
    sed -n 's/.*"duration_ms": \([0-9]*\).*/\1000/p'
}
for _ in $(seq "$rounds"); do
  recorded >>"$scratch/alone"
  recorded --push s3://rundown/recorded >>"$scratch/pushed"
done
compare record "$(median "$scratch/pushed")" "$(median "$scratch/alone")" 'without --push'
