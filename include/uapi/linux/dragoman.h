/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ABI between the dragoman module, the server (dragomand) and the runtime (dragoman-rt). This header is its manual.
 *
 * Three kinds of descriptors
 *   control   /dev/dragoman-ctl, 0600, and CAP_SYS_ADMIN in the initial user namespace at open. The server and the
 *             administrator's command. One descriptor a server thread, joined by a generation number (CTL_HELLO).
 *   session   what a client speaks through. A program that the module started finds it in AT_EXECFD (close-on-exec); any
 *             other process gets one by DRAGOMAN_IOC_SESSION on /dev/dragoman (0666), which knows only that call. Sessions
 *             are files of the module's own mount, so neither /dev nor its mount options matter to them. What
 *             counts is the address space of the caller, not who opened it: fork and SCM_RIGHTS share a session.
 *   object    given by OBJ_CREATE for the worker that writes the object. It can be mapped (MAP_SHARED, readable and writable,
 *             never executable) and nothing else.
 *
 * Words
 *   guest     a kind of program (machine, ELF class, byte order), e.g. aarch64; a table in the module. Each has at most one
 *             registered runtime and a directory in sysfs, /sys/class/misc/dragoman-ctl/guest-NAME/:
 *               enabled (rw, 0 or 1)  runtime (0 or 1)  machine  execs  refused  failed
 *             Totals are in /sys/class/misc/dragoman-ctl/stats/: sessions images objects queued taken answered requeued
 *             mapped timeouts refused. /sys/class/misc/dragoman-ctl/abi is this header's version, "1.0".
 *   image     one version of one file: real inode (below overlayfs) with device, number, generation, size, mtime, ctime.
 *   object    code for one content, CPU class and translator: a sparse file of fixed size on the module's own tmpfs. What is in
 *             it is the business of worker and runtime: publish-only, with a counter in its header that the worker
 *             increments and FUTEX_WAKEs. The module never looks inside. Several images may be bound to one object.
 *
 * Rules for every structure
 *   `size` is what the caller compiled with. Fewer bytes than the first version: EINVAL. More than the module knows: E2BIG unless the rest is
 *   zero. `flags` that are not known and padding that is not zero: EINVAL. The module writes back no more than `size` bytes.
 *   Structures grow at the end only; ioctl numbers do not encode sizes, so that they stay.
 *   Versions: both sides say major and minor first, at HELLO. Another major: EPROTO; the smaller minor holds.
 *   Times are CLOCK_MONOTONIC nanoseconds, absolute, so that a restarted call needs no arithmetic.
 *
 * States of a request
 *
 *      MISS, ATTACH         RECV                  REPLY
 *   --------------> PENDING ------> TAKEN --------------------> DONE: waiters return the status
 *                    ^  |             | descriptor that took it is closed (the server died, or closed it)
 *                    +--|-------------+ requeues + 1; after DRAGOMAN_MAX_REQUEUES: DONE with PRIVATE
 *                       +- no server for grace_ms (module parameter): DONE, waiters get ENOTCONN
 *   One request for the same thing is in flight at a time; later callers wait for the same one. A waiter that is killed leaves;
 *   the request goes on, for the next. A waiter's signal ends its call with a restart (or EINTR); `cookie` has been written
 *   before that, so the restarted call waits for the same request.
 *
 * States of an image's place for an object (per CPU class and translator)
 *   NONE -ATTACH queues OPEN-> asked -REPLY OK or OBJ_BIND-> BOUND -OBJ_RETIRE, server gone-> NONE
 *                                    -REPLY PRIVATE-> PRIVATE -OBJ_BIND NONE, server gone-> NONE
 *   A place stays BOUND when no client uses the image: that is what makes the next start warm. Nothing of the file system is held then.
 *   When another server says HELLO, or none has for grace_ms after the last control descriptor of a generation was closed, all of its
 *   objects are retired: maps stay valid, MISS on them says ESTALE, and an ATTACH gets the new server's. A new server is sent OPEN
 *   for each image that clients use. (A server must not leave control descriptors open in its workers.)
 *
 * Changes
 *   1.0  the calls below
 *   0.1  nothing but the version itself
 */
#ifndef _UAPI_LINUX_DRAGOMAN_H
#define _UAPI_LINUX_DRAGOMAN_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DRAGOMAN_ABI_MAJOR	1u
#define DRAGOMAN_ABI_MINOR	0u

