# One Makefile, no recursion: every object, test and check is in one graph.
#
#	make                build the program
#	make demo           install what is missing, build, build and run examples/hello
#	make check          install what tests need, then unit and end-to-end tests
#	make check-unit     the unit tests alone (VARIANT=asan, tsan or coverage)
#	make check-e2e      the end-to-end tests alone
#	make check-golden   other tools read the golden archives as they should
#	make sanitize       unit and end-to-end tests under ASan+UBSan and TSan
#	make fuzz           every fuzzer, for FUZZ_SECONDS each
#	make lint           house rules, format, clang-tidy, shellcheck
#	make bench          measure, against other builders in the same run; WORKLOADS=a,b TOOLS=a,b ROUNDS=n
#	make bench-page     make docs/bench.html of what was measured
#	make bench-instructions	count instructions, and compare with what is kept
#	make kills          kill -9 at every call of every command that changes something
#	make soak           sixteen processes at once and kill -9, for SECONDS=600
#	make races          mounts against a parallel writer, 200 steps of each kind
#	make faults         every system call of every command fails, each in its turn
#	make real DIR=...   build the Recipes of public projects that are checked out there
#	make storage        each storage driver on many file systems, as root
#	make powercut       cut the power at every flush of a disk, as root
#	make install        PREFIX=/usr/local DESTDIR=
#	make help           this text

PROGRAM      := cairn
VERSION      := 0.1.0
VARIANT      ?= release
FUZZ_SECONDS ?= 60
CC           ?= cc
CFLAGS       ?= -O2 -g
PREFIX       ?= /usr/local
JOBS         := $(shell nproc)
PKGS         := libcrypto jansson libzstd libisal libdeflate
MODULES      := base store overlay registry builder cli

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wformat=2 -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wno-sign-conversion \
	$(if $(WERROR),-Werror)

# What not every compiler and machine has is tried, once, when the first object needs it. No
# -fcf-protection: it counts only where every object, the C library included, was built with it.
HARDENING_TRIED := -ftrivial-auto-var-init=zero -fstack-clash-protection
HARDENING = $(eval HARDENING := $(shell for flag in $(HARDENING_TRIED); do \
	$(CC) -Werror $$flag -x c -S -o /dev/null /dev/null 2>/dev/null && echo $$flag; done))$(HARDENING)

FLAGS.release   = -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong $(HARDENING)
LINK.release   := -pie -Wl,-z,relro,-z,now,-z,noexecstack
FLAGS.asan     := -O0 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS.tsan     := -O0 -g1 -fsanitize=thread
FLAGS.coverage := -O0 --coverage
FLAGS.fuzz     := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

B           := build/$(VARIANT)
# Asked once per run, not once per object.
PKG_CFLAGS  := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS    := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
ALL_CFLAGS   = -std=gnu11 -D_GNU_SOURCE -DCAIRN_VERSION='"$(VERSION)"' -I. $(PKG_CFLAGS) \
	       $(WARN) $(CFLAGS) $(FLAGS.$(VARIANT)) $(CPPFLAGS)
ALL_LDFLAGS  = $(FLAGS.$(VARIANT)) $(LINK.$(VARIANT)) $(LDFLAGS)
LDLIBS      += $(PKG_LIBS) -lm -pthread

# One short line per command; `make V=1` shows it whole.
SAY = $(if $V,,@echo '  $1  $@'; )

