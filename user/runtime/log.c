// SPDX-License-Identifier: MIT
/*
 * Messages of the runtime itself: one line on stderr, in one write. In: a format with %s %d %u %x %lx %lu %ld %c %%.
 */
#include <stdarg.h>

#include "runtime/rt.h"
#include "runtime/sys.h"

struct line {
	char text[1024];
	size_t n;
};

static void put_char(struct line *l, char c)
{
	if (l->n < sizeof(l->text) - 1)
		l->text[l->n++] = c;
}

static void put_string(struct line *l, const char *s)
{
	if (!s)
		s = "(null)";
	/* A file name may hold anything; the message stays one line. */
	for (; *s; s++)
		put_char(l, (u8)*s < ' ' ? '?' : *s);
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

static void format_line(struct line *l, const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		unsigned wide = 0;

		if (*fmt != '%') {
			put_char(l, *fmt);
			continue;
		}
		while (*++fmt == 'l' || *fmt == 'z')
			wide = 1;
		switch (*fmt) {
		case 's':
			put_string(l, va_arg(ap, const char *));
			break;
		case 'c':
			put_char(l, (char)va_arg(ap, int));
			break;
		case 'd':
			put_signed(l, wide ? va_arg(ap, long) : va_arg(ap, int));
			break;
		case 'u':
			put_number(l, wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int), 10);
			break;
		case 'x':
			put_number(l, wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int), 16);
			break;
		case 'p':
			put_number(l, (u64)va_arg(ap, void *), 16);
			break;
		case 0:
			return;
		default:
			put_char(l, *fmt);
		}
	}
}

static void message(const char *fmt, va_list ap)
{
	struct line l;

	l.n = 0;
	put_string(&l, "dragoman: ");
	format_line(&l, fmt, ap);
	l.text[l.n++] = '\n';
	sys(__NR_write, 2, l.text, l.n);
}

void rt_msg(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
}

void rt_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
	for (;;)
		sys(__NR_exit_group, status);
}
