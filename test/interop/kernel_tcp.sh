#!/bin/sh
# kernel_tcp.sh - our TCP against the kernel's: behind a TAP, a router and a link that loses and reorders, both directions.
# timeout: 110
# The kernel's side is a network namespace of this test's own. The same program (lib_kernel_peer.py) is the peer on both sides,
# under `via lab exec` on a lab host and plainly in the namespace. Its cases: bulk byte-exact, 50 at once, half-close, resets,
# a closed port, zero windows, tiny buffers, options off in the kernel, a small MSS, 1000 connections in turn.
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
both="up down fifty half_close reset_seen reset_sent closed_port slow_server slow_client tiny_server tiny_client thousand"
plain="http no_timestamps no_sack no_window_scaling no_options small_mss capture"
# shellcheck disable=SC2086 # words
set -- $both $both $plain
N=$#
echo "1..$N"
n=0
result() { # status name [log]
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		[ ! -s "${3:-/dev/null}" ] || tail -n 8 "$3" | sed 's/^/# /'
	fi
}
why=
[ "$(id -u)" -eq 0 ] || why="needs root to make a network namespace"
if [ -z "$why" ] && ! unshare -n ip tuntap add dev viaprobe mode tap 2> /dev/null; then
	why="needs /dev/net/tun and the right to make interfaces"
fi
if [ -n "$why" ]; then
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - kernel tcp # SKIP $why"; done
	exit 0
