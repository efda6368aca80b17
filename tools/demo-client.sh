#!/bin/sh
# demo-client.sh DIR MAIL: what runs on 'home' in the demo. First one curl that fetches everything at once, then two at once,
# then one that sends the file MAIL to alice@mail.lab.
set -eu
dir=$1
mail=$2
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY # of the machine's network, not of this one
mkdir -p "$dir/first"
cd "$dir/first"
curl -q -sS --no-progress-meter -f -Z --parallel-immediate --max-time 60 --remote-name-all \
	http://sina.lab/index.html http://sina.lab/five-megabytes.bin \
	'http://sina.lab/small-[1-6].txt'
cd ..
curl -q -sS -f --max-time 60 -o twin-a.html http://sina.lab/index.html &
a=$!
curl -q -sS -f --max-time 60 -o twin-b.html http://sina.lab/index.html &
b=$!
wait "$a"
wait "$b"
curl -q -sS --max-time 60 smtp://mail.lab/home.lab --mail-from bob@home.lab --mail-rcpt alice@mail.lab --upload-file "$mail"
