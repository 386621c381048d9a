// SPDX-License-Identifier: MIT
/*
 * KTAP output, linked with each in-guest program. Written with write(2), so that a crash loses no line.
 */
#include <unistd.h>
#include "ktap.h"

static int count, failed;

static void line(const char *head, const char *fmt, va_list ap)
{
	char buf[512];
	int n = snprintf(buf, sizeof(buf), "%s %d ", head, ++count);

	n += vsnprintf(buf + n, sizeof(buf) - n - 1, fmt, ap);
	if (n > (int)sizeof(buf) - 2)
		n = sizeof(buf) - 2;
	buf[n++] = '\n';
	if (write(1, buf, n) != n)
		failed++;
}

void ktap_begin(void)
{
	static const char head[] = "KTAP version 1\n";

	if (write(1, head, sizeof(head) - 1) < 0)
		failed++;
}

int ktap_check(int ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(ok ? "ok" : "not ok", fmt, ap);
	va_end(ap);
	failed += !ok;
	return ok;
}

void ktap_skip(const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	snprintf(buf, sizeof(buf), "%s # SKIP", fmt);
	line("ok", buf, ap);
	va_end(ap);
}

int ktap_end(void)
{
	dprintf(1, "1..%d\n", count);
	return failed != 0;
}

int ktap_rounds(int n)
{
	return getenv("KTAP_SHORT") ? (n + 9) / 10 : n;
}
