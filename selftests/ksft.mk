# SPDX-License-Identifier: MIT
# What the kselftest folders have in common; included by their Makefiles before lib.mk's rules are used.
TOP    := $(abspath ../..)
CFLAGS += -std=gnu11 -O2 -g -Wall -Wextra -Wno-missing-field-initializers -Wno-sign-compare -Wno-unused-parameter \
	  -Wno-misleading-indentation -Wno-clobbered -Wno-array-bounds -Wno-maybe-uninitialized -Wno-format-truncation \
	  -I$(KSFT) -isystem $(TOP)/include/uapi $(if $(STATIC),-static)
LDLIBS += -lpthread
include $(KSFT)/lib.mk

# put: as lib.mk's install, without rsync.
put: all
	cp $(TEST_PROGS) $(TEST_FILES) $(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED) $(TEST_GEN_FILES) $(wildcard settings) $(INSTALL_PATH)/
