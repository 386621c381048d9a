/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module's files know of each other.
 *
 * Locks, outer first: a session's mutex (HELLO only), the xa_lock of its attachments; guest_lock (guest.c), queue_lock (queue.c: requests,
 * the server), image_lock (image.c: images, slots, what objects serve). Of the last three only image_lock is taken in another, and only
 * in queue_lock. All but the mutex are spinlocks of process context; nobody copies from or to user space, allocates or sleeps under
 * them. mmap_lock is only taken with none of them held.
 *
 * Who keeps what alive
 *   module    open files of ours, the format (mm->binfmt) of each guest
 *   session   its file; each request that it asked first
 *   image     attachments and requests (uses: these hold its file, too), and each slot that says something (holds no file)
 *   object    the table of objects until it is retired; attachments, bound slots, requests, the writer's descriptor
 *   request   being in the queue (until it is answered), each waiter
 */
#ifndef DRAGOMAN_INTERNAL_H
#define DRAGOMAN_INTERNAL_H

#include <linux/binfmts.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/uuid.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <linux/dragoman.h>

#include "compat.h"

struct cred;
struct pid;

/* ---- guest.c: the guests, their runtimes, sysfs -------------------------------------------------------- */

/* While it is registered, or a session of a program that it runs is open, its file cannot be written. */
struct dragoman_runtime {
	struct kref ref;
	struct file *file;
	const struct cred *cred;
	bool credentials;
};

struct dragoman_guest {
	const char *name;
	u16 machine;
	u8 elf_class, elf_data;
	u32 osabis;			/* bit n: EI_OSABI n is ours */
	u32 types;			/* bit n: e_type n is ours */
	bool enabled;
	struct dragoman_runtime *runtime;	/* guest_lock */
	atomic64_t execs, refused, failed;
};

enum dragoman_stat {
	STAT_QUEUED, STAT_TAKEN, STAT_ANSWERED, STAT_REQUEUED, STAT_MAPPED, STAT_TIMEOUTS, STAT_REFUSED, NSTATS
};

extern atomic64_t dragoman_stats[NSTATS];
extern atomic_t dragoman_nsessions, dragoman_nimages, dragoman_nobjects;
extern const struct attribute_group *dragoman_groups[];

static inline void dragoman_count(enum dragoman_stat which)
{
	atomic64_inc(&dragoman_stats[which]);
}

struct dragoman_guest *dragoman_guest_match(const char *header, size_t size);
struct dragoman_runtime *dragoman_runtime_get(struct dragoman_guest *guest);
void dragoman_runtime_put(struct dragoman_runtime *runtime);
int dragoman_set_runtime(const struct dragoman_set_runtime *set);
void dragoman_guests_exit(void);

/* ---- exec.c ------------------------------------------------------------------------------------------ */

int dragoman_exec_find_native(void);
void dragoman_exec_init(void);
void dragoman_exec_exit(void);

/* ---- image.c: versions of files, and which object serves them -------------------------------------------- */

struct dragoman_key {
	struct dragoman_file_id file;	/* without flags */
	u64 diskseq, bdi;		/* another medium or file system under the same device number */
	uuid_t uuid;
};

struct dragoman_class {
	u64 cpu_class;
	u8 translator[DRAGOMAN_TRANSLATOR_SIZE];
};

struct dragoman_image {
	u64 id;
	struct dragoman_key key;
	struct hlist_node by_key, by_id;
	struct list_head all;
	unsigned int refs;		/* image_lock, as all below */
	unsigned int uses;
	u32 flags;			/* DRAGOMAN_FILE_TRUSTED */
	struct dragoman_watch *watch;	/* where times do not tell of each change */
	struct file *file;		/* while uses, and if the real file is known: the server's own */
	struct list_head slots;
	unsigned int nslots, nbound;
	struct list_head idle;		/* waits for being told as IDLE */
	struct list_head unused;	/* while no uses, but bound */
};

struct dragoman_object;

/* What a file turned out to be. Holds nothing. */
struct dragoman_proof {
	struct file *file;		/* a reference that the caller puts */
	struct inode *real;
	u32 flags;			/* DRAGOMAN_FILE_* */
	u64 offset;			/* of the address */
};

int dragoman_image_init(void);
void dragoman_image_exit(void);
int dragoman_proof_from_file(struct dragoman_proof *proof, struct file *file);
void dragoman_proof_id(const struct dragoman_proof *proof, struct dragoman_file_id *id);
struct dragoman_image *dragoman_image_use(const struct dragoman_proof *proof);
void dragoman_image_unuse(struct dragoman_image *image);
void dragoman_image_use_again(struct dragoman_image *image);
struct dragoman_image *dragoman_image_find(u64 id, bool used);
struct file *dragoman_image_file(struct dragoman_image *image);
int dragoman_image_check(struct dragoman_image *image);
int dragoman_image_look(struct dragoman_image *image, const struct dragoman_class *class, struct dragoman_object **object);
bool dragoman_image_is_answered(struct dragoman_image *image, const struct dragoman_class *class);
int dragoman_image_bind(struct dragoman_image *image, const struct dragoman_class *class, u32 status, struct dragoman_object *object);
void dragoman_image_reopen(void);
void dragoman_image_unbind(struct dragoman_object *object);
bool dragoman_image_take_idle(struct dragoman_req *req);
bool dragoman_image_has_idle(void);
void dragoman_image_forget_private(void);