#define DRAGOMAN_IOC_TYPE	0xDA

#define DRAGOMAN_TRANSLATOR_SIZE 32
#define DRAGOMAN_OBJECT_MIN	(1ull << 12)	/* bytes; sizes are multiples of it */
#define DRAGOMAN_OBJECT_MAX	(1ull << 31)
#define DRAGOMAN_BATCH_MAX	256u		/* entries of one RECV or REPLY */
#define DRAGOMAN_MAX_REQUEUES	3u		/* times that a request may outlive its server */
#define DRAGOMAN_NO_DEADLINE	(~0ull)

/* ---- both sides: what a file is -------------------------------------------------------------------- */

/* The real file below an overlay. dev is encoded as stat's st_dev. */
struct dragoman_file_id {
	__u64 dev;
	__u64 ino;
	__u64 size;			/* bytes */
	__s64 ctime_sec;
	__s64 mtime_sec;
	__u32 ctime_nsec;
	__u32 mtime_nsec;
	__u32 generation;
	__u32 flags;			/* DRAGOMAN_FILE_* */
};
/* root's in the initial user namespace, and nobody else may write it. Privileged programs get objects of such files only */
#define DRAGOMAN_FILE_TRUSTED	(1u << 0)
/* on a mount without exec: the guest's own mmap(PROT_EXEC) of it has to fail with EPERM (the runtime's job) */
#define DRAGOMAN_FILE_NOEXEC	(1u << 1)
/* seen through overlayfs or the like: dev and ino differ from what stat says */
#define DRAGOMAN_FILE_STACKED	(1u << 2)

/* Answers of ATTACH and MISS, and what the server says in REPLY and OBJ_BIND. */
enum dragoman_status {
	DRAGOMAN_OK = 0,		/* attached; translated: look at the object */
	DRAGOMAN_NONE = 1,		/* nothing yet, a request is queued. REPLY: cannot now, ask again later */
	DRAGOMAN_PRIVATE = 2,		/* never from the server: translate it yourself */
	DRAGOMAN_BY_ADDRESS = 3,	/* ATTACH only: nothing yet, and the descriptor's file is on an overlay: map it, ask by address */
};

/* ---- clients -------------------------------------------------------------------------------------- */

/* On /dev/dragoman: returns a new session descriptor (close-on-exec). The argument must be 0. */
#define DRAGOMAN_IOC_SESSION	_IO(DRAGOMAN_IOC_TYPE, 0x00)

/*
 * First call on a session; once (EALREADY), other calls before it give EPROTO. fork's child inherits it.
 * For a session that an exec made it attaches the program, too, if an object is there already.
 */
struct dragoman_hello {
	__u32 size;
	__u32 flags;			/* in: DRAGOMAN_HELLO_* */
	__u32 abi_major;		/* in: the caller's; out: what holds */
	__u32 abi_minor;
	__u64 cpu_class;		/* in: host features that code may use; objects match exactly */
	__u8 translator[DRAGOMAN_TRANSLATOR_SIZE];	/* in: which translator; objects match exactly */
	__u32 session_flags;		/* out: DRAGOMAN_SESSION_* */
	__s32 image_fd;			/* out: the guest program (close-on-exec), or -1 */
	__u64 server_generation;	/* out: 0: no server */
	struct dragoman_file_id file;	/* out: the guest program; zero without one */
	__u32 status;			/* out: enum dragoman_status of the program's object */
	__u32 object;			/* out: as in dragoman_attach, if status is OK */
	__u64 object_size;
	__u64 map_offset;
};
#define DRAGOMAN_HELLO_IMAGE_FD	(1u << 0)	/* give image_fd */
#define DRAGOMAN_HELLO_NO_OBJECT (1u << 1)	/* do not attach the program */
#define DRAGOMAN_SESSION_EXEC	(1u << 0)	/* made by exec: there is a guest program */
#define DRAGOMAN_SESSION_SECURE	(1u << 1)	/* the exec gained privilege (AT_SECURE): heed no environment and no user's configuration */
#define DRAGOMAN_SESSION_UNREADABLE (1u << 2)	/* the caller may execute, but not read the program: give image_fd to nobody */
#define DRAGOMAN_SESSION_NO_NAME (1u << 3)	/* executed by descriptor: AT_EXECFN is /dev/fd/N... */
#define DRAGOMAN_IOC_HELLO	_IO(DRAGOMAN_IOC_TYPE, 0x01)

