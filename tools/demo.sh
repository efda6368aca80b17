#!/bin/sh
# demo.sh [OPTIONS of via lab exec]: unmodified curl fetches files and sends mail across an internet that loses and reorders
# packets; checks what arrived, tells the story. For example: tools/demo.sh --seed 2, tools/demo.sh --no-impairments.
# Needs build/via and curl, no root. Leaves demo.pcapng and demo.json in build/ (or $OUT); ends with 0 only if all is right.
set -eu
cd "$(dirname "$0")/.."
via=${VIA:-build/via}
out=${OUT:-build}
mkdir -p "$out"
work=$(cd "$(mktemp -d "$out/demo.XXXXXX")" && pwd)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/www" "$work/got"
cp examples/www/* "$work/www/"
# Five million bytes from a fixed seed, so that figures can be compared between runs.
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(2026).randbytes(5000000))' > "$work/www/five-megabytes.bin"
(cd "$work/www" && sha256sum -- *) > "$work/sums"
# A mail of 400 kB whose lines begin with dots and hold octets above 127: all that a mail's text may be.
python3 - > "$work/mail.eml" <<'PY'
import sys
head = "From: bob@home.lab\nTo: alice@mail.lab\nSubject: across the internet\nMIME-Version: 1.0\n" \
       "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
text = "".join(f"{'.' * (n % 4)} line {n}: grüße über vier Router, two paths, one mailbox\n" + ".\n" * (n % 9 == 0) for n in range(6000))
sys.stdout.buffer.write((head + text).replace("\n", "\r\n").encode())
PY

echo "One unmodified curl on 'home' fetches a page, a 5 MB file and six small files at once from http://sina.lab/,"
echo "then two curls run at once, then one sends a mail to alice@mail.lab."
echo "Four routers, two paths, 1 % loss and 1 % reordering on each of them. No root."
"$via" -q lab exec -t examples/internet.yaml --www "sina=$work/www" --mail "mail=$work/mail" --pcapng "$out/demo.pcapng" \
	--story "$out/demo.json" "$@" home -- sh tools/demo-client.sh "$work/got" "$work/mail.eml"

(cd "$work/got/first" && sha256sum --quiet -c "$work/sums") || { echo "demo: a file arrived wrong" >&2; exit 1; }
for twin in a b; do
	cmp -s "$work/www/index.html" "$work/got/twin-$twin.html" || { echo "demo: twin $twin fetched a wrong page" >&2; exit 1; }
done
# One file in the mailbox: the server's five lines of trace (RFC 5321 4.4), then the mail as it was sent, octet by octet.
stored=$(find "$work/mail" -type f)
tail -n +6 -- "$stored" | cmp -s - "$work/mail.eml" || { echo "demo: the mail arrived wrong" >&2; exit 1; }
"$via" lab story "$out/demo.json"
python3 - "$out/demo.json" <<'PY'
import json, sys
a, b = json.load(open(sys.argv[1]))["connections"][-3:-1]
print(f"\nConnections {a['n']} and {b['n']} belong to two programs that ran at once on one host and asked one server: only their own\n"
      f"ports, {a['client']['port']} and {b['client']['port']}, tell them apart.")
PY
echo
echo "SHA-256 of all $(wc -l < "$work/sums" | tr -d ' ') files fetched is right, and both twins got the page. The mail of" \
	"$(wc -c < "$work/mail.eml") bytes is in alice's"
echo "mailbox, octet by octet as it was sent, under the lines every mail server adds (RFC 5321 4.4):"
head -n 5 -- "$stored" | tr -d '\r' | sed 's/^/    /'
echo "Every figure above is in $out/demo.json. Every packet is in $out/demo.pcapng, with its reason as a comment:"
echo "  tshark -r $out/demo.pcapng -Y 'frame.comment contains \"loss:\"'      or      wireshark $out/demo.pcapng"
echo "  (each packet is captured once on every link it crossed: filter for one, frame.interface_name == \"sina:eth1\")"
