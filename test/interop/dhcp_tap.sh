#!/bin/sh
# dhcp_tap.sh - DHCP with others over a TAP, in a network namespace of this test's own: a lab host asks dnsmasq, then a lab router answers
# udhcpc. Both leases are used: ping, names, HTTP.
# timeout: 90
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
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
command -v dnsmasq > /dev/null || why="needs dnsmasq (dnsmasq-base)"
command -v udhcpc > /dev/null || why="needs udhcpc"
if [ -z "$why" ] && ! unshare -n ip tuntap add dev viaprobe mode tap 2> /dev/null; then
	why="needs /dev/net/tun and the right to make interfaces"
fi
if [ -n "$why" ]; then
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - DHCP # SKIP $why"; done
	exit 0
fi
ns=viadhcp$$
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
eventually() { # COMMAND...: try for fifteen seconds
	tries=150
	until "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}
mkdir -m 700 "$dir/run"
mkdir "$dir/www"
XDG_RUNTIME_DIR=$dir/run
export XDG_RUNTIME_DIR
echo "from the other side" > "$dir/www/word.txt"
in_ns 5 ip link set lo up
in_ns 5 ip tuntap add dev tap0 mode tap
in_ns 5 ip addr add 10.88.0.1/24 dev tap0
in_ns 5 ip link set tap0 up
in_ns 5 ip tuntap add dev tap2 mode tap
in_ns 5 ip addr add 10.87.0.1/24 dev tap2
in_ns 5 ip link set tap2 up
in_ns 5 ip tuntap add dev tap1 mode tap
in_ns 5 ip link set tap1 up

# ---- dnsmasq gives, a lab host asks ----
ip netns exec "$ns" dnsmasq --keep-in-foreground --conf-file=/dev/null --bind-interfaces --except-interface=lo --pid-file= --user=root \
	--interface=tap0 --dhcp-range=10.88.0.50,10.88.0.99,255.255.255.0,2m --interface=tap2 \
	--dhcp-range=10.87.0.50,10.87.0.99,255.255.255.0,2m --dhcp-authoritative --no-ping --dhcp-leasefile="$dir/leases" \
	--dhcp-option=option:mtu,1400 --no-resolv --no-hosts --address=/kernel.test/10.88.0.1 --log-dhcp --log-facility=- \
	> "$dir/dnsmasq.log" 2>&1 &
ip netns exec "$ns" python3 -m http.server -d "$dir/www" -b 10.88.0.1 8000 > /dev/null 2>&1 &
in_ns 30 "$VIA" run -i tap:tap2 -a dhcp -- curl -q -sS --max-time 10 http://kernel.test:8000/word.txt > "$dir/run.got" 2> "$dir/run.log" &
run=$!
cat > "$dir/lab.yaml" <<'Y'
name: dhcptap
topology:
  nodes:
    outside: {kind: tap, tap: tap0}
    asks: {kind: host, address: dhcp, services: {http: {root: www}}}
    other: {kind: tap, tap: tap1}
    gives: {kind: router, services: {dhcp: {range: 10.89.0.40-10.89.0.49, lease: 2m, mtu: 1300}, dns: {}}}
    far: {kind: host, services: {http: {root: www}}}
  links:
    - endpoints: ["outside:eth1", "asks:eth1"]
    - endpoints: ["gives:eth1", "other:eth1"]
      ipv4: [10.89.0.1/24, ~]
    - endpoints: ["gives:eth2", "far:eth1"]
      ipv4: [10.90.0.1/24, 10.90.0.2/24]
Y
ip netns exec "$ns" "$VIA" lab up -t "$dir/lab.yaml" --pcapng "$dir/lab.pcapng" > "$dir/up.log" 2>&1 &
lab=$!
eventually grep -q "is up" "$dir/up.log"
result $? "a lab comes up when its host has got an address" "$dir/dnsmasq.log"
addr=$(in_ns 5 "$VIA" -n asks addr show dev eth1 | sed -n 's|.*inet \(10\.88\.0\.[0-9]*\)/24.*|\1|p')
[ -n "$addr" ] && grep -q " $addr asks " "$dir/leases"
result $? "dnsmasq leased it ($addr) to the host's name" "$dir/leases"
in_ns 5 "$VIA" -n asks route | grep -q '^default via 10.88.0.1 dev eth1'
result $? "dnsmasq is its default router"
in_ns 5 "$VIA" -n asks link | grep -q 'eth1:.* mtu 1400 '
result $? "the MTU is what dnsmasq said"
in_ns 10 ping -c 3 -i 0.2 -W 2 "$addr" > "$dir/log" 2>&1
result $? "the kernel's ping is answered" "$dir/log"
in_ns 15 "$VIA" -q lab exec dhcptap asks -- curl -q -sS --max-time 10 http://kernel.test:8000/word.txt > "$dir/got" 2> "$dir/log" &&
	cmp -s "$dir/got" "$dir/www/word.txt"
result $? "a name that only dnsmasq knows leads to the kernel's server" "$dir/log"
[ "$(in_ns 15 curl -q -sS --max-time 10 "http://$addr/word.txt" 2> "$dir/log")" = "from the other side" ]
result $? "curl from the kernel" "$dir/log"

# ---- a lab router gives, udhcpc asks ----
cat > "$dir/script" <<S
#!/bin/sh
case \$1 in
deconfig) ip addr flush dev \$interface ;;
bound | renew)
	echo "\$1 \$ip \$mask router=\$router dns=\$dns lease=\$lease mtu=\$mtu server=\$serverid" >> $dir/udhcpc.got
	ip addr replace \$ip/\$mask dev \$interface
	ip route replace 10.90.0.0/24 via \$router ;;