/* A new descriptor (close-on-exec, read-only) of the guest program. ENOENT: the session was not made by exec. */
struct dragoman_get_image {
	__u32 size;
	__u32 flags;			/* 0 */
	__s32 fd;			/* out */
	__u32 pad;
};
#define DRAGOMAN_IOC_GET_IMAGE	_IO(DRAGOMAN_IOC_TYPE, 0x02)

/*
 * Which object has the code of a file? The file is proved by a descriptor open for reading, or by an address of the
 * caller's where it is mapped. By address a mapping has to be of a regular file, not writable, and without a page that was ever
 * written (otherwise PRIVATE). A file that is open for writing anywhere is PRIVATE, as are descriptors that can write, memfds that are
 * not sealed, files neither on tmpfs nor on a block device that is this machine's alone (FUSE, network, cluster), files just changed
 * where times are coarse (FAT: 4 s).
 * OK: the session may map the object: mmap(size <= object_size, PROT_READ and/or PROT_EXEC, MAP_SHARED, session, map_offset + x).
 * PROT_WRITE is refused (EACCES), now and for mprotect; a MAP_PRIVATE map may be written, and is the client's own copy.
 * Without a server, and no object: ENOTCONN. Too much asked already: EAGAIN. ENOSPC: too many attached.
 */
struct dragoman_attach {
	__u32 size;
	__u32 flags;			/* DRAGOMAN_ATTACH_*; exactly one of FD, ADDRESS */
	__s32 fd;			/* in, with FD; else -1 */
	__u32 pad;
	__u64 address;			/* in, with ADDRESS; else 0 */
	__u64 deadline_ns;		/* in, with WAIT; else 0 */
	__u64 cookie;			/* in/out: 0 at first; kept for a restart */
	__u32 status;			/* out: enum dragoman_status */
	__u32 object;			/* out: id, never 0, if OK */
	__u64 object_size;		/* out: bytes */
	__u64 map_offset;		/* out: for mmap on the session */
	__u64 file_offset;		/* out: of address in the file; 0 with FD */
	struct dragoman_file_id file;	/* out */
};
#define DRAGOMAN_ATTACH_FD	(1u << 0)
#define DRAGOMAN_ATTACH_ADDRESS	(1u << 1)
#define DRAGOMAN_ATTACH_WAIT	(1u << 2)	/* wait for the server's decision; ETIMEDOUT after deadline_ns */
#define DRAGOMAN_ATTACH_LOOK	(1u << 3)	/* queue nothing: only what is there */
#define DRAGOMAN_IOC_ATTACH	_IO(DRAGOMAN_IOC_TYPE, 0x03)

/* Forget an attached object (and let go of its file). Maps stay. ENOENT: not attached. */
struct dragoman_detach {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 object;
	__u32 pad;
};
#define DRAGOMAN_IOC_DETACH	_IO(DRAGOMAN_IOC_TYPE, 0x04)

/*
 * A translation of a place of an attached object's file is wanted. Waits until it is answered, or with NOWAIT only queues it
 * (status NONE): the caller looks at the object, or waits on the publish counter. OK: look now. ESTALE: the object was retired,
 * ATTACH again. ENOTCONN: no server. EAGAIN: too many requests of this session or user. ETIMEDOUT: not answered at deadline_ns.
 * EINTR or a restart: see `States of a request'; OK with a cookie may also mean that the request ended meanwhile: look.
 */
struct dragoman_miss {
	__u32 size;
	__u32 flags;			/* DRAGOMAN_MISS_* */
	__u32 object;			/* in */
	__u32 status;			/* out: enum dragoman_status */
	__u64 offset;			/* in: byte in the guest file, not beyond its end */
	__u64 length;			/* in: a hint, bytes from there (less if the file ends); 0: unknown */
	__u64 deadline_ns;		/* in; 0 with NOWAIT */
	__u64 cookie;			/* in/out: 0 at first */
};
#define DRAGOMAN_MISS_NOWAIT	(1u << 0)
#define DRAGOMAN_MISS_PREFETCH	(1u << 1)	/* with NOWAIT: behind everything else, dropped first */
#define DRAGOMAN_MISS_KILLABLE	(1u << 2)	/* only a fatal signal ends the wait */
#define DRAGOMAN_IOC_MISS	_IO(DRAGOMAN_IOC_TYPE, 0x05)

