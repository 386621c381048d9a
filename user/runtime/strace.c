// SPDX-License-Identifier: MIT
/*
 * dragoman run --strace: one line for each system call, in strace's form, on stderr, from the table's kinds of arguments.
 * The line is written when the call has returned; for calls that do not return, before.
 */
#include <asm/unistd.h>
#include "runtime/syscall.h"
#include "runtime/uaccess.h"
#define RT_SYS_ONLY_KINDS
#include "a64_syscalls.inc.c"

#define STRING_MAX 64
#define LINE_MAX 1024

static const char error_names[] =
	"\0EPERM\0ENOENT\0ESRCH\0EINTR\0EIO\0ENXIO\0E2BIG\0ENOEXEC\0EBADF\0ECHILD\0EAGAIN\0ENOMEM\0EACCES\0"
	"EFAULT\0ENOTBLK\0EBUSY\0EEXIST\0EXDEV\0ENODEV\0ENOTDIR\0EISDIR\0EINVAL\0ENFILE\0EMFILE\0ENOTTY\0"
	"ETXTBSY\0EFBIG\0ENOSPC\0ESPIPE\0EROFS\0EMLINK\0EPIPE\0EDOM\0ERANGE\0EDEADLK\0ENAMETOOLONG\0"
	"ENOLCK\0ENOSYS\0ENOTEMPTY\0ELOOP\0\0ENOMSG\0EIDRM\0ECHRNG\0EL2NSYNC\0EL3HLT\0EL3RST\0ELNRNG\0"
	"EUNATCH\0ENOCSI\0EL2HLT\0EBADE\0EBADR\0EXFULL\0ENOANO\0EBADRQC\0EBADSLT\0\0EBFONT\0ENOSTR\0"
	"ENODATA\0ETIME\0ENOSR\0ENONET\0ENOPKG\0EREMOTE\0ENOLINK\0EADV\0ESRMNT\0ECOMM\0EPROTO\0EMULTIHOP\0"
	"EDOTDOT\0EBADMSG\0EOVERFLOW\0ENOTUNIQ\0EBADFD\0EREMCHG\0ELIBACC\0ELIBBAD\0ELIBSCN\0ELIBMAX\0"
	"ELIBEXEC\0EILSEQ\0ERESTART\0ESTRPIPE\0EUSERS\0ENOTSOCK\0EDESTADDRREQ\0EMSGSIZE\0EPROTOTYPE\0"
	"ENOPROTOOPT\0EPROTONOSUPPORT\0ESOCKTNOSUPPORT\0EOPNOTSUPP\0EPFNOSUPPORT\0EAFNOSUPPORT\0"
	"EADDRINUSE\0EADDRNOTAVAIL\0ENETDOWN\0ENETUNREACH\0ENETRESET\0ECONNABORTED\0ECONNRESET\0ENOBUFS\0"
	"EISCONN\0ENOTCONN\0ESHUTDOWN\0ETOOMANYREFS\0ETIMEDOUT\0ECONNREFUSED\0EHOSTDOWN\0EHOSTUNREACH\0"
	"EALREADY\0EINPROGRESS\0ESTALE\0EUCLEAN\0ENOTNAM\0ENAVAIL\0EISNAM\0EREMOTEIO\0EDQUOT\0ENOMEDIUM\0"
	"EMEDIUMTYPE\0ECANCELED\0ENOKEY\0EKEYEXPIRED\0EKEYREVOKED\0EKEYREJECTED\0EOWNERDEAD\0"
	"ENOTRECOVERABLE\0ERFKILL\0\0";

static const char signal_names[] =
	"\0HUP\0INT\0QUIT\0ILL\0TRAP\0ABRT\0BUS\0FPE\0KILL\0USR1\0SEGV\0USR2\0PIPE\0ALRM\0TERM\0"
	"STKFLT\0CHLD\0CONT\0STOP\0TSTP\0TTIN\0TTOU\0URG\0XCPU\0XFSZ\0VTALRM\0PROF\0WINCH\0IO\0PWR\0SYS\0";

