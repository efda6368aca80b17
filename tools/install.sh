#!/bin/sh
# install.sh BUILD BUILD_LIB - put the program (of BUILD), the library (of BUILD_LIB), headers, viaduct.pc and the manual page below
# $DESTDIR$PREFIX (PREFIX: /usr/local; LIBDIR: $PREFIX/lib). Called by `make install`, after building.
set -eu
cd "$(dirname "$0")/.."
build=$1 lib=$2/src
PREFIX=${PREFIX:-/usr/local}
LIBDIR=${LIBDIR:-$PREFIX/lib}
DESTDIR=${DESTDIR:-}
case $PREFIX in
/*) ;;
*) echo "install: PREFIX must begin with /: '$PREFIX'" >&2; exit 2 ;;
esac
version=$(sed -n "s/.*version: '\([0-9.]*\)', license.*/\1/p" meson.build)
[ -n "$version" ] || { echo "install: no version in meson.build" >&2; exit 1; }

put() { # MODE FILE FOLDER [NAME]
	install -D -m "$1" "$2" "$DESTDIR$3/${4:-$(basename "$2")}"
}

put 755 "$build/src/via" "$PREFIX/bin"
put 644 "$lib/libviaduct.a" "$LIBDIR"
put 755 "$lib/libviaduct.so.$version" "$LIBDIR"
ln -sfn "libviaduct.so.$version" "$DESTDIR$LIBDIR/libviaduct.so.0"
ln -sfn libviaduct.so.0 "$DESTDIR$LIBDIR/libviaduct.so"
for header in include/viaduct/*.h; do
	put 644 "$header" "$PREFIX/include/viaduct"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/viaduct.pc" <<PC
prefix=$PREFIX
includedir=\${prefix}/include
libdir=$LIBDIR

Name: viaduct
Description: TCP/IP in user space
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lviaduct
Libs.private: -pthread
PC
put 644 "$work/viaduct.pc" "$LIBDIR/pkgconfig"
scdoc < man/via.1.scd > "$work/via.1"
put 644 "$work/via.1" "$PREFIX/share/man/man1"
echo "installed viaduct $version below $DESTDIR$PREFIX"