# Everything but main() is one archive, so that tests can link all of it.
SRC   := $(wildcard $(MODULES:%=%/*.c))
HDR   := $(wildcard $(MODULES:%=%/*.h) overlay/helper/*.h tests/unit/*.h tests/fuzz/*.h)
TESTS := $(wildcard tests/unit/*.c tests/fuzz/*.c tests/kills/*.c)
OBJ   := $(patsubst %.c,$B/%.o,$(filter-out cli/main.c,$(SRC)))
# The spawner is a program of its own, static and without our libraries, carried in the archive.
SPAWNER_SRC := $(wildcard overlay/helper/*.c)
SPAWNER_OBJ := $(SPAWNER_SRC:%.c=$B/%.o)
SPAWNER     := $B/overlay/helper/spawner
UNITS := $(patsubst %.c,$B/%,$(wildcard tests/unit/test_*.c))
# Unit tests of what runs on several threads: these are run under TSan, too.
THREADED := $(filter $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c)), \
	pool log stream codec pipeline diff diff_blob stack mount sandbox sandbox_ends store lease layer blob \
	journal events ui plan copy progress map token client cancel execute http \
	http_send http_tls credentials assemble deliver file layer_roundtrip layout lock process \
	pull_push unpack copy_image cache cache_dir agent_relay sandbox_mounts)
FUZZ  := $(patsubst %.c,$B/%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(if $(wildcard cli/main.c),$B/$(PROGRAM) $B/build,$B/libcairn.a)

$B/$(PROGRAM): $B/cli/main.o $B/libcairn.a
	$(call SAY,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# `build` is the same program under another name.
$B/build: $B/$(PROGRAM)
	ln -sf $(PROGRAM) $@

$B/libcairn.a: $(OBJ) $(SPAWNER).o
	@rm -f $@
	$(call SAY,AR)$(AR) rcs $@ $^

# Sanitizers need a runtime that a static program without a heap cannot have.
$(SPAWNER_OBJ) $(SPAWNER): FLAGS.$(VARIANT) := -Os -fstack-protector-strong
$(SPAWNER): LINK.$(VARIANT) := -Wl,-z,relro,-z,now,-z,noexecstack

$(SPAWNER): $(SPAWNER_OBJ)
	$(call SAY,LD)$(CC) $(ALL_LDFLAGS) -static -s -o $@ $^

$(SPAWNER).o: $(SPAWNER)
	$(call SAY,LD)cd $(@D) && $(LD) -r -b binary -z noexecstack -o spawner.o spawner

# Their server speaks TLS; the program has it through libcurl alone.
$(addprefix $B/tests/unit/test_,http http_send http_tls): LDLIBS += -lssl

$B/tests/unit/%: $B/tests/unit/%.o $B/libcairn.a
	$(call SAY,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$B/tests/fuzz/%: $B/tests/fuzz/%.o $B/libcairn.a
	$(call SAY,LD)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

$B/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# ---- what a fresh machine is asked to do ----

demo:
	@sh tests/install.sh build
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@sh examples/hello/demo.sh $B

# Unit tests as they are shipped and under both sanitizers, then the program itself.
check:
	@sh tests/install.sh build test
	@$(MAKE) --no-print-directory -j$(JOBS) all units
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=asan units
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=tsan $(THREADED:%=build/tsan/tests/unit/test_%)
	@PATH=$(CURDIR)/$B:$$PATH tests/run.sh $(UNITS) $(UNITS:build/$(VARIANT)/%=build/asan/%) \
		$(THREADED:%=build/tsan/tests/unit/test_%) $(sort $(wildcard tests/e2e/*.bats))

units: $(UNITS)

check-unit: units
	@tests/run.sh $(UNITS)

check-e2e: all
	@PATH=$(CURDIR)/$B:$$PATH tests/run.sh $(sort $(wildcard tests/e2e/*.bats))

# The end-to-end tests against a program that watches itself.
sanitize:
	@$(MAKE) --no-print-directory VARIANT=asan check-unit check-e2e
	@$(MAKE) --no-print-directory VARIANT=tsan check-unit check-e2e

check-golden:
	python3 tests/golden/tar.py check

fuzz:
	@$(MAKE) --no-print-directory CC=clang VARIANT=fuzz fuzz-run

fuzz-run: $(FUZZ)
	@set -e; for f in $(FUZZ); do mkdir -p $$f.corpus; \
		echo "$$f"; $$f -max_total_time=$(FUZZ_SECONDS) -verbosity=0 $$f.corpus \
		$$(ls -d tests/fuzz/corpus/$${f##*/fuzz_} 2>/dev/null); done

# The injector is a program of its own, without our archive, and what lets the n-th allocation fail is
# preloaded. SWEEP='--cases tag,pull --errors EIO' for some alone.
FAULTS := $B/tests/faults
.PHONY: faults

$(FAULTS)/inject: tests/faults/inject.c
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -o $@ $<

$(FAULTS)/starve.so: tests/faults/starve.c
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $<

faults: all $(FAULTS)/inject $(FAULTS)/starve.so
	@sh tests/install.sh build test
	@python3 -B tests/faults/sweep.py --jobs $(JOBS) $(SWEEP) $B/$(PROGRAM) $(FAULTS)/inject
	@python3 -B tests/faults/starve.py $B/$(PROGRAM) $(FAULTS)/starve.so

# As root. SCALE=small tries everything out with little of it. What was measured before stays in
# build/bench/results.json; with RESULTS=build/bench/results.json it goes into the page, and is kept.
BENCH := $B/tests/bench
BENCH_OPTIONS = $(WORKLOADS:%=--workloads %) $(TOOLS:%=--tools %) $(ROUNDS:%=--rounds %) $(SCALE:%=--scale %)

bench:
	@sh tests/install.sh build bench
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@python3 -B tests/bench/bench.py $B/$(PROGRAM) $(BENCH_OPTIONS)

bench-page:
	@python3 -B tests/bench/page.py docs/bench.json $(RESULTS) docs/bench.html

$(BENCH)/openat2.so: tests/bench/openat2.c
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $<

# UPDATE=yes keeps the counts of now.
bench-instructions:
	@sh tests/install.sh build bench
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BENCH)/openat2.so
	@python3 -B tests/bench/instructions.py $B/$(PROGRAM) $(BENCH)/openat2.so $(if $(UPDATE),--update)

