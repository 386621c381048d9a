/* SPDX-License-Identifier: MIT */
/* Where control may go after an instruction, from its word alone. */
#ifndef GUEST_AARCH64_FLOW_H
#define GUEST_AARCH64_FLOW_H

#include "guest/guest.h"

/* guest.flow */
struct guest_flow a64_flow(u64 pc, const void *p);

#endif
