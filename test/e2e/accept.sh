#!/bin/sh
# accept.sh - four forked processes accept from one listener, two with edge-triggered epoll and two blocking, interrupted
# every 5 ms: 10,000 connections, none lost, none accepted twice, the listener unreadable when empty.
# timeout: 180
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
dir=$(mktemp -d)
export XDG_RUNTIME_DIR=$dir
server=
cleanup() {
	[ -n "$server" ] && kill "$server" 2> /dev/null
	"$VIA" -q lab down accept-net > /dev/null 2>&1
	wait
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
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

cat > "$dir/net.yaml" <<'Y'
name: accept-net
topology:
  nodes:
    home: {kind: host}
    sina: {kind: host}
  links:
    - endpoints: ["home:eth1", "sina:eth1"]
Y
${CC:-cc} -O2 -o "$dir/accept4fork" "$SRC/test/e2e/accept4fork.c" > "$dir/cc.out" 2>&1
result $? "accept4fork is built"
"$VIA" lab up -t "$dir/net.yaml" -d > "$dir/up.out" 2>&1
result $? "the lab is up"

timeout 120 "$VIA" -q lab exec accept-net sina -- "$dir/accept4fork" serve 7000 10000 > "$dir/serve.out" 2> "$dir/serve.err" &
server=$!
for _ in $(seq 100); do
	grep -q listening "$dir/serve.out" && break
	sleep 0.1
done
address=$("$VIA" -j lab inspect accept-net | python3 -c '
import json, sys
sina = [n for n in json.load(sys.stdin)["nodes"] if n["name"] == "sina"][0]
print([i for i in sina["interfaces"] if i["name"] == "eth1"][0]["addresses"][0].split("/")[0])')
timeout 120 "$VIA" -q lab exec accept-net home -- "$dir/accept4fork" connect "$address" 7000 10000 \
	> "$dir/connect.out" 2> "$dir/connect.err"
result $? "10,000 connections from another node are all answered"
wait "$server"
status=$?
server=
[ "$status" -eq 0 ] && grep -q "lost 0, twice 0, .*readable 0" "$dir/serve.out"
result $? "none lost, none twice, unreadable when empty"
echo "# $(tail -n 1 "$dir/serve.out")"

timeout 60 "$VIA" -q lab exec accept-net sina -- "$dir/accept4fork" self 127.0.0.1 7001 2000 > "$dir/self.out" 2> "$dir/self.err"
[ $? -eq 0 ] && grep -q "lost 0, twice 0, .*readable 0" "$dir/self.out"
result $? "the same within one program tree, over the stack's own loopback"
echo "1..$n"
