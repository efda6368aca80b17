#!/bin/sh
# tap.sh - our stack and the kernel's on the two sides of a TAP, in a network namespace of this test's own.
# timeout: 150
# 1: kernel curl fetches 100 MB from `via serve`. 2: a program under `via run` fetches 100 MB from kernel nginx. Byte-exact.
# 3: the same upwards, 100 MB sent by curl under `via run` to a kernel server. The rest: ping, refused ports.
set -u
VIA=${VIA:-$(cd "$(dirname "$0")/../.." && pwd)/build/via}
N=6
echo "1..$N"
n=0
result() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
if [ "$(id -u)" -ne 0 ]; then
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - tap # SKIP needs root to make a network namespace"; done
	exit 0
fi
ns=viatap$$
dir=$(mktemp -d)
chmod 755 "$dir"
pids=
cleanup() {
	for p in $pids; do kill "$p" 2>/dev/null; done
	[ ! -s "$dir/nginx.pid" ] || kill "$(cat "$dir/nginx.pid")" 2>/dev/null
	ip netns del "$ns" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
ip netns add "$ns" || exit 1
in_ns() { ip netns exec "$ns" "$@"; }
in_ns ip link set lo up
in_ns ip tuntap add dev tap0 mode tap
in_ns ip addr add 10.77.0.1/24 dev tap0
in_ns ip link set tap0 up

mkdir "$dir/www"
head -c 100000000 /dev/urandom > "$dir/www/big.bin"
sum=$(sha256sum < "$dir/www/big.bin")

in_ns "$VIA" serve "$dir/www" -i tap:tap0 -a 10.77.0.2/24 2> "$dir/serve.log" &
server=$!
pids=$server
in_ns curl -sS --retry 20 --retry-connrefused --retry-delay 1 --max-time 100 -o "$dir/got" http://10.77.0.2/big.bin
[ "$(sha256sum < "$dir/got")" = "$sum" ]
result $? "kernel curl fetches 100 MB from via serve over a TAP"
in_ns ping -c 3 -i 0.2 -W 2 10.77.0.2 > "$dir/ping.log" 2>&1
result $? "kernel ping is answered"
in_ns curl -sS --max-time 5 -o /dev/null http://10.77.0.2:81/ 2> "$dir/refused.log"
[ $? -eq 7 ] # CURLE_COULDNT_CONNECT, at once
result $? "a closed port refuses"
kill "$server"
wait "$server"
pids=

cat > "$dir/nginx.conf" <<CONF
pid $dir/nginx.pid;
error_log $dir/nginx.log;
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
import hashlib, socket
s = socket.create_server(("10.77.0.1", 9000))
c, _ = s.accept()
h, n = hashlib.sha256(), 0
while b := c.recv(1 << 20):
    h.update(b)
    n += len(b)
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
in_ns nginx -c "$dir/nginx.conf" -e "$dir/nginx.log"
rm -f "$dir/got"
in_ns "$VIA" -q run -i tap:tap0 -a 10.77.0.2/24 -- curl -sS --max-time 100 -o "$dir/got" http://10.77.0.1/big.bin
[ "$(sha256sum < "$dir/got")" = "$sum" ]
result $? "curl under via run fetches 100 MB from kernel nginx"
in_ns python3 "$dir/sink.py" > "$dir/sum" &
pids=$!
in_ns "$VIA" -q run -i tap:tap0 -a 10.77.0.2/24 -- python3 -c "import time; time.sleep(0.5); exec(open('$dir/source.py').read())" "$dir/www/big.bin"
wait "$pids"
pids=
[ "$(cat "$dir/sum")" = "$sum" ]
result $? "python under via run sends 100 MB to a kernel server, by sendfile"
in_ns "$VIA" -q run -i tap:tap0 -a 10.77.0.2/24 -- curl -sS --max-time 5 -o /dev/null http://10.77.0.1:81/ 2> "$dir/refused.log"
[ $? -eq 7 ]
result $? "a program under via run sees the kernel refuse"
