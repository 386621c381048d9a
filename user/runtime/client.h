/* SPDX-License-Identifier: MIT */
/*
 * The runtime as the server's client (include/dragoman/protocol.h; under the kernel module by its session, session.h): asks for code objects, names what is missing in them,
 * reports what is not implemented. It never blocks for longer than a deadline, keeps no descriptor, and whatever goes wrong
 * means only that code is translated privately.
 */
#ifndef RUNTIME_CLIENT_H
#define RUNTIME_CLIENT_H

#include "base/types.h"
#include "dragoman/object.h"
#include "dragoman/protocol.h"

/* Most files of one rt_client_attach: the program and its interpreter. */
#define RT_OFFERS 2

/* One file's object, checked as far as its header goes. */
struct rt_offered {
	int fd;				/* its memfd, sealed, or the session, which stays open; -1: none */
	bool session;
	u64 offset;			/* of the object in what fd maps, bytes */
	u32 object, generation;		/* what rt_client_miss tells the server */
	struct drg_file file;		/* the guest file that it was made from */
	struct dragoman_object head;	/* copy of its header */
};

struct rt_offer {
	u64 features;			/* HOST_* of this machine or, if some were asked for, those */
	u32 n;
	struct rt_offered file[RT_OFFERS];
};

/* What start.c found out. The strings are copied. */
struct rt_client_setup {
	const char *off;		/* DRAGOMAN_SERVER: "off" */
	const char *socket;		/* DRAGOMAN_SOCKET: the only one to be tried */
	const char *runtime_dir;	/* XDG_RUNTIME_DIR */
	u32 uid;
	bool secure;			/* only the system's server and its administrator's files */
	bool verify;			/* DRAGOMAN_VERIFY=1 */
	bool no_server;			/* known already */
};
void rt_client_init(const struct rt_client_setup *setup);
/* For the runtime of a program that this one executes: saves it a search. */
u64 rt_client_hint(void);
void rt_client_take_hint(u64 hint);
/* Is it worth while to ask? False while there is no server. */
bool rt_client_on(void);
/* From now on there are no views in this process: strict modes, tracing. */
void rt_client_stop(void);

/*
 * Asks for the objects of n open guest files (1..RT_OFFERS), with HOST_* features (0: those of the host, which the answer
 * tells). 0: *out is filled, each descriptor in it is the caller's to close (rt_client_release); else -errno, *out is empty.
 * Takes at most RT_CLIENT_DEADLINE_US, once.
 */
int rt_client_attach(const int *fds, unsigned n, u64 features, struct rt_offer *out);
void rt_client_release(struct rt_offer *offer);
/* Is fd still the same state of the same file? To be asked once more after it was mapped, with its offset 0 at bias. */
bool rt_client_unchanged(const struct rt_offered *o, int fd, u64 bias);
#define RT_CLIENT_DEADLINE_US 25000

/*
 * The code at pc (bytes from text_lo) is wanted in that object. publish: its header's futex word, or NULL. True: something was
 * published while this waited; it is worth looking again.
 */
bool rt_client_miss(u32 object, u32 generation, u32 pc, u32 *publish);
/* Sends what was collected: before exec and exit. */
void rt_client_flush(void);

enum rt_report { RT_REPORT_INSN, RT_REPORT_SYSCALL };
/* Something is not implemented. Once for each value. */
void rt_client_report(enum rt_report kind, u64 value);

/* While descriptors of ours may be open: around fork, and around calls that close what they do not know. */
void rt_client_lock(void);
void rt_client_unlock(void);
/* In the child. */
void rt_client_after_fork(void);

/*
 * verify.c: puts a copy of the object in its place and translates all of it again; ends the process if something differs. fd: the guest
 * file. o->fd is -1 afterwards if there can be no copy.
 */
void rt_verify_object(struct rt_offered *o, int fd);

#endif
