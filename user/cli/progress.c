// SPDX-License-Identifier: MIT
/*
 * The progress bar. In: files done and in work; out: one line on stdout that is drawn again and again, if that is a terminal.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "progress.h"

#define CLEAR_LINE "\r\033[K"

void progress_begin(struct cli_progress *p, size_t total)
{
	struct winsize size;

	*p = (struct cli_progress){ .terminal = isatty(STDOUT_FILENO), .width = 80, .total = total };
	if (p->terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col >= 40)
		p->width = size.ws_col;
}

void progress_show(const struct cli_progress *p, const char *what)
{
	double part = p->total ? (p->done + p->part) / p->total : 1;
	int bar = 30, room = p->width - bar - 26, filled = part * bar;

	if (!p->terminal)
		return;
	printf(CLEAR_LINE "[");
	for (int i = 0; i < bar; i++)
		putchar(i < filled ? '#' : '.');
	printf("] %3d %%  %zu of %zu", (int)(part * 100), p->done, p->total);
	if (room > 8)
		printf("  %.*s", room, what);
	fflush(stdout);
}

void progress_line(const struct cli_progress *p, const char *fmt, ...)
{
	va_list ap;

	if (p->terminal)
		fputs(CLEAR_LINE, stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!p->terminal)
		fflush(stdout);
}

void progress_end(const struct cli_progress *p)
{
	if (p->terminal) {
		fputs(CLEAR_LINE, stdout);
		fflush(stdout);
	}
}
