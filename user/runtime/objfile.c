// SPDX-License-Identifier: MIT
/*
 * Code objects from files: see objfile.h.
 */
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "object/object.h"
#include "runtime/objfile.h"
#include "runtime/rt.h"
#include "runtime/sys.h"
#include "translator_id.h"

static const u8 translator_id[32] = DRAGOMAN_TRANSLATOR_ID;

static struct {
	unsigned n;
	const char *option[RT_MAX_OBJFILES + 1];
} objfiles;

void rt_objfile_add(const char *option)
{
	if (objfiles.n == RT_MAX_OBJFILES)
		rt_die(125, "too many objects are given; at most %u", RT_MAX_OBJFILES);
	objfiles.option[objfiles.n++] = option;
}

const char *const *rt_objfile_options(void)
{
	return objfiles.option;
}

/* The header of the object at path, if that is one for such a file. Its descriptor, or -errno. */
static s64 open_object(const char *path, u64 file_size, u64 features, struct dragoman_object *head)
{
	s64 fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	const char *why = "it cannot be read";

	if (fd < 0)
		rt_die(125, "%s: cannot be opened (error %ld)", path, -fd);
	if (sys(__NR_pread64, fd, head, sizeof(*head), 0) != sizeof(*head) || obj_check_header(head, head->size, &why))
		rt_die(125, "%s: is not a code object: %s", path, why);
	if (__builtin_memcmp(head->translator, translator_id, sizeof(translator_id)))
		rt_die(125, "%s: was made by another version of the translator", path);
	if (head->file_size == file_size && head->features == features && head->machine == rt.guest->elf_machine)
		return fd;
	sys(__NR_close, fd);
	return -ENOENT;
}

int rt_objfile_attach(const int *fds, unsigned n, u64 features, struct rt_offer *out)
{
	int err = -ENOENT;

	*out = (struct rt_offer){ .features = features ? features : x64_host_features(), .n = n };
	for (unsigned k = 0; k < n; k++) {
		struct rt_offered *o = &out->file[k];
		struct stat st;

		o->fd = -1;
		o->session = false;
		o->offset = 0;
		o->object = RT_OBJFILE_ID;
		if (sys(__NR_fstat, fds[k], &st))
			continue;
		for (unsigned i = 0; i < objfiles.n && o->fd < 0; i++)
			o->fd = (int)open_object(objfiles.option[i] + sizeof(RT_OBJFILE_OPTION) - 1, (u64)st.st_size, out->features, &o->head);
		if (o->fd >= 0)
			err = 0;
	}
	return err;
}
