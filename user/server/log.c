// SPDX-License-Identifier: MIT
/* Log lines on stderr, one per event: with a priority for the journal if that reads it, with the program's name otherwise. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/server.h"

static void put(enum srv_level level, const char *fmt, va_list ap)
{
	char line[512];
	int n, m;

	n = getenv("JOURNAL_STREAM") ? snprintf(line, sizeof(line), "<%d>", level) : snprintf(line, sizeof(line), "dragomand: ");
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	if (m < 0)
		return;
	n = MIN(n + m, (int)sizeof(line) - 2);
	line[n++] = '\n';
	if (write(2, line, n) < 0)
		return;		/* nobody listens: nothing to be done about it */
}

void srv_log(enum srv_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(level, fmt, ap);
	va_end(ap);
}

#define RATE_LINES 5
#define RATE_TIME 10000		/* ms */

void srv_log_rate(struct srv_rate *rate, enum srv_level level, const char *fmt, ...)
{
	u64 now = srv_now();
	va_list ap;

	if (!rate->since || now - rate->since > RATE_TIME) {
		if (rate->lost)
			srv_log(level, "%u more of the kind that follows were not logged", rate->lost);
		rate->since = now;
		rate->n = rate->lost = 0;
	}
	if (rate->n++ >= RATE_LINES) {
		rate->lost++;
		return;
	}
	va_start(ap, fmt);
	put(level, fmt, ap);
	va_end(ap);
}
