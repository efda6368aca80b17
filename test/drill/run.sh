#!/bin/sh
# run.sh: each script of this folder against the stack, one TAP case each, named as the script; all of them twice, since two
# runs must print the same. A script whose name begins with req_TCP_031 proves rule TCP-031 of doc/requirements.md.
# parallel: yes
# timeout: 240
set -eu
via=${VIA_SAN:?no VIA_SAN: the program to test}
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0 failed=0
echo "1..$(($(ls ./*.pkt | wc -l) + 1))"

for script in *.pkt; do
	n=$((n + 1))
	verdict=ok
	"$via" drill --strict "$script" >"$work/out" 2>"$work/err" || verdict='not ok'
	[ "$verdict" = ok ] || failed=1
	echo "$verdict $n - ${script%.pkt}"
	sed 's/^/# /' "$work/err"
done

"$via" -v drill --strict ./*.pkt >"$work/first" 2>&1 || true
"$via" -v drill --strict ./*.pkt >"$work/second" 2>&1 || true
n=$((n + 1))
if cmp -s "$work/first" "$work/second" && [ -s "$work/first" ]; then
	echo "ok $n - two runs of all scripts are identical"
else
	failed=1
	echo "not ok $n - two runs of all scripts are identical"
	diff "$work/first" "$work/second" | head -5 | sed 's/^/# /'
fi
exit $failed
