// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's beginning and end, and how structures come in and go out. What the module is for is in
 * include/uapi/linux/dragoman.h; who owns what in internal.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define CHECK_SIZE(what, WHAT) static_assert(sizeof(struct dragoman_##what) == DRAGOMAN_SIZE_##WHAT##_1_0)
CHECK_SIZE(file_id, FILE_ID);
CHECK_SIZE(hello, HELLO);
CHECK_SIZE(get_image, GET_IMAGE);
CHECK_SIZE(attach, ATTACH);
CHECK_SIZE(detach, DETACH);
CHECK_SIZE(miss, MISS);
CHECK_SIZE(ctl_hello, CTL_HELLO);
CHECK_SIZE(set_runtime, SET_RUNTIME);
CHECK_SIZE(req, REQ);
CHECK_SIZE(recv, RECV);
CHECK_SIZE(answer, ANSWER);
CHECK_SIZE(reply, REPLY);
CHECK_SIZE(image_fd, IMAGE_FD);
CHECK_SIZE(obj_create, OBJ_CREATE);
CHECK_SIZE(obj_bind, OBJ_BIND);
CHECK_SIZE(obj_retire, OBJ_RETIRE);

/*
 * Copies a structure that begins with __u32 size: what the caller lacks is zero, what we do not know has to be. Its size member
 * is the caller's size afterwards. 0, -EFAULT, -EINVAL, -E2BIG.
 */
int dragoman_copy_in(void *to, size_t size, size_t least, const void __user *from)
{
	u32 theirs;
	int err;

	if (get_user(theirs, (const u32 __user *)from))
		return -EFAULT;
	if (theirs < least)
		return -EINVAL;
	if (theirs > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(to, size, from, theirs);
	*(u32 *)to = theirs;
	return err;
}

/* Back what came in by dragoman_copy_in(). 0 or -EFAULT. */
int dragoman_copy_out(void __user *to, const void *from, size_t size)
{
	return copy_to_user(to, from, min_t(size_t, size, *(const u32 *)from)) ? -EFAULT : 0;
}

static struct miscdevice node_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dragoman",
	.mode = 0666,
	.fops = &dragoman_node_fops,
};

static struct miscdevice ctl_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dragoman-ctl",
	.mode = 0600,
	.fops = &dragoman_ctl_fops,
	.groups = dragoman_groups,
};

static int __init dragoman_init(void)
{
	int err;

	err = dragoman_exec_find_native();
	if (err)
		return err;
	err = dragoman_image_init();
	if (err)
		return err;
	err = dragoman_object_init();
	if (err)
		goto out_image;
	/* Whoever opens a node before we fail would be left with nothing, so this comes last, and what root alone can open first. */
	err = misc_register(&ctl_device);
	if (err)
		goto out_object;
	err = misc_register(&node_device);
	if (err)
		goto out_ctl;
	dragoman_exec_init();
	pr_debug("loaded, ABI %u.%u\n", DRAGOMAN_ABI_MAJOR, DRAGOMAN_ABI_MINOR);
	return 0;

out_ctl:
	misc_deregister(&ctl_device);
	/* It may have been used already. */
	dragoman_queue_exit();
	dragoman_guests_exit();
out_object:
	dragoman_object_exit();
out_image:
	dragoman_image_exit();
	return err;
}

/* Nobody has a file of ours open here, and no guest runs. */
static void __exit dragoman_exit(void)
{
	dragoman_exec_exit();
	misc_deregister(&ctl_device);
	misc_deregister(&node_device);
	dragoman_queue_exit();
	dragoman_guests_exit();
	dragoman_object_exit();
	dragoman_image_exit();
	pr_debug("unloaded\n");
}

module_init(dragoman_init);
module_exit(dragoman_exit);

MODULE_DESCRIPTION("Runs foreign Linux programs through the Dragoman translator");
MODULE_LICENSE("GPL");
MODULE_VERSION(DRAGOMAN_VERSION);
MODULE_SOFTDEP("pre: binfmt_misc");
