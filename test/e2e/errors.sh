#!/bin/sh
# errors.sh - bad input: each gives one clear sentence, the right exit status, and leaves nothing running.
# timeout: 60
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
dir=$(mktemp -d)
cleanup() {
	trap '' INT TERM
	XDG_RUNTIME_DIR=$dir/run "$VIA" -q lab down errors 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
n=0

# try STATUS PATTERN NAME COMMAND...: exit status, one sentence that matches, nothing left running.
try() {
	want=$1 pattern=$2 name=$3
	shift 3
	n=$((n + 1))
	timeout 20 "$@" > "$dir/out" 2> "$dir/err" < /dev/null
	got=$?
	lines=$(wc -l < "$dir/err")
	if [ "$got" -eq "$want" ] && [ "$lines" -eq 1 ] && grep -qE "$pattern" "$dir/err"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# status $got, wanted $want; $lines lines, wanted 1 matching: $pattern"
		sed 's/^/# /' "$dir/err" | head -n 10
	fi
}

cat > "$dir/good.yaml" <<'Y'
name: errors
topology:
  nodes:
    a: {kind: host, services: {echo: {}}}
    b: {kind: host}
    s: {kind: switch}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
Y
printf 'name: x\ntopology:\n  nodes:\n    a: {kind: host\n  links: []\n' > "$dir/malformed.yaml"
sed 's/kind: host}/kimd: host}/' "$dir/good.yaml" > "$dir/typo.yaml"
sed 's/"b:eth1"/"c:eth1"/' "$dir/good.yaml" > "$dir/nonode.yaml"
sed 's/kind: host}/kind: hots}/' "$dir/good.yaml" > "$dir/kind.yaml"
mkdir -m 700 "$dir/run"
export XDG_RUNTIME_DIR="$dir/run"
cp "$VIA" "$dir/via" # where another user may read it
chmod 755 "$dir"

try 2 '^.*malformed.yaml:[0-9]+:[0-9]+: ' "malformed YAML names line and column" "$VIA" lab check "$dir/malformed.yaml"
try 2 "typo.yaml:5:[0-9]+: .*kimd.*kind" "unknown key names line, column and the nearest" "$VIA" lab check "$dir/typo.yaml"
try 2 "nonode.yaml:8:[0-9]+: .*'c:eth1' names no node$" "link to a node that does not exist" "$VIA" lab check "$dir/nonode.yaml"
try 2 "kind.yaml:5:[0-9]+: .*hots.*host" "unknown kind names the nearest" "$VIA" lab check "$dir/kind.yaml"
try 2 "absent.yaml: .*No such file" "topology file that does not exist" "$VIA" lab exec -t "$dir/absent.yaml" a -- true
try 2 "malformed.yaml:[0-9]+:[0-9]+" "exec with malformed YAML" "$VIA" lab exec -t "$dir/malformed.yaml" a -- true
try 2 "no host or router named 'aa'.*did you mean 'a'" "node that does not exist" "$VIA" lab exec -t "$dir/good.yaml" aa -- true
try 2 "no host or router named 'zz' in lab 'errors'$" "node that is like no other" "$VIA" lab exec -t "$dir/good.yaml" zz -- true
try 2 "'s' is a switch; programs run on hosts and routers" "program on a switch" "$VIA" lab exec -t "$dir/good.yaml" s -- true
try 2 "^via: cannot capture into '/no/such/folder/x': No such" "capture that cannot be written" \
	"$VIA" lab exec -t "$dir/good.yaml" --pcapng /no/such/folder/x a -- true
try 127 "no-such-program" "program that does not exist" "$VIA" -q lab exec -t "$dir/good.yaml" a -- no-such-program
: > "$dir/plain"
try 126 "plain" "program that is not executable" "$VIA" -q lab exec -t "$dir/good.yaml" a -- "$dir/plain"
try 2 "no program is named" "no program" "$VIA" lab exec -t "$dir/good.yaml" a
try 2 "did you mean 'lab exec'" "unknown command names the nearest" "$VIA" lab exce -t "$dir/good.yaml" a -- true
try 2 "did you mean '--topology'" "unknown option names the nearest" "$VIA" lab exec --topologie x a -- true
try 125 "no lab named 'absent'" "lab that is not running" "$VIA" lab exec absent a -- true
try 1 "name of lab 'x+\.\.\.' is too long" "a lab name that no socket can have" "$VIA" lab inspect "$(printf '%0200d' 0 | tr 0 x)"
mkdir -m 755 "$dir/open" "$dir/open/viaduct"
try 1 "must be a folder of yours with mode 0700" "a runtime folder that others may enter" \
	env "XDG_RUNTIME_DIR=$dir/open" "$VIA" lab up -t "$dir/good.yaml"
try 125 "wants KEY=VALUE" "a link that is no list of words" "$VIA" run --link fast -- true
try 125 "unknown key 'delai'.*did you mean 'delay'" "a link's unknown word names the nearest" "$VIA" run --link delai=1ms -- true
try 2 "^via: --link is for the link to the gateway" "a link with a device" "$VIA" run -i tap:x -a 10.0.0.1/24 --link delay=1ms -- true
try 2 "tap:NAME" "serve on something that is no TAP" "$VIA" serve "$dir" -i eth0 -a 10.0.0.2/24
try 125 "has a seccomp listener already" "a seccomp listener that is there already" "$VIA" -q lab exec -t "$dir/good.yaml" a -- \
	"$VIA" -q lab exec -t "$dir/good.yaml" b -- true

n=$((n + 1))
"$VIA" lab up -t "$dir/good.yaml" -d > "$dir/out" 2>&1
grep -qx "lab errors is up" "$dir/out" && echo "ok $n - lab up -d says it is up" || echo "not ok $n - lab up -d says it is up"
try 1 "already up" "a second lab of that name" "$VIA" lab up -t "$dir/good.yaml" -d
try 2 "did you mean 'a'" "node that does not exist in a running lab" "$VIA" lab exec errors aa -- true
try 2 "'s' is a switch; programs run on hosts and routers" "program on a switch of a running lab" "$VIA" lab exec errors s -- true
try 127 "no-such-program" "program that does not exist in a running lab" "$VIA" -q lab exec errors a -- no-such-program
cat > "$dir/bind.py" <<'PY'
import socket, sys
a = socket.socket()
try:
    a.bind(("0.0.0.0", 7))
except OSError as e:
    sys.exit(f"port 7 is occupied: {e.strerror}")
PY
try 1 "Address already in use" "an occupied port" "$VIA" -q lab exec errors a -- python3 "$dir/bind.py"
"$VIA" -q lab down errors
n=$((n + 1))
if [ "$("$VIA" lab ls)" = "" ] && [ -z "$(ls "$dir/run/viaduct")" ]; then
	echo "ok $n - lab down leaves nothing"
else
	echo "not ok $n - lab down leaves nothing"
fi

if [ "$(id -u)" -eq 0 ]; then
	try 1 "no right to open tap:viaerr0.*ip tuntap add dev viaerr0 mode tap user nobody" \
		"a missing privilege names the command that grants it" \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/via" serve "$dir" -i tap:viaerr0 -a 10.0.0.2/24
else
	try 1 "no right to open tap:viaerr0.*ip tuntap add dev viaerr0 mode tap" \
		"a missing privilege names the command that grants it" \
		"$VIA" serve "$dir" -i tap:viaerr0 -a 10.0.0.2/24
fi

# A process that is not dumpable is not ours to trace: as an ordinary uid, one clear sentence, and no kernel socket instead.
n=$((n + 1))
if [ "$(id -u)" -eq 0 ]; then
	timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent \
		"$dir/via" -q lab exec -t "$dir/good.yaml" a -- \
		python3 -c 'import ctypes, socket; ctypes.CDLL(None).prctl(4, 0); s = socket.socket(); s.connect(("10.0.1.1", 7))' \
		> "$dir/out" 2> "$dir/err"
	got=$?
	if [ "$got" -eq 1 ] && grep -q PermissionError "$dir/err" &&
		grep -qE "^via: process [0-9]+ \(python3\) does not let us look into it" "$dir/err"; then
		echo "ok $n - a program that is not ours to trace is named"
	else
		echo "not ok $n - a program that is not ours to trace is named"
		echo "# status $got"
		sed 's/^/# /' "$dir/err" | head -n 5
	fi
else
	echo "ok $n - a program that is not ours to trace is named # SKIP needs root to become another user"
fi

n=$((n + 1))
left=$(pgrep -af "$dir" | head -n 5)
if [ -z "$left" ]; then
	echo "ok $n - nothing is left running"
else
	echo "not ok $n - nothing is left running"
	echo "$left" | sed 's/^/# /'
fi
echo "1..$n"
