// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: what a client speaks through. In: HELLO, GET_IMAGE, ATTACH, DETACH, MISS, mmap. Out: status words, descriptors of
 * the guest program, maps of objects. A session is a file on the module's own mount (object.c); /dev/dragoman only makes them.
 *
 * Whoever has the descriptor may use it. It gives nothing that its holder could not have by proving the file himself, or
 * that somebody who proved it did not hand on.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "trace.h"

/* Objects that a session can hold: a guest has as many libraries. */
#define MAX_ATTACHED 4096

struct attachment {
	struct dragoman_object *object;
	struct dragoman_image *image;	/* used */
};

static const struct file_operations session_fops;

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void session_free(struct kref *ref)
{
	kfree(container_of(ref, struct dragoman_session, ref));
}

void dragoman_session_put(struct dragoman_session *session)
{
	kref_put(&session->ref, session_free);
}

/* A new session's file; guest_file (or NULL) is the program that an exec starts. */
struct file *dragoman_session_create(struct file *guest_file)
{
	struct dragoman_session *session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!session)
		return ERR_PTR(-ENOMEM);
	kref_init(&session->ref);
	mutex_init(&session->lock);
	xa_init_flags(&session->attached, XA_FLAGS_ACCOUNT);
	file = dragoman_mount_file(&session_fops, session, "dragoman");
	if (IS_ERR(file)) {
		kfree(session);
		return file;
	}
	if (guest_file) {
		session->guest_file = get_file(guest_file);
		session->exec = true;
	}
	atomic_inc(&dragoman_nsessions);
	return file;
}

static void attachment_free(struct attachment *a)
{
	dragoman_object_put(a->object);
	dragoman_image_unuse(a->image);
	kfree(a);
}

static int session_release(struct inode *inode, struct file *file)
{
	struct dragoman_session *session = file->private_data;
	struct attachment *a;
	unsigned long id;

	xa_for_each(&session->attached, id, a)
		attachment_free(a);
	xa_destroy(&session->attached);
	if (session->guest_file)
		fput(session->guest_file);
	dragoman_runtime_put(session->runtime);
	atomic_dec(&dragoman_nsessions);
	dragoman_session_put(session);
	return 0;
}

/* ---- attaching --------------------------------------------------------------------------------------------------- */

/* What HELLO and ATTACH answer. */
struct attached {
	u32 status, object;
	u64 object_size, map_offset;
};

/* Takes over the references to object and image, whatever comes out. */
static int remember(struct dragoman_session *session, struct dragoman_object *object, struct dragoman_image *image)
{
	struct attachment *a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!a) {
		dragoman_object_put(object);
		dragoman_image_unuse(image);
		return err;
	}
	a->object = object;
	a->image = image;
	xa_lock(&session->attached);
	if (session->nattached >= MAX_ATTACHED && !xa_load(&session->attached, object->id))
		err = -ENOSPC;
	else
		err = __xa_insert(&session->attached, object->id, a, GFP_KERNEL);
	if (!err)
		session->nattached++;
	xa_unlock(&session->attached);
	if (err)
		attachment_free(a);
	/* Equal contents, or asked twice. */
	return err == -EBUSY ? 0 : err;
}

/* The object of an image that the caller uses, if there is one: 0 and out->status. */
static int look(struct dragoman_session *session, struct dragoman_image *image, struct attached *out)
{
	struct dragoman_object *object;
	int status, err;

	status = dragoman_image_look(image, &session->class, &object);
	if (status < 0)
		return status;
	out->status = status;
	if (status != DRAGOMAN_OK)
		return 0;
	out->object = object->id;
	out->object_size = object->size;
	out->map_offset = (u64)object->id << DRAGOMAN_MAP_SHIFT;
	dragoman_image_use_again(image);
	err = remember(session, object, image);
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}

/* Asks the server for an object, and looks again if it waited for the answer. */
static int ask_open(struct dragoman_session *session, struct dragoman_image *image, struct dragoman_want *want,
		    struct attached *out)
{
	struct file *file = dragoman_image_file(image);
	u32 status;
	int err;

	/* The server would have nothing to read. */
	if (!file) {
		out->status = DRAGOMAN_BY_ADDRESS;
		return 0;
	}
	fput(file);
	want->kind = DRAGOMAN_REQ_OPEN;
	want->session = session;
	want->image = image;
	want->class = session->class;
	err = dragoman_queue_ask(want, &status);
	if (err || (status == DRAGOMAN_NONE && !want->wait))
		return err;
	if (status == DRAGOMAN_PRIVATE) {
		out->status = status;
		return 0;
	}
	return look(session, image, out);
}

