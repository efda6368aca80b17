#!/bin/sh
# python.sh - the four programs every chapter on network programming begins with, unmodified, on two nodes of one running
# lab; and Python's web server on one of them.
# timeout: 150
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
dir=$(mktemp -d)
export XDG_RUNTIME_DIR=$dir
servers=
cleanup() {
	[ -n "$servers" ] && kill $servers 2> /dev/null
	"$VIA" -q lab down python-net > /dev/null 2>&1
	wait
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
py=$SRC/examples/python
n=0

result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		cat "$dir"/*.err "$dir"/*.out 2> /dev/null | head -n 20 | sed 's/^/# /'
	fi
}

on() { # NODE CMD...
	node=$1
	shift
	timeout 40 "$VIA" -q lab exec python-net "$node" -- "$@"
}

await() { # FILE PATTERN: at most 10 s
	for _ in $(seq 100); do
		grep -q "$2" "$1" 2> /dev/null && return 0
		sleep 0.1
	done
	return 1
}

cat > "$dir/net.yaml" <<'Y'
name: python-net
seed: 7
topology:
  nodes:
    home: {kind: host}
    r1: {kind: router}
    sina: {kind: host}
  links:
    - endpoints: ["home:eth1", "r1:eth1"]
      impairments: {delay: 3ms, jitter: 1ms, loss: 3%, reorder: 2%}
    - endpoints: ["r1:eth2", "sina:eth1"]
Y
"$VIA" lab up -t "$dir/net.yaml" -d > "$dir/up.out" 2>&1
result $? "the lab is up"

# Servers run without a shell between: their process is the one to be killed.
"$VIA" -q lab exec python-net sina -- python3 "$py/tcp_echo_server.py" > "$dir/tcp.out" 2> "$dir/tcp.err" &
servers="$servers $!"
"$VIA" -q lab exec python-net sina -- python3 "$py/udp_echo_server.py" > "$dir/udp.out" 2> "$dir/udp.err" &
servers="$servers $!"
await "$dir/tcp.out" "listening on port 5000" && await "$dir/udp.out" "listening on port 5001"
result $? "the TCP and the UDP server listen"

clients=
for i in 1 2 3 4; do
	on home python3 "$py/tcp_echo_client.py" sina.lab 5000 "first of $i" "second of $i" > "$dir/client$i.out" 2> "$dir/client$i.err" &
	clients="$clients $!"
done
bad=0
for p in $clients; do
	wait "$p" || bad=1
done
for i in 1 2 3 4; do
	grep -qx "first of $i" "$dir/client$i.out" && grep -qx "second of $i" "$dir/client$i.out" || bad=1
done
result $bad "four TCP clients at once, each hears its own words"
[ "$(sed -n 's/my port is //p' "$dir"/client?.out | sort -u | wc -l)" -eq 4 ]
result $? "they have four different ports"
await "$dir/tcp.out" "goodbye" && [ "$(grep -c '^hello' "$dir/tcp.out")" -eq 4 ] &&
	[ "$(grep '^hello' "$dir/tcp.out" | sort -u | wc -l)" -eq 4 ]
result $? "the server saw four clients, told apart by their ports"

# 3 % of the link, there and back, of 60 datagrams each: some of 600 are missing (none: (0.97^2)^600 < 1e-15).
missing=0 bad=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	on home python3 "$py/udp_echo_client.py" sina.lab 5001 60 > "$dir/uc$i.out" 2> "$dir/uc$i.err" || bad=1
	missing=$((missing + $(sed -n 's/.* missing \([0-9]*\),.*/\1/p' "$dir/uc$i.out")))
	grep -q "wrong 0$" "$dir/uc$i.out" || bad=1
done
[ "$bad" -eq 0 ] && [ "$missing" -gt 0 ] && [ "$missing" -lt 150 ]
result $? "UDP under loss: some datagrams are missing, none wrong"
echo "# $missing of 600 missing"

on sina python3 "$py/tcp_echo_server.py" > "$dir/again.out" 2> "$dir/again.err"
[ $? -ne 0 ] && grep -q "Address already in use" "$dir/again.err"
result $? "a second TCP bind to the port says EADDRINUSE"
on sina python3 "$py/udp_echo_server.py" > "$dir/again.out" 2> "$dir/again.err"
[ $? -ne 0 ] && grep -q "Address already in use" "$dir/again.err"
result $? "a second UDP bind to the port says EADDRINUSE"
on home python3 -c 'import socket; a = socket.socket(); a.bind(("", 5000)); print(a.getsockname()[1])' > "$dir/own.out" 2> "$dir/own.err"
[ "$(cat "$dir/own.out")" = 5000 ]
result $? "the same port on the other host is free"
on home python3 "$py/tcp_echo_client.py" sina.lab 5999 > "$dir/none.out" 2> "$dir/none.err"
[ $? -ne 0 ] && grep -q "Connection refused" "$dir/none.err"
result $? "a port where nobody listens says ECONNREFUSED"

mkdir "$dir/www"
head -c 300000 /dev/urandom > "$dir/www/data"
"$VIA" -q lab exec python-net sina -- python3 -m http.server -d "$dir/www" 8080 > "$dir/web.out" 2> "$dir/web.err" &
servers="$servers $!"
for _ in $(seq 50); do
	on home curl -sS --max-time 5 -o /dev/null http://sina.lab:8080/ 2> "$dir/curl.err" && break
	sleep 0.1
done
on home curl -sS --max-time 30 -o "$dir/got" http://sina.lab:8080/data 2> "$dir/curl.err" && cmp "$dir/got" "$dir/www/data" > "$dir/cmp.out"
result $? "python3 -m http.server on sina serves curl on home"

# A server that is told to end ends, and its port is free at once for the next.
kill $servers
wait $servers 2> /dev/null
servers=
"$VIA" -q lab exec python-net sina -- python3 "$py/tcp_echo_server.py" > "$dir/tcp2.out" 2> "$dir/tcp2.err" &
servers=$!
await "$dir/tcp2.out" "listening on port 5000"
result $? "a server that was ended leaves its port to the next"
"$VIA" lab down python-net > "$dir/down.out" 2>&1
result $? "the lab is down"
wait $servers 2> /dev/null
servers=
echo "1..$n"
