// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exec handler. In: a linux_binprm whose file begins with a guest's header. Out: a process that the native ELF loader made
 * from the guest's registered runtime, but which is the guest program for everybody else: its name, arguments, credentials and
 * /proc/PID/exe; with a session as AT_EXECFD.
 *
 * It takes two passes, as for binfmt_misc. In the first we see the guest program, put the runtime in its place as the
 * interpreter, and ask for the guest's credentials. The core looks at the runtime then (security modules do, too) and comes
 * back: now the native loader does its work, and what it got "wrong" is put right.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/binfmts.h>
#include <linux/compat.h>
#include <linux/coredump.h>
#include <linux/cred.h>
#include <linux/elf.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kallsyms.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched/mm.h>

#include "internal.h"
#include "trace.h"

/* Set in bprm->interp_flags between the passes. The core uses the lowest bits only. */
#define HANDED_OVER	BIT(30)

static struct linux_binfmt dragoman_format;

/* The kernel's own handler for ELF, which exports nothing. */
static struct linux_binfmt *native;

/*
 * The place for an administrator's policy: a BPF program of type fmod_ret may return -ENOEXEC (leave it to the next handler)
 * or another -errno (the exec fails with it). machine is EM_*.
 */
noinline int dragoman_exec_policy(struct linux_binprm *bprm, int machine);
noinline int dragoman_exec_policy(struct linux_binprm *bprm, int machine)
{
	int verdict = 0;

	/* Callers must look at what comes back: gcc 14 carries a constant over to them, noinline or not. */
	OPTIMIZER_HIDE_VAR(verdict);
	return verdict;
}

DRAGOMAN_BPF_HOOK(dragoman_exec_policy);

/* ---- first pass: the guest program --------------------------------------------------------------------------- */

/*
 * After the point of no return a lack of descriptors would be a SIGSEGV, so look for one now.
 */
static int check_descriptors(void)
{
	int fd = get_unused_fd_flags(0);

	if (fd < 0)
		return fd;
	put_unused_fd(fd);
	return 0;
}

static struct file *open_runtime(const struct dragoman_runtime *runtime)
{
	struct file *file;
	int err;

	file = dentry_open(&runtime->file->f_path, O_RDONLY | O_LARGEFILE | __FMODE_EXEC, runtime->cred);
	if (IS_ERR(file))
		return file;
	/* The core takes this back. */
	err = exe_file_deny_write_access(file);
	if (!err)
		return file;
	fput(file);
	return ERR_PTR(err);
}

static int hand_over(struct linux_binprm *bprm, struct dragoman_guest *guest, const struct dragoman_runtime *runtime)
{
	struct file *file;
	int err;

	err = dragoman_exec_policy(bprm, guest->machine);
	if (err) {
		atomic64_inc(&guest->refused);
		trace_dragoman_exec(bprm->filename, guest->machine, false, err, 0);
		/* Nothing but an error number may come out of a BPF program. */
		return err < 0 && err >= -MAX_ERRNO ? err : -EACCES;
	}
	err = check_descriptors();
	if (err)
		goto failed;
	file = open_runtime(runtime);
	err = PTR_ERR_OR_ZERO(file);
	if (err)
		goto failed;
	bprm->interpreter = file;
	bprm->have_execfd = 1;
	if (runtime->credentials)
		bprm->execfd_creds = 1;
	bprm->interp_flags |= HANDED_OVER;
	return 0;

failed:
	/* -ENOEXEC would mean: ask the next handler. */
	if (err == -ENOEXEC)
		err = -ENOENT;
	atomic64_inc(&guest->failed);
	trace_dragoman_exec(bprm->filename, guest->machine, false, err, 0);
	return err;
}

static int first_pass(struct linux_binprm *bprm)
{
	struct dragoman_runtime *runtime;
	struct dragoman_guest *guest;
	int err;

	/* Another handler's interpreter: one guest program cannot stand in for two. */
	if (bprm->have_execfd)
		return -ENOEXEC;
	/* Beyond the file's end buf is zero. */
	guest = dragoman_guest_match(bprm->buf, min_t(u64, sizeof(bprm->buf), i_size_read(file_inode(bprm->file))));
	if (!guest)
		return -ENOEXEC;
	runtime = dragoman_runtime_get(guest);
	if (!runtime)
		return -ENOEXEC;
	err = hand_over(bprm, guest, runtime);
	dragoman_runtime_put(runtime);
	return err;
}

/* ---- second pass: the runtime -------------------------------------------------------------------------------- */

/* /proc/PID/exe, which the native loader pointed at the runtime. The guest's write denial was taken for this. */
static void set_exe_file(struct mm_struct *mm, struct file *guest)
{
	struct file *runtime;

	mmap_write_lock(mm);
	runtime = rcu_dereference_protected(mm->exe_file, lockdep_is_held(&mm->mmap_lock));
	rcu_assign_pointer(mm->exe_file, get_file(guest));
	mmap_write_unlock(mm);
	exe_file_allow_write_access(runtime);
	fput(runtime);
}

