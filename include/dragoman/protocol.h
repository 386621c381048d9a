/* SPDX-License-Identifier: MIT */
/*
 * Messages between runtimes, tools and the server over a Unix socket of type SOCK_SEQPACKET: one message, one packet.
 * docs/protocol.md is the manual. The module's device carries the same meaning in its own structures
 * (include/uapi/linux/dragoman.h).
 *
 * A runtime keeps no connection: it connects, sends, takes the answer if there is one, and closes. So the guest's
 * descriptor table holds nothing of ours, and a server that is restarted is met at the next request.
 *
 * Integers are the machine's (both ends are on it). Unknown types and wrong sizes are answered with DRG_ERROR and the
 * connection is closed. Reserved members are zero.
 */
#ifndef DRAGOMAN_PROTOCOL_H
#define DRAGOMAN_PROTOCOL_H

#include <linux/types.h>

#define DRG_VERSION 1u
#define DRG_MAX_MESSAGE 4096		/* bytes of a packet */
#define DRG_MAX_FILES 4			/* of one ATTACH */
#define DRG_MAX_MISSES 64		/* of one MISS */

/* Where the server listens, in the order in which a runtime tries. A server found must be root's or the caller's own (SO_PEERCRED). */
#define DRG_SOCKET_SYSTEM "/run/dragoman/socket"
#define DRG_SOCKET_ABSTRACT "dragoman/socket"	/* abstract name (without the leading NUL): for chroots that share the network namespace */
/* A user's own: $XDG_RUNTIME_DIR/dragoman/socket, else /tmp/dragoman-UID/socket (directory 0700 and the user's own). */

enum drg_type {
	DRG_ERROR = 0,			/* answer: struct drg_error */
	DRG_ATTACH = 1,			/* struct drg_attach, with nfiles descriptors -> struct drg_attached, with descriptors */
	DRG_MISS = 2,			/* struct drg_miss; no answer: the object's memory tells */
	DRG_REPORT = 3,			/* struct drg_report; no answer */
	DRG_STATUS = 4,			/* struct drg_msg -> struct drg_msg, with one descriptor: a sealed memfd that holds JSON */
	DRG_TRANSLATE = 5,		/* struct drg_translate, with 1 descriptor -> struct drg_progress, several; the last has done = 1 */
	DRG_CLEAR = 6,			/* struct drg_msg: forgets all objects, memory and disk -> struct drg_error with error 0 */
	DRG_FLUSH = 7,			/* struct drg_msg: writes back what is in memory only -> struct drg_error, when done */
	DRG_STOP = 8,			/* struct drg_msg: the server ends, after writing back -> struct drg_error */
};

struct drg_msg {
	__u32 size;			/* of the whole message, bytes */
	__u16 type;			/* enum drg_type */
	__u16 version;			/* DRG_VERSION of the sender */
};

struct drg_error {
	struct drg_msg msg;
	__s32 error;			/* 0 or a negative errno */
	__u32 reserved;
};

/* Which file, as statx(2) tells; the server's answer says for which state of the file the object holds. */
struct drg_file {
	__u64 dev, ino, size;		/* dev: major << 32 | minor */
	__s64 ctime_sec;
	__u32 ctime_nsec;
	__u32 reserved;
};

struct drg_attach {
	struct drg_msg msg;
	__u8 translator[32];
	__u64 features;			/* HOST_*; 0: all that this host has (the answer tells which) */
	__u32 machine;			/* ELF machine of the guest */
	__u32 nfiles;			/* descriptors that come with the message, opened for reading or execution */
	__u32 flags;			/* DRG_ATTACH_* */
	__u32 reserved;
};
#define DRG_ATTACH_NOWAIT 1u		/* do not answer LATER after a while but at once */

enum drg_status {
	DRG_OK = 0,			/* a descriptor of the object comes with the answer */
	DRG_LATER = 1,			/* none yet: it is being made, ask at the next start */
	DRG_NEVER = 2,			/* this file is translated privately: not ours, crashed the translator, over a limit */
};

struct drg_attached {
	struct drg_msg msg;
	__u64 features;			/* what the objects are made for */
	__u32 generation;		/* of the server: a MISS to another one is ignored */
	__u32 nfiles;			/* as asked */
	struct {
		__u32 status;		/* enum drg_status */
		__u32 object;		/* to be named in a MISS */
		struct drg_file file;
	} file[DRG_MAX_FILES];
	/* descriptors: one for each file with status OK, in order: read-only use, sealed against writing, shrinking, growing */
};

struct drg_miss {
	struct drg_msg msg;
	__u32 generation;
	__u32 object;
	__u32 n;			/* of what follows; the message ends behind the last one used */
	__u32 reserved;
	__u32 pc[DRG_MAX_MISSES];	/* wanted: bytes from the object's text_lo */
};

/* Something that the translator or the runtime does not implement was met. */
struct drg_report {
	struct drg_msg msg;
	__u32 kind;			/* 0 instruction, 1 system call */
	__u32 machine;
	__u64 value;			/* the encoding, or the number */
};

struct drg_translate {
	struct drg_msg msg;
	__u64 features;			/* as in drg_attach */
	__u32 machine;
	__u32 reserved;
};

struct drg_progress {
	struct drg_msg msg;
	__s32 error;			/* 0 or a negative errno: it ended */
	__u32 done;
	__u64 insns, total;		/* guest instructions translated; estimate of all */
	__u64 bytes;			/* of the object, used */
};

_Static_assert(sizeof(struct drg_msg) == 8, "message header");
_Static_assert(sizeof(struct drg_file) == 40, "file identity");
_Static_assert(sizeof(struct drg_attach) == 64, "ATTACH");
_Static_assert(sizeof(struct drg_attached) == 24 + DRG_MAX_FILES * 48, "ATTACHED");
#endif
