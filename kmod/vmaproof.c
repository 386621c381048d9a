// SPDX-License-Identifier: GPL-2.0-only
/*
 * What file is behind an address of the caller? In: an address. Out: the real file and the offset of the address in it, or that
 * nobody can say. The server reads the file itself, so a wrong answer would translate other bytes than the
 * program runs: only a mapping without a page that was ever written is taken.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched/mm.h>

#include "internal.h"

/* With a reference, or NULL. vma: the first one that ends after the address, or NULL. */
struct file *dragoman_file_behind(const struct vm_area_struct *vma, u64 address, u64 *offset)
{
	if (!vma || address < vma->vm_start || !vma->vm_file)
		return NULL;
	/* An anon_vma is there as soon as one page has been copied on write. */
	if (vma->anon_vma || vma->vm_flags & (VM_WRITE | VM_IO | VM_PFNMAP | VM_HUGETLB))
		return NULL;
	/* A shared mapping that could become writable. */
	if (vma->vm_flags & VM_SHARED && vma->vm_flags & VM_MAYWRITE)
		return NULL;
	*offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) + (address - vma->vm_start);
	return get_file(vma->vm_file);
}

/* The caller puts proof->file. 0; -EFAULT: nothing mapped, or nothing that is just a file; -EACCES as dragoman_proof_from_file() */
int dragoman_proof_from_address(struct dragoman_proof *proof, u64 address)
{
	struct mm_struct *mm = current->mm;
	struct file *file;
	u64 offset = 0;
	int err;

	if (!mm || address >= TASK_SIZE)
		return -EFAULT;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	file = dragoman_file_behind(find_vma(mm, address), address, &offset);
	mmap_read_unlock(mm);
	if (!file)
		return -EFAULT;
	err = dragoman_proof_from_file(proof, file);
	if (err) {
		fput(file);
		return err;
	}
	/* What is mapped is the real file, even if its path says otherwise. */
	proof->real = file_inode(file);
	proof->offset = offset;
	return 0;
}
