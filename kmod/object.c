// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects and the mount that they are on. In: OBJ_CREATE, OBJ_RETIRE, mmap of sessions and writers. Out: shmem files that the
 * server's workers write and never execute, and clients execute and never write. No descriptor of such a file leaves the module:
 * what user space has are files of ours whose mmap puts the shmem file in their place.
 *
 * Session files are on a mount, too: other than an anonymous inode's it allows executable mappings. The one of the objects
 * does not: remap_file_pages() maps the shmem file itself, so only that keeps a writer from making its map executable.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/anon_inodes.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/moduleparam.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

static char *huge = "advise";
module_param(huge, charp, 0444);
MODULE_PARM_DESC(huge, "Huge pages for code objects: never, advise (where a worker asks), within_size, always");

static struct vfsmount *object_mount, *session_mount;
static struct file *anchor;		/* its inode is every session's */
static DEFINE_XARRAY_ALLOC1(objects);
static u32 next_id;

/* ---- life ------------------------------------------------------------------------------------------------------ */

static void object_free(struct kref *ref)
{
	struct dragoman_object *object = container_of(ref, struct dragoman_object, ref);

	/* Pages go when the last map does. */
	fput(object->file);
	atomic_dec(&dragoman_nobjects);
	kfree(object);
}

void dragoman_object_get(struct dragoman_object *object)
{
	kref_get(&object->ref);
}

void dragoman_object_put(struct dragoman_object *object)
{
	kref_put(&object->ref, object_free);
}

/* NULL: never was, or retired. */
struct dragoman_object *dragoman_object_find(u32 id)
{
	struct dragoman_object *object;

	xa_lock(&objects);
	object = xa_load(&objects, id);
	if (object)
		kref_get(&object->ref);
	xa_unlock(&objects);
	return object;
}

/*
 * Nobody can open the file itself, by /proc/PID/fd or map_files, but root, who cannot cut it off below running code.
 */
static struct file *make_file(struct vfsmount *mount, const char *name, loff_t size, unsigned int seals)
{
	struct file *file = dragoman_shmem_file(mount, name, size);

	if (IS_ERR(file))
		return file;
	file_inode(file)->i_mode = S_IFREG;
	SHMEM_I(file_inode(file))->seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | seals;
	return file;
}

static struct dragoman_object *object_alloc(const struct dragoman_obj_create *create)
{
	struct dragoman_object *object = kzalloc(sizeof(*object), GFP_KERNEL_ACCOUNT);
	int err;

	if (!object)
		return ERR_PTR(-ENOMEM);
	kref_init(&object->ref);
	INIT_LIST_HEAD(&object->slots);
	object->size = create->object_size;
	object->class.cpu_class = create->cpu_class;
	memcpy(object->class.translator, create->translator, sizeof(object->class.translator));
	object->file = make_file(object_mount, "dragoman-object", object->size, 0);
	if (IS_ERR(object->file)) {
		err = PTR_ERR(object->file);
		kfree(object);
		return ERR_PTR(err);
	}
	atomic_inc(&dragoman_nobjects);
	return object;
}

static struct file *writer_create(struct dragoman_object *object);

/* Fills create->object; *writer is a new file for the worker. 0, -EINVAL, -ENOMEM, -ENFILE. */
int dragoman_object_create(struct dragoman_obj_create *create, struct file **writer)
{
	struct dragoman_object *object;
	int err;

	if (create->object_size < DRAGOMAN_OBJECT_MIN || create->object_size > DRAGOMAN_OBJECT_MAX ||
	    create->object_size % DRAGOMAN_OBJECT_MIN)
		return -EINVAL;
	object = object_alloc(create);
	if (IS_ERR(object))
		return PTR_ERR(object);
	*writer = writer_create(object);
	if (IS_ERR(*writer)) {
		err = PTR_ERR(*writer);
		goto out;
	}
	err = xa_alloc_cyclic(&objects, &object->id, object, XA_LIMIT(1, S32_MAX), &next_id, GFP_KERNEL);
	if (err < 0) {
		fput(*writer);
		goto out;
	}
	create->object = object->id;
	return 0;
out:
	dragoman_object_put(object);
	return err;
}

static void retire(struct dragoman_object *object)
{
	dragoman_image_unbind(object);
	dragoman_queue_end_object(object);
	dragoman_object_put(object);
}

int dragoman_object_retire(u32 id)
{
	struct dragoman_object *object = xa_erase(&objects, id);

	if (!object)
		return -ENOENT;
	retire(object);
	return 0;
}

void dragoman_object_retire_all(void)
{
	struct dragoman_object *object;
	unsigned long id;

	xa_for_each(&objects, id, object) {
		/* Somebody else may have been faster. */
		if (xa_cmpxchg(&objects, id, object, NULL, GFP_KERNEL) == object)
			retire(object);
		cond_resched();
	}
}

