// SPDX-License-Identifier: MIT
/*
 * Which object has a worker. There are a few places for workers; who is waited for comes first, and takes the place of one that
 * works ahead or does nothing. Workers are forked from the supervisor, watched by their CPU time, and their crashes counted: the place in
 * the guest file that caused one is marked, so that it is never tried again; after three the file is translated privately for good.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"

#define MAX_WORKERS 128
#define STUCK 5000		/* ms of CPU time for one region: it does not end */
#define AFTER_CRASH 200		/* ms, doubled with each */

static struct srv_worker *workers[MAX_WORKERS];
static unsigned nworkers;
static bool look;		/* something changed: srv_workers_run has to look */

unsigned srv_workers_count(void)
{
	return nworkers;
}

void srv_workers_look(void)
{
	look = true;
}

static enum srv_ahead ahead_of(const struct srv_object *o)
{
	return o->whole ? SRV_AHEAD_ALL : srv_opt.ahead;
}

/* Has this worker done all that is wanted ahead? It may have been told to do less than is wanted now. */
static void took_stock(struct srv_object *o, const struct srv_worker *w)
{
	o->ahead_done |= w->page->ahead_done && w->ahead == ahead_of(o);
}

/* Wants a worker: 2 for somebody who waits, 1 to work ahead, 0 no. */
static int wants(const struct srv_object *o, u64 now)
{
	if (o->state != SRV_READY || o->worker || o->saving || o->file < 0)
		return 0;
	if (now < o->wait_until) {
		srv_wake_at(o->wait_until);
		return 0;
	}
	if (o->npending)
		return 2;
	if (o->ahead_done || srv_objects_full() || srv_ending() || srv_flushing)
		return 0;
	return ahead_of(o) != SRV_AHEAD_NONE;
}

static void log_crash(const struct srv_object *o, const struct srv_page *page, int status)
{
	static struct srv_rate rate;
	char what[32], digest[17], where[48] = "between regions";

	if (WIFSIGNALED(status))
		snprintf(what, sizeof(what), "signal %d", WTERMSIG(status));
	else
		snprintf(what, sizeof(what), "exit status %d", WEXITSTATUS(status));
	if (page->pc != ~0u)
		snprintf(where, sizeof(where), "translating file offset %#llx", (unsigned long long)o->head.text_lo + page->pc);
	srv_log_rate(&rate, SRV_WARN, "worker for %s (%s...) died: %s, %s; crash %u of %u", o->name,
		     srv_hex(digest, o->key.digest, 8), what, where, o->crashes, SRV_MAX_CRASHES);
	if (o->crashes == SRV_MAX_CRASHES)
		srv_log(SRV_WARN, "%s (%s...) is not translated by the server any more", o->name, digest);
}

static void crashed(struct srv_object *o, const struct srv_page *page, int status)
{
	srv_count.crashes++;
	o->crashes++;
	log_crash(o, page, status);
	srv_object_set_never(o, page->pc);
	o->wait_until = srv_now() + (AFTER_CRASH << MIN(o->crashes, 8u));
	srv_wake_at(o->wait_until);
	srv_crashes_put(o->key.digest, o->crashes);
	if (o->crashes >= SRV_MAX_CRASHES) {
		o->state = SRV_NEVER;
		o->npending = 0;
		srv_requests_progress();
	}
}

/*
 * Whose fault is it? What somebody killed (the kernel, short of memory; an administrator), what got no memory for the object
 * (SIGBUS), and what could not begin, is tried again after a while, and longer each time.
 */
static void ended_badly(struct srv_object *o, const struct srv_worker *w, int status)
{
	static struct srv_rate rate;
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (w->stuck || (sig && sig != SIGKILL && sig != SIGTERM && sig != SIGBUS)) {
		crashed(o, w->page, status);
		return;
	}
	o->lost++;
	o->wait_until = srv_now() + (AFTER_CRASH << MIN(o->lost, 8u));
	srv_wake_at(o->wait_until);
	srv_log_rate(&rate, SRV_WARN, "worker for %s ended: %s %d; tried again later", o->name, sig ? "killed by signal" : "exit status",
		     sig ? sig : WEXITSTATUS(status));
}

