#!/bin/sh
# test.sh [GROUP...] - run the tests (after `make`, see the Makefile) and end with one line: N passed, N failed[, N skipped].
#
# Groups: unit drill fuzz checks sim e2e; none named: all. Every test is a program that prints TAP; tools/tap.py runs them, shows
# progress, keeps logs in build-san/test-log/ and counts single cases. A script may hold a line "# timeout: SECONDS" (default
# 120) and "# parallel: yes" when it minds neither load nor neighbours. ONLY=REGEX picks tests by "group/name".
# For scripts: SRC, BUILD (release), BUILD_SAN, VIA (build/via unless set), VIA_SAN.
set -eu
cd "$(dirname "$0")/.."
SRC=$PWD BUILD=$PWD/build BUILD_SAN=$PWD/build-san
VIA=${VIA:-$BUILD/via} VIA_SAN=$BUILD_SAN/src/via
export SRC BUILD BUILD_SAN VIA VIA_SAN
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
export LC_ALL=C.UTF-8

# job GROUP TIMEOUT p|s COMMAND: one line for tap.py. p: beside others, s: alone.
job() {
	name=$(basename "$4")
	printf '%s\t%s\t%s\t%s\t%s\n' "$1" "${name%.*}" "$2" "$3" "$4"
}

# script GROUP FILE DEFAULT_MODE: a job whose time limit and mode the script may name itself.
script() {
	[ -x "$2" ] || { echo "test.sh: $2 is not executable" >&2; exit 2; }
	limit=$(sed -n '1,30s/^# timeout: *\([0-9]*\).*/\1/p' "$2" | head -n 1)
	mode=$3
	! sed -n 1,30p "$2" | grep -q '^# parallel: yes' || mode=p
	job "$1" "${limit:-120}" "$mode" "$2"
}

# programs GROUP SOURCES_GLOB BUILD_DIR TIMEOUT: those that meson built from the sources.
programs() {
	for source in $2; do
		[ ! -e "$source" ] || job "$1" "$4" p "$3/test/$(basename "$source" .c)"
	done
}

group() {
	case $1 in
	unit) programs unit 'test/unit/test_*.c' "$BUILD_SAN" 120 ;;
	drill) script drill test/drill/run.sh p ;;
	fuzz) [ ! -e test/fuzz/run.sh ] || script fuzz test/fuzz/run.sh s ;;
	checks) for f in tools/check-*; do script checks "$f" p; done ;;
	sim)
		# sim_*.c under the sanitizers, fast_*.c (long transfers) in the release build.
		programs sim 'test/sim/sim_*.c' "$BUILD_SAN" 240
		programs sim 'test/sim/fast_*.c' "$BUILD" 240
		for f in test/sim/*.sh test/sim/*.py; do [ ! -e "$f" ] || script sim "$f" p; done
		;;
	e2e)
		for f in test/e2e/*.sh test/e2e/*.py test/interop/*.sh test/interop/*.py; do
			case $(basename "$f") in
			'*'.*) ;;
			lib*) ;; # read by the others
			*) script e2e "$f" s ;;
			esac
		done
		;;
	*)
		echo "test.sh: no group \"$1\": there are unit drill fuzz checks sim e2e" >&2
		exit 2
		;;
	esac
}

[ $# -gt 0 ] || set -- checks unit drill sim fuzz e2e
jobs=$(for g in "$@"; do group "$g" || exit 2; done) || exit 2
rm -rf "$BUILD_SAN/test-log"
mkdir -p "$BUILD_SAN/test-log"
printf '%s\n' "$jobs" | exec python3 tools/tap.py "$BUILD_SAN/test-log"
