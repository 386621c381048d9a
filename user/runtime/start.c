// SPDX-License-Identifier: MIT
/*
 * From the kernel's entry to the first guest instruction. In: the initial stack. There are three ways to come here:
 *
 * - by ourselves (dragoman run, or the execve of another guest):
 *	"dragoman-rt" "--run" "--flags=<hex>" "--root=<DIR or empty>" [option...] "--" <program> <argv[0]> <argv[1]>...
 *   options: "--execfd=<N>" (decimal) the program is open there already, and is closed when loaded;
 *            "--keep" that descriptor is the only way to the program (it has no name);
 *            "--selffd=<N>" the runtime's own file, for when it has no name (after chroot);
 *            "--seccomp=<N>" a memfd with the seccomp filters that the guest has set (sys_seccomp.c);
 *            "--features=<hex>" HOST_* of the parent, since asking the CPU costs microseconds in a virtual machine;
 *            "--object=<FILE>" a code object, for tests (objfile.h); may be repeated;
 *            "--server=<hex>" what the parent knows of servers (client.c);
 * - by binfmt_misc with flags P and O: AT_FLAGS has bit 0 set, AT_EXECFD is the program, and argv =
 *	<runtime> <program> <argv[0]> <argv[1]>...
 *   where the execve of a guest finds no /proc: <runtime> <program>, then what comes "by ourselves" (AT_EXECFD is closed);
 * - by the kernel module: that bit is not set, AT_EXECFD is a session (session.h), and everything else is the guest's own.
 *
 * Every system call here is paid by every process: there should be few.
 */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <asm/stat.h>

#include "codegen/host.h"
#include "runtime/client.h"
#include "runtime/objfile.h"
#include "runtime/exec.h"
#include "runtime/load.h"
#include "runtime/mm.h"
#include "runtime/path.h"
#include "runtime/rt.h"
#include "runtime/session.h"
#include "runtime/start.h"
#include "runtime/sys.h"
#include "runtime/syscall.h"
#include "runtime/view.h"

#define AT_FLAGS_PRESERVE_ARGV0 1

/* The highest AT_* that is looked at. */
#define NAUX 36

struct start {
	struct rt_initial_stack stack;
	struct rt_program program;
	u64 aux[NAUX];
	const char *env_cpu, *env_root, *env_fz;
	struct rt_client_setup client;
	int seccomp_fd;			/* -1: none */
	u64 hint;			/* of the parent, about servers */
};

/* ---- self-relocation ---------------------------------------------------------------------------------------------- */

static void apply_relr(u64 bias, const u64 *relr, u64 size)
{
	u64 *where = NULL;

	for (u64 i = 0; i < size / 8; i++) {
		u64 w = relr[i];

		if (!(w & 1)) {
			where = (u64 *)(bias + w);
			*where++ += bias;
			continue;
		}
		for (unsigned bit = 0; (w >>= 1); bit++)
			if (w & 1)
				where[bit] += bias;
		where += 63;
	}
}

/* Linked with -z text, at 0, so there are relative relocations only. */
static void relocate_self(const Elf64_Dyn *d, u64 bias)
{
	const Elf64_Rela *rela = NULL;
	const u64 *relr = NULL;
	u64 rela_size = 0, relr_size = 0;

	for (; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_RELA)
			rela = (const void *)(bias + d->d_un.d_ptr);
		else if (d->d_tag == DT_RELASZ)
			rela_size = d->d_un.d_val;
		else if (d->d_tag == 36 /* DT_RELR */)
			relr = (const void *)(bias + d->d_un.d_ptr);
		else if (d->d_tag == 35 /* DT_RELRSZ */)
			relr_size = d->d_un.d_val;
	}
	for (u64 i = 0; i < rela_size / sizeof(*rela); i++)
		*(u64 *)(bias + rela[i].r_offset) = bias + rela[i].r_addend;
	apply_relr(bias, relr, relr_size);
}

/* ---- the initial stack ------------------------------------------------------------ */

/* If s begins with prefix: what follows, else NULL. */
static const char *after(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return NULL;
	return s;
}