/* Hands o's misses on, to be remembered until the worker ends. */
static void sent(struct srv_object *o)
{
	memcpy(o->sent, o->pending, o->npending * sizeof(o->pending[0]));
	o->nsent = o->npending;
	o->worker->sent += o->npending;
	o->npending = 0;
}

/* What was sent to a worker that ended before it got there. Not for ever: a place may never come (the object is full). */
static void send_again(struct srv_object *o)
{
	struct dragoman_object *h = o->map;
	unsigned n = o->nsent;

	o->nsent = 0;
	if (h->publish != o->again_publish)
		o->again = 0;
	o->again_publish = h->publish;
	if (n && o->again++ < 3)
		srv_object_misses(o, o->sent, n);
}

static void reaped(void *ctx, int status)
{
	struct srv_worker *w = ctx;
	struct srv_object *o = w->object;

	srv_unwatch(&w->channel);
	close(w->channel.fd);
	workers[w->slot] = NULL;
	nworkers--;
	look = true;
	if (o) {
		o->worker = NULL;
		took_stock(o, w);
		if (!w->killed && status)
			ended_badly(o, w, status);
		if (o->state == SRV_READY)
			send_again(o);
		srv_requests_progress();
		if (o->device)
			srv_device_requeue(o);
		srv_object_check_write_back(o);
	}
	munmap(w->page, sizeof(*w->page));
	free(w);
}

/* A worker says that it is through with everything: what it found can be written back. */
static void on_channel(struct srv_source *s, u32 events)
{
	struct srv_worker *w = container_of(s, struct srv_worker, channel);
	u32 done, last = ~0u;

	(void)events;
	while (recv(s->fd, &done, sizeof(done), MSG_DONTWAIT) == sizeof(done))
		last = done;
	if (events & (EPOLLHUP | EPOLLERR))
		srv_unwatch(s);		/* its death comes as a signal */
	if (w->object) {
		took_stock(w->object, w);
		look = true;
		srv_requests_progress();
		if (w->object->device)
			srv_device_progress(w->object, last == w->sent);
	}
}

static void raise_priority(pid_t pid)
{
	struct sched_param p = { 0 };

	sched_setscheduler(pid, SCHED_OTHER, &p);
}