/*
 * The descriptor that AT_EXECFD names is the guest program's; now it shall be the session. The table is nobody else's
 * after the point of no return, so the number just freed is the one that we get. It was there before, so no memory is needed;
 * but somebody may have lowered our RLIMIT_NOFILE meanwhile. 0, -EMFILE.
 */
static int install_session(struct linux_binprm *bprm, struct file *session)
{
	int fd;

	close_fd(bprm->execfd);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd == bprm->execfd) {
		fd_install(fd, session);
		return 0;
	}
	if (fd >= 0)
		put_unused_fd(fd);
	return -EMFILE;
}

/*
 * Executed by descriptor, comm is the name of the file that is loaded. For that it has to be told the guest's, which is
 * what it uses of filename (the arguments' copy is on the stack already).
 */
static int load_native(struct linux_binprm *bprm, struct file *guest_file)
{
	const char *filename = bprm->filename;
	char name[TASK_COMM_LEN];
	int err;

	if (dragoman_take_comm_from_dentry(bprm)) {
		snprintf(name, sizeof(name), "%pd", guest_file->f_path.dentry);
		bprm->filename = name;
	}
	err = native->load_binary(bprm);
	bprm->filename = filename;
	return err;
}

static int second_pass(struct linux_binprm *bprm)
{
	struct dragoman_guest *guest = NULL;
	struct file *guest_file = get_file(bprm->executable), *file;
	struct dragoman_session *session;
	char header[sizeof(struct elf64_hdr)];
	u64 start = ktime_get_ns();
	loff_t at = 0;
	int err;

	bprm->interp_flags &= ~HANDED_OVER;
	/* Guest and runtime may have changed since the first pass; what is done with them here does not depend on that. */
	if (kernel_read(guest_file, header, sizeof(header), &at) == sizeof(header))
		guest = dragoman_guest_match(header, sizeof(header));
	file = dragoman_session_create(guest_file);
	err = PTR_ERR_OR_ZERO(file);
	if (err)
		goto out_guest;
	session = file->private_data;
	session->runtime = guest ? dragoman_runtime_get(guest) : NULL;
	err = exe_file_deny_write_access(guest_file);
	if (err)
		goto out_session;
	err = load_native(bprm, guest_file);
	if (err)
		goto out_write;

	session->secure = bprm->secureexec;
	session->unreadable = bprm->interp_flags & BINPRM_FLAGS_ENFORCE_NONDUMP;
	session->no_name = bprm->fdpath != NULL;
	err = install_session(bprm, file);
	if (err)
		goto out_write;
	/* From here on nothing can fail. */
	set_exe_file(current->mm, guest_file);
	set_binfmt(&dragoman_format);
	if (guest)
		atomic64_inc(&guest->execs);
	trace_dragoman_exec(bprm->filename, guest ? guest->machine : 0, session->secure, 0, ktime_get_ns() - start);
	fput(guest_file);
	return 0;

out_write:
	exe_file_allow_write_access(guest_file);
out_session:
	fput(file);
out_guest:
	fput(guest_file);
	if (guest)
		atomic64_inc(&guest->failed);
	trace_dragoman_exec(bprm->filename, guest ? guest->machine : 0, false, err, ktime_get_ns() - start);
	/* The core would go on to the native handler, which would start the runtime without us. */
	return err == -ENOEXEC ? -ELIBBAD : err;
}

static int load_binary(struct linux_binprm *bprm)
{
	if (bprm->executable)
		return bprm->interp_flags & HANDED_OVER ? second_pass(bprm) : -ENOEXEC;
	return first_pass(bprm);
}

/* How core files are written is the native handler's, too. */
static struct linux_binfmt dragoman_format = {
	.module = THIS_MODULE,
	.load_binary = load_binary,
};

/* ---- the native handler ---------------------------------------------------------------------------------------- */

static bool __init is_symbol(const void *address, const char *name)
{
	char text[KSYM_SYMBOL_LEN];

	snprintf(text, sizeof(text), "%ps", address);
	return !strcmp(text, name);
}

/* Whoever loads us is a native program, so its handler is the one. Make sure of that. */
int __init dragoman_exec_find_native(void)
{
	struct linux_binfmt *format = current->mm ? current->mm->binfmt : NULL;

	if (!format || in_compat_syscall() || !is_symbol(format, "elf_format") ||
	    !is_symbol(format->load_binary, "load_elf_binary")) {
		pr_err("cannot find the kernel's ELF handler: load the module from a native 64-bit program, with KALLSYMS\n");
		return -ENOEXEC;
	}
	native = format;
	/* There is none with CONFIG_ELF_CORE off. */
#ifdef CONFIG_COREDUMP
	dragoman_format.core_dump = native->core_dump;
	dragoman_format.min_coredump = native->min_coredump;
#endif
	return 0;
}

void __init dragoman_exec_init(void)
{
	if (DRAGOMAN_BPF_REGISTER(dragoman_exec_policy))
		pr_debug("no BPF policy for exec: the kernel or the module's type information lacks it\n");
	insert_binfmt(&dragoman_format);
}

void dragoman_exec_exit(void)
{
	unregister_binfmt(&dragoman_format);
}