static void read_environment(struct start *s)
{
	u64 *e = s->stack.envp;

	for (; *e; e++) {
		const char *v = after((const char *)*e, "DRAGOMAN_"), *value;

		if (likely(!v)) {
			value = after((const char *)*e, "XDG_RUNTIME_DIR=");
			if (unlikely(value))
				s->client.runtime_dir = value;
			continue;
		}
		value = after(v, "CPU=");
		if (value)
			s->env_cpu = value;
		value = after(v, "FZ=");
		if (value)
			s->env_fz = value;
		value = after(v, "SYSROOT=");
		if (value)
			s->env_root = value;
		value = after(v, "SERVER=");
		if (value)
			s->client.off = value;
		value = after(v, "SOCKET=");
		if (value)
			s->client.socket = value;
		value = after(v, "VERIFY=");
		if (value)
			s->client.verify = value[0] == '1';
	}
	s->stack.nenv = e - s->stack.envp;
	s->stack.auxv = e + 1;
}

static void read_auxv(struct start *s)
{
	u64 *a = s->stack.auxv;

	s->aux[AT_EXECFD] = ~0ull;
	for (; a[0] != AT_NULL; a += 2)
		if (a[0] < NAUX)
			s->aux[a[0]] = a[1];
	s->stack.nauxv = a + 2 - s->stack.auxv;
	s->stack.execfn = (const char *)s->aux[AT_EXECFN];
}

