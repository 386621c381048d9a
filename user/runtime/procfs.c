// SPDX-License-Identifier: MIT
/*
 * /proc as the guest is to see it. Most of it is right by itself, since the kernel was told (stack.c): cmdline, environ,
 * auxv, stat, comm, task. What remains: exe, which names the runtime; maps and smaps, where the runtime's mappings are left
 * out and the guest's vDSO is put in; cpuinfo. A made-up file is a sealed memfd.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <asm/stat.h>

#include "guest/aarch64/cpuid.h"
#include "runtime/load.h"
#include "runtime/mm.h"
#include "runtime/path.h"
#include "runtime/procfs.h"
#include "runtime/rt.h"
#include "runtime/start.h"
#include "runtime/sys.h"

/* ---- which file a path means ------------------------------------------------------------ */

static const struct {
	char name[10];
	u8 file;
	bool any_process;		/* not only our own */
} files[] = {
	{ "exe", PROCFS_EXE, true },
	{ "maps", PROCFS_MAPS, false },
	{ "smaps", PROCFS_SMAPS, false },
	{ "cmdline", PROCFS_CMDLINE, false },
	{ "auxv", PROCFS_AUXV, false },
	{ "cpuinfo", PROCFS_CPUINFO, false },
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* If p begins with the component name: what follows it and its slashes ("" at the end), else NULL. */
static const char *component(const char *p, const char *name)
{
	while (*name)
		if (*p++ != *name++)
			return NULL;
	if (*p && *p != '/')
		return NULL;
	for (;;) {
		if (*p == '/')
			p++;
		else if (p[0] == '.' && (p[1] == '/'))
			p += 2;
		else
			return p;
	}
}

/* A process number as a component. */
static const char *pid_component(const char *p, s32 *pid)
{
	char name[12];
	unsigned n = 0;
	s32 v = 0;

	while (p[n] >= '0' && p[n] <= '9' && n < 9) {
		name[n] = p[n];
		v = v * 10 + (p[n++] - '0');
	}
	name[n] = 0;
	*pid = v;
	return n ? component(p, name) : NULL;
}

/* A process or one of its threads: our own is 0. */
static s32 own_is_zero(s32 pid)
{
	s64 self = sys(__NR_getpid);

	return pid == self || !sys(__NR_tgkill, self, pid, 0) ? 0 : pid;
}

/* rest: a path behind /proc/. */
static enum procfs_file classify_in_proc(const char *rest, s32 *pid)
{
	const char *p = component(rest, "self");
	s32 tid;

	*pid = 0;
	if (same(rest, "cpuinfo"))
		return PROCFS_CPUINFO;
	if (!p)
		p = component(rest, "thread-self");
	if (!p) {
		p = pid_component(rest, pid);
		if (!p)
			return PROCFS_NONE;
		*pid = own_is_zero(*pid);
	}
	rest = component(p, "task");
	if (rest) {
		p = pid_component(rest, &tid);
		if (!p)
			return PROCFS_NONE;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (same(p, files[i].name) && files[i].file != PROCFS_CPUINFO && (!*pid || files[i].any_process))
			return files[i].file;
	return PROCFS_NONE;
}

static const char *last_component(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

static bool may_be_file(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (same(name, files[i].name))
			return true;
	return false;
}

static char *put_decimal(char *p, u64 v)
{
	char digits[20];
	unsigned n = 0;

	do
		digits[n++] = '0' + v % 10;
	while (v /= 10);
	while (n)
		*p++ = digits[--n];
	*p = 0;
	return p;
}

/* The folder that a relative path starts from; length or -errno. */
static s64 folder(int dirfd, char *buf, size_t size)
{
	char link[40] = "/proc/self/cwd";

	if (dirfd != AT_FDCWD) {
		__builtin_memcpy(link, "/proc/self/fd/", 15);
		put_decimal(link + 14, (u32)dirfd);
	}
	return sys(__NR_readlink, link, buf, size);
}

enum procfs_file procfs_classify(int dirfd, const char *path, s32 *pid)
{
	char full[256];
	const char *p = path;
	enum procfs_file f;
	size_t len;
	s64 n;

	*pid = 0;
	if (*path == '/') {
		p = component(path, "/proc");
		while (!p && path[0] == '/' && path[1] == '/')
			p = component(++path, "/proc");
		if (likely(!p) || !may_be_file(last_component(p)))
			return PROCFS_NONE;
		f = classify_in_proc(p, pid);
	} else {
		if (likely(!may_be_file(last_component(path))))
			return PROCFS_NONE;
		n = folder(dirfd, full, sizeof(full));
		len = __builtin_strlen(path);
		if (n < 5 || n + 1 + len >= sizeof(full))
			return PROCFS_NONE;
		full[n] = '/';
		__builtin_memcpy(full + n + 1, path, len + 1);
		p = component(full, "/proc");
		f = p ? classify_in_proc(p, pid) : PROCFS_NONE;
	}
	/* The module has told the kernel whose it is. */
	if (f == PROCFS_EXE && rt.flags & RT_FLAG_MODULE)
		return PROCFS_NONE;
	/* The kernel's own are right if it was told. */
	if ((f == PROCFS_CMDLINE || f == PROCFS_AUXV) && !(rt.flags & RT_FLAG_UNPUBLISHED))
		return PROCFS_NONE;
	return f;
}

/* ---- reading lines, writing a memfd ------------------------------------------------------------ */

#define LINE_MAX_ (RT_PATH_MAX * 4 + 128)	/* the kernel writes a newline in a name as four characters */

struct scratch {
	int in, out;
	u32 pos, len, out_len;
	char line[LINE_MAX_];
	char buf[8192];
	char outbuf[8192];
};

static struct scratch *scratch_new(void)
{
	u64 size = ALIGN_UP(sizeof(struct scratch), 4096);
	s64 p = sys(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct scratch *s = (struct scratch *)p;

	if (p < 0)
		return NULL;
	rt_mm_reserve(p, p + size);
	s->in = s->out = -1;
	return s;
}

static void scratch_free(struct scratch *s)
{
	u64 size = ALIGN_UP(sizeof(struct scratch), 4096);

	if (s->in >= 0)
		sys(__NR_close, s->in);
	rt_mm_unreserve((u64)s, (u64)s + size);
	sys(__NR_munmap, s, size);
}

/* The next line, without newline, NUL-terminated, cut if too long. false: the end. */
static bool next_line(struct scratch *s)
{
	u32 n = 0;
	bool any = false;

	for (;;) {
		char c;

		if (s->pos == s->len) {
			s64 got = sys(__NR_read, s->in, s->buf, sizeof(s->buf));

			s->pos = 0;
			s->len = got > 0 ? (u32)got : 0;
			if (got <= 0)
				break;
		}
		any = true;
		c = s->buf[s->pos++];
		if (c == '\n')
			break;
		if (n < sizeof(s->line) - 1)
			s->line[n++] = c;
	}
	s->line[n] = 0;
	return any;
}

static void flush(struct scratch *s)
{
	for (u32 done = 0; done < s->out_len;) {
		s64 n = sys(__NR_write, s->out, s->outbuf + done, s->out_len - done);

		if (n <= 0)
			break;
		done += (u32)n;
	}
	s->out_len = 0;
}

static void put(struct scratch *s, const char *text, size_t n)
{
	while (n) {
		size_t part = MIN(n, sizeof(s->outbuf) - s->out_len);

		__builtin_memcpy(s->outbuf + s->out_len, text, part);
		s->out_len += part;
		text += part;
		n -= part;
		if (s->out_len == sizeof(s->outbuf))
			flush(s);
	}
}

static void put_text(struct scratch *s, const char *text)
{
	put(s, text, __builtin_strlen(text));
}

static void put_hex(struct scratch *s, u64 v, unsigned width)
{
	char digits[16];
	unsigned n = 0;

	do
		digits[15 - n++] = "0123456789abcdef"[v & 15];
	while ((v >>= 4) || n < width);
	put(s, digits + 16 - n, n);
}

static void put_number(struct scratch *s, u64 v)
{
	char digits[24];

	put(s, digits, put_decimal(digits, v) - digits);
}

/* ---- maps ------------------------------------------------------------ */

struct map_line {
	u64 start, end, offset;
	const char *perms;		/* "r-xp " and what follows: offset, device, inode, name */
	const char *after_offset;
	const char *name;		/* "" none */
};

static const char *parse_hex(const char *p, u64 *v)
{
	u64 x = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			x = x << 4 | (u64)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			x = x << 4 | (u64)(*p - 'a' + 10);
		else
			break;
	}
	*v = x;
	return p;
}

static const char *skip_word(const char *p)
{
	while (*p && *p != ' ')
		p++;
	while (*p == ' ')
		p++;
	return p;
}

/* "start-end perms offset dev inode   name": false for the other lines of smaps. */
static bool parse_map_line(const char *line, struct map_line *m)
{
	const char *p = parse_hex(line, &m->start);

	if (p == line || *p != '-')
		return false;
	p = parse_hex(p + 1, &m->end);
	if (*p != ' ')
		return false;
	m->perms = ++p;
	m->after_offset = parse_hex(skip_word(p), &m->offset);
	m->name = skip_word(skip_word(m->after_offset + 1));
	return true;
}

static bool starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

/* The host's vDSO with its data pages, and the vsyscall page, which no arm64 has. */
static bool is_host_special(const char *name)
{
	return starts(name, "[vdso]") || starts(name, "[vvar") || starts(name, "[vsyscall]");
}

static void put_range(struct scratch *s, u64 start, u64 end)
{
	put_hex(s, start, 8);
	put_text(s, "-");
	put_hex(s, end, 8);
	put_text(s, " ");
}

static void put_map_line(struct scratch *s, const struct map_line *m, u64 start, u64 end)
{
	bool heap = !*m->name && start >= ALIGN_UP(rt.brk_start, 4096) && end <= ALIGN_UP(rt.brk_now, 4096);

	put_range(s, start, end);
	put(s, m->perms, 5);
	/* Anonymous memory has offset 0 throughout. */
	put_hex(s, m->offset + (*m->name == '/' ? start - m->start : 0), 8);
	put_text(s, m->after_offset);
	if (heap)
		put_text(s, "                         [heap]" + (m->name - m->after_offset > 24 ? 24 : 0));
	put_text(s, "\n");
}

static void put_vdso(struct scratch *s, bool smaps)
{
	put_range(s, rt.vdso, rt.vdso + 4096);
	put_text(s, "r-xp 00000000 00:00 0                          [vdso]\n");
	if (smaps)
		put_text(s, "Size:                  4 kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
			    "Rss:                   4 kB\nPss:                   0 kB\nShared_Clean:          4 kB\n"
			    "Shared_Dirty:          0 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:         0 kB\n"
			    "Referenced:            4 kB\nAnonymous:             0 kB\nVmFlags: rd ex mr mw me \n");
}

/*
 * One pass over the host's file. Where a mapping is partly ours (the kernel joins neighbours that are alike), the guest's
 * parts are lines of their own; the counts of smaps then stay with the first of them.
 */
static void write_maps(struct scratch *s, bool smaps)
{
	bool vdso_done = false, shown = true;

	while (next_line(s)) {
		struct map_line m;
		u64 from, to, at;

		if (!parse_map_line(s->line, &m)) {
			if (shown) {
				put_text(s, s->line);
				put_text(s, "\n");
			}
			continue;
		}
		if (!vdso_done && m.start > rt.vdso) {
			put_vdso(s, smaps);
			vdso_done = true;
		}
		shown = false;
		if (is_host_special(m.name))
			continue;
		for (at = m.start; rt_mm_guest_part(at, m.end, &from, &to); at = to) {
			if (smaps && shown)
				break;
			put_map_line(s, &m, from, to);
			shown = true;
		}
	}
	if (!vdso_done)
		put_vdso(s, smaps);
}

/* ---- cpuinfo ------------------------------------------------------------ */

/* The names of AT_HWCAP's bits, as arm64 Linux writes them. */
static const char hwcap_names[][12] = {
	"fp", "asimd", "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "cpuid", "asimdrdm",
	"jscvt", "fcma", "lrcpc", "dcpop", "sha3", "sm3", "sm4", "asimddp", "sha512", "sve", "asimdfhm", "dit", "uscat",
	"ilrcpc", "flagm", "ssbs", "sb", "paca", "pacg",
};
static const char hwcap2_names[][12] = {
	"dcpodp", "sve2", "sveaes", "svepmull", "svebitperm", "svesha3", "svesm4", "flagm2", "frint", "svei8mm", "svef32mm",
	"svef64mm", "svebf16", "i8mm", "bf16", "dgh", "rng", "bti", "mte", "ecv", "afp", "rpres",
};

static void put_names(struct scratch *s, u64 bits, const char (*names)[12], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!(bits >> i & 1))
			continue;
		put_text(s, " ");
		put_text(s, names[i]);
	}
}

static void put_hex_field(struct scratch *s, const char *name, u64 v, unsigned width)
{
	put_text(s, name);
	put_hex(s, v, width);
	put_text(s, "\n");
}

static void put_cpu(struct scratch *s, unsigned cpu)
{
	put_text(s, "processor\t: ");
	put_number(s, cpu);
	put_text(s, "\nBogoMIPS\t: 2000.00\nFeatures\t:");
	put_names(s, a64_hwcap(), hwcap_names, ARRAY_SIZE(hwcap_names));
	put_names(s, a64_hwcap2(), hwcap2_names, ARRAY_SIZE(hwcap2_names));
	put_hex_field(s, "\nCPU implementer\t: 0x", A64_MIDR >> 24 & 0xff, 2);
	put_text(s, "CPU architecture: 8\n");
	put_hex_field(s, "CPU variant\t: 0x", A64_MIDR >> 20 & 0xf, 1);
	put_hex_field(s, "CPU part\t: 0x", A64_MIDR >> 4 & 0xfff, 3);
	put_text(s, "CPU revision\t: ");
	put_number(s, A64_MIDR & 0xf);
	put_text(s, "\n\n");
}

/* One block for each online CPU, as the host lists them: "0-3,8". */
static void write_cpuinfo(struct scratch *s)
{
	s64 fd = sys(__NR_openat, AT_FDCWD, "/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC, 0), n = 0;
	char list[1024];
	const char *p = list;

	if (fd >= 0) {
		n = sys(__NR_read, fd, list, sizeof(list) - 1);
		sys(__NR_close, fd);
	}
	list[MAX(n, 0)] = 0;
	if (n <= 0)
		put_cpu(s, 0);
	while (*p >= '0' && *p <= '9') {
		unsigned first = 0, last = 0;

		for (; *p >= '0' && *p <= '9'; p++)
			first = first * 10 + (unsigned)(*p - '0');
		last = first;
		if (*p == '-')
			for (p++, last = 0; *p >= '0' && *p <= '9'; p++)
				last = last * 10 + (unsigned)(*p - '0');
		for (; first <= last && first < 4096; first++)
			put_cpu(s, first);
		if (*p == ',')
			p++;
	}
}

/* ---- exe ------------------------------------------------------------ */

/* "/proc/<pid>/<file>", pid 0: self. */
static void proc_path(char *buf, s32 pid, const char *file)
{
	char *p = buf + 6;

	__builtin_memcpy(buf, "/proc/", 6);
	if (pid) {
		p = put_decimal(p, (u32)pid);
	} else {
		__builtin_memcpy(p, "self", 4);
		p += 4;
	}
	*p++ = '/';
	__builtin_memcpy(p, file, __builtin_strlen(file) + 1);
}

/* The name of the file that pid has mapped at addr: length or -errno. */
static s64 mapped_name(s32 pid, u64 addr, char *buf, size_t size)
{
	struct scratch *s = scratch_new();
	struct map_line m;
	char path[40];
	s64 ret = -ENOENT;

	if (!s)
		return -ENOMEM;
	proc_path(path, pid, "maps");
	s->in = (int)sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (s->in < 0)
		ret = s->in;
	while (s->in >= 0 && next_line(s)) {
		if (!parse_map_line(s->line, &m) || addr < m.start || addr >= m.end)
			continue;
		if (*m.name == '/') {
			ret = (s64)MIN(__builtin_strlen(m.name), size);
			__builtin_memcpy(buf, m.name, ret);
		}
		break;
	}
	scratch_free(s);
	return ret;
}

/* Does that process run the same file as we, the runtime? */
static bool is_dragoman(s32 pid)
{
	struct stat theirs, ours;
	char path[40];

	proc_path(path, pid, "exe");
	return !sys(__NR_stat, path, &theirs) && !sys(__NR_stat, "/proc/self/exe", &ours) &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

/* Where its program headers are mapped, by its auxiliary vector; 0 unknown. */
static u64 phdr_of(s32 pid)
{
	u64 auxv[64], phdr = 0;
	char path[40];
	s64 fd, n;

	proc_path(path, pid, "auxv");
	fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	n = sys(__NR_read, fd, auxv, sizeof(auxv));
	sys(__NR_close, fd);
	for (s64 i = 0; i + 1 < n / 8 && auxv[i]; i += 2)
		if (auxv[i] == 3 /* AT_PHDR */)
			phdr = auxv[i + 1];
	return phdr;
}

s64 procfs_exe(s32 pid, char *buf, size_t size)
{
	s64 n;

	if (!pid) {
		const char *exe = rt_exe_path();

		n = (s64)MIN(__builtin_strlen(exe), size);
		__builtin_memcpy(buf, exe, n);
		return n ? n : -ENOSYS;
	}
	if (!is_dragoman(pid))
		return -ENOSYS;
	n = mapped_name(pid, phdr_of(pid), buf, size);
	return n > 0 ? n : -ENOSYS;
}

s64 procfs_runtime(char *buf, size_t size)
{
	return mapped_name(0, (u64)&procfs_runtime, buf, size);
}

static struct {
	u64 start, end;
} exe_mapping;

void procfs_note_exe(u64 start, u64 end)
{
	if (exe_mapping.end)
		return;
	exe_mapping.start = start;
	exe_mapping.end = end;
}

static char *put_hex_digits(char *p, u64 v)
{
	unsigned shift = 60;

	while (shift && !(v >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		*p++ = "0123456789abcdef"[v >> shift & 15];
		if (!shift)
			return p;
	}
}

/* One call, if the mapping still is as it was made (static glibc programs ask at each start). Length or -errno. */
static s64 linked_name(char *buf, size_t size)
{
	char path[64], *p;

	proc_path(path, 0, "map_files/");
	p = put_hex_digits(path + __builtin_strlen(path), exe_mapping.start);
	*p++ = '-';
	*put_hex_digits(p, exe_mapping.end) = 0;
	return sys(__NR_readlink, path, buf, size);
}

/* Found at the first use, since most programs never ask. Two threads may; they find the same. */
const char *rt_exe_path(void)
{
	static char found[RT_PATH_MAX];
	char name[RT_PATH_MAX];
	s64 n;

	if (*rt.exe_path)
		return rt.exe_path;
	n = linked_name(name, sizeof(name) - 1);
	if (n <= 0)
		n = mapped_name(0, rt.phdr ? rt.phdr : rt.entry, name, sizeof(name) - 1);
	if (n <= 0)
		return "";
	__builtin_memcpy(found, name, n);
	found[n] = 0;
	__atomic_store_n(&rt.exe_path, found, __ATOMIC_RELEASE);
	return found;
}

static s64 open_exe(s32 pid, u64 flags)
{
	char path[RT_PATH_MAX], link[40];
	s64 n;

	if (!pid && rt.exe_fd >= 0) {
		__builtin_memcpy(link, "/proc/self/fd/", 15);
		put_decimal(link + 14, (u32)rt.exe_fd);
		return sys(__NR_openat, AT_FDCWD, link, flags, 0);
	}
	n = procfs_exe(pid, path, sizeof(path) - 1);
	if (n < 0)
		return n;
	path[n] = 0;
	return sys(__NR_openat, AT_FDCWD, path, flags, 0);
}

/* ---- opening ------------------------------------------------------------ */

static const char *const source[] = {
	[PROCFS_MAPS] = "maps", [PROCFS_SMAPS] = "smaps", [PROCFS_CMDLINE] = "cmdline", [PROCFS_AUXV] = "auxv",
	[PROCFS_CPUINFO] = "../cpuinfo",
};

static void write_file(struct scratch *s, enum procfs_file f)
{
	switch (f) {
	case PROCFS_MAPS:
	case PROCFS_SMAPS:
		write_maps(s, f == PROCFS_SMAPS);
		break;
	case PROCFS_CMDLINE:
		put(s, (const char *)rt.arg_start, rt.arg_end - rt.arg_start);
		break;
	case PROCFS_AUXV:
		put(s, (const char *)rt.auxv_start, rt.auxv_len);
		break;
	case PROCFS_CPUINFO:
		write_cpuinfo(s);
		break;
	case PROCFS_NONE:
	case PROCFS_EXE:
		break;
	}
	flush(s);
}

static bool maps_opened;

s64 procfs_open(enum procfs_file f, s32 pid, u64 flags)
{
	struct scratch *s;
	char path[40];
	s64 fd;

	if (f == PROCFS_EXE)
		return open_exe(pid, flags);
	/* The kernel decides whether it may be opened like this. */
	proc_path(path, 0, source[f]);
	fd = sys(__NR_openat, AT_FDCWD, path, flags, 0);
	if (fd < 0 || flags & O_PATH)
		return fd;
	maps_opened |= f == PROCFS_MAPS || f == PROCFS_SMAPS;
	s = scratch_new();
	if (!s) {
		sys(__NR_close, fd);
		return -ENOMEM;
	}
	s->in = (int)fd;
	fd = sys(__NR_memfd_create, path + 6, MFD_ALLOW_SEALING | (flags & O_CLOEXEC ? MFD_CLOEXEC : 0));
	if (fd >= 0) {
		s->out = (int)fd;
		write_file(s, f);
		sys(__NR_lseek, fd, 0, 0);
		sys(__NR_fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
		/* The number that open(2) would have given: the lowest, which the source has. */
		if (sys(__NR_dup3, fd, s->in, flags & O_CLOEXEC) >= 0) {
			sys(__NR_close, fd);
			fd = s->in;
			s->in = -1;
		}
	}
	scratch_free(s);
	return fd;
}

void procfs_rewound(int fd)
{
	char path[40], link[32] = "";
	enum procfs_file f;
	s64 fresh;

	if (likely(!maps_opened))
		return;
	proc_path(path, 0, "fd/");
	*put_decimal(path + __builtin_strlen(path), (u32)fd) = 0;
	if (sys(__NR_readlink, path, link, sizeof(link) - 1) < 0)
		return;
	if (same(link, "/memfd:self/maps (deleted)"))
		f = PROCFS_MAPS;
	else if (same(link, "/memfd:self/smaps (deleted)"))
		f = PROCFS_SMAPS;
	else
		return;
	fresh = procfs_open(f, 0, O_RDONLY | O_CLOEXEC);
	if (fresh < 0)
		return;
	sys(__NR_dup3, fresh, fd, sys(__NR_fcntl, fd, F_GETFD, 0) & FD_CLOEXEC ? O_CLOEXEC : 0);
	sys(__NR_close, fresh);
}