static const struct { u32 bit; const char name[12]; } open_flags[] = {
	{ 0100, "CREAT" }, { 0200, "EXCL" }, { 0400, "NOCTTY" }, { 01000, "TRUNC" }, { 02000, "APPEND" },
	{ 04000, "NONBLOCK" }, { 04010000, "SYNC" }, { 010000, "DSYNC" }, { 020000, "ASYNC" },
	{ 020000000 | A64_O_DIRECTORY, "TMPFILE" }, { A64_O_DIRECTORY, "DIRECTORY" }, { A64_O_NOFOLLOW, "NOFOLLOW" },
	{ A64_O_DIRECT, "DIRECT" }, { A64_O_LARGEFILE, "LARGEFILE" }, { 01000000, "NOATIME" }, { 02000000, "CLOEXEC" },
	{ 010000000, "PATH" },
};

struct line {
	size_t len;
	char text[LINE_MAX];
};

static void put_char(struct line *l, char c)
{
	if (l->len < sizeof(l->text) - 1)
		l->text[l->len++] = c;
}

static void put(struct line *l, const char *s)
{
	while (*s)
		put_char(l, *s++);
}

static void put_number(struct line *l, u64 v, unsigned base)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put_char(l, digits[--n]);
}

static void put_signed(struct line *l, s64 v)
{
	if (v < 0)
		put_char(l, '-');
	put_number(l, v < 0 ? -(u64)v : (u64)v, 10);
}

static void put_hex(struct line *l, u64 v)
{
	put(l, "0x");
	put_number(l, v, 16);
}

/* The n-th of a list of strings one behind the other. */
static const char *nth(const char *list, const char *end, u64 n)
{
	while (n && list < end)
		if (!*list++)
			n--;
	return list < end ? list : "";
}

static void put_escaped(struct line *l, u8 c)
{
	if (c == '"' || c == '\\') {
		put_char(l, '\\');
		put_char(l, (char)c);
	} else if (c == '\t' || c == '\n' || c == '\r') {
		put_char(l, '\\');
		put_char(l, c == '\r' ? 'r' : c == '\n' ? 'n' : 't');
	} else if (c >= ' ' && c < 127) {
		put_char(l, (char)c);
	} else {
		put_char(l, '\\');
		put_number(l, c, 8);
	}
}

/* len ~0: up to the NUL. */
static void put_string(struct line *l, u64 addr, u64 len)
{
	u64 i;
	u8 c;

	if (!addr || rt_get_u8(&c, addr)) {
		put(l, addr ? "" : "NULL");
		if (addr)
			put_hex(l, addr);
		return;
	}
	put_char(l, '"');
	for (i = 0; i < len && i < STRING_MAX && !rt_get_u8(&c, addr + i); i++) {
		if (len == ~0ull && !c)
			break;
		put_escaped(l, c);
	}
	put_char(l, '"');
	if (i == STRING_MAX && i < len)
		put(l, "...");
}

static void put_open_flags(struct line *l, u64 f)
{
	static const char access[4][7] = { "RDONLY", "WRONLY", "RDWR", "3" };

	put(l, "O_");
	put(l, access[f & 3]);
	f &= ~3ull;
	for (unsigned i = 0; i < ARRAY_SIZE(open_flags); i++) {
		if ((f & open_flags[i].bit) != open_flags[i].bit)
			continue;
		put(l, "|O_");
		put(l, open_flags[i].name);
		f &= ~(u64)open_flags[i].bit;
	}
	if (f) {
		put_char(l, '|');
		put_hex(l, f);
	}
}

static void put_signal(struct line *l, u64 sig)
{
	if (sig && sig < 32) {
		put(l, "SIG");
		put(l, nth(signal_names, signal_names + sizeof(signal_names), sig));
	} else {
		put_signed(l, (s32)sig);
	}
}