/* ---- server and administrator ----------------------------------------------------------------------- */

/*
 * First call on a control descriptor. SERVER: become the server (EBUSY: there is one). JOIN: another thread of the server
 * with this generation (ESTALE: it is gone). ADMIN: only SET_RUNTIME.
 */
struct dragoman_ctl_hello {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 abi_major;		/* in: the caller's; out: what holds */
	__u32 abi_minor;
	__u32 role;			/* in: enum dragoman_role */
	__u32 pad;
	__u64 generation;		/* in for JOIN; out for SERVER: never 0, never again the same */
};
enum dragoman_role {
	DRAGOMAN_ROLE_SERVER = 1,
	DRAGOMAN_ROLE_JOIN = 2,
	DRAGOMAN_ROLE_ADMIN = 3,
};
#define DRAGOMAN_IOC_CTL_HELLO	_IO(DRAGOMAN_IOC_TYPE, 0x40)

/*
 * Which program runs a guest's: a native static-PIE executable, open for reading (not O_PATH), on a mount with exec. It stays
 * registered, also without a server, until it is replaced or taken away (fd -1); until then, and as long as a session of a
 * program that it runs is open, nobody can write the file. ENOENT: no such guest. ENOEXEC: not native. ETXTBSY: open for writing.
 */
struct dragoman_set_runtime {
	__u32 size;
	__u32 flags;			/* DRAGOMAN_RUNTIME_* */
	__u32 machine;			/* EM_* */
	__u32 elf_class;		/* ELFCLASS* */
	__u32 elf_data;			/* ELFDATA* */
	__s32 fd;
};
/* set-user-ID, set-group-ID and file capabilities of the guest program count; without it, the runtime's (none) */
#define DRAGOMAN_RUNTIME_CREDENTIALS	(1u << 0)
#define DRAGOMAN_IOC_SET_RUNTIME _IO(DRAGOMAN_IOC_TYPE, 0x41)

enum dragoman_kind {
	DRAGOMAN_REQ_OPEN = 1,		/* an object for image, cpu_class, translator is wanted; REPLY with its id or PRIVATE */
	DRAGOMAN_REQ_MISS = 2,		/* publish [offset, offset+length) of object, then REPLY OK */
	DRAGOMAN_REQ_IDLE = 3,		/* id is 0, no REPLY: no client uses the image any more, which has objects. It may be used again at any time */
};

struct dragoman_req {
	__u64 id;			/* for REPLY; stays the same when it is requeued */
	__u32 kind;			/* enum dragoman_kind */
	__u32 flags;			/* DRAGOMAN_REQ_* */
	__u64 image;
	__u32 object;			/* MISS */
	__u32 priority;			/* 0: somebody waits, 1: wanted, 2: prefetch */
	__u64 offset;			/* MISS */
	__u64 length;			/* MISS: hint */
	__u64 cpu_class;		/* OPEN */
	__u8 translator[DRAGOMAN_TRANSLATOR_SIZE];	/* OPEN */
	__u32 uid;			/* who asked first, in the initial user namespace */
	__u32 pid;			/* and its process, in the receiver's pid namespace; 0: not visible there */
	__u32 requeues;			/* how many receivers died or gave up with it */
	__u32 pad;
	__u64 age_ns;			/* since it was asked for */
};
#define DRAGOMAN_REQ_TRUSTED	(1u << 0)	/* the image is DRAGOMAN_FILE_TRUSTED */
#define DRAGOMAN_REQ_SECURE	(1u << 1)	/* first asked for by a privileged program */

/*
 * Takes up to count requests, best priority first, and returns their number (>= 1). Waits until deadline_ns (ETIMEDOUT); 0: does
 * not wait (EAGAIN). poll() tells POLLIN when there is one. Signals: restart.
 */
struct dragoman_recv {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 buffer;			/* address of struct dragoman_req[count] */
	__u32 count;			/* 1...DRAGOMAN_BATCH_MAX */
	__u32 req_size;			/* sizeof(struct dragoman_req) of the caller */
	__u64 deadline_ns;
};
#define DRAGOMAN_IOC_RECV	_IO(DRAGOMAN_IOC_TYPE, 0x42)

struct dragoman_answer {
	__u64 id;
	__u32 status;			/* OK; NONE: waiters shall ask again later; PRIVATE */
	__u32 object;			/* OPEN with OK: the object to bind; else 0 */
	__s32 error;			/* out: 0; -ENOENT: no such request of this server; -EINVAL; -ESTALE: file has changed or object retired */
	__u32 pad;
};

