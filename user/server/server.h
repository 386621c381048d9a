/* SPDX-License-Identifier: MIT */
/*
 * dragomand, the translation server: what its files share. docs/server.md is the manual, docs/protocol.md the messages'.
 *
 *   main.c        options, lock file, start          supervisor.c  the loop: events, children, timers
 *   requests.c    what a message means               transport_socket.c  messages over a Unix socket
 *   objects.c     the table of objects, memory       jobs.c        children that read, load and save
 *   workers.c     which object has a worker          worker.c      what a worker does
 *   ident.c       file identity -> digest            store.c       the cache directory
 *   transport_device.c  the kernel module's requests
 *   profile.c     what was asked for, per file       ahead.c       where functions start
 *   confine.c     what a child may do                gate.c        receives descriptors from those who are not trusted
 *   status.c      JSON                               log.c         a line per event
 *
 * The supervisor is one thread. It looks at no byte of a guest file and never waits for a disk, a file system of a client or a child: that
 * is done by children, which it forks and which hold only what they need.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/types.h"
#include "dragoman/object.h"
#include "dragoman/protocol.h"
#include "object/object.h"

enum srv_ahead { SRV_AHEAD_NONE, SRV_AHEAD_REACHED, SRV_AHEAD_ALL };

struct srv_options {
	bool foreground, user;		/* user: a user's own server, ends when idle */
	bool system_wide;		/* listens on the abstract socket too */
	char socket[108];
	char cache_dir[3000];
	char device[256];		/* of the module: a path, auto or none */
	char runtime[2048];		/* for the module; empty: beside this program */
	u64 cache_size, memory_limit;	/* bytes */
	unsigned workers;
	unsigned idle_exit;		/* seconds; 0: never */
	unsigned worker_idle;		/* seconds that a worker waits for more */
	enum srv_ahead ahead;
	bool set_uid;			/* root: children have uids of their own */
	uid_t worker_uid;		/* of the first; each slot has one */
};
extern struct srv_options srv_opt;