# The stepper is a program of its own, without our archive.
KILLS := $B/tests/kills
$(KILLS)/stepper: $(KILLS)/stepper.o
	$(call SAY,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^

# Every point as root, each 10th as an ordinary user; SCENES='tag build:10 ...' for some alone.
kills: all $(KILLS)/stepper
	@sh tests/install.sh build test
	@python3 -B tests/kills/kills.py --jobs $(JOBS) $(KILLS)/stepper $B/$(PROGRAM) $(SCENES)
	@python3 -B tests/kills/kills.py --jobs $(JOBS) --every 10 --ordinary $(KILLS)/stepper \
		$B/$(PROGRAM) $(SCENES)

storage:
	@sh tests/install.sh build test
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@PATH=$(CURDIR)/$B:$$PATH bats tests/storage

# SEED=... does the same again, as far as that goes.
soak: all
	@sh tests/install.sh build test
	@python3 -B tests/kills/soak.py --seconds $(or $(SECONDS),600) $(SEED:%=--seed %) $B/$(PROGRAM)

races:
	@sh tests/install.sh build test
	@$(MAKE) --no-print-directory all
	@RACES=200 PATH=$(CURDIR)/$B:$$PATH bats tests/e2e/races.bats

# JUDGE=yes builds each with buildah, too.
real:
	@sh tests/install.sh build test
	@$(MAKE) --no-print-directory all
	@PATH=$(CURDIR)/$B:$$PATH tests/real/run.sh $(DIR) $(PROJECTS)

# Ten minutes on two idle cores. POWERCUT="--passes xfs --every 8" is a short one.
powercut:
	@sh tests/install.sh build powercut
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@python3 -B tests/powercut/powercut.py $B/$(PROGRAM) --seconds 180 $(POWERCUT)

# Manual pages need scdoc; without it they are left out, and that is said.
MAN := $(patsubst cli/%.1.scd,$B/man/cairn-%.1,$(filter-out cli/cairn.1.scd,$(wildcard cli/*.1.scd))) \
	$B/man/cairn.1 $B/man/cairn-store.5
SHELLS := bash zsh fish

$B/man/cairn-%.1: cli/%.1.scd
	@mkdir -p $(@D)
	$(call SAY,MAN)scdoc <$< >$@

$B/man/cairn.1: cli/cairn.1.scd
	@mkdir -p $(@D)
	$(call SAY,MAN)scdoc <$< >$@

$B/man/cairn-store.5: store/store.5.scd
	@mkdir -p $(@D)
	$(call SAY,MAN)scdoc <$< >$@

$B/completions/%: $B/$(PROGRAM)
	@mkdir -p $(@D)
	$(call SAY,GEN)$< __complete $* >$@

man: $(MAN)

install: all $(SHELLS:%=$B/completions/%)
	install -D -m 755 $B/$(PROGRAM) $(DESTDIR)$(PREFIX)/bin/$(PROGRAM)
	ln -sf $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/build
	install -d $(DESTDIR)$(PREFIX)/share/cairn
	sed 's|@PREFIX@|$(PREFIX)|g' share/apparmor.in >$(DESTDIR)$(PREFIX)/share/cairn/apparmor
	install -D -m 644 $B/completions/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/cairn
	ln -sf cairn $(DESTDIR)$(PREFIX)/share/bash-completion/completions/build
	install -D -m 644 $B/completions/zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_cairn
	install -D -m 644 $B/completions/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/cairn.fish
	@if command -v scdoc >/dev/null; then $(MAKE) --no-print-directory install-man; \
	else echo 'no manual pages: scdoc is not installed'; fi

install-man: man
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 $(filter %.1,$(MAN)) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(filter %.5,$(MAN)) $(DESTDIR)$(PREFIX)/share/man/man5

lint:
	sh tests/house-rules.sh
	clang-format --dry-run --Werror $(SRC) $(SPAWNER_SRC) $(HDR) $(TESTS)
	clang-tidy --quiet $(SRC) $(SPAWNER_SRC) $(TESTS) -- -std=gnu11 -D_GNU_SOURCE -DCAIRN_VERSION='""' -I. $(PKG_CFLAGS)
	shellcheck -x .ci/run $(wildcard tests/*.sh tests/e2e/*.bash tests/registry/*.bash tests/bench/*.sh tests/fuzz/*.sh tests/real/*.sh tests/real/*.bash tests/real/projects/*.bash examples/*/*.sh)

help:
	@sed -n 's/^#\t/  /p' Makefile

clean:
	rm -rf build

.PHONY: all demo check units check-unit check-e2e check-golden sanitize fuzz fuzz-run bench bench-page bench-instructions kills soak races powercut storage real lint man install install-man help clean
.SECONDARY:
-include $(OBJ:.o=.d) $(SPAWNER_OBJ:.o=.d) $(B)/cli/main.d $(KILLS)/stepper.d $(UNITS:=.d) $(FUZZ:=.d)