fi
ns=viaktcp$$
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
python=$(python3 -c 'import sys; print(sys.executable)') # not a wrapper around it
peer=$SRC/test/interop/lib_kernel_peer.py
mkdir -m 700 "$dir/run"
export XDG_RUNTIME_DIR="$dir/run"
in_ns() { # SECONDS COMMAND...
	limit=$1
	shift
	timeout -k 2 "$limit" ip netns exec "$ns" "$@"
}
eventually() {
	tries=100
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
mkdir "$dir/www"
head -c 3000000 /dev/urandom > "$dir/www/big.bin"
# far is behind the bad link, near behind a clean one.
cat > "$dir/lab.yaml" <<'Y'
name: kerneltcp
topology:
  nodes:
    outside: {kind: tap, tap: tap0}
    r: {kind: router}
    far: {kind: host, services: {http: {root: www}}}
    near: {kind: host}
  links:
    - endpoints: ["outside:eth1", "r:eth1"]
      ipv4: [10.77.0.1/24, 10.77.0.2/24]
    - endpoints: ["r:eth2", "far:eth1"]
      ipv4: [10.78.0.1/24, 10.78.0.2/24]
      impairments: {delay: 5ms, loss: 1%, reorder: 1%}
    - endpoints: ["r:eth3", "near:eth1"]
      ipv4: [10.79.0.1/24, 10.79.0.2/24]
Y
ip netns exec "$ns" "$VIA" lab up -t "$dir/lab.yaml" > "$dir/up.log" 2>&1 &
eventually grep -q "is up" "$dir/up.log"
in_ns 5 ip route add 10.78.0.0/24 via 10.77.0.2
in_ns 5 ip route add 10.79.0.0/24 via 10.77.0.2
ip netns exec "$ns" dumpcap -q -i tap0 -w "$dir/tap.pcapng" > "$dir/dumpcap.log" 2>&1 &
dumpcap=$!
on() { # NODE SECONDS COMMAND...
	node=$1
	shift
	# shellcheck disable=SC2086 # words
	in_ns "$1" "$VIA" -q lab exec kerneltcp "$node" -- "$python" "$peer" $2
}
# server WHERE ADDRESS
server() {
	if [ "$1" = kernel ]; then
		ip netns exec "$ns" "$python" "$peer" server "$2" 17300 "$dir/ready.$1" > "$dir/server.$1" 2>&1 &
	else
		ip netns exec "$ns" "$VIA" -q lab exec kerneltcp "$1" -- \
			"$python" "$peer" server "$2" 17300 "$dir/ready.$1" > "$dir/server.$1" 2>&1 &
	fi
	eventually test -e "$dir/ready.$1"
}
server kernel 0.0.0.0
server far 0.0.0.0
server near 0.0.0.0
eventually grep -q . "$dir/tap.pcapng"

# --- all cases in both directions, the long ones beside the others ---
cases="+up +down +slow_server +slow_client +tiny_server +tiny_client half_close closed_port fifty"
clean="reset_seen reset_sent thousand" # a RST is never repeated: lost, it would be missed by rights
on far 60 "client 10.77.0.1 17300 $cases" > "$dir/from.lab" 2>&1 &
lab=$!
# shellcheck disable=SC2086
in_ns 60 "$python" "$peer" client 10.78.0.2 17300 $cases > "$dir/from.kernel" 2>&1 &
kernel=$!
on near 60 "client 10.77.0.1 17300 $clean" > "$dir/clean.lab" 2>&1
# shellcheck disable=SC2086
in_ns 60 "$python" "$peer" client 10.79.0.2 17300 $clean > "$dir/clean.kernel" 2>&1
wait "$lab" "$kernel"
for from in lab kernel; do
	cat "$dir/clean.$from" >> "$dir/from.$from"
	for case in $both; do
		grep -q "^ok $case " "$dir/from.$from"
		result $? "$case, asked from the $from's side" "$dir/from.$from"
	done
	sed -n "s/^ok /# $from: /p" "$dir/from.$from"
done
in_ns 30 curl -q -sS --max-time 25 -o "$dir/got" http://10.78.0.2/big.bin 2> "$dir/log" && cmp -s "$dir/got" "$dir/www/big.bin"
result $? "http: kernel curl fetches from the lab's http service" "$dir/log"

# --- the kernel without options: fresh connections of both sides, both ways ---
set_options() { # timestamps sack window_scaling
	in_ns 5 sysctl -q -w net.ipv4.tcp_timestamps="$1" net.ipv4.tcp_sack="$2" net.ipv4.tcp_window_scaling="$3"
}
bulk() { # name
	short="+up:1000000 +down:1000000 +both:500000"
	on far 30 "client 10.77.0.1 17300 $short" > "$dir/a" 2>&1 &
	lab=$!
	# shellcheck disable=SC2086
	in_ns 30 "$python" "$peer" client 10.78.0.2 17300 $short > "$dir/b" 2>&1
	wait "$lab"
	[ "$(cat "$dir/a" "$dir/b" | grep -c '^ok ')" -eq 6 ]
	status=$?
	cat "$dir/a" >> "$dir/b"
	result $status "$1" "$dir/b"
	sed -n "s/^ok /# /p" "$dir/b"
}
set_options 0 1 1; bulk "kernel without timestamps"
set_options 1 0 1; bulk "kernel without SACK: NewReno"
set_options 1 1 0; bulk "kernel without window scaling"
set_options 0 0 0; bulk "kernel without any option but MSS"
set_options 1 1 1
in_ns 5 ip route change 10.78.0.0/24 via 10.77.0.2 advmss 500
before=$(date +%s.%N)
bulk "kernel with an MSS of 500"

# --- the wire ---
kill -INT "$dumpcap"
wait "$dumpcap"
# Of what we sent: the kernel may write a checksum of 0xffff for 0, which tshark holds against it. An own port that happens
# to be one of HTTP's (8080, 3128) makes tshark read random bytes as HTTP.
wrong='ip.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0 || _ws.malformed || frame.len > 1514'
large="frame.time_epoch > $before && ip.src == 10.78.0.2 && tcp.len > 500"
tshark -r "$dir/tap.pcapng" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -d tcp.port==17300,data -d tcp.port==17301,data \
	--disable-protocol http -Y "ip.src != 10.77.0.1 && ($wrong || ($large))" > "$dir/bad" 2> "$dir/tshark.log"
status=$?
packets=$(capinfos -Mc "$dir/tap.pcapng" 2> /dev/null | awk '/Number of packets/ {print $NF}')
[ "$status" -eq 0 ] && [ ! -s "$dir/bad" ] && [ "$packets" -gt 50000 ]
result $? "the capture: nothing malformed, no bad checksum, no segment above the MSS" "$dir/bad"