/* --- log.c */
enum srv_level { SRV_ERR = 3, SRV_WARN = 4, SRV_INFO = 6 };	/* as syslog's */
void srv_log(enum srv_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* At most a few lines in ten seconds from the same place; says how many were left out. */
struct srv_rate {
	u64 since;
	unsigned n, lost;
};
void srv_log_rate(struct srv_rate *rate, enum srv_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- supervisor.c */
u64 srv_now(void);			/* milliseconds, CLOCK_MONOTONIC */
/* Something with a descriptor in the loop. */
struct srv_source {
	int fd;
	void (*ready)(struct srv_source *s, u32 events);
};
int srv_watch(struct srv_source *s, u32 events);
void srv_unwatch(struct srv_source *s);
struct epoll_event;
void srv_rewatch(struct epoll_event *e, int fd);
/* Forks a child that keeps only the descriptors in keep[0..n), which it finds from 3 on. In the child 0 is returned. Its death comes to
 * reaped(ctx, wait status). -errno. */
pid_t srv_fork(const int *keep, unsigned n, void (*reaped)(void *ctx, int status), void *ctx);
void srv_kill(pid_t pid);
int srv_loop(void);
void srv_end(void);			/* the loop is to end, after writing back */
void srv_fail(void);			/* the same, with exit status 1 */
bool srv_ending(void);
void srv_tell_ready(void);		/* main.c: whoever started this waits no longer */
/* A deadline at which srv_tick's work is wanted, beside the regular one. */
void srv_wake_at(u64 ms);
extern u32 srv_generation;
extern u64 srv_started;
int srv_pair(int fds[2]);		/* socketpair of messages, close-on-exec, not blocking */

/* --- children: jobs.c */

/* May an identity be remembered? */
enum srv_remember { SRV_FORGET, SRV_REMEMBER, SRV_REMEMBER_VERSION /* only with a version: tmpfs */ };

/* What a child that reads a guest file finds out. */
struct srv_read_result {
	s32 error;			/* 0; -ENOEXEC: not ours */
	u32 machine;
	u32 remember;			/* enum srv_remember: of the identity */
	u32 reserved;
	struct drg_file file;		/* after reading */
	u8 digest[32];
	char name[64];			/* for people */
	struct dragoman_object head;	/* layout; valid if error is 0 */
};

struct srv_object;
struct srv_user;

/* A file that a client gave: a descriptor here, or in the gate's hands. */
struct srv_file {
	int fd;				/* -1: none, or the gate's */
	struct srv_gate *gate;
	u32 slot;			/* of the gate */
	struct drg_file id;
	int error;			/* identification failed */
	struct srv_user *user;		/* who gave it */
	bool device;			/* from the module: for objects in its memory */
	bool trusted;			/* the module says that it is root's, as is its file system */
};
int srv_file_identify(int fd, struct drg_file *id);
void srv_file_close(struct srv_file *f);
u32 srv_file_domain(const struct srv_file *f);	/* who believes what this file shows; requests.c */

/* Reads the file: takes it over, in any case. Several that want the same (identity, domain, features) share one. 0 or -errno. */
int srv_read_start(struct srv_file *f, u32 domain, u64 features, struct srv_object *for_object);
bool srv_read_pending(const struct drg_file *id, u32 domain, u64 features);
int srv_load_start(struct srv_object *o, int disk_fd);
/* Fills the memory of an object for the device from a memfd, which is taken over in any case. */
int srv_copy_start(struct srv_object *o, int fd);
int srv_save_start(struct srv_object *o);
unsigned srv_jobs_count(void);
unsigned srv_jobs_saving(void);
void srv_jobs_tick(u64 now);
/* The part of a reader that runs in the child (of the supervisor or of the gate): file at fd, copy to be filled, channel for the result. */
void srv_reader_child(int file, int copy, int channel, unsigned slot, u64 features) __attribute__((noreturn));
#define SRV_MAX_FILES_USER 24	/* being read for one user */
#define SRV_MAX_FILE (512ull << 20)	/* bytes of a guest file */

/* --- objects.c */
enum srv_state {
	SRV_WANTED,			/* nobody has it: its file has to be read */
	SRV_LOADING,			/* comes from the disk */
	SRV_READY,
	SRV_NEVER,
};
#define SRV_MAX_PENDING 256
#define SRV_MAX_CRASHES 3		/* then the file is translated privately, for good */

struct srv_object {
	struct srv_object *next;	/* hash chain */
	struct obj_key key;
	u32 id;
	bool device;			/* its memory is the module's, not a memfd */
	u32 device_id;			/* the module's number; 0: no memory yet */
	unsigned place;			/* in srv_objects */
	enum srv_state state;
	char name[64];
	struct dragoman_object head;	/* validated copy; the mapping's may be spoilt by the worker */
	int fd;				/* for clients: read-only */
	void *map;			/* shared, writable: children of the object's own get it */
	int file;			/* the guest file's content, a sealed memfd; -1 */
	u64 file_size;
	bool reading;			/* its file is being read */
	bool saving;			/* its memory is being read: no worker now */
	bool writing;			/* a saver is not through yet */
	bool spoilt;			/* there was no memory for a page of map: to be dropped */
	bool disk_tried;		/* the disk has been asked for it */
	bool has_layout;		/* head is valid although the object is not ready */
	u32 disk_publish, seen_publish;	/* header's publish when it was saved, and at the last look */
	bool whole;			/* translate all of it, whatever --ahead says (DRG_TRANSLATE) */
	bool ahead_done;		/* nothing is left to be done ahead */
	u64 wait_until;			/* no worker before that: it crashed */
	struct srv_worker *worker;
	unsigned crashes, lost;		/* lost: workers that ended without being at fault */
	u64 last_used, last_change, dirty_since;	/* ms */
	u64 memory;			/* bytes */
	unsigned waited;		/* requests and jobs that hold it */
	u64 attaches, misses;
	u32 pending[SRV_MAX_PENDING];	/* misses that no worker has got */
	unsigned npending;
	u32 sent[SRV_MAX_PENDING];	/* misses that its worker got last */
	unsigned nsent, again;		/* again: how often they were sent without anything being published */
	u32 again_publish;
	u32 *profile;			/* pcs asked for, in order of arrival; of this and earlier runs */
	unsigned nprofile, profile_room, profile_saved;
};
#define SRV_MAX_OBJECTS 8192
extern struct srv_object *srv_objects[SRV_MAX_OBJECTS];	/* those there are, in no order */
extern unsigned srv_nobjects;

struct srv_object *srv_object_find(const struct obj_key *key, bool device);
struct srv_object *srv_object_by_id(u32 id);
struct srv_object *srv_object_get(const struct obj_key *key, bool device);	/* finds or makes; NULL: too many */
void srv_object_drop(struct srv_object *o);
/* Makes the memory of an empty object. */
int srv_object_create(struct srv_object *o, const struct dragoman_object *head);
/* Takes the memory that a loader filled: fd is taken over in any case. An object for the device is still SRV_LOADING then: it is copied. */
int srv_object_adopt(struct srv_object *o, const struct dragoman_object *head, int fd);
/* Gives back the memory of an object whose copy failed. */
void srv_object_unmap(struct srv_object *o);
int srv_memfd(const char *name);
void srv_object_misses(struct srv_object *o, const u32 *pc, unsigned n);
u64 srv_objects_memory(void);	/* bytes, as of the last tick */
bool srv_objects_full(void);		/* over --memory-limit */
/* Write-back of what is quiet, and room for others. */
void srv_objects_tick(u64 now);
bool srv_objects_dirty(void);
bool srv_object_dirty(const struct srv_object *o);
void srv_objects_clear(void);		/* all that nobody holds */
/* From now on the supervisor survives that there is no memory behind a page of an object that it touches. 0 or -errno. */
int srv_objects_guard(void);
void srv_object_check_write_back(struct srv_object *o);	/* its worker has ended */
void srv_object_set_never(struct srv_object *o, u32 pc);

/* --- workers.c, worker.c */
enum srv_phase { SRV_STARTING, SRV_MISSES, SRV_CLOSURE, SRV_AHEAD, SRV_IDLE };
/* Shared with the supervisor, which believes none of it. */
struct srv_page {
	u32 phase;			/* enum srv_phase */
	u32 pc;				/* being translated; ~0: none */
	u32 seq;			/* increases with each region */
	u32 ahead_done;
	u64 ahead_total, ahead_at;	/* guest bytes */
	u64 served;			/* misses */
};
struct srv_worker {
	struct srv_source channel;
	struct srv_object *object;	/* NULL: it was dropped while this one dies */
	pid_t pid;
	struct srv_page *page;
	unsigned slot;
	bool killed;			/* by us: no crash */
	bool stuck;			/* killed because it did not get on */
	enum srv_ahead ahead;		/* how far it goes */
	u32 seen_seq;
	u64 cpu_at_seq;			/* ms of its CPU time when seen_seq was new */
	u32 sent;			/* places that it got */
	u64 started;
};
void srv_workers_run(void);		/* starts those that are wanted, as far as there is room */
void srv_workers_look(void);		/* something has changed for srv_workers_run */
void srv_worker_stop(struct srv_object *o);
void srv_worker_misses(struct srv_object *o);
void srv_workers_tick(u64 now);
unsigned srv_workers_count(void);
struct srv_work {
	const void *file;
	u64 file_size;
	void *map;
	struct srv_page *page;
	const u32 *first;		/* misses */
	unsigned nfirst;
	const u32 *profile;
	unsigned nprofile;
	enum srv_ahead ahead;
	bool tell;			/* whenever all places that came are done */
	int channel;
};
void srv_worker_main(const struct srv_work *w) __attribute__((noreturn));

/* --- ahead.c */
struct srv_ahead_list {
	u32 *pc;			/* bytes from text_lo, sorted, each once */
	unsigned n, room;
};
/* Function starts of an ELF file; memory by malloc, what does not fit is left out. */
void srv_ahead_find(const struct dragoman_object *h, const u8 *file, u64 size, struct srv_ahead_list *out);
/* How far the search for what they do not lead to has got: zeros to begin with. */
struct srv_ahead_place {
	unsigned n;			/* of the list */
	u32 at;				/* next to be looked at */
	bool left;			/* what is before it does not lead to it */
};
bool srv_ahead_gap(const struct dragoman_object *h, const struct guest *guest, const u8 *file, const struct srv_ahead_list *l,
		   struct srv_ahead_place *p, u32 *pc);

/* --- confine.c */
enum srv_role { SRV_READER, SRV_LOADER, SRV_SAVER, SRV_WORKER, SRV_GATE };
/* Takes away from this process what that role does not need. -errno: then it is not to go on. slot: which uid. */
int srv_confine(enum srv_role role, unsigned slot);
extern bool srv_have_landlock;

/* --- version.c: tmpfs, where times do not tell */
#define SRV_NO_VERSION (~0u)
/* Files of this device are on tmpfs (a reader has seen it). */
void srv_version_learn(u64 dev);
/* Sets id->reserved: 0: times tell; SRV_NO_VERSION: nobody can tell whether it is the same as before; else differs if its content may differ. fd -1:
 * the file is not at hand. Does not ask the file system. */
void srv_version_set(int fd, struct drg_file *id);

/* --- ident.c */
struct srv_ident {
	struct drg_file file;
	u32 domain;			/* 0: anybody's; else uid + 1 of who showed the file */
	u32 never;			/* not a file that can be translated */
	u8 digest[32];
};
/* Is that the device of a file system that holds the system, and stays? */
bool srv_ident_of_system(u64 dev);
const struct srv_ident *srv_ident_find(const struct drg_file *file, u32 domain);
void srv_ident_put(const struct srv_ident *id);
void srv_ident_clear(void);
unsigned srv_ident_count(void);
bool srv_ident_changed(void);
/* Is that identity, looked at now, old enough that a later change would show? now: CLOCK_REALTIME seconds. */
bool srv_ident_settled(const struct drg_file *file, s64 now);
int srv_ident_save(int dir);		/* 0 or -errno */
int srv_ident_load(int dir);

/* --- store.c */
#define SRV_NAME_SIZE 128
int srv_store_open(void);		/* checks and makes the directory; logs. 0 or -errno: then memory only */
int srv_store_dir(void);		/* a new descriptor of the directory, or -errno */
int srv_store_subdir(const char *name);	/* of one in it; made if it is not there */
void srv_store_name(char name[SRV_NAME_SIZE], const struct obj_key *key);
int srv_store_find(const struct obj_key *key);	/* descriptor of the object's file, or -errno */
/* Replaces name in directory dir as a whole: fill(fd, ctx) writes. 0 or -errno. Not synced: for what is checked when read. */
int srv_store_write(int dir, const char *name, int (*fill)(int fd, void *ctx), void *ctx);
/* An object's new file: opened under a temporary name (descriptor or -errno), then given its own or removed. */
int srv_store_begin(char temp[SRV_NAME_SIZE]);
int srv_store_commit(const char *temp, const struct obj_key *key);
void srv_store_abort(const char *temp);
void srv_store_set_aside(const struct obj_key *key, const char *why);
void srv_store_clear(void);
void srv_store_failed(int error);	/* remembers for a while, and logs once, that the disk cannot be used */
void srv_store_worked(void);
bool srv_store_usable(void);
u64 srv_store_size(void);		/* bytes on disk of all objects */
unsigned srv_store_files(void);
/* How often did this file crash this translator? */
unsigned srv_crashes_get(const u8 digest[32]);
void srv_crashes_put(const u8 digest[32], unsigned n);
void srv_crashes_load(void);

/* --- profile.c */
void srv_profile_load(struct srv_object *o);
void srv_profile_save(struct srv_object *o);
void srv_profile_add(struct srv_object *o, u32 pc);

/* --- requests.c */
struct srv_user {
	uid_t uid;
	unsigned conns, files;		/* connections; files being read for this user */
	u64 second;			/* of what follows */
	unsigned requests, new_files;
	u64 banned_until;
	u64 slow_until;			/* ns: transport_device.c */
	bool used;
};
struct srv_user *srv_user_get(uid_t uid);	/* NULL: too many users */
/* Who asks. The transport owns it; answers go through it. */
struct srv_client {
	uid_t uid;
	struct srv_user *user;
	bool patient;			/* ATTACH is answered when it is settled, however long that takes */
	/* Sends an answer; fds stay the caller's. -errno: the client is gone or does not read. */
	int (*answer)(struct srv_client *c, const void *msg, size_t n, const int *fds, unsigned nfds);
	void (*end)(struct srv_client *c);	/* closes it, later */
};
/*
 * A message of a client with the files that came with it, which are taken over in any case (closed or kept; their array is the caller's).
 * 0, or -errno: to be told by DRG_ERROR, and the client to be closed.
 */
int srv_request(struct srv_client *c, const void *msg, size_t n, struct srv_file *files, unsigned nfiles);
void srv_client_gone(struct srv_client *c);
bool srv_client_waits(const struct srv_client *c);	/* for an answer */
bool srv_limited(struct srv_user *u);	/* counts a request: is it one too many? */
/* What jobs found. asked: the identity under which the file was asked for; found: the one it had when it was read. */
void srv_read_done(const struct drg_file *asked, const struct drg_file *found, u32 domain, struct srv_object *o);
void srv_read_failed(const struct drg_file *asked, u32 domain, int error);
void srv_load_done(struct srv_object *o);
/* o is wanted, and head is its layout: from the disk, or empty. */
void srv_object_need(struct srv_object *o, const struct dragoman_object *head);
/* Something that requests may wait for has happened. */
void srv_requests_progress(void);
void srv_requests_tick(u64 now);
void srv_requests_end(void);		/* the server ends: answers who waits for that */
extern u64 srv_last_request;		/* ms */
extern bool srv_flushing;		/* somebody waits for write-back */
u64 srv_requests_deadline(void);	/* ms, ~0: none */
struct srv_counters {
	u64 connections, requests, attach_files, ok, later, never, hits, loads, reads, creates, misses, miss_pcs, saves, save_errors,
	    crashes, refused, reports, set_aside, evicted_memory;
};
extern struct srv_counters srv_count;
struct srv_unsupported {
	u32 kind, machine;
	u64 value, count;
};
extern struct srv_unsupported srv_unsupported[256];
extern unsigned srv_nunsupported;
extern const u8 srv_translator[32];
u64 srv_features(void);			/* of this host; CPUID is slow in a virtual machine */

/* --- status.c */
int srv_status_fd(void);		/* a sealed memfd with JSON, or -errno */
int srv_status_write(FILE *f);

/* --- transports */
struct srv_transport {
	const char *name;
	int (*start)(void);		/* 0 or -errno, logged */
	void (*stop)(void);
	void (*tick)(u64 now);
	unsigned (*clients)(void);
	void (*after_events)(void);	/* nothing of this round's events is used any more */
};
extern const struct srv_transport srv_transport_socket, srv_transport_device;

/* --- transport_device.c, for objects in the module's memory */
int srv_device_create(struct srv_object *o, u64 size);	/* a descriptor to map, or -errno; sets o->device_id */
void srv_device_retire(struct srv_object *o);
/* o's worker has published; all: it is through with what it got. Or o's state has changed. */
void srv_device_progress(struct srv_object *o, bool all);
void srv_device_requeue(struct srv_object *o);		/* o's worker has ended */
void srv_device_status(FILE *f);

/* --- gate.c */
/* Has the gate of c's user take the message that waits at socket conn. Then srv_gate_done of the transport is called. 0 or -errno. */
struct srv_gate;
typedef void (*srv_gate_done)(void *ctx, int error, const void *msg, size_t n, struct srv_file *files, unsigned nfiles);
int srv_gate_receive(struct srv_user *u, int conn, srv_gate_done done, void *ctx);
void srv_gate_forget(void *ctx);	/* the transport's connection is gone */
void srv_gate_release(struct srv_gate *g, u32 slot);
int srv_gate_read(struct srv_gate *g, u32 slot, int copy, int channel, unsigned uid_slot, u64 features);
void srv_gates_tick(u64 now);
unsigned srv_gates_count(void);

/* --- digest.c */
void srv_digest_init(void);
void srv_sha256(const void *p, size_t n, u8 out[32]);
char *srv_hex(char *out, const u8 *p, unsigned n);
#endif
