#!/bin/sh
# nd_tap.sh - IPv6 configuration between our stack and the kernel's over a TAP, in a network namespace of this test's own: our host
# under the kernel's radvd, then the kernel as a host under our router. Addresses, default routes, ping and TCP both ways, an address
# that is taken, and what becomes of the route when the router stops.
# timeout: 90
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
PEER=${BUILD_SAN:-$SRC/build-san}/test/nd-peer
N=15
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
[ -x "$PEER" ] || why="needs $PEER (make test builds it)"
command -v radvd > /dev/null || why="needs radvd"
if [ -z "$why" ] && ! unshare -n ip tuntap add dev viaprobe mode tap 2> /dev/null; then
	why="needs /dev/net/tun and the right to make interfaces"
fi
if [ -z "$why" ] && ! unshare -n sh -c '[ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6)" = 0 ]' 2> /dev/null; then
	why="needs a kernel with IPv6"
fi
if [ -n "$why" ]; then
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - IPv6 configuration # SKIP $why"; done
	exit 0
fi
ns=viand$$
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
in_ns() { # SECONDS COMMAND...: in the namespace, for so long at most
	limit=$1
	shift
	timeout -k 2 "$limit" ip netns exec "$ns" "$@"
}
eventually() { # COMMAND...: try for eight seconds
	tries=80
	until "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}
# Our stack is a coprocess: a command is a line in, its answer a line out.
start() { # ROLE TAP [ADDRESS]
	rm -f "$dir/in" "$dir/out"
	mkfifo "$dir/in" "$dir/out"
	ip netns exec "$ns" "$PEER" "$@" < "$dir/in" > "$dir/out" 2> "$dir/err" &
	peer=$!
	exec 3> "$dir/in" 4< "$dir/out"
}
stop() {
	exec 3>&- 4<&-
	kill "$peer" # others may hold the pipe's other ends
	wait "$peer" 2> /dev/null
}
ask() { # COMMAND...: prints the answer
	echo "$*" >&3
	IFS= read -r answer <&4
	echo "$answer"
}
answers() { # WANT COMMAND...
	want=$1
	shift
	[ "$(ask "$@")" = "$want" ]
}
begins() { # PREFIX COMMAND...: the answer begins with it
	want=$1
	shift
	case $(ask "$@") in "$want"*) return 0 ;; *) return 1 ;; esac
}

cat > "$dir/tcp.py" <<'PY'
import socket, sys
role, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if role == "server":
    s = socket.create_server((addr, port), family=socket.AF_INET6)
    open(sys.argv[4], "w").close()
    while True:
        c, _ = s.accept()
        while b := c.recv(65536):
            c.sendall(b)
        c.close()
else:
    out = bytes(k * 31 % 251 for k in range(1 << 20))
    s = socket.create_connection((addr, port), timeout=10)
    back = b""
    for at in range(0, len(out), 32768):
        s.sendall(out[at:at + 32768])
        while len(back) < at + 32768:
            back += s.recv(65536)
    sys.exit(back != out)
PY

# ---- the kernel routes and advertises, our stack is a host ----
in_ns 5 ip link set lo up
in_ns 5 ip tuntap add dev tap0 mode tap
in_ns 5 sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; echo 0 > /proc/sys/net/ipv6/conf/tap0/accept_dad'
in_ns 5 ip addr add 2001:db8:66::1/64 dev tap0 nodad
in_ns 5 ip link set tap0 up
start host tap0
cat > "$dir/radvd.conf" <<'C'
interface tap0 {
	AdvSendAdvert on;
	MinRtrAdvInterval 3;
	MaxRtrAdvInterval 4;
	AdvLinkMTU 1400;
	prefix 2001:db8:66::/64 { AdvOnLink on; AdvAutonomous on; };
};
C
ip netns exec "$ns" radvd -n -C "$dir/radvd.conf" -p "$dir/radvd.pid" -m stderr > "$dir/radvd.log" 2>&1 &
radvd=$!
eventually begins 2001:db8:66: addr
result $? "SLAAC: an address from radvd's prefix" "$dir/radvd.log"
ours=$(ask addr)
kernel_ll=$(in_ns 5 ip -6 -o addr show dev tap0 scope link | sed 's|.*inet6 \([^/]*\)/.*|\1|')
answers "$kernel_ll" router
result $? "its default router is the kernel's link-local address"
in_ns 10 ping -6 -c 3 -i 0.2 -W 2 "$ours" > "$dir/log" 2>&1
result $? "the kernel's ping is answered" "$dir/log"
answers ok ping 2001:db8:66::1
result $? "the kernel answers ours"
in_ns 15 python3 "$dir/tcp.py" client "$ours" 7 > "$dir/log" 2>&1
result $? "TCP from the kernel, a megabyte there and back" "$dir/log"
ip netns exec "$ns" python3 "$dir/tcp.py" server :: 5007 "$dir/ready" > "$dir/log" 2>&1 &
eventually test -e "$dir/ready"
answers ok tcp 2001:db8:66::1 5007
result $? "TCP to the kernel, a megabyte there and back" "$dir/log"
answers taken probe 2001:db8:66::1 && answers free probe 2001:db8:66::1234
result $? "duplicate address detection tells what is taken"
in_ns 5 ip -6 neigh show dev tap0 > "$dir/log" && grep -q "^$ours lladdr .*\(REACHABLE\|STALE\|DELAY\)" "$dir/log"
result $? "the kernel knows us as a neighbour" "$dir/log"
kill "$radvd"
wait "$radvd" 2> /dev/null
eventually answers none router
result $? "radvd stops: the default route goes"
stop

# ---- our stack routes and advertises, the kernel is a host ----
in_ns 5 ip link del tap0
in_ns 5 ip tuntap add dev tap1 mode tap
in_ns 5 sh -c 'cd /proc/sys/net/ipv6/conf; echo 0 > all/forwarding; cd tap1; echo 0 > forwarding; echo 1 > accept_ra; echo 1 > autoconf'
in_ns 5 ip link set tap1 up
start router tap1 2001:db8:77::1
has() { in_ns 5 ip -6 "$1" show dev tap1 | grep -q "$2"; }
has_addr() { in_ns 5 ip -6 addr show dev tap1 scope global -tentative | grep -q 'inet6 2001:db8:77:.*/64'; }
eventually has_addr
result $? "SLAAC: the kernel makes an address of our prefix"
eventually has route '^default via fe80::.* proto ra'
result $? "our link-local address is its default router"
kernel=$(in_ns 5 ip -6 -o addr show dev tap1 scope global | sed -n 's|.*inet6 \(2001:db8:77:[^/]*\)/.*|\1|p' | head -n 1)
in_ns 10 ping -6 -c 3 -i 0.2 -W 2 2001:db8:77::1 > "$dir/log" 2>&1 && answers ok ping "$kernel"
result $? "ping both ways" "$dir/log"
in_ns 15 python3 "$dir/tcp.py" client 2001:db8:77::1 7 > "$dir/log" 2>&1
result $? "TCP from the kernel" "$dir/log"
answers ok tcp "$kernel" 5007
result $? "TCP to the kernel" "$dir/log"
answers ok stop
gone() { ! has route '^default via fe80'; }
eventually gone
result $? "we stop to advertise: its default route goes"
stop
exit 0 # the peer was ended by a signal; the cases have told what failed
