#!/bin/sh
# vlan_tap.sh - our VLANs and the kernel's over one TAP, in a network namespace of this test's own: the kernel has a vlan device on the
# tap, a lab host a tagged interface behind a trunk of a lab switch. Jumbo frames too; what has the wrong tag is not heard.
# timeout: 30
# kernel tap0.10, tap0.20 - outside - sw - near.10 (tagged), desk (untagged, VLAN 20)
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
N=7
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
if [ -z "$why" ] && ! unshare -n sh -c 'ip tuntap add dev viaprobe mode tap && ip link add link viaprobe name viaprobe.7 type vlan id 7' \
	2> /dev/null; then
	why="needs /dev/net/tun, vlan devices and the right to make them"
fi
if [ -n "$why" ]; then
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - vlan tap # SKIP $why"; done
	exit 0
fi
ns=viavlantap$$
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
in_ns 5 ip link set tap0 mtu 9000 up
for v in 10 20 30; do
	in_ns 5 ip link add link tap0 name tap0.$v type vlan id $v
	in_ns 5 ip addr add 10.77.$v.1/24 dev tap0.$v
	in_ns 5 ip link set tap0.$v up
done

mkdir "$dir/www"
head -c 5000000 /dev/urandom > "$dir/www/some.bin"
sum=$(sha256sum < "$dir/www/some.bin")
cat > "$dir/lab.yaml" <<'Y'
name: vlantap
topology:
  nodes:
    outside: {kind: tap, tap: tap0}
    sw: {kind: switch, ports: {out: trunk, near: {trunk: [10]}, desk: 20}}
    near: {kind: host, vlans: {eth1.10: 10.77.10.2/24}, services: {http: {root: www}}}
    desk: {kind: host, address: 10.77.20.2/24, services: {http: {root: www}}}
  links:
    - {endpoints: ["outside:eth1", "sw:out"], mtu: 9000}
    - {endpoints: ["near:eth1", "sw:near"], mtu: 9000}
    - {endpoints: ["desk:eth1", "sw:desk"]}
Y
XDG_RUNTIME_DIR=$dir
export XDG_RUNTIME_DIR
in_ns 10 "$VIA" -q lab up -d -t "$dir/lab.yaml" --pcapng "$dir/t.pcapng" > "$dir/up" 2>&1
result $? "the lab stands on the tap" "$dir/up"
eventually in_ns 2 ping -c 1 -W 1 10.77.10.2
in_ns 5 ping -c 3 -i 0.2 10.77.10.2 > "$dir/ping" 2>&1
result $? "the kernel's vlan device pings our tagged interface" "$dir/ping"
in_ns 5 ping -c 2 -i 0.2 -M do -s 8972 10.77.10.2 > "$dir/ping" 2>&1
result $? "with 9000 bytes" "$dir/ping"
eventually in_ns 2 ping -c 1 -W 1 10.77.20.2
in_ns 5 ping -c 3 -i 0.2 10.77.20.2 > "$dir/ping" 2>&1
result $? "and, in another VLAN, a host that knows of no tags" "$dir/ping"
got=$(in_ns 10 curl -q -sS http://10.77.10.2/some.bin 2> "$dir/curl" | sha256sum)
[ "$got" = "$sum" ]
result $? "curl: kernel from us, tagged, byte for byte" "$dir/curl"
in_ns 10 python3 -m http.server -d "$dir/www" -b 10.77.10.1 8000 > "$dir/server" 2>&1 &
eventually in_ns 2 curl -q -sS -o /dev/null http://10.77.10.1:8000/
got=$(in_ns 10 "$VIA" -q lab exec vlantap near -- curl -q -sS http://10.77.10.1:8000/some.bin 2> "$dir/curl" | sha256sum)
[ "$got" = "$sum" ]
result $? "curl: us from the kernel" "$dir/curl"
in_ns 5 ip addr add 10.77.10.9/24 dev tap0.30
in_ns 5 ping -I tap0.30 -c 1 -W 1 10.77.10.2 > "$dir/ping" 2>&1
wrong=$?
in_ns 5 "$VIA" -j lab inspect vlantap > "$dir/inspect" 2>&1
[ "$wrong" -eq 1 ] && grep -q '"eth.vlan":' "$dir/inspect"
result $? "what carries another tag is not heard, and the switch counts it" "$dir/inspect"
in_ns 5 "$VIA" -q lab down vlantap > /dev/null 2>&1
exit 0
