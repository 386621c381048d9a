// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/dragoman-ctl: the server's and the administrator's side. In: CTL_HELLO, SET_RUNTIME, RECV, REPLY, IMAGE_FD, OBJ_*. Out:
 * requests, files of images, objects. Arguments are checked here; what they do is in the other files.
 */
#include <linux/capability.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "internal.h"

static int ctl_open(struct inode *inode, struct file *file)
{
	struct dragoman_ctl *ctl;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ctl = kzalloc(sizeof(*ctl), GFP_KERNEL);
	if (!ctl)
		return -ENOMEM;
	INIT_LIST_HEAD(&ctl->taken);
	file->private_data = ctl;
	return nonseekable_open(inode, file);
}

static int ctl_release(struct inode *inode, struct file *file)
{
	struct dragoman_ctl *ctl = file->private_data;

	if (ctl->role == CTL_SERVER)
		dragoman_queue_leave(ctl);
	kfree(ctl);
	return 0;
}

/* Only one caller gets from NEW to something else. */
static int join(struct dragoman_ctl *ctl, struct dragoman_ctl_hello *args)
{
	int err;

	if (cmpxchg(&ctl->role, CTL_NEW, CTL_BUSY) != CTL_NEW)
		return -EALREADY;
	if (args->role == DRAGOMAN_ROLE_ADMIN) {
		smp_store_release(&ctl->role, CTL_ADMIN);	/* as below */
		return 0;
	}
	err = dragoman_queue_join(ctl, args->role, &args->generation);
	/* Whoever sees the role (ctl_ioctl(), ctl_poll()) sees the generation, too. */
	smp_store_release(&ctl->role, err ? CTL_NEW : CTL_SERVER);
	return err;
}

static long do_hello(struct dragoman_ctl *ctl, void __user *arg)
{
	struct dragoman_ctl_hello args;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_CTL_HELLO_1_0, arg);
	if (err)
		return err;
	if (args.flags || args.pad || args.role < DRAGOMAN_ROLE_SERVER || args.role > DRAGOMAN_ROLE_ADMIN ||
	    (args.role != DRAGOMAN_ROLE_JOIN && args.generation))
		return -EINVAL;
	if (args.abi_major != DRAGOMAN_ABI_MAJOR)
		return -EPROTO;
	args.abi_minor = min(args.abi_minor, DRAGOMAN_ABI_MINOR);
	err = join(ctl, &args);
	if (err)
		return err;
	return dragoman_copy_out(arg, &args, sizeof(args));
}

static long do_set_runtime(void __user *arg)
{
	struct dragoman_set_runtime args;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_SET_RUNTIME_1_0, arg);
	if (err)
		return err;
	if (args.flags & ~DRAGOMAN_RUNTIME_CREDENTIALS || args.fd < -1 || (args.fd == -1 && args.flags))
		return -EINVAL;
	return dragoman_set_runtime(&args);
}

/* Entries of the caller's size: he may know fewer members than we, or more. */
static int put_entries(u64 buffer, const void *entries, size_t ours, size_t theirs, unsigned int n)
{
	char __user *to = u64_to_user_ptr(buffer);

	for (unsigned int i = 0; i < n; i++, to += theirs) {
		if (copy_to_user(to, entries + i * ours, min(ours, theirs)))
			return -EFAULT;
		if (theirs > ours && clear_user(to + ours, theirs - ours))
			return -EFAULT;
	}
	return 0;
}

static long do_recv(struct dragoman_ctl *ctl, void __user *arg)
{
	struct dragoman_recv args;
	struct dragoman_req *reqs;
	int n;

	n = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_RECV_1_0, arg);
	if (n)
		return n;
	if (args.flags || !args.count || args.count > DRAGOMAN_BATCH_MAX || args.req_size < DRAGOMAN_SIZE_REQ_1_0 ||
	    args.req_size > PAGE_SIZE)
		return -EINVAL;
	reqs = kmalloc_array(args.count, sizeof(*reqs), GFP_KERNEL);
	if (!reqs)
		return -ENOMEM;
	n = dragoman_queue_take(ctl, reqs, args.count, args.deadline_ns);
	if (n > 0 && put_entries(args.buffer, reqs, sizeof(*reqs), args.req_size, n)) {
		dragoman_queue_untake(ctl, reqs, n);
		n = -EFAULT;
	}
	kfree(reqs);
	return n;
}

static long do_reply(struct dragoman_ctl *ctl, void __user *arg)
{
	struct dragoman_reply args;
	char __user *at;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_REPLY_1_0, arg);
	if (err)
		return err;
	if (args.flags || !args.count || args.count > DRAGOMAN_BATCH_MAX || args.answer_size < DRAGOMAN_SIZE_ANSWER_1_0 ||
	    args.answer_size > PAGE_SIZE)
		return -EINVAL;
	at = u64_to_user_ptr(args.buffer);
	for (unsigned int i = 0; i < args.count; i++, at += args.answer_size) {
		struct dragoman_answer answer;

		err = copy_struct_from_user(&answer, sizeof(answer), at, args.answer_size);
		if (err)
			return err;
		answer.error = dragoman_queue_answer(ctl, &answer);
		if (put_user(answer.error, &((struct dragoman_answer __user *)at)->error))
			return -EFAULT;
	}
	return 0;
}

/*
 * Two changes of a file within a clock tick leave the same time. What is read now must not be changed again unnoticed, so
 * wait until the tick of the last change is over.
 */
