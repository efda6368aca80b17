#!/bin/sh
# merge-lib.sh OUT.a ROOM.a...: one static library of the rooms, in which only the public face (via_*) is visible: all rooms
# become one object, whose hidden symbols become local ones.
set -eu
out=$1
shift
object=$out.o
trap 'rm -f "$object"' EXIT
ld -r -o "$object" --whole-archive "$@"
objcopy --localize-hidden --wildcard --keep-global-symbol='via_*' "$object"
rm -f "$out"
ar rcsD "$out" "$object"
