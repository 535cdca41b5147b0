# csandbox: hand-written build, nothing generated.
#
# `make` builds one static binary, build/csandbox.  Objects live in
# build/$(MODE)/ so that sanitizer and debug builds do not disturb each other:
#   release  what is shipped (default)       debug  -O1, lock ranks checked
#   asan ubsan tsan cov fuzz                 instrumented, unit tests only
# Sources are found by directory; a new .c file needs no edit here.

CC       ?= cc
ifeq ($(origin CC),default)
CC       := gcc
endif
LD       ?= ld
OBJCOPY  ?= objcopy
AR       ?= ar
MODE     ?= release
PREFIX   ?= /usr/local
B        := build/$(MODE)
V        ?= 0
NCPUS     = $(shell nproc)
ifeq ($(V),0)
Q        := @
say       = @printf '  %-7s %s\n' '$(1)' '$(2)';
ifneq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
say       = @
endif
else
Q        :=
say       =
endif

# ---- sources ---------------------------------------------------------------

DIRS     := $(wildcard platform sentry gofer netstack runsc-cli syscall-tables)
ALL_SRC  := $(sort $(shell find $(DIRS) -name '*.c' -o -name '*.S'))
STUB_DIR := platform/systrap/stub
VDSO_DIR := sentry/loader/vdso
STUB_SRC := $(filter $(STUB_DIR)/%,$(ALL_SRC))
VDSO_SRC := $(filter $(VDSO_DIR)/%,$(ALL_SRC))
MAIN_SRC := $(wildcard runsc-cli/main.c)
# Blobs are only assembled once there is something to embed.
NO_BLOB  := $(if $(wildcard $(STUB_DIR)/stub.ld),,%/stub_blob.S) $(if $(VDSO_SRC),,%/vdso_blob.S)
SRC      := $(filter-out $(STUB_SRC) $(VDSO_SRC) $(MAIN_SRC) $(NO_BLOB),$(ALL_SRC))
OBJ      := $(SRC:%=$(B)/%.o)
MAIN_OBJ := $(MAIN_SRC:%=$(B)/%.o)
LIB      := $(B)/libcsandbox.a

# ---- flags -----------------------------------------------------------------