/* 64 bits that the kernel's own choices decide: where it put us, and AT_RANDOM. */
static u64 random_bits(const struct start *s, u64 image)
{
	const u64 *r = (const u64 *)s->aux[AT_RANDOM];
	const char *f = s->stack.execfn;
	u64 x;

	/* Without address space randomisation the stack begins at a known place. */
	while (f && *f)
		f++;
	if (!r || (u64)f + 1 == RT_GUEST_END - 8)
		return 0;
	x = (image >> 12) * 0x9e3779b97f4a7c15ull;
	x = (x ^ r[0] ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ r[1] ^ x >> 32) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* ---- the command line ------------------------------------------------------------ */

static u64 parse_number(const char *s, unsigned base)
{
	u64 v = 0;

	for (; *s; s++) {
		unsigned digit = *s <= '9' ? *s - '0' : (*s | 0x20) - 'a' + 10;

		if (digit >= base)
			rt_die(125, "bad number in the runtime's arguments: %s", s);
		v = v * base + digit;
	}
	return v;
}

static void set_root(const char *dir)
{
	if (!dir || dir[0] != '/' || !dir[1])
		return;
	rt.root = dir;
	rt.root_len = __builtin_strlen(dir);
	while (rt.root_len && dir[rt.root_len - 1] == '/')
		rt.root_len--;
}

static __attribute__((noreturn)) void usage(void)
{
	rt_die(125, "this is Dragoman's runtime, which is started by `dragoman run PROGRAM' or, after `dragoman enable', by the kernel");
}

/* Skips n words of the pointer block: the program's path follows, then the guest's argv. */
static void take_program(struct start *s, u64 n)
{
	struct rt_initial_stack *k = &s->stack;

	if (k->argc <= n)
		usage();
	s->program.path = (const char *)k->argv[n];
	/* The kernel gives a program at least an empty argv[0], and so do we. */
	if (k->argc == n + 1) {
		k->argv += n;
		k->argc = 1;
	} else {
		k->argv += n + 1;
		k->argc -= n + 1;
	}
}

/* The options begin at argv[first]. handed: the kernel has given us the program, too; the environment says below which root. */
static void parse_run(struct start *s, u64 first, bool handed)
{
	u64 *argv = s->stack.argv, i;

	for (i = first; i < s->stack.argc; i++) {
		const char *arg = (const char *)argv[i], *v;

		if (arg[0] == '-' && arg[1] == '-' && !arg[2])
			break;
		if ((v = after(arg, "--flags=")))
			rt.flags = (u32)parse_number(v, 16) & (RT_FLAG_STRACE | RT_FLAG_LOAD_ONLY | RT_FLAG_TRACE | RT_FLAG_REGION);
		else if ((v = after(arg, "--root=")))
			set_root(handed ? s->env_root : v);
		else if ((v = after(arg, "--execfd=")))
			s->program.fd = (int)parse_number(v, 10);
		else if ((v = after(arg, "--selffd=")))
			rt_exec_inherit_self((int)parse_number(v, 10));
		else if (after(arg, "--keep"))
			s->program.keep_fd = true;
		else if ((v = after(arg, "--seccomp=")))
			s->seccomp_fd = (int)parse_number(v, 10);
		else if ((v = after(arg, "--features=")))
			rt_host_features = parse_number(v, 16);
		else if (after(arg, RT_OBJFILE_OPTION))
			rt_objfile_add(arg);
		else if ((v = after(arg, "--server=")))
			s->hint = parse_number(v, 16);
		else
			usage();
	}
	take_program(s, i + 1);
}

/* Is what binfmt_misc gave as the program's arguments ours? Never if it brings rights that who started it lacks. */
static bool is_handed_over(const struct start *s)
{
	const u64 *argv = s->stack.argv;

	return unlikely(s->stack.argc > 4 && after((const char *)argv[3], "--run")) &&
	       after((const char *)argv[2], "dragoman-rt") && !s->aux[AT_SECURE];
}

/* The same file is open twice: the descriptor that exec has kept is the one with a name for --keep. */
static void take_over(struct start *s)
{
	struct stat given, kept;
	int fd = s->program.fd;

	parse_run(s, 4, true);
	rt.flags |= RT_FLAG_BINFMT;
	if (sys(__NR_fstat, fd, &given) || sys(__NR_fstat, s->program.fd, &kept) || given.st_dev != kept.st_dev ||
	    given.st_ino != kept.st_ino)
		usage();
	sys(__NR_close, fd);
}

static void parse_command_line(struct start *s)
{
	s->program.fd = s->seccomp_fd = -1;
	if (s->aux[AT_SECURE])
		rt.flags |= RT_FLAG_SECURE;
	if (s->aux[AT_EXECFD] != ~0ull && s->aux[AT_FLAGS] & AT_FLAGS_PRESERVE_ARGV0) {
		rt.flags |= RT_FLAG_BINFMT;
		s->program.fd = (int)s->aux[AT_EXECFD];
		if (is_handed_over(s)) {
			take_over(s);
			return;
		}
		if (!s->aux[AT_SECURE])
			set_root(s->env_root);
		take_program(s, 1);
	} else if (s->aux[AT_EXECFD] != ~0ull) {
		rt.flags |= RT_FLAG_BINFMT | RT_FLAG_MODULE;
		s->program.path = s->stack.execfn;
		if (!s->aux[AT_SECURE])
			set_root(s->env_root);
	} else if (s->stack.argc > 2 && after((const char *)s->stack.argv[1], "--run")) {
		parse_run(s, 2, false);
		/* traces are to be comparable */
		if (rt.flags & RT_FLAG_TRACE && s->aux[AT_RANDOM])
			__builtin_memset((void *)s->aux[AT_RANDOM], 0, 16);
	} else {
		usage();
	}
}

u64 rt_host_features;

/* rt.features; 0: the loader will know, from the server if one answers. */
static void choose_features(const struct start *s)
{
	u64 class;

	/* The module gives objects for what was said first. */
	if (!rt_host_features && (rt.flags & RT_FLAG_MODULE || unlikely(s->env_cpu || s->client.off)))
		rt_host_features = x64_host_features();
	rt.features = rt_host_features;
	if (unlikely(s->env_fz) && !s->aux[AT_SECURE]) {
		if (!after(s->env_fz, "fast") && !after(s->env_fz, "exact"))
			rt_die(125, "DRAGOMAN_FZ=%s is not known; it can be exact or fast", s->env_fz);
		if (after(s->env_fz, "fast"))
			rt.flags |= RT_FLAG_FAST_FZ;
	}
	if (likely(!s->env_cpu) || s->aux[AT_SECURE])
		return;
	class = x64_class_features(s->env_cpu);
	if (!class)
		rt_die(125, "DRAGOMAN_CPU=%s is not known; it can be v2, v3, v4 or v4fp16", s->env_cpu);
	rt.features &= class;
}

static void begin_session(struct start *s)
{
	bool ask = !s->client.off || s->aux[AT_SECURE];
	int err = rt_session_begin((int)s->aux[AT_EXECFD], ask, &s->program.fd, &s->client.no_server);

	switch (err) {
	case 0:
		return;
	case -ENOTTY:
		usage();
	case -EPROTO:
		rt_die(126, "%s: the dragoman module and its runtime are of different versions; load the module that belongs to it",
		       s->program.path);
	case -EMFILE:
		rt_die(126, "%s: no descriptor is free to load it by; see ulimit -n", s->program.path);
	}
	rt_die(126, "%s: the dragoman module does not give it (error %d)", s->program.path, -err);
}

static void set_up_client(struct start *s)
{
	struct rt_client_setup *c = &s->client;

	c->uid = (u32)s->aux[AT_EUID];
	c->secure = s->aux[AT_SECURE];
	c->verify = c->verify && !c->secure;
	rt_client_init(c);
	rt_client_take_hint(s->hint);
	/* A debugger is to see what it changes. */
	if (unlikely(s->aux[AT_FLAGS] & RT_AT_TRACED || rt.flags & (RT_FLAG_TRACE | RT_FLAG_REGION))) {
		rt_client_stop();
		rt_view_stop();
	}
}

/* ---- entry ------------------------------------------------------------ */

extern char _end[] __attribute__((visibility("hidden")));

static void run(const struct start *s, const struct rt_image *img, u64 sp)
{
	struct rt_thread *t;
	int err;

	err = rt_core_init();
	if (err)
		rt_die(126, "%s: no memory for translated code (error %d); see ulimit -v", s->program.path, -err);
	t = rt_thread_alloc();
	if (!t)
		rt_die(126, "%s: no memory for a thread; see ulimit -v", s->program.path);
	rt_thread_install(t);
	err = rt_signal_init();
	if (err)
		rt_die(126, "%s: signal handlers: error %d", s->program.path, -err);
	if (s->seccomp_fd >= 0) {
		/* To run without them would be worse than not to run. */
		err = rt_seccomp_import(t, s->seccomp_fd);
		if (err)
			rt_die(126, "%s: seccomp filters: error %d", s->program.path, -err);
		sys(__NR_close, s->seccomp_fd);
	}
	RT_STATE(t)->pc = img->start;
	RT_STATE(t)->x[31] = sp;
	if (unlikely(s->aux[AT_FLAGS] & RT_AT_TRACED))
		rt_trace_exec(t, s->aux[AT_FLAGS]);
	rt_thread_run(t);
}

void rt_start(u64 *sp, const void *dynamic, u64 image)
{
	struct rt_image img;
	struct start s;
	u64 guest_sp;

	relocate_self(dynamic, image);
	__builtin_memset(&s, 0, sizeof(s));
	s.stack.low = sp - RT_STACK_ROOM / sizeof(*sp);
	s.stack.argc = sp[0];
	s.stack.argv = sp + 1;
	s.stack.envp = sp + s.stack.argc + 2;
	rt.page_size = 4096;
	rt.root = rt.exe_path = "";
	rt.exe_fd = rt.self_fd = rt.session_fd = -1;
	read_environment(&s);
	read_auxv(&s);
	rt.self_path = s.stack.execfn;
	rt_mm_init();
	rt_mm_reserve(image, (u64)_end);
	parse_command_line(&s);
	choose_features(&s);
	if (rt.flags & RT_FLAG_MODULE)
		begin_session(&s);
	s.program.random = random_bits(&s, image);
	rt.envp = (char **)s.stack.envp;

	rt_vdso_init(s.aux[AT_SYSINFO_EHDR]);
	set_up_client(&s);
	rt_load(&s.program, &img);
	rt_session_loaded();
	s.stack.execfn = s.program.path;
	guest_sp = rt_stack_build(&s.stack, &img);
	rt_stack_publish(&s.stack, &img, guest_sp);
	if (rt.flags & RT_FLAG_LOAD_ONLY)
		rt_load_print(&img);
	run(&s, &img, guest_sp);
	__builtin_unreachable();
}
