// SPDX-License-Identifier: MIT
/*
 * The runtime's only writable object: what there is once per address space.
 */
#include "runtime/rt.h"

struct rt_globals rt;