/* want: NULL to ask for nothing. 0 and *out, or -errno. */
static int attach(struct dragoman_session *session, const struct dragoman_proof *proof, struct dragoman_want *want,
		  struct attached *out)
{
	struct dragoman_image *image;
	int err = 0;

	out->status = DRAGOMAN_PRIVATE;
	/* A privileged program must not run what some user's file led the translator to. */
	if (session->secure && !(proof->flags & DRAGOMAN_FILE_TRUSTED))
		goto private;
	image = dragoman_image_use(proof);
	if (image == ERR_PTR(-EACCES))
		goto private;
	if (IS_ERR(image))
		return PTR_ERR(image);
	err = look(session, image, out);
	trace_dragoman_looked(image->id, out->object, err ? err : (int)out->status);
	if (!err && out->status == DRAGOMAN_NONE && want)
		err = ask_open(session, image, want, out);
	dragoman_image_unuse(image);
	return err;
private:
	dragoman_count(STAT_REFUSED);
	trace_dragoman_refused(DRAGOMAN_REQ_OPEN, DRAGOMAN_PRIVATE);
	return 0;
}

static int prove(struct dragoman_proof *proof, const struct dragoman_attach *args)
{
	struct file *file;
	int err;

	if (args->flags & DRAGOMAN_ATTACH_ADDRESS)
		return dragoman_proof_from_address(proof, args->address);
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	err = dragoman_proof_from_file(proof, file);
	if (err)
		fput(file);
	return err;
}

static int check_attach(const struct dragoman_attach *args)
{
	u32 flags = args->flags;
	bool by_fd = flags & DRAGOMAN_ATTACH_FD, wait = flags & DRAGOMAN_ATTACH_WAIT;

	if (flags & ~(DRAGOMAN_ATTACH_FD | DRAGOMAN_ATTACH_ADDRESS | DRAGOMAN_ATTACH_WAIT | DRAGOMAN_ATTACH_LOOK))
		return -EINVAL;
	if (by_fd == !!(flags & DRAGOMAN_ATTACH_ADDRESS) || (wait && flags & DRAGOMAN_ATTACH_LOOK))
		return -EINVAL;
	if (args->pad || (by_fd ? args->address != 0 : args->fd != -1) || (!wait && args->deadline_ns))
		return -EINVAL;
	return 0;
}

static long do_attach(struct dragoman_session *session, void __user *arg)
{
	struct dragoman_want want = {};
	struct dragoman_attach args;
	struct dragoman_proof proof;
	struct attached out = {};
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_ATTACH_1_0, arg);
	if (!err)
		err = check_attach(&args);
	if (err)
		return err;
	want.wait = args.flags & DRAGOMAN_ATTACH_WAIT;
	want.priority = want.wait ? 0 : 1;
	want.deadline = args.deadline_ns;
	want.cookie = args.cookie;
	memset(&args.file, 0, sizeof(args.file));
	args.file_offset = 0;
	err = prove(&proof, &args);
	if (!err) {
		dragoman_proof_id(&proof, &args.file);
		args.file_offset = proof.offset;
		err = attach(session, &proof, args.flags & DRAGOMAN_ATTACH_LOOK ? NULL : &want, &out);
		fput(proof.file);
	} else if (err == -EACCES || (err == -EFAULT && args.flags & DRAGOMAN_ATTACH_ADDRESS)) {
		/* It is there, but nobody can say what it holds. */
		out.status = DRAGOMAN_PRIVATE;
		err = 0;
	}
	args.cookie = want.cookie;
	args.status = out.status;
	args.object = out.object;
	args.object_size = out.object_size;
	args.map_offset = out.map_offset;
	if (dragoman_copy_out(arg, &args, sizeof(args)))
		return -EFAULT;
	return err;
}

static long do_detach(struct dragoman_session *session, void __user *arg)
{
	struct dragoman_detach args;
	struct attachment *a;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_DETACH_1_0, arg);
	if (err)
		return err;
	if (args.flags || args.pad)
		return -EINVAL;
	xa_lock(&session->attached);
	a = __xa_erase(&session->attached, args.object);
	if (a)
		session->nattached--;
	xa_unlock(&session->attached);
	if (!a)
		return -ENOENT;
	attachment_free(a);
	return 0;
}

/* ---- the program, HELLO ------------------------------------------------------------------------------------------ */

/* Reserves a descriptor for the guest program; the caller installs it, or gives it back. */
static int reserve_image_fd(const struct dragoman_session *session)
{
	return session->guest_file ? get_unused_fd_flags(O_CLOEXEC) : -ENOENT;
}

