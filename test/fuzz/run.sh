#!/bin/sh
# run.sh [BUILDDIR [RUNS]]: build each fuzz target with clang's libFuzzer, ASan and UBSan in BUILDDIR/fuzz, run it RUNS times
# (200000) from the committed corpus with a fixed seed, two at once. One TAP line per target; exits nonzero on a failure.
# A failing input is left in BUILDDIR/fuzz/NAME/ and the line below its "not ok" replays it. BUILDDIR is a folder that
# meson has set up ($BUILD_SAN unless named).
# timeout: 300
set -eu
build=${1:-${BUILD_SAN:?no BUILDDIR}} runs=${2:-200000}
here=$(cd "$(dirname "$0")" && pwd)
src=$here/../../src
out=$build/fuzz
cc=${FUZZ_CC:-clang-14}
targets='eth arp ip4 ip6 ext6 frag icmp4 icmp4_quote icmp6 nd group udp tcp addr dhcp dhcp6 dns dns_ask dns_serve http
  smtp smtp_client rules dump_read frame_text drill'
flags="-std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -fno-strict-aliasing -I$build/src/see/test"
san='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'
mkdir -p "$out/obj"

# compile OBJECT SOURCE FLAGS...: only if the source, or any header of ours, is newer.
compile() {
  object=$1 source=$2
  shift 2
  if [ -e "$object" ]; then
    newer=$(find "$source" "$src" "$here" \( -path "$source" -o -name '*.h' \) -newer "$object" -print)
    [ -n "$newer" ] || return 0
  fi
  echo "$cc $* -c -o $object.new $source && mv $object.new $object"
}

{
  # llhttp is not ours: coverage to steer by, no sanitizers (they would make its 18,000 generated lines slow to build).
  for f in api http llhttp; do
    compile "$out/obj/llhttp-$f.o" "/usr/share/llhttp/$f.c" -O1 -w -fsanitize=fuzzer-no-link -I/usr/share/include/llhttp
  done
  for f in "$src"/base/*.c "$src"/pkt/*.c "$src"/wire/*.c "$src"/net/*.c "$src"/svc/*.c "$src"/app/*/*.c \
    "$src"/filter/*.c "$src"/lab/rule_text.c "$src"/lab/frame_text.c "$src"/cmd/dump_read.c \
    "$src"/drill/lex.c "$src"/drill/parse*.c "$src"/drill/symbols.c "$src"/drill/packet.c "$src"/drill/code.c; do
    compile "$out/obj/$(basename "$(dirname "$f")")-$(basename "$f" .c).o" "$f" $flags $san -isystem /usr/share/include/llhttp
  done
  for t in $targets; do
    compile "$out/obj/fuzz_$t.o" "$here/fuzz_$t.c" $flags $san
  done
} > "$out/compile"
xargs -P 2 -d '\n' -I{} sh -c '{}' < "$out/compile"
rm -f "$out/lib.a"
ar rcs "$out/lib.a" $(ls "$out"/obj/*.o | grep -v /fuzz_)

cat > "$out/one.sh" <<'EOF'
#!/bin/sh
# one.sh CC OUT CORPUS RUNS NAME: link and run one target; the result is OUT/NAME/result.
cc=$1 dir=$2/$5 corpus=$3/$5 runs=$4 name=$5
rm -rf "$dir"
mkdir -p "$dir/new"
case $name in http | drill | smtp*) max=1024 ;; dhcp | dns* | dump_read | ext6 | frag | nd | rules) max=512 ;; *) max=128 ;; esac
"$cc" -fsanitize=fuzzer,address,undefined -o "$dir/fuzz" "$2/obj/fuzz_$name.o" "$2/lib.a" > "$dir/log" 2>&1 &&
  timeout 100 "$dir/fuzz" -seed=1 -runs="$runs" -max_len=$max -max_total_time=60 -timeout=5 -rss_limit_mb=1024 -detect_leaks=0 \
    -artifact_prefix="$dir/" -verbosity=0 -print_final_stats=1 "$dir/new" "$corpus" >> "$dir/log" 2>&1
status=$?
ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log")
verdict=ok
[ $status -eq 0 ] && [ "${ran:-0}" -ge "$runs" ] || verdict='not ok'
echo "$verdict ${ran:-0}" > "$dir/result"
EOF
printf '%s\n' $targets | xargs -P 2 -I{} sh "$out/one.sh" "$cc" "$out" "$here/corpus" "$runs" {}

n=0 failed=0
echo "1..$(printf '%s\n' $targets | wc -l)"
for t in $targets; do
  n=$((n + 1))
  read -r result < "$out/$t/result"
  echo "${result% *} $n - fuzz_$t ${result##* } runs"
  if [ "${result% *}" = 'not ok' ]; then
    failed=1
    grep -E 'ERROR|SUMMARY|runtime error|error:' "$out/$t/log" | head -3 | sed 's/^/# /'
    for f in "$out/$t"/crash-* "$out/$t"/timeout-* "$out/$t"/oom-*; do [ -e "$f" ] && echo "# $out/$t/fuzz $f"; done
  fi
done
exit $failed