esac
S
chmod 755 "$dir/script"
udhcpc() { # OPTION...: until it has a lease
	in_ns 15 udhcpc -i tap1 -f -n -t 5 -T 1 -s "$dir/script" -x hostname:kernel -O mtu "$@" > "$dir/log" 2>&1
}
udhcpc -q
result $? "udhcpc gets a lease, by unicast to an address it does not have yet" "$dir/log"
grep -q '^bound 10\.89\.0\.4[0-9] 24 router=10.89.0.1 dns=10.89.0.1 lease=120 mtu=1300 server=10.89.0.1$' "$dir/udhcpc.got"
result $? "with mask, router, name server, lease time and MTU" "$dir/udhcpc.got"
first=$(sed -n 's/^bound \([0-9.]*\) .*/\1/p' "$dir/udhcpc.got")
in_ns 10 ping -c 3 -i 0.2 -W 2 10.90.0.2 > "$dir/log" 2>&1
result $? "the kernel pings a lab host behind the router from it" "$dir/log"
[ "$(in_ns 15 curl -q -sS --max-time 10 http://10.90.0.2/word.txt 2> "$dir/log")" = "from the other side" ]
result $? "curl through the router" "$dir/log"
in_ns 20 "$VIA" -n far ping -c 3 -i 0.2 "$first" > "$dir/log" 2>&1
result $? "the lab host pings the kernel's lease" "$dir/log"
: > "$dir/udhcpc.got"
ip netns exec "$ns" udhcpc -i tap1 -f -R -B -s "$dir/script" -x hostname:kernel > "$dir/log" 2>&1 &
client=$!
eventually grep -q "^bound $first " "$dir/udhcpc.got" && kill -USR1 "$client" && eventually grep -q "^renew $first " "$dir/udhcpc.got"
result $? "it keeps its address, by broadcast and renewed" "$dir/log"
wait "$run" && cmp -s "$dir/run.got" "$dir/www/word.txt" && grep -q 'DHCPRELEASE.* 10.87.0' "$dir/dnsmasq.log"
result $? "via run -a dhcp: a program gets an address, a way, a name server; and the lease is given back" "$dir/run.log"
kill "$client"
wait "$client" 2> /dev/null
kill "$lab"
wait "$lab"
bad=$(tshark -r "$dir/lab.pcapng" -Y _ws.malformed 2> /dev/null | wc -l)
few=$(tshark -r "$dir/lab.pcapng" -Y 'dhcp' 2> /dev/null | wc -l)
[ "$bad" -eq 0 ] && [ "$few" -ge 12 ]
result $? "tshark sees nothing malformed among $few DHCP messages"
exit 0
