// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who wrote to a file that does not say so? On tmpfs a store through a shared map changes no time, so a key cannot tell. What can
 * is that the writer's open file is closed at some time. In: inodes of images. Out: whether a writer has gone since.
 *
 * A watch does not hold its inode: when that goes, it just never sees anything again. A kernel without fsnotify has no watches: such
 * files are private there.
 */
#include <linux/fsnotify_backend.h>
#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

#ifdef CONFIG_FSNOTIFY
struct dragoman_watch {
	struct fsnotify_mark mark;
	struct llist_node stopped;
	bool written;
};

static struct fsnotify_group *group;
static LLIST_HEAD(stopped);

static int on_close(struct fsnotify_mark *mark, u32 mask, struct inode *inode, struct inode *dir, const struct qstr *name,
		    u32 cookie)
{
	WRITE_ONCE(container_of(mark, struct dragoman_watch, mark)->written, true);
	return 0;
}

static void free_mark(struct fsnotify_mark *mark)
{
	kfree(container_of(mark, struct dragoman_watch, mark));
}

static const struct fsnotify_ops ops = {
	.handle_inode_event = on_close,
	.free_mark = free_mark,
};

/* From now on. The caller holds the inode. -ENOMEM and others. */
struct dragoman_watch *dragoman_watch_start(struct inode *inode)
{
	struct dragoman_watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	int err;

	if (!watch)
		return ERR_PTR(-ENOMEM);
	fsnotify_init_mark(&watch->mark, group);
	watch->mark.mask = FS_CLOSE_WRITE;
	watch->mark.flags |= FSNOTIFY_MARK_FLAG_NO_IREF;
	err = fsnotify_add_inode_mark(&watch->mark, inode, 0);
	if (!err)
		return watch;
	fsnotify_put_mark(&watch->mark);
	return ERR_PTR(err);
}

/* watch may be NULL: nothing can have been missed. */
bool dragoman_watch_written(const struct dragoman_watch *watch)
{
	return watch && READ_ONCE(watch->written);
}

static void stop(struct work_struct *work)
{
	struct dragoman_watch *watch, *next;

	llist_for_each_entry_safe(watch, next, llist_del_all(&stopped), stopped) {
		fsnotify_destroy_mark(&watch->mark, group);
		fsnotify_put_mark(&watch->mark);
	}
}

static DECLARE_WORK(stop_work, stop);

/* Ends and frees it; a watch's end sleeps, so later. May be NULL. */
void dragoman_watch_stop(struct dragoman_watch *watch)
{
	if (watch && llist_add(&watch->stopped, &stopped))
		schedule_work(&stop_work);
}

int __init dragoman_watch_init(void)
{
	/* Images of several versions of a file may be there at a time; inodes go while memory is reclaimed. */
	group = fsnotify_alloc_group(&ops, FSNOTIFY_GROUP_DUPS | DRAGOMAN_FSNOTIFY_NOFS);
	return PTR_ERR_OR_ZERO(group);
}

/* No image is left. */
void dragoman_watch_exit(void)
{
	flush_work(&stop_work);
	fsnotify_put_group(group);
	/* Those that are just going call free_mark(). */
	fsnotify_wait_marks_destroyed();
}

#else
struct dragoman_watch *dragoman_watch_start(struct inode *inode)
{
	return ERR_PTR(-EACCES);
}

bool dragoman_watch_written(const struct dragoman_watch *watch)
{
	return false;
}

void dragoman_watch_stop(struct dragoman_watch *watch)
{
}

int __init dragoman_watch_init(void)
{
	return 0;
}

void dragoman_watch_exit(void)
{
}
#endif
