#!/bin/sh
# programs.sh - unmodified programs fetch over the lossy internet: curl, wget, Python, a static Go program, nc; each as we
# are, as an ordinary uid with no home, and in a network namespace where no interface is up. Names with every kind of
# resolv.conf.
# timeout: 240
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
VIA=${VIA:-$SRC/build/via}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
n=0

result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/err" | head -n 10
		head -c 300 "$dir/out" | sed 's/^/# got: /'
	fi
}

skip() { # NAME REASON
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# Another user must be able to read all of it, wherever this folder lies.
chmod 755 "$dir"
cp -L "$VIA" "$dir/via" && cp -R "$SRC/examples" "$dir/examples" && chmod -R a+rX "$dir"
page=$dir/examples/www/index.html
python=$(command -v python3)
[ -x /usr/bin/python3 ] && python=/usr/bin/python3
cat > "$dir/fetch.py" <<'P'
import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen("http://sina.lab/", timeout=20).read())
P
chmod 644 "$dir/fetch.py"
go=
if command -v go > /dev/null; then
	mkdir "$dir/gobuild"
	(cd "$dir/gobuild" && HOME=$dir/gobuild GOCACHE=$dir/gobuild/cache GO111MODULE=off CGO_ENABLED=0 \
		timeout 120 go build -o "$dir/fetch" "$SRC/test/e2e/fetch.go") > "$dir/out" 2> "$dir/err" && go=$dir/fetch
	rm -rf "$dir/gobuild"
fi

# fetch NAME WAY... -- PROGRAM...: the page, byte for byte, through `WAY... via lab exec`.
fetch() {
	name=$1
	shift
	way=
	while [ "$1" != -- ]; do
		way="$way $1"
		shift
	done
	shift
	(cd "$dir" && timeout 30 $way "$dir/via" -q lab exec -t examples/internet.yaml home -- "$@") > "$dir/out" 2> "$dir/err" < /dev/null
	status=$?
	[ $status -eq 0 ] && cmp -s "$dir/out" "$page"
	result $? "$name"
}

echo_by_nc() { # NAME WAY...
	name=$1
	shift
	if ! nc -h 2>&1 | grep -q OpenBSD; then
		skip "$name" "no OpenBSD nc"
		return
	fi
	echo "out and back" > "$dir/said"
	(cd "$dir" && timeout 30 "$@" "$dir/via" -q lab exec -t examples/internet.yaml home -- nc -N -w 20 sina.lab 7) \
		> "$dir/out" 2> "$dir/err" < "$dir/said"
	[ $? -eq 0 ] && cmp -s "$dir/out" "$dir/said"
	result $? "$name"
}

all() { # LABEL WAY...
	label=$1
	shift
	fetch "curl$label" "$@" -- curl -sS --max-time 20 http://sina.lab/
	if command -v wget > /dev/null; then
		fetch "wget$label" "$@" -- wget -q -T 20 -O - http://sina.lab/
	else
		skip "wget$label" "no wget"
	fi
	fetch "python3 and urllib$label" "$@" -- "$python" "$dir/fetch.py"
	if [ -n "$go" ]; then
		fetch "a static Go program$label" "$@" -- "$go" http://sina.lab/
	else
		skip "a static Go program$label" "no go"
	fi
	echo_by_nc "nc to the echo service$label" "$@"
}

uid="setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH HOME=/nonexistent"
all "" env
if [ "$(id -u)" -eq 0 ]; then
	all ", an ordinary uid with no home" $uid
	all ", no interface up" unshare -n
	all ", an ordinary uid, no interface up" unshare -n $uid
elif unshare -rn true 2> "$dir/err"; then
	all ", no interface up" unshare -rn
else
	skip "no interface up" "$(head -n 1 "$dir/err")"
fi

# The resolver of the program asks whom its resolv.conf names, 127.0.0.1 when that is empty: the lab answers all the same.
resolv() { # NAME TEXT
	printf '%s' "$2" > "$dir/resolv.conf"
	chmod 644 "$dir/resolv.conf"
	cat > "$dir/in-mount.sh" <<-M
		mount --bind "$dir/resolv.conf" /etc/resolv.conf && exec "\$@"
	M
	fetch "names: $1" unshare -m sh "$dir/in-mount.sh" -- curl -sS --max-time 20 http://sina.lab/
	[ -n "$go" ] && fetch "names, static Go: $1" unshare -m sh "$dir/in-mount.sh" -- "$go" http://sina.lab/
}
if [ "$(id -u)" -eq 0 ] && [ -e /etc/resolv.conf ] && unshare -m true 2> /dev/null; then
	resolv "an empty resolv.conf" ""
	resolv "a stub on 127.0.0.53" "nameserver 127.0.0.53
options edns0 trust-ad
"
	resolv "DNS over TCP" "nameserver 192.0.2.1
options use-vc
"
	# None at all: /etc once more, without it.
	cp -a /etc "$dir/etc" 2> /dev/null
	rm -f "$dir/etc/resolv.conf"
	cat > "$dir/in-mount.sh" <<-M
		mount --bind "$dir/etc" /etc && ! [ -e /etc/resolv.conf ] && exec "\$@"
	M
	fetch "names: no resolv.conf" unshare -m sh "$dir/in-mount.sh" -- curl -sS --max-time 20 http://sina.lab/
	[ -n "$go" ] && fetch "names, static Go: no resolv.conf" unshare -m sh "$dir/in-mount.sh" -- "$go" http://sina.lab/
else
	skip "names: other resolv.confs" "needs root to bind-mount one"
fi

# Several at once from one program, both paths, every byte.
head -c 3000000 /dev/urandom > "$dir/examples/www/big"
chmod 644 "$dir/examples/www/big"
(cd "$dir" && timeout 60 "$dir/via" -q lab exec -t examples/internet.yaml home -- curl -sS --no-progress-meter -Z --max-time 50 \
	http://sina.lab/big -o o1 http://sina.lab/ -o o2 http://sina.lab/big -o o3 http://sina.lab/small-1.txt -o o4) > "$dir/out" 2> "$dir/err"
[ $? -eq 0 ] && cmp -s "$dir/o1" "$dir/examples/www/big" && cmp -s "$dir/o2" "$page" &&
	cmp -s "$dir/o3" "$dir/examples/www/big" && cmp -s "$dir/o4" "$dir/examples/www/small-1.txt"
result $? "one curl, four connections at once"

# The way back: what is uploaded arrives whole although the program ends at once.
"$python" -c 'import sys; sys.stdout.write("line\n" * 60000)' > "$dir/said"
(cd "$dir" && timeout 60 "$dir/via" -q lab exec -t examples/internet.yaml home -- "$python" -c '
import socket, sys, threading
data = sys.stdin.buffer.read()
with socket.create_connection(("sina.lab", 7)) as s:
    threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
    while True:
        got = s.recv(65536)
        if not got: break
        sys.stdout.buffer.write(got)') > "$dir/out" 2> "$dir/err" < "$dir/said"
[ $? -eq 0 ] && cmp -s "$dir/out" "$dir/said"
result $? "300 KB to the echo service and back, two threads, half close"

# A port where nobody listens.
(cd "$dir" && timeout 30 "$dir/via" -q lab exec -t examples/internet.yaml home -- curl -sS --max-time 20 http://sina.lab:81/) \
	> "$dir/out" 2> "$dir/err"
[ $? -eq 7 ] && grep -qi "connect" "$dir/err"
result $? "curl says that nobody listens, and its status is passed on"
echo "1..$n"
