# SPDX-License-Identifier: MIT
#
# Builds Dragoman. Sources are found by folder, so a new file needs no line here; everything made goes to
# $(BUILD). `make help` lists the targets.
#
#   V=1          print the commands          WERROR=1     warnings are errors (CI)
#   BUILD=DIR    another build folder        SAN=1        sanitizers in the hosted library and tests
#   ONLY="a b"   check: only tests whose name contains one of these
#
# Two builds of the same translator sources are made: one freestanding, inside the runtime (no libc, no
# vector or FP registers in C), one as an ordinary library that the unit tests link with.

BUILD     ?= build
PREFIX    ?= /usr/local
DESTDIR   ?=
CC        ?= gcc
AR        ?= ar
PYTHON    ?= python3
GUEST_CC  ?= aarch64-linux-gnu-gcc

ifeq ($(origin CC),default)
CC := gcc
endif

VERSION   := 0.1
export BUILD
Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-8s%s\n' '$(1)' '$(strip $(2))')

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---------------------------------------------------------------- flags

WARN      := -Wall -Wextra $(if $(WERROR),-Werror)
CPPFLAGS_ := -Iinclude -Iuser -I$(BUILD)/gen -DDRAGOMAN_VERSION='"$(VERSION)"' $(CPPFLAGS)
DEPFLAGS   = -MMD -MP -MF $@.d
BASE      := -std=gnu11 -O2 -g -march=x86-64 -fno-strict-aliasing -fwrapv $(WARN) $(CPPFLAGS_)

# The runtime shares a process with its guest: no red zone (signals), no SSE (guest values live there), no
# canary (%fs is not ours), and only relative relocations, which start.c applies itself.
RT_CFLAGS := $(BASE) -ffreestanding -fno-stack-protector -fpie -mgeneral-regs-only -mno-red-zone \
	     -fno-asynchronous-unwind-tables -fvisibility=hidden -fcf-protection=none \
	     -fno-tree-loop-distribute-patterns -ffunction-sections -fdata-sections $(CFLAGS)
RT_LDFLAGS := -nostdlib -nostartfiles -static-pie -Wl,--no-dynamic-linker -Wl,-z,text,-z,relro,-z,now,-z,noexecstack \
	      -Wl,--gc-sections,--require-defined=_start -Wl,--build-id=sha1 $(LDFLAGS)

HOST_CFLAGS := $(BASE) -D_GNU_SOURCE -DDRAGOMAN_HOSTED $(if $(SAN),-fsanitize=address -fsanitize=undefined) $(CFLAGS)
CLI_CFLAGS  := $(BASE) -D_GNU_SOURCE $(CFLAGS)
# Static: `dragoman run` is part of each start, and ld.so would need 0.8 ms for libraries that it does not use. (-w: what the linker
# says about OpenSSL's use of getaddrinfo, which is not reached.)
CLI_LDFLAGS := $(if $(SAN),-fsanitize=address -fsanitize=undefined,-static -Wl,-w)
GUEST_CFLAGS := -std=gnu11 -O1 -g -pthread -static $(WARN) -Iselftests/guest/aarch64/linux

# ---------------------------------------------------------------- sources