static int wait_for_tick(const struct inode *inode)
{
	struct timespec64 changed = inode_get_ctime(inode), now;
	s64 age;

	ktime_get_coarse_real_ts64(&now);
	age = timespec64_to_ns(&now) - timespec64_to_ns(&changed);
	/* The time of a change may be ahead of the coarse clock, but not by much unless the clock was set. */
	if (abs(age) > 2 * TICK_NSEC)
		return 0;
	return msleep_interruptible(2 * TICK_NSEC / NSEC_PER_MSEC + 1) ? -EINTR : 0;
}

static int image_fd(struct dragoman_image *image, struct dragoman_image_fd *args, void __user *arg)
{
	struct file *file = dragoman_image_file(image);
	int err = -ESTALE;

	if (!file)
		return err;
	err = wait_for_tick(file_inode(file));
	if (!err)
		err = dragoman_image_check(image);
	if (err)
		goto out;
	args->fd = get_unused_fd_flags(O_CLOEXEC);
	err = min(args->fd, 0);
	if (err)
		goto out;
	args->file = image->key.file;
	args->file.flags = image->flags;
	if (dragoman_copy_out(arg, args, sizeof(*args))) {
		put_unused_fd(args->fd);
		err = -EFAULT;
		goto out;
	}
	fd_install(args->fd, file);
	return 0;
out:
	fput(file);
	return err;
}

static long do_image_fd(void __user *arg)
{
	struct dragoman_image_fd args;
	struct dragoman_image *image;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_IMAGE_FD_1_0, arg);
	if (err)
		return err;
	if (args.flags || args.pad)
		return -EINVAL;
	image = dragoman_image_find(args.image, true);
	if (IS_ERR(image))
		return PTR_ERR(image);
	err = image_fd(image, &args, arg);
	dragoman_image_unuse(image);
	return err;
}

static long do_obj_create(void __user *arg)
{
	struct dragoman_obj_create args;
	struct file *writer;
	int err, fd;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_OBJ_CREATE_1_0, arg);
	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	err = dragoman_object_create(&args, &writer);
	if (err)
		goto out_fd;
	args.fd = fd;
	if (dragoman_copy_out(arg, &args, sizeof(args))) {
		err = -EFAULT;
		goto out_object;
	}
	fd_install(fd, writer);
	return 0;

out_object:
	dragoman_object_retire(args.object);
	fput(writer);
out_fd:
	put_unused_fd(fd);
	return err;
}

static int bind(struct dragoman_image *image, const struct dragoman_obj_bind *args)
{
	struct dragoman_class class = { .cpu_class = args->cpu_class };
	struct dragoman_object *object;
	int err;

	if (args->status != DRAGOMAN_OK) {
		memcpy(class.translator, args->translator, sizeof(class.translator));
		return dragoman_image_bind(image, &class, args->status, NULL);
	}
	object = dragoman_object_find(args->object);
	if (!object)
		return -ENOENT;
	err = dragoman_image_bind(image, &object->class, args->status, object);
	dragoman_object_put(object);
	return err;
}

static long do_obj_bind(void __user *arg)
{
	struct dragoman_obj_bind args;
	struct dragoman_image *image;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_OBJ_BIND_1_0, arg);
	if (err)
		return err;
	if (args.flags || args.status > DRAGOMAN_PRIVATE || (args.status == DRAGOMAN_OK) != !!args.object ||
	    (args.status == DRAGOMAN_OK && (args.cpu_class || memchr_inv(args.translator, 0, sizeof(args.translator)))))
		return -EINVAL;
	image = dragoman_image_find(args.image, args.status == DRAGOMAN_OK);
	if (IS_ERR(image))
		return PTR_ERR(image);
	err = bind(image, &args);
	dragoman_image_unuse(image);
	return err;
}

static long do_obj_retire(void __user *arg)
{
	struct dragoman_obj_retire args;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_OBJ_RETIRE_1_0, arg);
	if (err)
		return err;
	if (args.flags || args.pad)
		return -EINVAL;
	return dragoman_object_retire(args.object);
}

static long ctl_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct dragoman_ctl *ctl = file->private_data;
	void __user *arg = (void __user *)argument;
	int role = smp_load_acquire(&ctl->role);	/* pairs with join() */

	if (_IOC_TYPE(command) != DRAGOMAN_IOC_TYPE)
		return -ENOTTY;
	if (command == DRAGOMAN_IOC_CTL_HELLO)
		return do_hello(ctl, arg);
	if (role != CTL_SERVER && role != CTL_ADMIN)
		return -EPROTO;
	if (command == DRAGOMAN_IOC_SET_RUNTIME)
		return do_set_runtime(arg);
	if (role != CTL_SERVER)
		return -EPERM;
	switch (command) {
	case DRAGOMAN_IOC_RECV:
		return do_recv(ctl, arg);
	case DRAGOMAN_IOC_REPLY:
		return do_reply(ctl, arg);
	case DRAGOMAN_IOC_IMAGE_FD:
		return do_image_fd(arg);
	case DRAGOMAN_IOC_OBJ_CREATE:
		return do_obj_create(arg);
	case DRAGOMAN_IOC_OBJ_BIND:
		return do_obj_bind(arg);
	case DRAGOMAN_IOC_OBJ_RETIRE:
		return do_obj_retire(arg);
	}
	return -ENOTTY;
}

static __poll_t ctl_poll(struct file *file, struct poll_table_struct *table)
{
	struct dragoman_ctl *ctl = file->private_data;

	/* Pairs with join(). */
	if (smp_load_acquire(&ctl->role) != CTL_SERVER)
		return EPOLLERR;
	return dragoman_queue_poll(file, table);
}

const struct file_operations dragoman_ctl_fops = {
	.owner = THIS_MODULE,
	.open = ctl_open,
	.release = ctl_release,
	.unlocked_ioctl = ctl_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = ctl_poll,
	.llseek = noop_llseek,
};