/* ---- object.c: the files that code is in, and our mount ----------------------------------------------------- */

struct dragoman_object {
	struct kref ref;
	u32 id;
	bool retired;			/* image_lock */
	u64 size;
	struct dragoman_class class;
	struct file *file;
	struct list_head slots;		/* image_lock: slots that it serves */
};

int dragoman_object_init(void);
void dragoman_object_exit(void);
int dragoman_object_create(struct dragoman_obj_create *create, struct file **writer);
struct dragoman_object *dragoman_object_find(u32 id);
void dragoman_object_get(struct dragoman_object *object);
void dragoman_object_put(struct dragoman_object *object);
int dragoman_object_retire(u32 id);
void dragoman_object_retire_all(void);
bool dragoman_object_is_ours(const struct inode *inode);
int dragoman_object_mmap(struct dragoman_object *object, struct vm_area_struct *vma, unsigned long pgoff);
struct file *dragoman_mount_file(const struct file_operations *fops, void *private, const char *name);

/* mmap offset of an object in a session: its id in the upper half */
#define DRAGOMAN_MAP_SHIFT 32
#define DRAGOMAN_MAP_PAGES (DRAGOMAN_MAP_SHIFT - PAGE_SHIFT)

/* ---- vmaproof.c ---------------------------------------------------------------------------------------- */

struct file *dragoman_file_behind(const struct vm_area_struct *vma, u64 address, u64 *offset);
int dragoman_proof_from_address(struct dragoman_proof *proof, u64 address);

/* ---- watch.c ------------------------------------------------------------------------------------------- */

struct dragoman_watch;

int dragoman_watch_init(void);
void dragoman_watch_exit(void);
struct dragoman_watch *dragoman_watch_start(struct inode *inode);
void dragoman_watch_stop(struct dragoman_watch *watch);
bool dragoman_watch_written(const struct dragoman_watch *watch);

/* ---- session.c ----------------------------------------------------------------------------------------- */

struct dragoman_session {
	struct kref ref;
	atomic_t unanswered;		/* requests that nobody waits for */
	bool exec, secure, unreadable, no_name;
	struct file *guest_file;	/* until release; NULL: not made by exec */
	struct dragoman_runtime *runtime;	/* likewise; what runs it */
	struct dragoman_class class;	/* after HELLO */
	struct mutex lock;		/* hello */
	bool hello;			/* set last, release */
	struct xarray attached;		/* object id -> struct attachment */
	unsigned int nattached;		/* its xa_lock */
};

extern const struct file_operations dragoman_node_fops;

struct file *dragoman_session_create(struct file *guest_file);
void dragoman_session_put(struct dragoman_session *session);

/* ---- ctl.c --------------------------------------------------------------------------------------------- */

enum { CTL_NEW, CTL_SERVER, CTL_ADMIN, CTL_BUSY };

struct dragoman_ctl {
	int role;			/* queue_lock */
	u64 generation;
	struct list_head taken;		/* queue_lock */
};

extern const struct file_operations dragoman_ctl_fops;

/* ---- queue.c: requests ---------------------------------------------------------------------------------- */

struct dragoman_want {
	u32 kind, priority;
	struct dragoman_session *session;	/* NULL: the module itself wants it */
	struct dragoman_image *image;
	struct dragoman_object *object;	/* MISS */
	u64 offset, length;		/* MISS */
	struct dragoman_class class;	/* OPEN */
	bool wait;
	bool killable;
	u64 deadline;
	u64 cookie;
};

int dragoman_queue_ask(struct dragoman_want *want, u32 *status);
int dragoman_queue_join(struct dragoman_ctl *ctl, u32 role, u64 *generation);
void dragoman_queue_leave(struct dragoman_ctl *ctl);
int dragoman_queue_take(struct dragoman_ctl *ctl, struct dragoman_req *reqs, unsigned int max, u64 deadline);
void dragoman_queue_untake(struct dragoman_ctl *ctl, const struct dragoman_req *reqs, unsigned int n);
int dragoman_queue_answer(struct dragoman_ctl *ctl, const struct dragoman_answer *answer);
void dragoman_queue_end_object(struct dragoman_object *object);
__poll_t dragoman_queue_poll(struct file *file, struct poll_table_struct *table);
void dragoman_queue_wake_server(void);
u64 dragoman_queue_generation(void);
void dragoman_queue_exit(void);

/* ---- structures from and to user space --------------------------------------------------------------------- */

int dragoman_copy_in(void *to, size_t size, size_t least, const void __user *from);
int dragoman_copy_out(void __user *to, const void *from, size_t size);

#endif
