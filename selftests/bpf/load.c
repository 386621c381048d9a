// SPDX-License-Identifier: MIT
/*
 * What `tools` lets the BPF tools see: a little of everything that the module does, in known numbers.
 *
 *   load exec [N]   registers the stand-in runtime, runs a guest program N times (1), prints error=ERRNO for each
 *   load client     a file is attached that has no code, a server gives it an object, it is attached again; then one MISS that is
 *                   waited for and takes 50 ms, and a prefetch. Prints the object's number.
 */
#include <err.h>

#include "test.h"
#include "server.h"

#define SERVICE_US 50000

static int load_exec(int n)
{
	static struct run r;

	if (set_runtime("rt", 0))
		errx(1, "no runtime can be registered");
	for (int i = 0; i < n; i++) {
		run(&r, ARGV("./guest"), NULL, NULL, NULL);
		printf("error=%d\n", r.error);
	}
	return set_runtime(NULL, 0) ? 1 : 0;
}

static void answer(int ctl)
{
	struct dragoman_req req;

	if (recv_kind(ctl, DRAGOMAN_REQ_MISS, &req, 20 * SECOND) != 1)
		errx(1, "no request came");
	usleep(SERVICE_US);
	if (reply(ctl, req.id, DRAGOMAN_OK, 0))
		errx(1, "the answer was not taken");
}

static int load_client(void)
{
	struct dragoman_miss m;
	struct stage s;
	pid_t waiter;
	int status;

	if (no_server() || stage_open(&s) || stage_attach(&s))
		errx(1, "no object could be attached");
	waiter = fork();
	if (!waiter)
		_exit(miss(s.session, s.object, 0x1000, 0, 20 * SECOND, &m) || m.status != DRAGOMAN_OK);
	answer(s.ctl);
	if (waitpid(waiter, &status, 0) != waiter || status)
		errx(1, "the miss was not answered");
	if (miss(s.session, s.object, 0x2000, DRAGOMAN_MISS_NOWAIT | DRAGOMAN_MISS_PREFETCH, 0, &m))
		errx(1, "no prefetch");
	answer(s.ctl);
	printf("object=%u\n", s.object);
	stage_close(&s);
	return 0;
}

int main(int argc, char **argv)
{
	const char *why = cannot_run();
	int ret = 2;

	if (why)
		errx(4, "%s", why);
	if (enter_folder())
		errx(1, "no folder for the test");
	if (argc > 1 && !strcmp(argv[1], "exec"))
		ret = load_exec(argc > 2 ? atoi(argv[2]) : 1);
	else if (argc > 1 && !strcmp(argv[1], "client"))
		ret = load_client();
	leave_folder();
	return ret;
}
