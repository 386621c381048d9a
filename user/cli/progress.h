/* SPDX-License-Identifier: MIT */
/* How far a long command is: a bar on a terminal, lines elsewhere. */
#ifndef DRAGOMAN_CLI_PROGRESS_H
#define DRAGOMAN_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct cli_progress {
	bool terminal;
	int width;			/* columns */
	size_t done, total;		/* files */
	double part;			/* of those in work, 0 to 1 each, summed */
};

void progress_begin(struct cli_progress *p, size_t total);
/* Draws the bar again, with what is in work behind it; nothing if this is no terminal. */
void progress_show(const struct cli_progress *p, const char *what);
/* A line that stays, above the bar. */
void progress_line(const struct cli_progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Takes the bar away. */
void progress_end(const struct cli_progress *p);

#endif
