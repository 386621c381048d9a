// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guests: which ELF headers are whose, which runtime is registered for each, and what sysfs shows. In: headers from exec.c,
 * SET_RUNTIME from ctl.c, the administrator's 0 or 1. Out: the guest and its runtime.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/device.h>
#include <linux/elf.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "internal.h"

#ifndef ELFOSABI_GNU
#define ELFOSABI_GNU 3
#endif

atomic64_t dragoman_stats[NSTATS];
atomic_t dragoman_nsessions, dragoman_nimages, dragoman_nobjects;

/* Protects what guests have as runtime. */
static DEFINE_SPINLOCK(guest_lock);

/* The list of guests; each has a group of sysfs files below. */
#define GUESTS(X) \
	X(aarch64, EM_AARCH64, ELFCLASS64, ELFDATA2LSB, BIT(ELFOSABI_NONE) | BIT(ELFOSABI_GNU), BIT(ET_EXEC) | BIT(ET_DYN))

#define GUEST_ENUM(name, ...) GUEST_##name,
enum { GUESTS(GUEST_ENUM) NGUESTS };

#define GUEST_ENTRY(guest, mach, class, data, abis, etypes)					\
	[GUEST_##guest] = { .name = #guest, .machine = mach, .elf_class = class,		\
			    .elf_data = data, .osabis = abis, .types = etypes, .enabled = true },
static struct dragoman_guest guests[NGUESTS] = { GUESTS(GUEST_ENTRY) };

/* e_machine and e_type are in the file's own byte order. */
static u16 header_u16(const char *p, u8 data)
{
	return data == ELFDATA2MSB ? (u8)p[0] << 8 | (u8)p[1] : (u8)p[1] << 8 | (u8)p[0];
}

/* Whose program begins so? NULL: nobody's. The header's first members are the same for both classes. */
struct dragoman_guest *dragoman_guest_match(const char *header, size_t size)
{
	u8 osabi;

	if (size < sizeof(struct elf32_hdr) || memcmp(header, ELFMAG, SELFMAG) || header[EI_VERSION] != EV_CURRENT ||
	    (header[EI_CLASS] == ELFCLASS64 && size < sizeof(struct elf64_hdr)))
		return NULL;
	osabi = header[EI_OSABI];
	for (unsigned int i = 0; i < NGUESTS; i++) {
		struct dragoman_guest *g = &guests[i];
		u16 type = header_u16(header + offsetof(struct elf32_hdr, e_type), g->elf_data);
		u16 machine = header_u16(header + offsetof(struct elf32_hdr, e_machine), g->elf_data);

		if (machine == g->machine && header[EI_CLASS] == g->elf_class && header[EI_DATA] == g->elf_data &&
		    osabi < 32 && g->osabis & BIT(osabi) && type < 32 && g->types & BIT(type))
			return g;
	}
	return NULL;
}

/* ---- runtimes -------------------------------------------------------------------------------------------- */

struct dragoman_runtime *dragoman_runtime_get(struct dragoman_guest *guest)
{
	struct dragoman_runtime *runtime = NULL;

	spin_lock(&guest_lock);
	if (READ_ONCE(guest->enabled) && guest->runtime) {
		runtime = guest->runtime;
		kref_get(&runtime->ref);
	}
	spin_unlock(&guest_lock);
	return runtime;
}

static void runtime_free(struct kref *ref)
{
	struct dragoman_runtime *runtime = container_of(ref, struct dragoman_runtime, ref);

	exe_file_allow_write_access(runtime->file);
	fput(runtime->file);
	put_cred(runtime->cred);
	kfree(runtime);
}

void dragoman_runtime_put(struct dragoman_runtime *runtime)
{
	if (runtime)
		kref_put(&runtime->ref, runtime_free);
}

static void runtime_replace(struct dragoman_guest *guest, struct dragoman_runtime *runtime)
{
	spin_lock(&guest_lock);
	swap(guest->runtime, runtime);
	spin_unlock(&guest_lock);
	dragoman_runtime_put(runtime);
}

/* A runtime has to be something that the native loader takes: otherwise each exec would fail late. 0 or -errno. */
static int check_runtime(struct file *file)
{
	struct elfhdr header;
	loff_t at = 0;
	ssize_t n;

	if (!S_ISREG(file_inode(file)->i_mode) || !(file->f_mode & FMODE_READ))
		return -EACCES;
	if (dragoman_noexec(&file->f_path))
		return -EACCES;
	n = kernel_read(file, &header, sizeof(header), &at);
	if (n < 0)
		return n;
	if (n != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_type != ET_DYN ||
	    !elf_check_arch(&header))
		return -ENOEXEC;
	return 0;
}