sources     = $(sort $(filter-out %.inc.c,$(foreach d,$(1),$(wildcard $(d)/*.c $(d)/*.S))))

LIB_SRCS   := $(call sources,user/base user/ir user/guest user/guest/* user/guest/*/linux user/opt \
		user/codegen user/host user/host/* user/translate user/object)
RT_SRCS    := $(call sources,user/runtime user/runtime/*)
CLI_SRCS   := $(call sources,user/cli)
SRV_SRCS   := $(call sources,user/server)

objects     = $(patsubst %,$(BUILD)/$(1)/%.o,$(2))
RT_OBJS    := $(call objects,rt,$(LIB_SRCS) $(RT_SRCS))
HOST_OBJS  := $(call objects,host,$(LIB_SRCS))
CLI_OBJS   := $(call objects,cli,$(CLI_SRCS))
SRV_OBJS   := $(call objects,host,$(SRV_SRCS))

# A host test is selftests/**/test_NAME.c; lib*.c beside it is linked with each test of that folder;
# tool_NAME.c is built and not run. `// LDLIBS: -lx` in a source asks for libraries.
TEST_DIRS  := selftests selftests/* selftests/*/* selftests/*/*/*
TEST_SRCS  := $(sort $(foreach d,$(TEST_DIRS),$(wildcard $(d)/test_*.c $(d)/tool_*.c)))
TEST_SRCS  := $(filter-out selftests/guest/%/linux/%,$(TEST_SRCS))
TESTS      := $(patsubst %.c,$(BUILD)/tests/%,$(notdir $(TEST_SRCS)))

# An in-guest program is one file; lib*.c there is linked with each of them.
GUEST_DIR  := selftests/guest/aarch64/linux
GUEST_LIBS := $(wildcard $(GUEST_DIR)/lib*.c)
GUEST_SRCS := $(filter-out $(GUEST_LIBS),$(wildcard $(GUEST_DIR)/*.c $(GUEST_DIR)/*.S))
GUEST_PROGS := $(patsubst $(GUEST_DIR)/%,$(BUILD)/guest/%,$(basename $(GUEST_SRCS)))
HAVE_GUEST_CC := $(shell command -v $(GUEST_CC) 2>/dev/null)

# Programs are built once they have sources.
PROGRAMS   := $(if $(CLI_SRCS),$(BUILD)/dragoman) $(if $(RT_SRCS),$(BUILD)/dragoman-rt) $(if $(SRV_SRCS),$(BUILD)/dragomand)

# The tools on libbpf, where everything that they are built with is there (scripts/deps.sh bpf).
BPF_CLANG  ?= $(shell command -v clang 2>/dev/null)
BPFTOOL    ?= $(firstword $(shell command -v bpftool 2>/dev/null) $(wildcard /usr/sbin/bpftool))
BPF_HEADER := $(shell echo '\#include <bpf/libbpf.h>' | $(CC) -E -o /dev/null - 2>/dev/null && echo yes)
BPF_SRCS   := $(filter-out %.bpf.c,$(call sources,user/bpf))
BPF_OBJS   := $(call objects,bpf,$(BPF_SRCS))
BPF_SKELS  := $(patsubst user/bpf/%.bpf.c,$(BUILD)/bpf/dragoman-bpf/%.skel.h,$(wildcard user/bpf/*.bpf.c))
HAVE_BPF   := $(and $(BPF_SRCS),$(BPF_CLANG),$(BPFTOOL),$(BPF_HEADER))
PROGRAMS   += $(if $(HAVE_BPF),$(BUILD)/dragoman-bpf)

.PHONY: all bpf lib tests host-tests guest-tests demo check bench fuzz clean install uninstall deps kmod vmtest vmtest-all layers help FORCE
all: $(PROGRAMS)

# ---------------------------------------------------------------- generated sources
#
# $(call generator,NAME,SCRIPT,INPUTS): SCRIPT INPUTS... $(BUILD)/gen, when both are there. The stamp stands
# for all files that the script writes.

GEN_STAMPS :=
define generator_rule
GEN_STAMPS += $(BUILD)/gen/.$(1)
$(BUILD)/gen/.$(1): $(2) $(3)
	$$(call say,GEN,$(3))
	@mkdir -p $$(@D)
	$$(Q)$(PYTHON) -B $(2) $(3) $(BUILD)/gen
	$$(Q)touch $$@
endef
generator   = $(if $(and $(2),$(3)),$(eval $(call generator_rule,$(1),$(firstword $(2)),$(3))))

$(call generator,decode,$(wildcard user/guest/aarch64/gen_decode.py user/guest/gen_decode.py scripts/gen_decode.py),\
	$(wildcard user/guest/aarch64/insns.decode))
$(call generator,syscalls,$(wildcard user/guest/aarch64/linux/gen_syscalls.py user/guest/gen_syscalls.py),\
	$(wildcard user/guest/aarch64/linux/syscalls.tbl))

# What decides the code that translation makes: the key of stored code. Remade only when one of them is newer.
ID_DIRS    := user/base user/ir user/guest user/guest/* user/opt user/codegen user/host user/host/* user/translate user/object
ID_SRCS    := $(sort $(foreach d,$(ID_DIRS),$(wildcard $(addprefix $(d)/,*.c *.h *.def *.decode *.py *.S))) \
		include/dragoman/object.h scripts/translator-id.py)
ID_SRCS    := $(filter-out user/object/store.c,$(ID_SRCS))
GEN_STAMPS += $(BUILD)/gen/.translator_id
$(BUILD)/gen/.translator_id: $(ID_SRCS)
	$(call say,GEN,translator_id.h)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -B scripts/translator-id.py $(BUILD)/gen/translator_id.h "$(CC)" $(ID_SRCS)
	$(Q)touch $@

$(BUILD)/gen/%: $(GEN_STAMPS)
	@:

# ---------------------------------------------------------------- objects and programs

$(BUILD)/rt/%.o: % Makefile | $(GEN_STAMPS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(RT_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(BUILD)/host/%.o: % Makefile | $(GEN_STAMPS)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(BUILD)/cli/%.o: % Makefile | $(GEN_STAMPS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CLI_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(BUILD)/dragoman: $(CLI_OBJS) $(BUILD)/host/libdragoman.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CLI_LDFLAGS) $(LDFLAGS) -o $@ $^ -ljson-c -lzstd -lcrypto

# The BPF programs know the kernel by its BTF when they are loaded, so nothing of a kernel is needed here but uapi headers,
# the machine's own of which clang does not find for another target.
BPF_CFLAGS := -O2 -g -Wall -Wextra -Wno-unused-parameter $(if $(WERROR),-Werror) -target bpf -D__TARGET_ARCH_x86 -Iinclude/uapi \
	      -idirafter /usr/include/$(shell $(CC) -print-multiarch)

bpf: $(BUILD)/dragoman-bpf

$(BUILD)/bpf/%.bpf.o: user/bpf/%.bpf.c Makefile
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(or $(BPF_CLANG),$(error no clang: `scripts/deps.sh bpf` installs what the BPF tools need)) $(BPF_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(BUILD)/bpf/dragoman-bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

$(BUILD)/bpf/%.o: % Makefile | $(BPF_SKELS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CLI_CFLAGS) -Iinclude/uapi -I$(BUILD)/bpf $(DEPFLAGS) -c -o $@ $<

$(BUILD)/dragoman-bpf: $(BPF_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lbpf -lelf -lz -lm

$(BUILD)/dragoman-rt: $(RT_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(RT_LDFLAGS) -o $@ $^

$(BUILD)/dragomand: $(SRV_OBJS) $(BUILD)/host/libdragoman.a
	$(call say,LD,$@)
	$(Q)$(CC) $(HOST_CFLAGS) $(LDFLAGS) -o $@ $^ -lcrypto

$(BUILD)/host/libdragoman.a: $(HOST_OBJS)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

lib: $(BUILD)/host/libdragoman.a

# ---------------------------------------------------------------- tests

ldlibs      = $(shell sed -n 's|^// LDLIBS: *||p' $(1))

# Tests of the server's parts link with these, main.c left out.
test_archives = $(if $(filter selftests/server/,$(dir $(1))),$(BUILD)/host/libdragomand.a) $(BUILD)/host/libdragoman.a
$(BUILD)/host/libdragomand.a: $(filter-out %/main.o,$(SRV_OBJS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

define test_rule
$(BUILD)/tests/$(basename $(notdir $(1))): $(call objects,host,$(1) $(wildcard $(dir $(1))lib*.c)) $(call test_archives,$(1))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(HOST_CFLAGS) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(call test_archives,$(1)) $$(call ldlibs,$(1)) -lpthread -lm
endef
$(foreach t,$(TEST_SRCS),$(eval $(call test_rule,$(t))))

$(BUILD)/guest/%: $(GUEST_DIR)/%.c $(GUEST_LIBS) Makefile
	$(call say,GUESTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) $(DEPFLAGS) -MT $@ -o $@ $< $(GUEST_LIBS) $(call ldlibs,$<) -lm

$(BUILD)/guest/%: $(GUEST_DIR)/%.S Makefile
	$(call say,GUESTAS,$<)
	@mkdir -p $(@D)
	$(Q)$(GUEST_CC) -g -static -nostdlib $(DEPFLAGS) -MT $@ -o $@ $<

host-tests: $(TESTS)
guest-tests: $(if $(HAVE_GUEST_CC),$(GUEST_PROGS))
tests: host-tests guest-tests

# ---------------------------------------------------------------- what people type

deps:
	@scripts/deps.sh build demo check bench

demo:
	@scripts/demo.sh

check:
	@scripts/check.sh $(ONLY)

bench:
	@bench/run.sh

# The module in virtual machines: Debian's 6.1 and 6.12; all: its newest, and one with debugging on (built once, kept).
vmtest:
	@selftests/vm/run 6.1,6.12 $(SUITES)

vmtest-all:
	@VM_LIMIT=3600 VM_CYCLES=200 VM_ENV="DRAGOMAN_SECONDS=60 DRAGOMAN_ROUNDS=1000" selftests/vm/run 6.1,6.12,newest,uml,uml-debug,debug $(SUITES)

layers:
	@$(PYTHON) -B scripts/check-layers.py

# The module is built in a copy made of links, so that the objects stay out of the sources.
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) $(wildcard /usr/src/linux-headers-*-amd64) none)
kmod:
	$(Q)test -e $(KDIR)/Makefile || { echo "kmod: no kernel headers ($(KDIR)); install linux-headers-amd64 or give KDIR=" >&2; exit 1; }
	$(Q)rm -rf $(BUILD)/kmod && mkdir -p $(BUILD)/kmod && cp -rs $(CURDIR)/Kbuild $(CURDIR)/kmod $(CURDIR)/include $(BUILD)/kmod/
	$(Q)$(MAKE) -C $(KDIR) M=$(abspath $(BUILD)/kmod) W=$(W) modules

# Units are templates: @LIBEXEC@ is where the programs are.
UNITS      := $(wildcard dist/*.service dist/*.socket)
UNITDIR    ?= $(PREFIX)/lib/systemd/system
COMPLETION ?= $(PREFIX)/share/bash-completion/completions
LIBEXEC    := $(PREFIX)/libexec/dragoman
# The module: its sources where dkms looks for them, loaded at boot, its nodes' modes.
SRCDIR     ?= /usr/src/dragoman-$(VERSION)
MODULES_LOAD ?= $(PREFIX)/lib/modules-load.d
UDEV       ?= $(PREFIX)/lib/udev/rules.d
KMOD_SRCS  := Kbuild $(wildcard kmod/*.[ch]) include/uapi/linux/dragoman.h

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(COMPLETION)
	install -m 755 $(BUILD)/dragoman $(DESTDIR)$(PREFIX)/bin/dragoman
	install -m 755 $(filter-out $(BUILD)/dragoman,$(PROGRAMS)) $(DESTDIR)$(LIBEXEC)/
	for u in $(UNITS); do sed 's|@LIBEXEC@|$(LIBEXEC)|g' $$u >$(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; done
	install -m 644 dist/dragoman.bash-completion $(DESTDIR)$(COMPLETION)/dragoman
	install -d $(DESTDIR)$(MODULES_LOAD) $(DESTDIR)$(UDEV) $(DESTDIR)$(SRCDIR)
	install -m 644 dist/modules-load.conf $(DESTDIR)$(MODULES_LOAD)/dragoman.conf
	install -m 644 dist/70-dragoman.rules $(DESTDIR)$(UDEV)/70-dragoman.rules
	for f in $(KMOD_SRCS); do install -D -m 644 $$f $(DESTDIR)$(SRCDIR)/$$f || exit 1; done
	install -m 755 scripts/module-btf.py $(DESTDIR)$(SRCDIR)/module-btf.py
	sed 's|@VERSION@|$(VERSION)|g' dist/dkms.conf >$(DESTDIR)$(SRCDIR)/dkms.conf

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/dragoman $(addprefix $(DESTDIR)$(LIBEXEC)/,dragoman-rt dragomand dragoman-bpf)
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(UNITS))) $(DESTDIR)$(COMPLETION)/dragoman
	rm -f $(DESTDIR)$(MODULES_LOAD)/dragoman.conf $(DESTDIR)$(UDEV)/70-dragoman.rules
	rm -rf $(DESTDIR)$(SRCDIR)
	! test -d $(DESTDIR)$(LIBEXEC) || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(LIBEXEC)

clean:
	rm -rf $(BUILD)

help:
	@echo 'all          $(BUILD)/dragoman and $(BUILD)/dragoman-rt'
	@echo 'demo         run real arm64 programs from Debian packages beside the host'\''s (as root)'
	@echo 'check        every test, with what it needs installed (as root)'
	@echo 'bench        compare with native and qemu-aarch64 (as root)'
	@echo 'tests        build the test programs only (host-tests, guest-tests)'
	@echo 'vmtest       the module in virtual machines with Debian'\''s 6.1 and 6.12 (as root); SUITES="exec kmod:fuzz"'
	@echo 'vmtest-all   also the newest kernel, and User-Mode Linux and kernels with KASAN, lockdep, kmemleak and failing allocations, built once'
	@echo 'layers       check which folder includes which'
	@echo 'kmod         the kernel module, against KDIR or installed headers'
	@echo 'bpf          $(BUILD)/dragoman-bpf: top, trace, hist, policy; part of all where clang, bpftool and libbpf are'
	@echo 'deps         install what the above need, as far as it is missing'
	@echo 'install, uninstall, clean; variables: V=1 WERROR=1 SAN=1 BUILD= PREFIX= DESTDIR='

-include $(addsuffix .d,$(BPF_OBJS) $(patsubst user/bpf/%.c,$(BUILD)/bpf/%.o,$(wildcard user/bpf/*.bpf.c)))
-include $(addsuffix .d,$(RT_OBJS) $(HOST_OBJS) $(CLI_OBJS) $(SRV_OBJS) $(GUEST_PROGS)) \
	$(addsuffix .d,$(call objects,host,$(TEST_SRCS) $(wildcard $(addsuffix lib*.c,$(sort $(dir $(TEST_SRCS)))))))
