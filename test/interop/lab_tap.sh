#!/bin/sh
# lab_tap.sh - a lab's `tap` node, in a network namespace of this test's own: the kernel stands on one port of a switch of
# the lab, a lab host on another, a router on the third, and a lab host behind the router.
# timeout: 120
# kernel tap0 - outside - sw - near
#                          \- r - far
# Ping and curl: kernel to lab over the switch and through the router, and a program of the lab to the kernel.
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
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - lab tap # SKIP $why"; done
	exit 0
fi
ns=vialabtap$$
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
in_ns() { # SECONDS COMMAND...: in the namespace, for so long at most
	limit=$1
	shift
	timeout -k 2 "$limit" ip netns exec "$ns" "$@"
}
eventually() { # COMMAND...: try for five seconds
	tries=50
	until "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}
in_ns 5 ip link set lo up
in_ns 5 ip tuntap add dev tap0 mode tap
in_ns 5 ip addr add 10.77.0.1/24 dev tap0
in_ns 5 ip link set tap0 up
in_ns 5 ip route add 10.78.0.0/24 via 10.77.0.2

mkdir "$dir/www" "$dir/kernel"
head -c 10000000 /dev/urandom > "$dir/www/some.bin"
head -c 3000000 /dev/urandom > "$dir/kernel/kernel.bin"
sum=$(sha256sum < "$dir/www/some.bin")
cat > "$dir/lab.yaml" <<'Y'
name: labtap
topology:
  nodes:
    outside: {kind: tap, tap: tap0}
    sw: {kind: switch}
    near: {kind: host, services: {http: {root: www}}}
    r: {kind: router}
    far: {kind: host, services: {http: {root: www}}}
  links:
    - endpoints: ["outside:eth1", "sw:1"]
      ipv4: [10.77.0.1/24, ~]
    - endpoints: ["r:eth1", "sw:2"]
      ipv4: [10.77.0.2/24, ~]
    - endpoints: ["near:eth1", "sw:3"]
      ipv4: [10.77.0.3/24, ~]
    - endpoints: ["r:eth2", "far:eth1"]
      ipv4: [10.78.0.1/24, 10.78.0.2/24]
      impairments: {delay: 20ms}
Y
mkdir -m 700 "$dir/run"
XDG_RUNTIME_DIR=$dir/run
export XDG_RUNTIME_DIR
ip netns exec "$ns" "$VIA" lab up -t "$dir/lab.yaml" > "$dir/up.log" 2>&1 &
lab=$!
eventually grep -q "is up" "$dir/up.log"
result $? "a lab with a tap node comes up" "$dir/up.log"

in_ns 15 ping -c 3 -i 0.3 -W 2 10.77.0.3 > "$dir/log" 2>&1 && grep -q ' 0% packet loss' "$dir/log"
result $? "kernel ping over the switch" "$dir/log"
# 20 ms each way: a ping below 40 ms would not have crossed the link.
in_ns 15 ping -c 3 -i 0.3 -W 2 10.78.0.2 > "$dir/log" 2>&1 && grep -q ' 0% packet loss' "$dir/log" &&
	sed -n 's|^rtt [^=]*= \([0-9]*\)\..*|\1|p' "$dir/log" | grep -Eq '^([4-9][0-9]|[1-9][0-9][0-9])$'
result $? "kernel ping through the router takes the link's delay, 40 ms" "$dir/log"
[ "$(in_ns 15 ping -c 1 -W 2 10.78.0.2 | sed -n 's/.*ttl=\([0-9]*\).*/\1/p')" = 63 ]
result $? "its answer has passed one router (TTL 63)"
in_ns 15 ping -c 1 -t 1 -W 2 10.78.0.2 2>&1 | grep -q '10.77.0.2.*Time to live exceeded'
result $? "TTL 1: the router says time exceeded"

for node in "10.77.0.3 over the switch" "10.78.0.2 through the router"; do
	rm -f "$dir/got"
	in_ns 40 curl -q -sS --max-time 30 -o "$dir/got" "http://${node%% *}/some.bin" 2> "$dir/log" && [ "$(sha256sum < "$dir/got")" = "$sum" ]
	result $? "kernel curl ${node#* }, 10 MB byte-exact" "$dir/log"
done

# The other way: a program on a lab host fetches from a kernel server.
ip netns exec "$ns" python3 -m http.server -d "$dir/kernel" -b 10.77.0.1 8000 > /dev/null 2>&1 &
eventually in_ns 5 curl -q -sS -o /dev/null http://10.77.0.1:8000/
rm -f "$dir/got"
in_ns 40 "$VIA" -q lab exec labtap far -- curl -q -sS --max-time 30 -o "$dir/got" http://10.77.0.1:8000/kernel.bin 2> "$dir/log" &&
	cmp -s "$dir/got" "$dir/kernel/kernel.bin"
result $? "curl on the far lab host fetches from a kernel server" "$dir/log"

kill "$lab"
wait "$lab"
result $? "SIGTERM ends the lab with 0" "$dir/up.log"
