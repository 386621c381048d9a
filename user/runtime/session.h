/* SPDX-License-Identifier: MIT */
/*
 * The kernel module's session (include/uapi/linux/dragoman.h is its manual): how the runtime gets the guest program when the
 * kernel started it for that, and the way to code objects that needs no socket and no /dev. Its descriptor is rt.session_fd,
 * -1: there is none (any more), and everything is translated privately.
 */
#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

#include "runtime/client.h"
#include "runtime/rt.h"

/*
 * fd, the AT_EXECFD of the kernel, is a session if the result is 0: it has gone to a high number, *image is the guest program,
 * the caller's to close. -ENOTTY: it is something else; -EPROTO: of another version. rt.features is known. ask: for the program's
 * code, right now. *no_server: nobody would answer at present.
 */
int rt_session_begin(int fd, bool ask, int *image, bool *no_server);
/* The program is loaded: if there was no high number, the guest gets back the one that the session has. */
void rt_session_loaded(void);

static inline bool rt_session_on(void)
{
	return rt.session_fd >= 0;
}

/*
 * The object of the open guest file fd, in *o: with a copy of the header that is not checked, and as its generation the page of the
 * file where text begins. 0; -ENOENT: none yet, or never; -ENOTCONN: no server; else -errno.
 */
int rt_session_attach(int fd, struct rt_offered *o);
/* Is what is mapped at address, the object's text, proved to be what the object was made from? */
bool rt_session_proves(const struct rt_offered *o, u64 address);
/* The code at that file offset is wanted. Does not wait. 0; -ESTALE, -ENOTCONN: nobody will answer; else -errno. */
int rt_session_miss(u32 object, u64 offset);
/* No view uses the object any more. */
void rt_session_detach(u32 object);
/* From now on another process uses the session too. */
void rt_session_share(void);
/* The guest is about to use the session's number: takes another. Returns the old one, which the caller replaces or closes. */
int rt_session_move(void);

#endif