/* ---- mapping --------------------------------------------------------------------------------------------------- */

/* Puts the object's file in the place of ours. The caller has checked and cleared flags. */
int dragoman_object_mmap(struct dragoman_object *object, struct vm_area_struct *vma, unsigned long pgoff)
{
	unsigned long pages = object->size >> PAGE_SHIFT;

	if (pgoff >= pages || vma_pages(vma) > pages - pgoff)
		return -EINVAL;
	vma_set_file(vma, object->file);
	vma->vm_pgoff = pgoff;
	dragoman_count(STAT_MAPPED);
	return vfs_mmap(object->file, vma);
}

static int writer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dragoman_object *object = file->private_data;
	u64 length = vma->vm_end - vma->vm_start, offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	int err;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);
	err = dragoman_object_mmap(object, vma, vma->vm_pgoff);
	if (!err)
		trace_dragoman_mapped(object->id, offset, length, true);
	return err;
}

/* Huge pages need an aligned address, which shmem knows how to find. */
static unsigned long writer_get_area(struct file *file, unsigned long address, unsigned long length, unsigned long pgoff,
				     unsigned long flags)
{
	struct dragoman_object *object = file->private_data;

	return object->file->f_op->get_unmapped_area(object->file, address, length, pgoff, flags);
}

static int writer_release(struct inode *inode, struct file *file)
{
	dragoman_object_put(file->private_data);
	return 0;
}

static const struct file_operations writer_fops = {
	.owner = THIS_MODULE,
	.mmap = writer_mmap,
	.get_unmapped_area = writer_get_area,
	.release = writer_release,
	.llseek = noop_llseek,
};

static struct file *writer_create(struct dragoman_object *object)
{
	struct file *file = anon_inode_getfile("[dragoman-object]", &writer_fops, object, O_RDWR | O_CLOEXEC);

	if (!IS_ERR(file))
		kref_get(&object->ref);
	return file;
}

/* ---- the mounts ------------------------------------------------------------------------------------------------ */

/* A new file of ours on the sessions' mount. Its release has to put what private is. */
struct file *dragoman_mount_file(const struct file_operations *fops, void *private, const char *name)
{
	struct inode *inode = file_inode(anchor);
	struct file *file;

	/* The file's end puts it. */
	if (!try_module_get(fops->owner))
		return ERR_PTR(-ENOENT);
	ihold(inode);
	file = alloc_file_pseudo(inode, session_mount, name, O_RDONLY, fops);
	if (IS_ERR(file)) {
		iput(inode);
		module_put(fops->owner);
		return file;
	}
	file->private_data = private;
	return file;
}

/* Is it an object, or a session? */
bool dragoman_object_is_ours(const struct inode *inode)
{
	return inode->i_sb == object_mount->mnt_sb || inode->i_sb == session_mount->mnt_sb;
}

static struct vfsmount *mount_tmpfs(const char *options)
{
	struct file_system_type *type = get_fs_type("tmpfs");
	struct vfsmount *mnt;
	char text[64];

	if (!type)
		return ERR_PTR(-ENODEV);
	strscpy(text, options, sizeof(text));
	mnt = vfs_kern_mount(type, SB_KERNMOUNT, "dragoman", text);
	module_put(type->owner);
	return mnt;
}

static struct vfsmount *mount_objects(void)
{
	struct vfsmount *mnt = ERR_PTR(-EOPNOTSUPP);
	char options[64];

	/* Where there is no such option tmpfs complains aloud. */
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE)) {
		snprintf(options, sizeof(options), "size=50%%,huge=%s", huge);
		mnt = mount_tmpfs(options);
		if (IS_ERR(mnt))
			pr_notice("no huge pages (huge=%s is not to be had)\n", huge);
	}
	if (IS_ERR(mnt))
		mnt = mount_tmpfs("size=50%");
	if (!IS_ERR(mnt))
		mnt->mnt_sb->s_iflags |= SB_I_NOEXEC;
	return mnt;
}

int __init dragoman_object_init(void)
{
	int err;

	object_mount = mount_objects();
	if (IS_ERR(object_mount))
		return PTR_ERR(object_mount);
	session_mount = mount_tmpfs("size=4k");
	err = PTR_ERR_OR_ZERO(session_mount);
	if (err)
		goto out_objects;
	anchor = make_file(session_mount, "dragoman", 0, F_SEAL_WRITE);
	if (!IS_ERR(anchor))
		return 0;
	err = PTR_ERR(anchor);
	kern_unmount(session_mount);
out_objects:
	kern_unmount(object_mount);
	return err;
}

void dragoman_object_exit(void)
{
	dragoman_object_retire_all();
	dragoman_image_forget_private();
	xa_destroy(&objects);
	fput(anchor);
	/* Files that are still mapped keep the file system, which is not ours, until they go. */
	kern_unmount(session_mount);
	kern_unmount(object_mount);
}
