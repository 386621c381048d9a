// SPDX-License-Identifier: MIT
/*
 * devclient FILE CLASS TRANSLATOR COMMAND...: a client of the module's node, for test scripts that look at the real server. CLASS is a number,
 * TRANSLATOR 64 hexadecimal digits. Each command prints a line:
 *
 *   attach        waits for the server's decision     attach: RESULT STATUS
 *   miss OFF      waits for an answer                 miss: RESULT STATUS done|never|nothing
 *   ask OFF       does not wait                       ask: RESULT STATUS
 *   see OFF       waits until it is published         see: done|never|nothing
 *   pause         prints it, and waits for a line on standard input
 *
 * RESULT is 0 or an errno's name, STATUS ok, none, private, by-address or -. OFF is a file offset or `entry'.
 */
#include "../exec/test.h"
#include "server.h"
#include "dragoman/object.h"

static int session;
static struct dragoman_attach at;
static const unsigned char *map;

static const char *result(int ret)
{
	return ret ? strerrorname_np(-ret) : "0";
}

static const char *status(int ret, unsigned int n)
{
	static const char *const names[] = { "ok", "none", "private", "by-address" };

	return ret || n > 3 ? "-" : names[n];
}

static void attach(int file)
{
	int ret = attach_fd(session, file, DRAGOMAN_ATTACH_WAIT, 100 * SECOND, &at);
	void *p;

	printf("attach: %s %s\n", result(ret), status(ret, at.status));
	if (ret || at.status != DRAGOMAN_OK)
		return;
	p = mmap(NULL, at.object_size, PROT_READ | PROT_EXEC, MAP_SHARED, session, at.map_offset);
	if (p == MAP_FAILED)
		printf("map: %s\n", result(-errno));
	else
		map = p;
}

/* What the object's index says of a place. */
static const char *look(unsigned long long off)
{
	const struct dragoman_object *h = (const void *)map;
	unsigned int word;

	if (!h || off < h->text_lo || off >= h->text_hi)
		return "nothing";
	word = *(const volatile unsigned int *)(map + h->index + (off - h->text_lo));
	return !word ? "nothing" : word == DRAGOMAN_INDEX_NEVER ? "never" : "done";
}

static void see(unsigned long long off)
{
	for (int i = 0; i < 10000 && !strcmp(look(off), "nothing"); i++)
		usleep(10000);
	printf("see: %s\n", look(off));
}

/* A server that has no time says so after some seconds: ask again. */
static void ask(unsigned long long off, bool wait)
{
	unsigned long long end = now_ns() + 100 * SECOND;
	struct dragoman_miss m;
	int ret;

	do {
		ret = miss(session, at.object, off, wait ? 0 : DRAGOMAN_MISS_NOWAIT, 100 * SECOND, &m);
	} while (wait && !ret && m.status == DRAGOMAN_NONE && now_ns() < end);
	printf("%s: %s %s%s%s\n", wait ? "miss" : "ask", result(ret), status(ret, m.status), wait ? " " : "", wait ? look(off) : "");
}

static unsigned long long entry(int file)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;

	if (pread(file, &e, sizeof(e), 0) == sizeof(e))
		for (int i = 0; i < e.e_phnum; i++)
			if (pread(file, &p, sizeof(p), e.e_phoff + i * sizeof(p)) == sizeof(p) && p.p_type == PT_LOAD &&
			    e.e_entry - p.p_vaddr < p.p_filesz)
				return e.e_entry - p.p_vaddr + p.p_offset;
	return 0;
}

static int begin(const char *class, const char *translator)
{
	struct dragoman_hello h = hello_for("");

	h.cpu_class = strtoull(class, NULL, 0);
	for (int i = 0; i < DRAGOMAN_TRANSLATOR_SIZE; i++)
		if (sscanf(translator + 2 * i, "%2hhx", &h.translator[i]) != 1)
			return -EINVAL;
	session = session_new();
	return session < 0 ? session : dg(session, DRAGOMAN_IOC_HELLO, &h);
}

int main(int argc, char **argv)
{
	int file = argc > 4 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1, ret;
	char line[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	ret = file < 0 ? -errno : begin(argv[2], argv[3]);
	if (ret) {
		printf("hello: %s\n", result(ret));
		return 1;
	}
	for (int i = 4; i < argc; i++) {
		const char *what = argv[i], *arg = i + 1 < argc ? argv[i + 1] : "";
		unsigned long long off = !strcmp(arg, "entry") ? entry(file) : strtoull(arg, NULL, 0);

		if (!strcmp(what, "attach")) {
			attach(file);
		} else if (!strcmp(what, "pause")) {
			puts("pause");
			if (!fgets(line, sizeof(line), stdin))
				return 1;
		} else {
			i++;
			if (!strcmp(what, "see"))
				see(off);
			else
				ask(off, !strcmp(what, "miss"));
		}
	}
	return 0;
}
