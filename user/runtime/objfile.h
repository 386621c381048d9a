/* SPDX-License-Identifier: MIT */
/*
 * Code objects that are named on the runtime's command line (--object=FILE, repeatable), for tests and debugging: they take
 * the place of the server. An object is used for each guest file of its size whose executable segment is where it says; whose
 * contents it was made from is not looked at.
 */
#ifndef RUNTIME_OBJFILE_H
#define RUNTIME_OBJFILE_H

#include "runtime/client.h"

#define RT_MAX_OBJFILES 32
#define RT_OBJFILE_ID (~0u)		/* rt_offered.object of these */

#define RT_OBJFILE_OPTION "--object="

/* An option as it stands on the command line, where it stays. */
void rt_objfile_add(const char *option);
/* All of them, and NULL: for children. */
const char *const *rt_objfile_options(void);
/* As rt_client_attach. */
int rt_objfile_attach(const int *fds, unsigned n, u64 features, struct rt_offer *out);

#endif
