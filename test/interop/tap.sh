#!/bin/sh
# tap.sh - our stack and the kernel's on the two sides of a TAP, in a network namespace of this test's own.
# timeout: 150
# 1: kernel curl fetches 100 MB from `via serve`. 2: a program under `via run` fetches 100 MB from kernel nginx. Byte-exact.
# 3: the same upwards, 100 MB sent under `via run` to a kernel server. 4: a lab's `tap` node. The rest: ping, refused ports.
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
N=9
echo "1..$N"
n=0
result() { # status name [log]
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		[ ! -s "${3:-/dev/null}" ] || tail -n 5 "$3" | sed 's/^/# /'
	fi
}
why=
[ "$(id -u)" -eq 0 ] || why="needs root to make a network namespace"
if [ -z "$why" ] && ! unshare -n ip tuntap add dev viaprobe mode tap 2> /dev/null; then
	why="needs /dev/net/tun and the right to make interfaces"
fi
if [ -n "$why" ]; then
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - tap # SKIP $why"; done
	exit 0
fi
ns=viatap$$
dir=$(mktemp -d)
chmod 755 "$dir"
cleanup() {
	trap '' INT TERM
	# shellcheck disable=SC2046 # all that was started in the namespace
	kill -9 $(ip netns pids "$ns") 2>/dev/null
	ip netns del "$ns" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
ip netns add "$ns" || exit 1
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
# in_ns SECONDS COMMAND...: in the namespace, for so long at most.
in_ns() {
	limit=$1
	shift
	timeout -k 2 "$limit" ip netns exec "$ns" "$@"
}
# eventually COMMAND...: try for five seconds.
eventually() {
	tries=50
	until "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}
fetched() { [ "$(sha256sum < "$dir/got")" = "$sum" ]; }
in_ns 5 ip link set lo up
in_ns 5 ip tuntap add dev tap0 mode tap
in_ns 5 ip addr add 10.77.0.1/24 dev tap0
in_ns 5 ip link set tap0 up

mkdir "$dir/www"
head -c 100000000 /dev/urandom > "$dir/www/big.bin"
sum=$(sha256sum < "$dir/www/big.bin")

# --- via serve, and the kernel as client ---
ip netns exec "$ns" "$VIA" serve "$dir/www" -i tap:tap0 -a 10.77.0.2/24 2> "$dir/serve.log" &
server=$!
eventually grep -q serving "$dir/serve.log"
in_ns 60 curl -q -sS --max-time 50 -o "$dir/got" http://10.77.0.2/big.bin 2> "$dir/log" && fetched
result $? "kernel curl fetches 100 MB from via serve over a TAP" "$dir/log"
in_ns 15 ping -c 3 -i 0.3 -W 2 10.77.0.2 > "$dir/log" 2>&1
result $? "kernel ping is answered" "$dir/log"
in_ns 10 curl -q -sS --max-time 5 -o /dev/null http://10.77.0.2:81/ 2> "$dir/log"
[ $? -eq 7 ] # CURLE_COULDNT_CONNECT, at once
result $? "a closed port refuses" "$dir/log"
kill -INT "$server"
wait "$server"
result $? "^C ends via serve with 0" "$dir/serve.log"

# --- via run, and the kernel as server ---
cat > "$dir/nginx.conf" <<CONF
pid $dir/nginx.pid;
error_log $dir/nginx.log;
daemon off;
events {}
http {
	access_log off;
	server {
		listen 10.77.0.1:80;
		root $dir/www;
	}
}
CONF
cat > "$dir/sink.py" <<'PY'
import hashlib, socket, sys
s = socket.create_server(("10.77.0.1", 9000))
s.settimeout(40)
open(sys.argv[1], "w").close()
c, _ = s.accept()
h = hashlib.sha256()
while b := c.recv(1 << 20):
    h.update(b)
print(h.hexdigest() + "  -")
c.close()
PY
cat > "$dir/source.py" <<'PY'
import socket, sys
c = socket.create_connection(("10.77.0.1", 9000))
with open(sys.argv[1], "rb") as f:
    c.sendfile(f)
c.shutdown(socket.SHUT_WR)
assert c.recv(1) == b""
PY
ip netns exec "$ns" nginx -c "$dir/nginx.conf" -e "$dir/nginx.log" 2> /dev/null &
eventually test -s "$dir/nginx.pid"
rm -f "$dir/got"
in_ns 60 "$VIA" -q run -i tap:tap0 -a 10.77.0.2/24 -- curl -q -sS --max-time 50 -o "$dir/got" http://10.77.0.1/big.bin 2> "$dir/log" &&
	fetched
result $? "curl under via run fetches 100 MB from kernel nginx" "$dir/log"
ip netns exec "$ns" python3 "$dir/sink.py" "$dir/ready" > "$dir/sum" 2> "$dir/sink.log" &
sink=$!
eventually test -e "$dir/ready"
in_ns 60 "$VIA" -q run -i tap:tap0 -a 10.77.0.2/24 -- python3 "$dir/source.py" "$dir/www/big.bin" 2> "$dir/log"
wait "$sink"
[ "$(cat "$dir/sum")" = "$sum" ]
result $? "python under via run sends 100 MB to a kernel server, by sendfile" "$dir/log"
in_ns 10 "$VIA" -q run -i tap:tap0 -a 10.77.0.2/24 -- curl -q -sS --max-time 5 -o /dev/null http://10.77.0.1:81/ 2> "$dir/log"
[ $? -eq 7 ]
result $? "a program under via run sees the kernel refuse" "$dir/log"

# --- a lab with a real interface: the kernel reaches a host behind a router of the lab ---
cat > "$dir/lab.yaml" <<'Y'
name: taplab
topology:
  nodes:
    outside: {kind: tap, tap: tap0}
    r: {kind: router}
    inside: {kind: host, services: {http: {root: www}}}
  links:
    - endpoints: ["outside:eth1", "r:eth1"]
      ipv4: [10.77.0.1/24, 10.77.0.2/24]
    - endpoints: ["r:eth2", "inside:eth1"]
      ipv4: [10.78.0.1/24, 10.78.0.2/24]
Y
mkdir -m 700 "$dir/run"
XDG_RUNTIME_DIR=$dir/run ip netns exec "$ns" "$VIA" lab up -t "$dir/lab.yaml" > "$dir/up.log" 2>&1 &
lab=$!
eventually grep -q "is up" "$dir/up.log"
in_ns 5 ip route add 10.78.0.0/24 via 10.77.0.2
rm -f "$dir/got"
in_ns 60 curl -q -sS --max-time 50 -o "$dir/got" http://10.78.0.2/big.bin 2> "$dir/log" && fetched
result $? "kernel curl fetches 100 MB from a host behind a lab's tap node and router" "$dir/up.log"
kill "$lab"
wait "$lab"
result $? "SIGTERM ends via lab up with 0" "$dir/up.log"
