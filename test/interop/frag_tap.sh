#!/bin/sh
# frag_tap.sh - fragments between our stack and the kernel's over a TAP, in a network namespace of this test's own: echo of
# 65,507 bytes and UDP datagrams up to 65,507 bytes, asked by either side, with an MTU of 1500 and one of 576. Also the IPv4 options
# that the kernel's ping can ask for.
# timeout: 120
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
N=12
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
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - fragments # SKIP $why"; done
	exit 0
fi
ns=viafrag$$
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
in_ns 5 ip link set lo up
in_ns 5 ip tuntap add dev tap0 mode tap
in_ns 5 ip addr add 10.77.0.1/24 dev tap0
in_ns 5 ip link set tap0 up

# Both ends of UDP: the server returns each datagram backwards; the client asks with every kind of size and compares.
cat > "$dir/udp.py" <<'PY'
import random, socket, sys
role, addr, ready = sys.argv[1:4]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
if role == "server":
    s.bind((addr, 7))
    open(ready, "w").close()
    s.settimeout(20)
    while True:
        b, peer = s.recvfrom(65536)
        s.sendto(b[::-1], peer)
        if b == b"bye":
            break
else:
    s.settimeout(3)
    r = random.Random(5)
    sizes = [1, 548, 549, 1472, 1473, 1480, 2952, 9000, 30000, 65506, 65507, 65507] + [r.randrange(1, 65508) for _ in range(20)]
    for size in sizes:
        b = r.randbytes(size)
        s.sendto(b, (addr, 7))
        got = s.recv(65536)
        assert got == b[::-1], f"{size} bytes sent, {len(got)} came"
    try:
        s.sendto(bytes(65508), (addr, 7))
        raise SystemExit("65,508 bytes were taken")
    except OSError as e:
        assert e.errno == 90, e
    s.sendto(b"bye", (addr, 7))
    print(f"{len(sizes)} datagrams")
PY
# Echo by a socket without privileges: what came back is what was sent.
cat > "$dir/ping.py" <<'PY'
import os, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.settimeout(3)
for seq, size in enumerate((56, 1472, 1473, 8000, 65506, 65507, 65507)):
    data = os.urandom(size)
    s.sendto(struct.pack(">BBHHH", 8, 0, 0, 0, seq) + data, (sys.argv[1], 0))
    got = s.recv(65536)
    assert got[0] == 0 and got[6:8] == struct.pack(">H", seq) and got[8:] == data, f"{size} bytes of echo: {len(got)} came"
PY
run_via() { # SECONDS COMMAND...: under via on the TAP
	limit=$1
	shift
	in_ns "$limit" "$VIA" -q run -i tap:tap0 -a 10.77.0.2/24 -- "$@"
}

mkdir "$dir/www"
for mtu in 1500 576; do
	in_ns 5 ip link set tap0 mtu "$mtu"
	ip netns exec "$ns" "$VIA" serve "$dir/www" -i tap:tap0 -a 10.77.0.2/24 2> "$dir/serve.log" &
	server=$!
	eventually grep -q serving "$dir/serve.log"
	in_ns 5 ping -q -c 1 -W 2 10.77.0.2 > /dev/null 2>&1 # both know the other's address
	in_ns 20 ping -q -c 5 -i 0.2 -W 3 -s 65507 10.77.0.2 > "$dir/log" 2>&1 && grep -q ' 5 received' "$dir/log"
	result $? "the kernel's ping -s 65507 is answered, MTU $mtu" "$dir/log"
	if [ "$mtu" -eq 1500 ]; then
		in_ns 10 ping -n -c 1 -W 2 -R 10.77.0.2 > "$dir/log" 2>&1
		[ "$(sed -n '/^RR:/,/^$/p' "$dir/log" | tr -d 'R:\t\n ')" = 10.77.0.110.77.0.210.77.0.1 ]
		result $? "an echo's record route names both and the way back" "$dir/log"
		in_ns 10 ping -n -c 1 -W 2 -T tsandaddr 10.77.0.2 > "$dir/log" 2>&1
		grep -q '10\.77\.0\.2.*not-standard' "$dir/log"
		result $? "an echo's timestamp option has our address, and a time that is said not to count from midnight" "$dir/log"
	fi
	kill -INT "$server"
	wait "$server"

	run_via 30 python3 "$dir/ping.py" 10.77.0.1 > "$dir/log" 2>&1
	result $? "our echo requests of up to 65,507 bytes are answered by the kernel, MTU $mtu" "$dir/log"

	rm -f "$dir/ready"
	ip netns exec "$ns" timeout 40 python3 "$dir/udp.py" server 10.77.0.1 "$dir/ready" > "$dir/server.log" 2>&1 &
	server=$!
	eventually test -e "$dir/ready"
	run_via 40 python3 "$dir/udp.py" client 10.77.0.1 - > "$dir/log" 2>&1 && wait "$server"
	result $? "UDP of up to 65,507 bytes, asked by us, returned by the kernel, MTU $mtu" "$dir/log"

	rm -f "$dir/ready"
	run_via 40 python3 "$dir/udp.py" server 10.77.0.2 "$dir/ready" > "$dir/server.log" 2>&1 &
	server=$!
	eventually test -e "$dir/ready"
	in_ns 5 ping -q -c 1 -W 2 10.77.0.2 > /dev/null 2>&1
	in_ns 40 python3 "$dir/udp.py" client 10.77.0.2 - > "$dir/log" 2>&1 && wait "$server"
	result $? "UDP of up to 65,507 bytes, asked by the kernel, returned by us, MTU $mtu" "$dir/log"

	# the kernel put together what we cut, and gave up nothing
	in_ns 5 nstat -asz IpReasmOKs IpReasmFails IpInHdrErrors > "$dir/log" 2>&1
	awk -v least=$((mtu == 1500 ? 40 : 80)) '$1 == "IpReasmOKs" {ok = $2} $1 == "IpReasmFails" || $1 == "IpInHdrErrors" {bad += $2}
		END {exit !(ok >= least && bad == 0)}' "$dir/log"
	result $? "the kernel's reassembly failed for none, MTU $mtu" "$dir/log"
done