/* 0, -ENOENT: no such guest, -EBADF, -EACCES, -ENOEXEC, -ETXTBSY, -ENOMEM */
int dragoman_set_runtime(const struct dragoman_set_runtime *set)
{
	struct dragoman_guest *guest = NULL;
	struct dragoman_runtime *runtime;
	struct file *file;
	int err;

	for (unsigned int i = 0; i < NGUESTS; i++)
		if (guests[i].machine == set->machine && guests[i].elf_class == set->elf_class &&
		    guests[i].elf_data == set->elf_data)
			guest = &guests[i];
	if (!guest)
		return -ENOENT;
	if (set->fd == -1) {
		runtime_replace(guest, NULL);
		return 0;
	}
	file = fget(set->fd);
	if (!file)
		return -EBADF;
	err = check_runtime(file);
	if (err)
		goto out;
	/* Nobody shall change what runs with every user's rights. */
	err = exe_file_deny_write_access(file);
	if (err)
		goto out;
	runtime = kzalloc(sizeof(*runtime), GFP_KERNEL);
	if (!runtime) {
		err = -ENOMEM;
		goto out_write;
	}
	kref_init(&runtime->ref);
	runtime->file = file;
	runtime->cred = get_current_cred();
	runtime->credentials = set->flags & DRAGOMAN_RUNTIME_CREDENTIALS;
	runtime_replace(guest, runtime);
	return 0;

out_write:
	exe_file_allow_write_access(file);
out:
	fput(file);
	return err;
}

void dragoman_guests_exit(void)
{
	for (unsigned int i = 0; i < NGUESTS; i++)
		runtime_replace(&guests[i], NULL);
}

/* ---- sysfs ----------------------------------------------------------------------------------------------- */

static struct dragoman_guest *guest_of(struct device_attribute *attr)
{
	return container_of(attr, struct dev_ext_attribute, attr)->var;
}

static ssize_t enabled_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(guest_of(attr)->enabled));
}

static ssize_t enabled_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	bool on;
	int err = kstrtobool(buf, &on);

	if (err)
		return err;
	WRITE_ONCE(guest_of(attr)->enabled, on);
	return count;
}

static ssize_t runtime_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(guest_of(attr)->runtime) != NULL);
}

static ssize_t machine_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", guest_of(attr)->machine);
}

static ssize_t execs_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&guest_of(attr)->execs));
}

static ssize_t refused_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&guest_of(attr)->refused));
}

static ssize_t failed_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&guest_of(attr)->failed));
}

#define GUEST_ATTRIBUTE(guest, which, rights, reader, writer)					\
	static struct dev_ext_attribute guest##_##which = {					\
		__ATTR(which, rights, reader, writer), &guests[GUEST_##guest]			\
	};

#define GUEST_GROUP(guest, ...)									\
	GUEST_ATTRIBUTE(guest, enabled, 0644, enabled_show, enabled_store)			\
	GUEST_ATTRIBUTE(guest, runtime, 0444, runtime_show, NULL)				\
	GUEST_ATTRIBUTE(guest, machine, 0444, machine_show, NULL)				\
	GUEST_ATTRIBUTE(guest, execs, 0444, execs_show, NULL)					\
	GUEST_ATTRIBUTE(guest, refused, 0444, refused_show, NULL)				\
	GUEST_ATTRIBUTE(guest, failed, 0444, failed_show, NULL)					\
	static struct attribute *guest##_attributes[] = {					\
		&guest##_enabled.attr.attr, &guest##_runtime.attr.attr, &guest##_machine.attr.attr, \
		&guest##_execs.attr.attr, &guest##_refused.attr.attr, &guest##_failed.attr.attr, NULL \
	};											\
	static const struct attribute_group guest##_group = {					\
		.name = "guest-" #guest, .attrs = guest##_attributes				\
	};
GUESTS(GUEST_GROUP)

static ssize_t stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	atomic64_t *stat = container_of(attr, struct dev_ext_attribute, attr)->var;

	return sysfs_emit(buf, "%lld\n", atomic64_read(stat));
}

static ssize_t number_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	atomic_t *number = container_of(attr, struct dev_ext_attribute, attr)->var;

	return sysfs_emit(buf, "%d\n", atomic_read(number));
}

#define STATS(X)										\
	X(sessions, number_show, &dragoman_nsessions)						\
	X(images, number_show, &dragoman_nimages)						\
	X(objects, number_show, &dragoman_nobjects)						\
	X(queued, stat_show, &dragoman_stats[STAT_QUEUED])					\
	X(taken, stat_show, &dragoman_stats[STAT_TAKEN])					\
	X(answered, stat_show, &dragoman_stats[STAT_ANSWERED])					\
	X(requeued, stat_show, &dragoman_stats[STAT_REQUEUED])					\
	X(mapped, stat_show, &dragoman_stats[STAT_MAPPED])					\
	X(timeouts, stat_show, &dragoman_stats[STAT_TIMEOUTS])					\
	X(refused, stat_show, &dragoman_stats[STAT_REFUSED])

#define STAT_ATTRIBUTE(which, reader, what)							\
	static struct dev_ext_attribute stat_##which = { __ATTR(which, 0444, reader, NULL), what };
STATS(STAT_ATTRIBUTE)

#define STAT_POINTER(which, ...) &stat_##which.attr.attr,
static struct attribute *stat_attributes[] = { STATS(STAT_POINTER) NULL };
static const struct attribute_group stat_group = { .name = "stats", .attrs = stat_attributes };

static ssize_t abi_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u.%u\n", DRAGOMAN_ABI_MAJOR, DRAGOMAN_ABI_MINOR);
}

static DEVICE_ATTR_RO(abi);
static struct attribute *own_attributes[] = { &dev_attr_abi.attr, NULL };
static const struct attribute_group own_group = { .attrs = own_attributes };

#define GUEST_POINTER(guest, ...) &guest##_group,
const struct attribute_group *dragoman_groups[] = { GUESTS(GUEST_POINTER) &stat_group, &own_group, NULL };
