#!/bin/sh
# install.sh - `make install` into a folder of its own; programs outside the tree are built against it with what pkg-config says,
# by the shared and by the static library, and run; only the public face is visible.
# timeout: 600
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
n=0
CC=${CC:-cc}
root=$dir/root
lib=$root/opt/v/lib

result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		head -n 20 "$dir/log" | sed 's/^/# /'
	fi
}

make -C "$SRC" install PREFIX=/opt/v DESTDIR="$root" > "$dir/log" 2>&1
result $? "make install with PREFIX and DESTDIR"
(cd "$root" && find . ! -type d | sort) > "$dir/log"
! grep -v '^\./opt/v/' "$dir/log" > /dev/null
result $? "nothing is put outside PREFIX"
"$root/opt/v/bin/via" --version > "$dir/log" 2>&1 && grep -qE '[0-9]+\.[0-9]+' "$dir/log"
result $? "via --version"
grep -q '^\.TH "via" "1"' "$root/opt/v/share/man/man1/via.1"
result $? "the manual page is there"
"$root/opt/v/bin/via" --help 2>&1 | sed -n 's/^  \(\(lab \)\{0,1\}[a-z]\{1,\}\)  .*/\1/p' | sort -u > "$dir/commands"
sed 's/\\fB\([^\\]*\)\\fR/\n*\1*\n/g' "$root/opt/v/share/man/man1/via.1" > "$dir/page"
while read -r command; do
	grep -qxF "*$command*" "$dir/page" || echo "$command"
done < "$dir/commands" > "$dir/log"
test -s "$dir/commands" -a ! -s "$dir/log"
result $? "it tells of all $(wc -l < "$dir/commands") commands of via --help"
missing=
for h in "$SRC"/include/viaduct/*.h; do
	cmp -s "$h" "$root/opt/v/include/viaduct/$(basename "$h")" || missing="$missing $h"
done
echo "missing: $missing" > "$dir/log"
test -z "$missing"
result $? "every public header is there"

export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
[ "$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=prefix viaduct 2> "$dir/log")" = /opt/v ]
result $? "viaduct.pc names the prefix, without DESTDIR"

# A header by itself is enough for the compiler, whichever it is.
for h in "$root"/opt/v/include/viaduct/*.h; do
	echo "#include <viaduct/$(basename "$h")>"  > "$dir/one.c"
	# shellcheck disable=SC2046
	$CC -std=c11 -Wall -Werror -fsyntax-only $(pkg-config --cflags viaduct) "$dir/one.c" || echo "$h"
done > "$dir/log" 2>&1
test ! -s "$dir/log"
result $? "each header compiles alone, as C11"

for example in echo_pair embed; do
	cp "$SRC/examples/$example.c" "$dir/"
	# shellcheck disable=SC2046
	(cd "$dir" && $CC -Wall -Wextra -Werror -o "$example" "$example.c" $(pkg-config --cflags --libs viaduct)) > "$dir/log" 2>&1
	result $? "$example.c is built outside the tree"
	LD_LIBRARY_PATH=$lib timeout 20 "$dir/$example" > "$dir/log" 2>&1 && grep -q "hello, stack" "$dir/log"
	result $? "$example: $(tail -n 1 "$dir/log")"
	# shellcheck disable=SC2046
	(cd "$dir" && $CC -o "$example-static" "$example.c" $(pkg-config --cflags viaduct) "$lib/libviaduct.a" -pthread) > "$dir/log" 2>&1 &&
		timeout 20 "$dir/$example-static" > "$dir/log" 2>&1 && grep -q "hello, stack" "$dir/log"
	result $? "$example with the static library"
done
[ "$(wc -l < "$SRC/examples/embed.c")" -le 100 ]
result $? "embed.c has at most 100 lines"

nm -D --defined-only "$lib/libviaduct.so" | awk '{print $3}' | sed 's/@.*//' | sort -u > "$dir/shared"
nm --extern-only --defined-only "$lib/libviaduct.a" 2> /dev/null | awk 'NF == 3 {print $3}' | sort -u > "$dir/static"
grep -v '^via_' "$dir/static" > "$dir/log"
grep -vE '^(via_|VIADUCT_)' "$dir/shared" >> "$dir/log"
test ! -s "$dir/log"
result $? "only via_* is visible in either library"
# What the headers declare with VIA_API is what there is.
cat "$SRC"/include/viaduct/*.h | grep '^VIA_API' | sed -E 's/^VIA_API [^(]*[ *](via_[a-z0-9_]+)\(.*/\1/' | sort -u > "$dir/declared"
grep '^via_' "$dir/shared" > "$dir/shared_via"
diff "$dir/declared" "$dir/shared_via" > "$dir/log" && diff "$dir/declared" "$dir/static" >> "$dir/log"
result $? "and it is exactly what the headers declare: $(wc -l < "$dir/declared") calls"
nm -D --defined-only "$lib/libviaduct.so" > "$dir/log"
! grep ' T via_' "$dir/log" | grep -qv '@@VIADUCT_0'
result $? "each symbol of the shared library has a version"
readelf -d "$lib/libviaduct.so" > "$dir/log"
grep -q 'SONAME.*\[libviaduct.so.0\]' "$dir/log"
result $? "its name for the loader is libviaduct.so.0"
echo "1..$n"
