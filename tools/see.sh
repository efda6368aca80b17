#!/bin/sh
# see.sh SRC OUT ROOM SEES...: make OUT a folder holding links to ROOM itself and to each room it may see, and nothing
# else. OUT is that room's only include path, so an include the table in src/meson.build forbids does not compile.
set -eu
src=$1 out=$2 room=$3
shift 3
rm -rf "$out"
mkdir -p "$out"
for r in "$room" "$@"; do
  case $r in
  viaduct) ln -s "$src/include/viaduct" "$out/viaduct" ;;
  test) ln -s "$src/test" "$out/test" ;;
  *) ln -s "$src/src/$r" "$out/$r" ;;
  esac
done
