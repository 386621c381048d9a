// SPDX-License-Identifier: MIT
/*
 * A worker: translates one guest file into one object. It holds a copy of the file, the object's memory, a page shared with the
 * supervisor and a channel, on which places that are wanted arrive; nothing else (confine.c).
 *
 * Order: what was asked for; then what that leads to, for a while at normal priority; then, at idle priority, the rest of it, what
 * earlier runs asked for, and all functions of the file. A worker that has nothing to do for some seconds ends. It can be killed at
 * any instruction: the next one repairs what was being written.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"

#define QUEUE 4096u		/* power of two */
#define CLOSURE_EACH 64		/* regions at normal priority after each miss */

struct worker {
	const struct srv_work *w;
	struct dragoman_object *h;
	struct obj_writer *writer;
	u32 queue[QUEUE];
	u32 head, tail;
	u32 got;			/* places that have come */
	int credit;			/* regions that may still be made at normal priority */
	bool idle_priority;
	bool full;
	const struct guest *guest;
	struct srv_ahead_list starts;
	struct srv_ahead_place gaps;
	unsigned at_start, at_profile;
	bool listed;
};

static bool wanted(const struct worker *k, u32 pc)
{
	return !(pc & 3) && pc < k->h->text_hi - k->h->text_lo && !*obj_index(k->h, pc);
}

static void enqueue(struct worker *k, const u32 *pc, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (wanted(k, pc[i]) && k->tail - k->head < QUEUE)
			k->queue[k->tail++ % QUEUE] = pc[i];
}

/* Takes what has come. wait: ms. False: the supervisor is gone, or wants an end. */
static bool receive(struct worker *k, int wait)
{
	u32 pc[SRV_MAX_PENDING];
	struct pollfd p = { k->w->channel, POLLIN, 0 };
	ssize_t n;

	if (wait && poll(&p, 1, wait) < 0 && errno != EINTR)
		return false;
	while ((n = recv(k->w->channel, pc, sizeof(pc), MSG_DONTWAIT)) > 0) {
		enqueue(k, pc, n / sizeof(*pc));
		k->w->page->served += n / sizeof(*pc);
		k->got += n / sizeof(*pc);
		if (k->idle_priority)	/* the supervisor raises a worker that it sends something to */
			k->idle_priority = sched_getscheduler(0) == SCHED_IDLE;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void phase(struct worker *k, enum srv_phase phase)
{
	__atomic_store_n(&k->w->page->phase, phase, __ATOMIC_RELEASE);
}

static void translate(struct worker *k, u32 pc)
{
	struct srv_page *page = k->w->page;

	if (k->full)
		return;
	page->pc = pc;
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELEASE);
	k->full = obj_writer_translate(k->writer, pc) == -ENOSPC;
	page->pc = ~0u;
}

static void sink(struct worker *k)
{
	struct sched_param p = { 0 };

	if (!k->idle_priority)
		k->idle_priority = !sched_setscheduler(0, SCHED_IDLE, &p);
}

/* Next place of the list, or false. */
static bool from_list(const struct worker *k, const u32 *list, unsigned n, unsigned *at, u32 *pc)
{
	while (*at < n) {
		*pc = list[(*at)++];
		if (wanted(k, *pc))
			return true;
	}
	return false;
}

static bool next_ahead(struct worker *k, u32 *pc)
{
	if (k->w->ahead == SRV_AHEAD_NONE)
		return false;
	if (obj_writer_next(k->writer, pc) || from_list(k, k->w->profile, k->w->nprofile, &k->at_profile, pc))
		return true;
	if (k->w->ahead != SRV_AHEAD_ALL)
		return false;
	if (!k->listed) {
		srv_ahead_find(k->h, k->w->file, k->w->file_size, &k->starts);
		k->listed = true;
	}
	if (!from_list(k, k->starts.pc, k->starts.n, &k->at_start, pc) &&
	    !srv_ahead_gap(k->h, k->guest, k->w->file, &k->starts, &k->gaps, pc))
		return false;
	k->w->page->ahead_at = *pc;
	return true;
}

/* All places that have come are done. */
static void tell(const struct worker *k)
{
	u32 done = k->got;

	send(k->w->channel, &done, sizeof(done), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One step; false: nothing to do. */
static bool step(struct worker *k)
{
	u32 pc;

	if (k->head != k->tail) {
		if (!k->idle_priority)
			phase(k, SRV_MISSES);
		pc = k->queue[k->head++ % QUEUE];
		translate(k, pc);
		k->credit = CLOSURE_EACH;
		if (k->w->tell && k->head == k->tail)
			tell(k);
		return true;
	}
	if (k->full)
		return false;
	if (k->credit > 0 && k->w->ahead != SRV_AHEAD_NONE && obj_writer_next(k->writer, &pc)) {
		if (!k->idle_priority)
			phase(k, SRV_CLOSURE);
		k->credit--;
		translate(k, pc);
		return true;
	}
	sink(k);
	phase(k, SRV_AHEAD);
	if (!next_ahead(k, &pc))
		return false;
	translate(k, pc);
	return true;
}

static void finished(struct worker *k)
{
	if (k->w->ahead == SRV_AHEAD_ALL && !k->full && !k->h->complete)
		__atomic_store_n(&k->h->complete, 1, __ATOMIC_RELEASE);
	k->w->page->ahead_done = 1;
	phase(k, SRV_IDLE);
	tell(k);
}

static void loop(struct worker *k)
{
	for (;;) {
		if (!receive(k, 0))
			return;
		if (step(k))
			continue;
		finished(k);
		/* poll's end by time and by an event are told apart by what is in the queue */
		if (!receive(k, (int)srv_opt.worker_idle * 1000) || k->head == k->tail)
			return;
	}
}

void srv_worker_main(const struct srv_work *w)
{
	static struct worker k;
	struct dragoman_object *h = w->map;
	size_t need = obj_writer_size(h);
	void *memory = mmap(NULL, need, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		_exit(2);
	k.w = w;
	k.h = h;
	k.credit = CLOSURE_EACH;
	w->page->pc = ~0u;
	k.guest = guest_find(h->machine, 2, 1);
	k.writer = obj_writer_open(memory, h, k.guest, w->file, w->file_size);
	enqueue(&k, w->first, w->nfirst);
	k.got = w->nfirst;
	if (w->tell && k.head == k.tail)
		tell(&k);
	loop(&k);
	_exit(0);
}