static long do_get_image(struct dragoman_session *session, void __user *arg)
{
	struct dragoman_get_image args;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_GET_IMAGE_1_0, arg);
	if (err)
		return err;
	if (args.flags || args.pad)
		return -EINVAL;
	args.fd = reserve_image_fd(session);
	if (args.fd < 0)
		return args.fd;
	if (dragoman_copy_out(arg, &args, sizeof(args))) {
		put_unused_fd(args.fd);
		return -EFAULT;
	}
	fd_install(args.fd, get_file(session->guest_file));
	return 0;
}

static u32 session_flags(const struct dragoman_session *session)
{
	return (session->exec ? DRAGOMAN_SESSION_EXEC : 0) | (session->secure ? DRAGOMAN_SESSION_SECURE : 0) |
	       (session->unreadable ? DRAGOMAN_SESSION_UNREADABLE : 0) | (session->no_name ? DRAGOMAN_SESSION_NO_NAME : 0);
}

/* The program's own object. That there is none, for whatever reason, is no error here. */
static void hello_attach(struct dragoman_session *session, struct dragoman_hello *args)
{
	struct dragoman_want want = { .priority = 1 };
	struct dragoman_proof proof;
	struct attached out = {};

	if (dragoman_proof_from_file(&proof, session->guest_file)) {
		args->status = DRAGOMAN_PRIVATE;
		return;
	}
	dragoman_proof_id(&proof, &args->file);
	if (args->flags & DRAGOMAN_HELLO_NO_OBJECT || attach(session, &proof, &want, &out))
		out.status = out.status == DRAGOMAN_PRIVATE ? DRAGOMAN_PRIVATE : DRAGOMAN_NONE;
	args->status = out.status;
	args->object = out.object;
	args->object_size = out.object_size;
	args->map_offset = out.map_offset;
}

static int hello(struct dragoman_session *session, struct dragoman_hello *args, void __user *arg)
{
	args->abi_major = DRAGOMAN_ABI_MAJOR;
	args->abi_minor = min(args->abi_minor, DRAGOMAN_ABI_MINOR);
	args->session_flags = session_flags(session);
	args->server_generation = dragoman_queue_generation();
	args->image_fd = -1;
	args->status = DRAGOMAN_NONE;
	session->class.cpu_class = args->cpu_class;
	memcpy(session->class.translator, args->translator, sizeof(args->translator));
	if (session->guest_file) {
		if (args->flags & DRAGOMAN_HELLO_IMAGE_FD) {
			args->image_fd = reserve_image_fd(session);
			if (args->image_fd < 0)
				return args->image_fd;
		}
		hello_attach(session, args);
	}
	if (dragoman_copy_out(arg, args, sizeof(*args))) {
		if (args->image_fd >= 0)
			put_unused_fd(args->image_fd);
		return -EFAULT;
	}
	if (args->image_fd >= 0)
		fd_install(args->image_fd, get_file(session->guest_file));
	return 0;
}

static long do_hello(struct dragoman_session *session, void __user *arg)
{
	struct dragoman_hello args;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_HELLO_1_0, arg);
	if (err)
		return err;
	if (args.flags & ~(DRAGOMAN_HELLO_IMAGE_FD | DRAGOMAN_HELLO_NO_OBJECT))
		return -EINVAL;
	if (args.abi_major != DRAGOMAN_ABI_MAJOR)
		return -EPROTO;
	memset((char *)&args + offsetof(struct dragoman_hello, session_flags), 0,
	       sizeof(args) - offsetof(struct dragoman_hello, session_flags));
	/* The copies inside may wait for whoever serves the caller's memory. */
	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	err = session->hello ? -EALREADY : hello(session, &args, arg);
	if (!err)
		/* Others see the class when they see this. */
		smp_store_release(&session->hello, true);
	mutex_unlock(&session->lock);
	return err;
}

/* ---- misses ------------------------------------------------------------------------------------------------------ */

static int check_miss(const struct dragoman_miss *args)
{
	bool nowait = args->flags & DRAGOMAN_MISS_NOWAIT;

	if (args->flags & ~(DRAGOMAN_MISS_NOWAIT | DRAGOMAN_MISS_PREFETCH | DRAGOMAN_MISS_KILLABLE))
		return -EINVAL;
	if (args->flags & DRAGOMAN_MISS_PREFETCH && !nowait)
		return -EINVAL;
	if (nowait && (args->deadline_ns || args->flags & DRAGOMAN_MISS_KILLABLE))
		return -EINVAL;
	return 0;
}

/* Finds what is attached, with references. */
static int get_attached(struct dragoman_session *session, struct dragoman_want *want, u32 id)
{
	struct attachment *a;

	xa_lock(&session->attached);
	a = xa_load(&session->attached, id);
	if (a) {
		want->object = a->object;
		dragoman_object_get(a->object);
		want->image = a->image;
		dragoman_image_use_again(a->image);
	}
	xa_unlock(&session->attached);
	return a ? 0 : -ENOENT;
}