static void put_argument(struct line *l, unsigned kind, const u64 *a)
{
	switch (kind) {
	case RT_SYS_KIND_U:
		put_number(l, (u32)*a, 10);
		break;
	case RT_SYS_KIND_X:
		put_hex(l, *a);
		break;
	case RT_SYS_KIND_Z:
		put_signed(l, (s64)*a);
		break;
	case RT_SYS_KIND_P:
		if (*a)
			put_hex(l, *a);
		else
			put(l, "NULL");
		break;
	case RT_SYS_KIND_M:
		put_char(l, '0');
		put_number(l, (u32)*a, 8);
		break;
	case RT_SYS_KIND_S:
	case RT_SYS_KIND_PATH:
	case RT_SYS_KIND_LPATH:
	case RT_SYS_KIND_CPATH:
		put_string(l, *a, ~0ull);
		break;
	case RT_SYS_KIND_BUF:
		put_string(l, a[0], a[1]);
		break;
	case RT_SYS_KIND_DFD:
		if ((s32)*a == AT_FDCWD)
			put(l, "AT_FDCWD");
		else
			put_signed(l, (s32)*a);
		break;
	case RT_SYS_KIND_OFLAGS:
		put_open_flags(l, (u32)*a);
		break;
	case RT_SYS_KIND_SIG:
		put_signal(l, *a);
		break;
	default:
		put_signed(l, (s32)*a);
	}
}

static bool gives_address(u64 nr)
{
	return nr == 196 /* shmat */ || nr == 214 /* brk */ || nr == 216 /* mremap */ || nr == 222 /* mmap */;
}

static void put_result(struct line *l, u64 nr, s64 ret)
{
	put(l, " = ");
	if (ret == -RT_ERESTARTSYS) {
		put(l, "? ERESTARTSYS");
	} else if (ret < 0 && ret >= -133) {
		put(l, "-1 ");
		put(l, nth(error_names, error_names + sizeof(error_names), (u64)-ret));
	} else if (ret > 0x7fffffff || ret < 0 || gives_address(nr)) {
		put_hex(l, (u64)ret);
	} else {
		put_signed(l, ret);
	}
}

static void put_call(struct rt_thread *t, struct line *l, const struct rt_sysent *e, const char *name)
{
	const u64 *a = RT_STATE(t)->x;

	l->len = 0;
	if (rt.nthreads > 1) {
		put(l, "[pid ");
		put_signed(l, sys(__NR_gettid));
		put(l, "] ");
	}
	if (*name && e->nargs + e->action) {
		put(l, name);
	} else {
		put(l, "syscall_");
		put_number(l, RT_STATE(t)->x[8], 10);
	}
	put_char(l, '(');
	for (unsigned i = 0; i < e->nargs; i++) {
		if (i)
			put(l, ", ");
		put_argument(l, e->kind[i], &a[i]);
	}
	put_char(l, ')');
}

static void flush(struct line *l)
{
	put_char(l, '\n');
	l->text[l->len - 1] = '\n';
	sys(__NR_write, 2, l->text, l->len);
}

static bool never_returns(u64 nr)
{
	return nr == 93 /* exit */ || nr == 94 /* exit_group */ || nr == 139 /* rt_sigreturn */ || nr == 221 /* execve */ ||
		nr == 281 /* execveat */;
}

void rt_strace_enter(struct rt_thread *t, const struct rt_sysent *e, const char *name)
{
	struct line l;

	if (!never_returns(RT_STATE(t)->x[8]))
		return;
	put_call(t, &l, e, name);
	put(&l, " = ?");
	flush(&l);
}

void rt_strace_leave(struct rt_thread *t, const struct rt_sysent *e, const char *name, s64 ret)
{
	struct line l;

	if (ret == RT_SYS_STATE_SET)
		return;
	put_call(t, &l, e, name);
	put_result(&l, RT_STATE(t)->x[8], ret);
	flush(&l);
}