comma    := ,
cc-option = $(shell $(CC) -Werror $(1) -c -x c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')
IS_CLANG := $(findstring clang,$(shell $(CC) --version 2>/dev/null | head -1))

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
ifneq ($(IS_CLANG),)
WARN     += $(if $(TSA),-Wthread-safety)        # make CC=clang TSA=1: check lock annotations
INIT0    := -ftrivial-auto-var-init=zero \
            $(call cc-option,-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
else
INIT0    := $(call cc-option,-ftrivial-auto-var-init=zero)
endif
CET      := $(call cc-option,-fcf-protection)
BASE     := -std=gnu17 -g -D_GNU_SOURCE -I. -pthread -fno-strict-aliasing -fno-common $(WARN)
HARDEN   := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(CET) $(INIT0)

# Every thread has a guard of twice this below its stack (platform/host/hthread.c).
FRAME    := -Wframe-larger-than=32768
OPT_release := -O2 $(HARDEN) $(FRAME)
OPT_debug   := -O1 $(HARDEN) -DCONFIG_LOCKDEP -DCONFIG_ALWAYS_HOT
OPT_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address -DCONFIG_LOCKDEP
OPT_ubsan   := -O1 -fsanitize=undefined -fno-sanitize-recover=all -DCONFIG_LOCKDEP
OPT_tsan    := -O1 -fsanitize=thread -DCONFIG_TSAN -DCONFIG_LOCKDEP
OPT_cov     := -O0 --coverage -DCONFIG_LOCKDEP
OPT_fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
# gcc loses track of values in instrumented code and warns of what the release build proves.
ifeq ($(IS_CLANG),)
$(foreach m,asan ubsan tsan cov,$(eval OPT_$(m) += -Wno-maybe-uninitialized))
endif
ifeq ($(OPT_$(MODE)),)
$(error MODE=$(MODE) is not one of release debug asan ubsan tsan cov fuzz)
endif
LIBNAMES := libseccomp libcap json-c libnl-3.0 libnl-route-3.0 libbpf libelf zlib dbus-1
LIBCFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(LIBNAMES) 2>/dev/null))
CFLAGS   := $(BASE) $(LIBCFLAGS) $(OPT_$(MODE)) -fPIE $(EXTRA_CFLAGS)
ld-option = $(shell $(CC) -Werror -nostdlib -shared $(1) -x c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')
LDHARD   := -Wl,-z,relro,-z,now,-z,noexecstack
# A sixtieth of the size for the relocations that every start reads.
RELR     := $(call ld-option,-Wl$(comma)-z$(comma)pack-relative-relocs)
DYNLIBS   = $(shell pkg-config --libs $(LIBNAMES) 2>/dev/null)
ifneq ($(filter release debug,$(MODE)),)
LINK      = $(CC) $(CFLAGS) -static-pie $(LDHARD) $(RELR)
# libdbus asks libsystemd, which has no static variant, for sockets to listen on: setup/systemd_absent.c answers.
LIBS      = $(filter-out -lsystemd,$(shell pkg-config --static --libs $(LIBNAMES) 2>/dev/null))
else
LINK      = $(CC) $(CFLAGS) -pie $(LDHARD)
LIBS      = $(DYNLIBS)
endif

# Code that runs inside an application: no libc, no vector registers, no CET.
FREE     := -std=gnu17 -g -D_GNU_SOURCE -I. -O2 $(WARN) -ffreestanding -fPIC \
            -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-strict-aliasing \
            -fno-common -fno-jump-tables -fno-asynchronous-unwind-tables -fomit-frame-pointer \
            $(call cc-option,-fno-tree-loop-distribute-patterns)

# ---- the binary ------------------------------------------------------------

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

BIN := $(if $(filter release,$(MODE)),build/csandbox,$(B)/csandbox)

all: $(OBJ) $(LIB) $(if $(MAIN_SRC),$(BIN)) ## build build/csandbox (the default); MODE=debug for build/debug/csandbox

# Objects are rebuilt when the compiler or its flags change.
FLAGS_ID := $(CC) $(CFLAGS) $(FREE)
$(B)/.flags: force
	@mkdir -p $(@D); echo '$(FLAGS_ID)' | cmp -s - $@ || echo '$(FLAGS_ID)' >$@
# The archive is remade when the set of sources changes.
$(B)/.objs: force
	@mkdir -p $(@D); echo '$(OBJ)' | cmp -s - $@ || echo '$(OBJ)' >$@

$(B)/%.c.o: %.c $(B)/.flags
	$(call say,CC,$<) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/%.S.o: %.S $(B)/.flags
	$(call say,AS,$<) mkdir -p $(@D) && $(CC) $(CFLAGS) -I$(B) -MMD -MP -c -o $@ $<

$(LIB): $(OBJ) $(B)/.objs
	$(call say,AR,$@) rm -f $@ && $(AR) rcs $@ $(OBJ)

$(BIN): $(MAIN_OBJ) $(LIB)
	$(call say,LINK,$@) $(LINK) -o $@ $(MAIN_OBJ) -Wl,--whole-archive $(LIB) -Wl,--no-whole-archive $(LIBS)

# The systrap stub: a flat image that systrap maps into every application.
STUB_OBJ := $(STUB_SRC:%=$(B)/%.o)
$(B)/$(STUB_DIR)/%.c.o: $(STUB_DIR)/%.c $(B)/.flags
	$(call say,CC-STUB,$<) mkdir -p $(@D) && $(CC) $(FREE) -MMD -MP -c -o $@ $<
$(B)/$(STUB_DIR)/%.S.o: $(STUB_DIR)/%.S $(B)/.flags
	$(call say,AS-STUB,$<) mkdir -p $(@D) && $(CC) $(FREE) -MMD -MP -c -o $@ $<
$(B)/stub.elf: $(STUB_OBJ) $(STUB_DIR)/stub.ld
	$(call say,LD,$@) $(LD) -static -nostdlib --build-id=none -z noexecstack \
		-T $(STUB_DIR)/stub.ld -o $@ $(STUB_OBJ)
$(B)/stub.bin: $(B)/stub.elf
	$(call say,OBJCOPY,$@) $(OBJCOPY) -O binary $< $@
$(B)/platform/systrap/stub_blob.S.o: $(B)/stub.bin

# The guest vDSO: a small shared object that the ELF loader maps.
VDSO_OBJ := $(VDSO_SRC:%=$(B)/%.o)
VDSO_LDS := $(wildcard $(VDSO_DIR)/vdso.lds)
$(B)/$(VDSO_DIR)/%.c.o: $(VDSO_DIR)/%.c $(B)/.flags
	$(call say,CC-VDSO,$<) mkdir -p $(@D) && $(CC) $(FREE) -fasynchronous-unwind-tables -MMD -MP -c -o $@ $<
$(B)/$(VDSO_DIR)/%.S.o: $(VDSO_DIR)/%.S $(B)/.flags
	$(call say,AS-VDSO,$<) mkdir -p $(@D) && $(CC) $(FREE) -MMD -MP -c -o $@ $<
$(B)/vdso.so: $(VDSO_OBJ) $(VDSO_LDS)
	$(call say,LD,$@) $(LD) -shared -Bsymbolic -nostdlib --hash-style=both --build-id=sha1 -z noexecstack \
		-soname linux-vdso.so.1 --eh-frame-hdr -z max-page-size=4096 -z text \
		$(if $(VDSO_LDS),-T $(VDSO_LDS)) -o $@ $(VDSO_OBJ)
	$(Q)$(OBJCOPY) --strip-debug $@
$(B)/sentry/loader/vdso_blob.S.o: $(B)/vdso.so

# ---- tests -----------------------------------------------------------------

UNIT_SRC := $(wildcard tests/unit/*.c tests/unit/*/*.c)
UNIT     := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/unit/%)
TLIB_SRC := $(wildcard tests/lib/*.c)
TLIB_OBJ := $(TLIB_SRC:%=$(B)/%.o)
SYS_SRC  := $(wildcard tests/syscalls/*.c)
SYS      := $(SYS_SRC:tests/syscalls/%.c=$(B)/tests/syscalls/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ     := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/tests/fuzz/%)

$(UNIT): $(B)/tests/unit/%: tests/unit/%.c $(TLIB_OBJ) $(LIB) $(B)/.flags
	$(call say,TEST,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(TLIB_OBJ) $(LIB) \
		-lcmocka $(DYNLIBS)

# Guest programs: plain static C, built once, run natively and in the sandbox.
$(SYS): $(B)/tests/syscalls/%: tests/syscalls/%.c $(B)/.flags
	$(call say,TEST,$@) mkdir -p $(@D) && $(CC) -std=gnu17 -D_GNU_SOURCE -O1 -g -I. -Wall -Wextra -Werror -pthread \
		-Wno-stringop-overflow -Wno-stringop-overread -Wno-nonnull -Wno-restrict -Wno-unused-result -Wno-infinite-recursion \
		-static -MMD -MP -MF $@.d -MT $@ -o $@ $<

$(FUZZ): $(B)/tests/fuzz/%: tests/fuzz/%.c $(LIB) $(B)/.flags
	$(call say,FUZZ,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -fsanitize=fuzzer -Wno-missing-prototypes \
		-MMD -MP -MF $@.d -MT $@ -o $@ $< $(LIB) $(DYNLIBS)

$(B)/tests/bench/linkrate: tests/bench/linkrate.c $(LIB) $(B)/.flags
	$(call say,BENCH,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(LIB) $(DYNLIBS)

unit-build: $(UNIT)
unit: $(UNIT) ## run the unit tests of this MODE
	$(Q)tests/run_unit.sh $(UNIT)
syscalls-build: $(SYS)
fuzz-build: $(FUZZ)

quick: all unit ## unit tests, and changed files against both compilers (< 60 s)
	$(Q)tests/lint/changed.sh

check: all unit-build syscalls-build ## every test this machine allows; root runs the sandbox too
	$(Q)tests/run_all.sh $(B)

test: ## on a fresh machine: install what is missing, build, run everything
	$(Q)tests/deps.sh
	$(Q)$(MAKE) --no-print-directory -j$(NCPUS) all unit-build syscalls-build
	$(Q)$(MAKE) --no-print-directory check

asan ubsan tsan: ## unit tests under a sanitizer
	$(Q)$(MAKE) MODE=$@ unit
cov: ## unit tests with coverage; the report is in build/cov/
	$(Q)$(MAKE) MODE=cov unit
	$(Q)cd build/cov && gcovr -r ../.. --object-directory . --print-summary --html index.html
fuzz: ## run each fuzzer of tests/fuzz for SECS seconds (60)
	$(Q)$(MAKE) MODE=fuzz CC=clang fuzz-build
	$(Q)tests/fuzz/run.sh build/fuzz/tests/fuzz $(or $(SECS),60)
# packetdrill (not ours, not here) loads the netstack as a shared object.
PD_SRC   := $(filter netstack/% platform/base/%,$(SRC)) $(wildcard tests/integration/packetdrill/*.c)
PD_OBJ   := $(PD_SRC:%=build/pic/%.o)
build/pic/%.c.o: %.c $(B)/.flags
	$(call say,CC-PIC,$<) mkdir -p $(@D) && $(CC) $(BASE) -O1 -fPIC -MMD -MP -c -o $@ $<
build/packetdrill.so: $(PD_OBJ) tests/integration/packetdrill/export.map
	$(call say,LD,$@) $(CC) -shared -pthread -Wl,-z,defs,--version-script=tests/integration/packetdrill/export.map \
		-o $@ $(PD_OBJ) -ldl
packetdrill: build/packetdrill.so ## its scripts on the netstack (root): PACKETDRILL=binary SCRIPTS=directory
	$(Q)tests/integration/packetdrill/run.sh '$(PACKETDRILL)' build/packetdrill.so '$(SCRIPTS)'
bench: all syscalls-build ## compare with native and with peers that are installed (root)
	$(Q)tests/bench/run.sh $(BIN)
	$(Q)tests/bench/net.sh $(BIN)
demo: ## on a fresh machine: install, build, and look around inside a sandbox
	$(Q)tests/deps.sh --demo
	$(Q)$(MAKE) --no-print-directory -j$(NCPUS) all
	$(Q)tests/demo.sh $(BIN)

lint: ## layers, sizes, banned words, headers alone, syscall table
	$(Q)tests/lint/run.sh
format: ## clang-format the files that differ from main
	$(Q)tests/lint/format.sh
deps: ## install every build and test dependency (Debian, root)
	$(Q)tests/deps.sh
install: all ## install to $(PREFIX): bin/csandbox and its manual page
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/csandbox
	install -D -m 644 docs/csandbox.8 $(DESTDIR)$(PREFIX)/share/man/man8/csandbox.8
compdb: ## write compile_commands.json
	$(Q)for f in $(SRC) $(MAIN_SRC) $(UNIT_SRC); do \
		printf '{"directory":"%s","file":"%s","command":"%s -c %s"},\n' "$(CURDIR)" $$f '$(CC) $(CFLAGS)' $$f; \
	done | sed '1s/^/[/; $$s/,$$/]/' >compile_commands.json
clean: ## remove build/
	rm -rf build
help: ## this text
	@awk -F ':.*## ' '/^[a-z ]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

-include $(PD_OBJ:.o=.d)

.PHONY: all packetdrill unit unit-build syscalls-build fuzz-build quick check test asan ubsan tsan cov fuzz bench demo lint \
	format deps install compdb clean help force

-include $(OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(STUB_OBJ:.o=.d) $(VDSO_OBJ:.o=.d) $(TLIB_OBJ:.o=.d) \
	$(UNIT:=.d) $(SYS:=.d) $(FUZZ:=.d)