/* Answers requests, also those that another descriptor of the same server took. Each entry has its own error. Returns 0. */
struct dragoman_reply {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 buffer;			/* address of struct dragoman_answer[count] */
	__u32 count;			/* 1...DRAGOMAN_BATCH_MAX */
	__u32 answer_size;		/* sizeof(struct dragoman_answer) of the caller */
};
#define DRAGOMAN_IOC_REPLY	_IO(DRAGOMAN_IOC_TYPE, 0x43)

/*
 * The file of an image, as a read-only descriptor (close-on-exec), the same open file at each call: use pread. ENOENT: no such image;
 * ESTALE: no client uses it now, or the file has changed. Its owner may go on writing it unless he is refused: copy what is needed,
 * and what OBJ_BIND or REPLY says afterwards (ESTALE) tells whether the copy is of this image.
 */
struct dragoman_image_fd {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 image;			/* in */
	__s32 fd;			/* out */
	__u32 pad;
	struct dragoman_file_id file;	/* out */
};
#define DRAGOMAN_IOC_IMAGE_FD	_IO(DRAGOMAN_IOC_TYPE, 0x44)

/*
 * A new object, all zero: fd (close-on-exec) is to be mapped by the worker that writes it, MAP_SHARED, without PROT_EXEC. Pages are
 * charged to whoever touches them first. It lives until it is retired and nobody has it mapped or attached.
 */
struct dragoman_obj_create {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 object_size;		/* in: DRAGOMAN_OBJECT_MIN...MAX */
	__u64 cpu_class;		/* in */
	__u8 translator[DRAGOMAN_TRANSLATOR_SIZE];	/* in */
	__u32 object;			/* out: never 0 */
	__s32 fd;			/* out */
};
#define DRAGOMAN_IOC_OBJ_CREATE	_IO(DRAGOMAN_IOC_TYPE, 0x45)

/*
 * Says unasked what REPLY to an OPEN says. OK: the object serves the image (its own class and translator say for whom).
 * PRIVATE: none ever will; NONE: forget what was said. Both for cpu_class and translator, object 0.
 * ENOENT: no such image, no such object (any more). ESTALE (with OK): the image's file has changed, or no client uses it.
 * EINVAL: the object is of another class. ENOSPC: the image has too many objects.
 */
struct dragoman_obj_bind {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 image;
	__u32 object;
	__u32 status;			/* enum dragoman_status */
	__u64 cpu_class;		/* 0 with OK */
	__u8 translator[DRAGOMAN_TRANSLATOR_SIZE];	/* 0 with OK */
};
#define DRAGOMAN_IOC_OBJ_BIND	_IO(DRAGOMAN_IOC_TYPE, 0x46)

/* Nobody new gets the object; requests for it end (ESTALE). Maps stay. */
struct dragoman_obj_retire {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 object;
	__u32 pad;
};
#define DRAGOMAN_IOC_OBJ_RETIRE	_IO(DRAGOMAN_IOC_TYPE, 0x47)

/* Sizes of version 1.0: the smallest that is accepted. Static asserts on both sides hold them to the structures. */
#define DRAGOMAN_SIZE_FILE_ID_1_0	56
#define DRAGOMAN_SIZE_HELLO_1_0		152
#define DRAGOMAN_SIZE_GET_IMAGE_1_0	16
#define DRAGOMAN_SIZE_ATTACH_1_0	128
#define DRAGOMAN_SIZE_DETACH_1_0	16
#define DRAGOMAN_SIZE_MISS_1_0		48
#define DRAGOMAN_SIZE_CTL_HELLO_1_0	32
#define DRAGOMAN_SIZE_SET_RUNTIME_1_0	24
#define DRAGOMAN_SIZE_REQ_1_0		112
#define DRAGOMAN_SIZE_RECV_1_0		32
#define DRAGOMAN_SIZE_ANSWER_1_0	24
#define DRAGOMAN_SIZE_REPLY_1_0		24
#define DRAGOMAN_SIZE_IMAGE_FD_1_0	80
#define DRAGOMAN_SIZE_OBJ_CREATE_1_0	64
#define DRAGOMAN_SIZE_OBJ_BIND_1_0	64
#define DRAGOMAN_SIZE_OBJ_RETIRE_1_0	16

#endif
