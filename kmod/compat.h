/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that the module is built for: Kbuild's probes in, one name for each thing out.
 */
#ifndef DRAGOMAN_COMPAT_H
#define DRAGOMAN_COMPAT_H

#include <linux/binfmts.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#ifndef HAVE_VFS_MMAP
static inline int vfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	return call_mmap(file, vma);
}
#endif

#ifndef HAVE_INODE_GET_MTIME
static inline struct timespec64 inode_get_mtime(const struct inode *inode)
{
	return inode->i_mtime;
}
#endif

/*
 * From 6.11 to 6.12 exec took no write denial at all; kernels with the helper do again. Without the helper and before 6.11
 * it is deny_write_access() as such. What exec does with mm->exe_file at exit has to be what we did at start.
 */
#ifndef HAVE_EXE_FILE_DENY_WRITE_ACCESS
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static inline int exe_file_deny_write_access(struct file *file)
{
	return 0;
}

static inline void exe_file_allow_write_access(struct file *file)
{
}
#else
static inline int exe_file_deny_write_access(struct file *file)
{
	return deny_write_access(file);
}

static inline void exe_file_allow_write_access(struct file *file)
{
	allow_write_access(file);
}
#endif
#endif

#if defined(HAVE_BTF_FMODRET) && defined(CONFIG_BPF_SYSCALL)
#include <linux/btf.h>
#include <linux/btf_ids.h>

/* Lets BPF programs of type fmod_ret give the function's result. Without BTF in the module there is just no such hook. */
#define DRAGOMAN_BPF_HOOK(function)								\
	BTF_SET8_START(function##_ids)								\
	BTF_ID_FLAGS(func, function)								\
	BTF_SET8_END(function##_ids)								\
	static const struct btf_kfunc_id_set function##_set = { .owner = THIS_MODULE, .set = &function##_ids }
#define DRAGOMAN_BPF_REGISTER(function)	register_btf_fmodret_id_set(&function##_set)
#else
#define DRAGOMAN_BPF_HOOK(function)	static_assert(true)
#define DRAGOMAN_BPF_REGISTER(function)	(-EOPNOTSUPP)
#endif

/*
 * Executed by descriptor (execveat with an empty path), comm comes from the loaded file's name where the kernel has this. True, once: it would.
 */
static inline bool dragoman_take_comm_from_dentry(struct linux_binprm *bprm)
{
#ifdef HAVE_COMM_FROM_DENTRY
	bool was = bprm->comm_from_dentry;

	bprm->comm_from_dentry = 0;
	return was;
#else
	return false;
#endif
}

/* Newer kernels take each group for one that is used in memory reclaim. */
#ifdef FSNOTIFY_GROUP_NOFS
#define DRAGOMAN_FSNOTIFY_NOFS FSNOTIFY_GROUP_NOFS
#else
#define DRAGOMAN_FSNOTIFY_NOFS 0
#endif

/* The file below an overlay's, which says so only on newer kernels (older ones give it the overlay's path). */
static inline bool dragoman_is_backing(const struct file *file)
{
#ifdef FMODE_BACKING
	return file->f_mode & FMODE_BACKING;
#else
	return false;
#endif
}

/* path_noexec() is not exported. */
static inline bool dragoman_noexec(const struct path *path)
{
	return path->mnt->mnt_flags & MNT_NOEXEC || path->mnt->mnt_sb->s_iflags & SB_I_NOEXEC;
}

/* A sparse file: nothing is reserved for it. mnt NULL: on the kernel's own mount. */
static inline struct file *dragoman_shmem_file(struct vfsmount *mnt, const char *name, loff_t size)
{
#ifdef HAVE_SHMEM_VMA_FLAGS
	vma_flags_t flags = mk_vma_flags(VMA_NORESERVE_BIT);
#else
	unsigned long flags = VM_NORESERVE;
#endif

	return mnt ? shmem_file_setup_with_mnt(mnt, name, size, flags) : shmem_file_setup(name, size, flags);
}

#endif
