/* SPDX-License-Identifier: MIT */
#ifndef SELFTESTS_SERVER_LIBGUEST_H
#define SELFTESTS_SERVER_LIBGUEST_H

#include "base/types.h"

#define GUEST_CODE 4096		/* file offset of the first function */
#define GUEST_FUNCTION 32	/* bytes of each */

/* Writes a new file. variant (0..4095) makes it another one. 0 or -1. */
int guest_write(const char *path, unsigned nfunctions, unsigned variant);

#endif