/* Hands the misses over to the worker. One that cannot be raised from idle priority is replaced. */
void srv_worker_misses(struct srv_object *o)
{
	struct srv_worker *w = o->worker;

	look = true;
	if (!w || w->killed || !o->npending)
		return;
	if (w->page->phase >= SRV_AHEAD) {
		if (!srv_opt.set_uid) {
			srv_worker_stop(o);
			return;
		}
		raise_priority(w->pid);
	}
	if (send(w->channel.fd, o->pending, o->npending * sizeof(o->pending[0]), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		sent(o);
}

void srv_worker_stop(struct srv_object *o)
{
	if (!o->worker || o->worker->killed)
		return;
	o->worker->killed = true;
	srv_kill(o->worker->pid);
}

/* In the child: descriptors are 3 channel, 4 file. */
static void child(struct srv_object *o, struct srv_worker *w)
{
	struct srv_work work = {
		.map = o->map, .page = w->page, .first = o->pending, .nfirst = o->npending, .profile = o->profile,
		.nprofile = o->nprofile, .ahead = w->ahead, .tell = o->device, .channel = 3, .file_size = o->file_size,
	};

	work.file = mmap(NULL, o->file_size, PROT_READ, MAP_SHARED, 4, 0);
	if (work.file == MAP_FAILED)
		_exit(3);
	close(4);
	if (srv_confine(SRV_WORKER, w->slot))
		_exit(4);
	srv_worker_main(&work);
}

static struct srv_worker *make(struct srv_object *o, unsigned slot, int pair[2])
{
	struct srv_worker *w = calloc(1, sizeof(*w));

	if (!w || srv_pair(pair)) {
		free(w);
		return NULL;
	}
	w->page = mmap(NULL, sizeof(*w->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->page == MAP_FAILED) {
		close(pair[0]);
		close(pair[1]);
		free(w);
		return NULL;
	}
	w->object = o;
	w->slot = slot;
	w->ahead = ahead_of(o);
	w->channel = (struct srv_source){ pair[0], on_channel };
	w->started = srv_now();
	return w;
}

static void start(struct srv_object *o)
{
	static struct srv_rate rate;
	struct srv_worker *w;
	unsigned slot = 0;
	int pair[2], keep[2];

	while (workers[slot])
		slot++;
	w = make(o, slot, pair);
	if (!w)
		return;
	keep[0] = pair[1];
	keep[1] = o->file;
	madvise(o->map, o->head.size, MADV_DOFORK);
	w->pid = srv_fork(keep, 2, reaped, w);
	if (!w->pid)
		child(o, w);
	madvise(o->map, o->head.size, MADV_DONTFORK);
	close(pair[1]);
	if (w->pid < 0) {
		srv_log_rate(&rate, SRV_WARN, "no worker can be started: %s", strerror(-w->pid));
		close(pair[0]);
		munmap(w->page, sizeof(*w->page));
		free(w);
		o->wait_until = srv_now() + 1000;
		return;
	}
	srv_watch(&w->channel, EPOLLIN);
	workers[slot] = w;
	nworkers++;
	o->worker = w;
	sent(o);
}

/* Somebody's worker ends for one who is waited for: first one that has nothing to do, then one that works ahead. */
static bool take_place(void)
{
	struct srv_worker *victim = NULL;

	for (unsigned i = 0; i < MAX_WORKERS; i++) {
		if (!workers[i])
			continue;
		if (workers[i]->killed)
			return true;		/* a place is about to be free */
		if (workers[i]->page->phase >= SRV_AHEAD && (!victim || workers[i]->page->phase > victim->page->phase))
			victim = workers[i];
	}
	if (!victim)
		return false;
	victim->killed = true;
	srv_kill(victim->pid);
	return true;
}

/* For work ahead only those make room that have nothing to do. */
static void take_idle_place(void)
{
	for (unsigned i = 0; i < MAX_WORKERS; i++) {
		if (!workers[i] || workers[i]->killed || workers[i]->page->phase != SRV_IDLE)
			continue;
		workers[i]->killed = true;
		srv_kill(workers[i]->pid);
		return;
	}
}

void srv_workers_run(void)
{
	u64 now;

	if (!look)
		return;
	look = false;
	now = srv_now();
	for (;;) {
		struct srv_object *best = NULL;
		int most = 0;

		for (unsigned i = 0; i < srv_nobjects; i++) {
			int n = wants(srv_objects[i], now);

			if (n && (n > most || (n == most && srv_objects[i]->last_used > best->last_used))) {
				best = srv_objects[i];
				most = n;
			}
		}
		if (!best)
			return;
		if (nworkers >= MIN(srv_opt.workers, (unsigned)MAX_WORKERS)) {
			if (most == 2)
				take_place();
			else
				take_idle_place();
			return;
		}
		start(best);
		if (!best->worker)
			return;
	}
}

static u64 cpu_time(pid_t pid)
{
	struct timespec t;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &t))
		return 0;
	return (u64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void srv_workers_tick(u64 now)
{
	(void)now;
	look = true;
	for (unsigned i = 0; i < MAX_WORKERS; i++) {
		struct srv_worker *w = workers[i];
		u32 seq;
		u64 cpu;

		if (!w)
			continue;
		seq = w->page->seq;
		cpu = cpu_time(w->pid);
		if (seq != w->seen_seq || w->page->phase == SRV_IDLE) {
			w->seen_seq = seq;
			w->cpu_at_seq = cpu;
		} else if (cpu > w->cpu_at_seq + STUCK) {
			w->stuck = true;	/* counts as a crash */
			srv_kill(w->pid);
		}
		if (w->object && w->object->npending)
			srv_worker_misses(w->object);
	}
}
