# The front door: make, make demo, make test. Meson does the building; each target first sees to what it needs (tools/setup.sh).
#
#   make                 build/via, release
#   make demo            an unmodified curl across a lossy internet
#   make test            everything; ends with "N passed, N failed"; GROUP=unit|drill|fuzz|checks|sim|e2e for one group, ONLY=REGEX for some
#   make packetdrill     the adapter through which google/packetdrill drives our stack (doc/packetdrill.md)
#   make conformance     runs what names rules and writes doc/conformance.md, the state of each rule of doc/requirements.md
#   make mutants         puts faults into a copy of the code, one at a time, and sees that tests turn red
#   make soak            SEEDS=20000 FIRST=1: the simulation (test/sim) over that many seeds; JOBS=2
#   make goodput         writes test/sim/goodput.txt, doc/goodput.md, doc/goodput.svg anew: what one connection carries over loss and delay
#   make scale           writes doc/scale.md anew: 1,000 hosts with 10,000 connections in virtual time
#   make install         PREFIX=/usr/local DESTDIR=: the program, the library for C programs, headers, viaduct.pc, the manual page
#   make check-gcc       everything compiled by gcc, warnings are errors (make check-clang: by clang)
#   make clean           removes the build folders
#
# Build folders: build (release), build-san (ASan and UBSan), build-plain (release without LTO, for tools/check-purity),
# build-gcc and build-clang (warnings are errors).

NINJA = ninja $(NINJAFLAGS)
QUIET_NINJA = $(NINJA) --quiet
GROUP ?=

.PHONY: all demo test soak goodput scale conformance mutants packetdrill install check-gcc check-clang clean build-release build-tests

all: build-release

build-release:
	@tools/setup.sh build
	@$(MAKE) -s --no-print-directory build/build.ninja
	@$(QUIET_NINJA) -C build src/via
	@ln -sfn src/via build/via
	@echo "built build/via"

# -O2, not Meson's -O3 for release: gcc 12 at -O3 reports overflows that cannot happen, and warnings are errors in CI.
RELEASE = --buildtype=release -Doptimization=2
# A folder whose setup failed half-way holds no build.ninja and is set up anew.
SETUP = meson setup
build/build.ninja:
	$(SETUP) build $(RELEASE) -Db_lto=true >/dev/null
build-san/build.ninja:
	$(SETUP) build-san --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
build-plain/build.ninja:
	$(SETUP) build-plain $(RELEASE) >/dev/null
build-gcc/build.ninja:
	CC=gcc $(SETUP) build-gcc $(RELEASE) -Dwerror=true >/dev/null
build-clang/build.ninja:
	CC=clang-14 $(SETUP) build-clang $(RELEASE) -Dwerror=true >/dev/null

demo:
	@tools/setup.sh demo
	@$(MAKE) --no-print-directory build-release
	@tools/demo.sh

install:
	@tools/setup.sh install
	@$(MAKE) --no-print-directory build-release
	@$(MAKE) -s --no-print-directory build-plain/build.ninja
	@$(QUIET_NINJA) -C build-plain library
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' LIBDIR='$(LIBDIR)' tools/install.sh build build-plain

packetdrill:
	@tools/setup.sh build
	@$(MAKE) -s --no-print-directory build-plain/build.ninja
	@$(QUIET_NINJA) -C build-plain packetdrill
	@echo "built build-plain/src/libviaduct-packetdrill.so"

# Meson looks for test files only when it configures: do so again when their list has changed.
RELIST = ls test/unit/*.c test/sim/*.c 2>/dev/null | cmp -s - $(1)/tests.list || { meson setup --reconfigure $(1) >/dev/null \
	&& ls test/unit/*.c test/sim/*.c 2>/dev/null >$(1)/tests.list; true; }

build-tests: build/build.ninja build-san/build.ninja build-plain/build.ninja
	@echo "building with ASan and UBSan"
	@$(call RELIST,build-san)
	@$(QUIET_NINJA) -C build-san all meson-test-prereq
	@echo "building the release tests"
	@$(call RELIST,build)
	@$(QUIET_NINJA) -C build meson-test-prereq
	@$(QUIET_NINJA) -C build-plain pure-rooms

test:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory build-release
	@$(MAKE) --no-print-directory build-tests
	@tools/test.sh $(GROUP)

# The groups that hold no rule tests are left out; a rule whose test is red is told by both.
conformance:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory build-release
	@$(MAKE) --no-print-directory build-tests
	@tools/test.sh unit drill sim e2e || true
	@tools/conformance

# PICK=N: N of them, chosen by the date.
mutants:
	@tools/setup.sh test
	@tools/mutants $(if $(PICK),--pick $(PICK))

goodput: build/build.ninja
	@tools/setup.sh test
	@$(call RELIST,build)
	@$(QUIET_NINJA) -C build test/fast_goodput
	@SRC=$(CURDIR) build/test/fast_goodput --write
	@tools/gen-docs

scale: build/build.ninja
	@tools/setup.sh test
	@$(call RELIST,build)
	@$(QUIET_NINJA) -C build test/fast_internet
	@SRC=$(CURDIR) build/test/fast_internet --write

SEEDS = 20000
FIRST = 1
JOBS = 2
soak:
	@tools/setup.sh test
	@$(MAKE) -s --no-print-directory build-san/build.ninja
	@$(call RELIST,build-san)
	@$(QUIET_NINJA) -C build-san test/sim_seeds
	@build-san/test/sim_seeds --from $(FIRST) --count $(SEEDS) --jobs $(JOBS)

check-gcc check-clang: check-%:
	@tools/setup.sh test
	@$(MAKE) -s --no-print-directory build-$*/build.ninja
	@$(NINJA) -C build-$* all meson-test-prereq

clean:
	rm -rf build build-san build-plain build-gcc build-clang build-fuzz build-mutants