static long do_miss(struct dragoman_session *session, void __user *arg)
{
	struct dragoman_want want = { .kind = DRAGOMAN_REQ_MISS, .session = session };
	struct dragoman_miss args;
	u64 size;
	int err;

	err = dragoman_copy_in(&args, sizeof(args), DRAGOMAN_SIZE_MISS_1_0, arg);
	if (!err)
		err = check_miss(&args);
	if (!err)
		err = get_attached(session, &want, args.object);
	if (err)
		return err;
	err = -EINVAL;
	size = want.image->key.file.size;
	if (args.offset >= size)
		goto out;
	want.offset = args.offset;
	want.length = min(args.length, size - args.offset);
	want.wait = !(args.flags & DRAGOMAN_MISS_NOWAIT);
	want.killable = args.flags & DRAGOMAN_MISS_KILLABLE;
	want.priority = want.wait ? 0 : args.flags & DRAGOMAN_MISS_PREFETCH ? 2 : 1;
	want.deadline = args.deadline_ns;
	want.cookie = args.cookie;
	args.status = DRAGOMAN_NONE;
	err = READ_ONCE(want.object->retired) ? -ESTALE : dragoman_queue_ask(&want, &args.status);
	args.cookie = want.cookie;
	if (dragoman_copy_out(arg, &args, sizeof(args)))
		err = -EFAULT;
out:
	dragoman_object_put(want.object);
	dragoman_image_unuse(want.image);
	return err;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static long session_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct dragoman_session *session = file->private_data;
	void __user *arg = (void __user *)argument;

	if (_IOC_TYPE(command) != DRAGOMAN_IOC_TYPE)
		return -ENOTTY;
	if (command == DRAGOMAN_IOC_HELLO)
		return do_hello(session, arg);
	/* Pairs with do_hello(): the class is there. */
	if (!smp_load_acquire(&session->hello))
		return -EPROTO;
	switch (command) {
	case DRAGOMAN_IOC_GET_IMAGE:
		return do_get_image(session, arg);
	case DRAGOMAN_IOC_ATTACH:
		return do_attach(session, arg);
	case DRAGOMAN_IOC_DETACH:
		return do_detach(session, arg);
	case DRAGOMAN_IOC_MISS:
		return do_miss(session, arg);
	}
	return -ENOTTY;
}

/* A reference to the attached object that an mmap offset means, or NULL. */
static struct dragoman_object *object_at(struct dragoman_session *session, unsigned long pgoff)
{
	struct attachment *a;
	struct dragoman_object *object = NULL;

	xa_lock(&session->attached);
	a = xa_load(&session->attached, pgoff >> DRAGOMAN_MAP_PAGES);
	if (a) {
		object = a->object;
		dragoman_object_get(object);
	}
	xa_unlock(&session->attached);
	return object;
}

/*
 * Shared maps can never be written. Private ones may: what is written then is the client's own copy.
 */
static int session_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long pgoff = vma->vm_pgoff & (BIT(DRAGOMAN_MAP_PAGES) - 1);
	u64 length = vma->vm_end - vma->vm_start;
	struct dragoman_object *object;
	int err;

	if (vma->vm_flags & VM_MAYSHARE) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	object = object_at(file->private_data, vma->vm_pgoff);
	if (!object)
		return -ENXIO;
	err = dragoman_object_mmap(object, vma, pgoff);
	if (!err)
		trace_dragoman_mapped(object->id, (u64)pgoff << PAGE_SHIFT, length, false);
	dragoman_object_put(object);
	return err;
}

static unsigned long session_get_area(struct file *file, unsigned long address, unsigned long length, unsigned long pgoff,
				      unsigned long flags)
{
	struct dragoman_object *object = object_at(file->private_data, pgoff);
	unsigned long found;

	if (!object)
		return -ENXIO;
	found = object->file->f_op->get_unmapped_area(object->file, address, length, pgoff & (BIT(DRAGOMAN_MAP_PAGES) - 1), flags);
	dragoman_object_put(object);
	return found;
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = session_mmap,
	.get_unmapped_area = session_get_area,
	.release = session_release,
	.llseek = noop_llseek,
};

/* ---- /dev/dragoman ------------------------------------------------------------------------------------------------ */

static long node_ioctl(struct file *node, unsigned int command, unsigned long argument)
{
	struct file *file;
	int fd;

	if (command != DRAGOMAN_IOC_SESSION)
		return -ENOTTY;
	if (argument)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = dragoman_session_create(NULL);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

const struct file_operations dragoman_node_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = node_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
