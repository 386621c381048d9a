// SPDX-License-Identifier: MIT
/*
 * dragoman translate: has the server translate files ahead of time. In: programs (with the libraries that they name) or folders (every
 * guest file below); out: what became of each, exit 0 if all of them are translated.
 *
 * As many files are in work at once as the machine has processors; each is one connection.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "elf_files.h"
#include "program.h"
#include "progress.h"

#define MAX_JOBS 16
#define SILENCE 120000			/* ms: a server that says nothing for that long is given up */
#define BUSY_RETRIES 50			/* with a server that has too many connections, 100 ms apart */

struct job {
	int sock;			/* -1: free */
	const struct elf_file *file;
	double part;			/* done, 0 to 1 */
};

struct work {
	struct elf_set set;
	struct cli_progress progress;
	struct job job[MAX_JOBS];
	int njobs;
	size_t next, failed;
	unsigned long long insns, bytes;
	bool gone;			/* the server */
};

static const struct option long_options[] = {
	{ "jobs", required_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char *reason(int err)
{
	switch (err) {
	case -E2BIG: return "too large for the cache; each process translates it for itself";
	case -ENOEXEC: return "the server leaves this file to each process: it crashed the translator, or its headers are not usual";
	case -EACCES:
	case -EPERM: return "the server does not take it from this user";
	case -ENOSPC: return "the server is at its limit of memory or disk; see `dragoman status`";
	case -EINVAL: return "the server does not take it; not a regular file on a file system that it accepts?";
	default: return strerror(-err);
	}
}

static void finish_job(struct work *w, struct job *j, int err, const struct drg_progress *p)
{
	close(j->sock);
	j->sock = -1;
	w->progress.done++;
	if (err) {
		w->failed++;
		progress_end(&w->progress);
		cli_error("translate: %s: %s", j->file->path, reason(err));
		return;
	}
	w->insns += p->insns;
	w->bytes += p->bytes;
	if (!w->progress.terminal)
		progress_line(&w->progress, "%s: %llu instructions, %llu KiB", j->file->path, (unsigned long long)p->insns,
			      (unsigned long long)p->bytes >> 10);
}

/* A message of a job's server; false: the job has ended. */
static void take_message(struct work *w, struct job *j)
{
	union {
		struct drg_msg msg;
		struct drg_error error;
		struct drg_progress progress;
	} m;
	int n = cli_receive(j->sock, &m, sizeof(m), NULL, 0);

	if (n == sizeof(m.error) && m.msg.type == DRG_ERROR)
		finish_job(w, j, m.error.error < 0 ? m.error.error : -EPROTO, NULL);
	else if (n == sizeof(m.progress) && m.msg.type == DRG_TRANSLATE && (m.progress.error || m.progress.done))
		finish_job(w, j, m.progress.error, &m.progress);
	else if (n == sizeof(m.progress) && m.msg.type == DRG_TRANSLATE)
		j->part = m.progress.total ? (double)m.progress.insns / m.progress.total : 0;
	else
		finish_job(w, j, n < 0 ? n : -EPROTO, NULL);
	if (j->part > 1)
		j->part = 1;
}

static int connect_patiently(void)
{
	int s = cli_connect(NULL);

	for (int i = 0; i < BUSY_RETRIES && (s == -EAGAIN || s == -EBUSY); i++) {
		usleep(100000);
		s = cli_connect(NULL);
	}
	return s;
}

static void start_job(struct work *w, struct job *j)
{
	struct drg_translate m = { .msg = { sizeof(m), DRG_TRANSLATE, DRG_VERSION } };
	int fd = elf_set_read(&w->set, &w->set.file[w->next]), err = fd;

	j->file = &w->set.file[w->next++];
	j->part = 0;
	m.machine = j->file->machine;
	j->sock = connect_patiently();
	if (j->sock < 0)
		w->gone = true;
	else if (fd >= 0)
		err = cli_send(j->sock, &m, sizeof(m), fd);
	if (fd >= 0)
		close(fd);
	if (j->sock >= 0 && err < 0)
		finish_job(w, j, err, NULL);
}

static int wait_for_jobs(struct work *w)
{
	struct pollfd p[MAX_JOBS];
	int n;

	for (int i = 0; i < w->njobs; i++)
		p[i] = (struct pollfd){ .fd = w->job[i].sock, .events = POLLIN };	/* -1 is passed over */
	do
		n = poll(p, w->njobs, SILENCE);
	while (n < 0 && errno == EINTR);
	for (int i = 0; i < w->njobs; i++)
		if (p[i].fd >= 0 && p[i].revents)
			take_message(w, &w->job[i]);
	return n;
}

static void show_progress(struct work *w)
{
	const char *what = "";

	w->progress.part = 0;
	for (int i = 0; i < w->njobs; i++)
		if (w->job[i].sock >= 0) {
			w->progress.part += w->job[i].part;
			what = w->job[i].file->path;
		}
	progress_show(&w->progress, what);
}

static int translate_all(struct work *w)
{
	int busy;

	progress_begin(&w->progress, w->set.n);
	do {
		busy = 0;
		for (int i = 0; i < w->njobs; i++) {
			while (w->job[i].sock < 0 && w->next < w->set.n && !w->gone)
				start_job(w, &w->job[i]);
			busy += w->job[i].sock >= 0;
		}
		show_progress(w);
		if (busy && !wait_for_jobs(w)) {
			progress_end(&w->progress);
			cli_error("translate: the server has not answered for %d s; see `dragoman status`", SILENCE / 1000);
			return CLI_FAILED;
		}
	} while (busy);
	progress_end(&w->progress);
	if (w->gone) {
		cli_error("translate: the server has gone; start it and run this again, what is done is kept");
		return CLI_FAILED;
	}
	printf("%zu files: %zu translated (%llu instructions, %llu KiB of code), %zu failed\n", w->set.n, w->progress.done - w->failed,
	       w->insns, w->bytes >> 10, w->failed);
	return w->failed ? CLI_FAILED : 0;
}

static void library_missing(const char *program, const char *library)
{
	cli_error("translate: %s: needs %s, which is not there; give -L DIR where DIR is the root with it", program, library);
}

static int add_path(struct elf_set *set, const char *name, const char *root)
{
	char path[PATH_MAX];
	struct stat st;
	int err = program_find(name, root, path);

	if (err)
		return CLI_FAILED;
	if (stat(path, &st)) {
		cli_error("translate: %s: %s", name, strerror(errno));
		return CLI_FAILED;
	}
	err = S_ISDIR(st.st_mode) ? elf_set_add_tree(set, path) : elf_set_add_program(set, path, library_missing);
	if (err)
		cli_error("translate: %s: %s", name,
			  err == -ENOEXEC ? "is no aarch64 program or library" : strerror(-err));
	return err ? CLI_FAILED : 0;
}

static int run_translate(char **names, const char *root, int njobs)
{
	struct work w = { .njobs = njobs };
	int status = 0, sock;

	for (int i = 0; i < MAX_JOBS; i++)
		w.job[i].sock = -1;
	cli_start_server(2000);
	sock = cli_connect(NULL);
	if (sock < 0) {
		cli_error("translate: no server (%s); start it with `systemctl start dragomand.socket`, or run `dragomand --foreground`",
			  strerror(-sock));
		return CLI_FAILED;
	}
	close(sock);
	if (elf_set_open(&w.set, root)) {
		cli_error("%s: %s", root, strerror(errno));
		return CLI_FAILED;
	}
	for (; *names; names++)
		status |= add_path(&w.set, *names, root);
	if (w.set.n)
		status |= translate_all(&w);
	else if (!status)
		puts("no aarch64 files there");
	elf_set_close(&w.set);
	return status;
}

static int run(int argc, char **argv)
{
	const char *given = getenv("DRAGOMAN_SYSROOT");
	long njobs = sysconf(_SC_NPROCESSORS_ONLN);
	char root[PATH_MAX];
	int c, status;

	while ((c = getopt_long(argc, argv, "L:j:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'L':
			given = optarg;
			break;
		case 'j':
			njobs = strtol(optarg, NULL, 10);
			break;
		case 'h':
			return cli_help(&cli_translate);
		default:
			return cli_usage(&cli_translate, CLI_USAGE);
		}
	}
	if (optind == argc || njobs < 1) {
		cli_error(njobs < 1 ? "translate: --jobs wants a number from 1 on" : "translate: name programs or folders");
		return cli_usage(&cli_translate, CLI_USAGE);
	}
	status = cli_resolve_root(given, root);
	return status ? status : run_translate(argv + optind, root, njobs < MAX_JOBS ? njobs : MAX_JOBS);
}

const struct cli_command cli_translate = {
	.name = "translate",
	.summary = "translate programs ahead of time, into the cache",
	.run = run,
	.help =
	"usage: dragoman translate [OPTIONS] PATH...\n"
	"Has the server translate what each PATH names: a program with its interpreter and libraries, a library, or a\n"
	"folder (such as a whole root) with every aarch64 file below it. Exit status 1 if anything was left.\n\n"
	"  -L DIR       look below DIR for interpreters and libraries (as DRAGOMAN_SYSROOT)\n"
	"  -j, --jobs N files at once (default: one for each processor)\n"
	"  --help       this text\n\n"
	"What programs load by name while they run (plugins, dlopen) is found only when a folder is given.\n",
};
