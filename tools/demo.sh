#!/bin/sh
# demo.sh [OPTIONS of via lab exec]: unmodified curl across an internet that loses and reorders packets; checks what
# arrived, tells the story. For example: tools/demo.sh --seed 2, tools/demo.sh --no-impairments.
# Needs build/via and curl, no root. Leaves demo.pcapng and demo.json in build/ (or $OUT); ends with 0 only if all is right.
set -eu
cd "$(dirname "$0")/.."
via=${VIA:-build/via}
out=${OUT:-build}
mkdir -p "$out"
work=$(mktemp -d "$out/demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/www" "$work/got"
cp examples/www/* "$work/www/"
# Five million bytes from a fixed seed, so that figures can be compared between runs.
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(2026).randbytes(5000000))' > "$work/www/five-megabytes.bin"
(cd "$work/www" && sha256sum -- *) > "$work/sums"

echo "One unmodified curl on 'home' fetches a page, a 5 MB file and six small files at once from http://sina.lab/,"
echo "then two curls run at once. Four routers, two paths, 1 % loss and 1 % reordering on each of them. No root."
"$via" -q lab exec -t examples/internet.yaml --www "sina=$work/www" --pcapng "$out/demo.pcapng" --story "$out/demo.json" "$@" \
	home -- sh tools/demo-client.sh "$work/got"

sums=$PWD/$work/sums
case $work in /*) sums=$work/sums ;; esac
(cd "$work/got/first" && sha256sum --quiet -c "$sums") || { echo "demo: a file arrived wrong" >&2; exit 1; }
for twin in a b; do
	cmp -s "$work/www/index.html" "$work/got/twin-$twin.html" || { echo "demo: twin $twin fetched a wrong page" >&2; exit 1; }
done
"$via" lab story "$out/demo.json"
python3 - "$out/demo.json" <<'PY'
import json, sys
a, b = json.load(open(sys.argv[1]))["connections"][-2:]
print(f"\nConnections {a['n']} and {b['n']} belong to two programs that ran at once on one host and asked one server: only their own\n"
      f"ports, {a['client']['port']} and {b['client']['port']}, tell them apart.")
PY
echo
echo "SHA-256 of all $(wc -l < "$work/sums" | tr -d ' ') files fetched is right, and both twins got the page."
echo "Every figure above is in $out/demo.json. Every packet is in $out/demo.pcapng, with its reason as a comment:"
echo "  tshark -r $out/demo.pcapng -Y 'frame.comment contains \"loss:\"'      or      wireshark $out/demo.pcapng"
echo "  (each packet is captured once on every link it crossed: filter for one, frame.interface_name == \"sina:eth1\")"
