// SPDX-License-Identifier: MIT
/*
 * What messages mean, whatever way they came. In: a message and the files with it. Out: answers, at once or when a child has found
 * out what is needed. Also the limits of each user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"

#define DEADLINE 20		/* ms: then the answer is LATER; runtimes wait a little longer */
#define PATIENT 60000		/* ms: the same, for who waits for nothing else meanwhile */
#define PROGRESS 200		/* ms between messages of TRANSLATE */
#define REPLACED 2000		/* ms without a client of its own: a user's server ends when one of another version asks */
#define MAX_REQUESTS 1024	/* that wait */
#define MAX_USERS 512
#define USER_REQUESTS 50000	/* in a second */
#define USER_NEW_FILES 500	/* that have to be read, in a second */

struct srv_counters srv_count;
struct srv_unsupported srv_unsupported[256];
unsigned srv_nunsupported;
u64 srv_last_request;
bool srv_flushing;

/* ---------------------------------------------------------------- users */

static struct srv_user users[MAX_USERS];

struct srv_user *srv_user_get(uid_t uid)
{
	struct srv_user *place = NULL;

	for (unsigned i = 0; i < MAX_USERS; i++) {
		struct srv_user *u = &users[i];

		if (u->used && u->uid == uid)
			return u;
		if (!place && (!u->used || (!u->conns && !u->files && u->banned_until < srv_now())))
			place = u;
	}
	if (place)
		*place = (struct srv_user){ .uid = uid, .used = true };
	return place;
}

static void new_second(struct srv_user *u)
{
	u64 now = srv_now() / 1000;

	if (u->second == now)
		return;
	u->second = now;
	u->requests = u->new_files = 0;
}

bool srv_limited(struct srv_user *u)
{
	new_second(u);
	return ++u->requests > USER_REQUESTS;
}

static bool may_read(struct srv_user *u)
{
	new_second(u);
	return ++u->new_files <= USER_NEW_FILES;
}

static bool privileged(const struct srv_client *c)
{
	return c->uid == 0 || c->uid == geteuid();
}

/* ---------------------------------------------------------------- requests that wait */

enum kind { ATTACH, TRANSLATE, FLUSH, STOP };

struct wanted {
	struct srv_file file;
	u32 domain;
	int status;			/* enum drg_status; -1: not known yet */
	struct srv_object *object;
	bool reading;			/* its identity is not known */
};

struct request {
	struct request *next;
	enum kind kind;
	struct srv_client *client;
	u64 deadline, features;
	u32 nfiles;
	bool nowait;			/* ATTACH: what is not known already is of no use */
	struct wanted w[DRG_MAX_FILES];
};

static struct request *first;
static unsigned nrequests;

static void hold(struct wanted *w, struct srv_object *o)
{
	w->object = o;
	o->waited++;
}

static void release(struct request *r)
{
	for (unsigned i = 0; i < r->nfiles; i++) {
		srv_file_close(&r->w[i].file);
		if (r->w[i].object)
			r->w[i].object->waited--;
		r->w[i].object = NULL;
	}
}

static void remove_request(struct request *r)
{
	struct request **p = &first;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	nrequests--;
	release(r);
	free(r);
}

static void add_request(struct request *r)
{
	r->next = first;
	first = r;
	nrequests++;
}

void srv_client_gone(struct srv_client *c)
{
	struct request *r, *next;

	for (r = first; r; r = next) {
		next = r->next;
		if (r->client == c)
			remove_request(r);
	}
}

bool srv_client_waits(const struct srv_client *c)
{
	for (const struct request *r = first; r; r = r->next)
		if (r->client == c)
			return true;
	return false;
}

static int answer_error(struct srv_client *c, int error)
{
	struct drg_error e = { .msg = { sizeof(e), DRG_ERROR, DRG_VERSION }, .error = error };

	return c->answer(c, &e, sizeof(e), NULL, 0);
}

/* ---------------------------------------------------------------- finding objects */

/*
 * A device number says what ctime is worth. Disks that the system lives on stay where they are, and nobody but root sets a ctime
 * there. Others may be made by users and go again (overlayfs in a user namespace, an image on a loop device, a stick), and their
 * numbers are given to the next: what such a one shows is believed for the same user only.
 */
u32 srv_file_domain(const struct srv_file *f)
{
	if (srv_ident_of_system(f->id.dev))
		return 0;
	return f->trusted && !(f->id.dev >> 32) ? 1 : f->user->uid + 1;
}

static enum srv_ahead ahead_of(const struct srv_object *o)
{
	return o->whole ? SRV_AHEAD_ALL : srv_opt.ahead;
}

/* The file itself is wanted, too, if there is something to translate and no copy. */
static void give_file(struct request *r, struct wanted *w)
{
	struct srv_object *o = w->object;

	if (o->state != SRV_READY || o->file >= 0 || o->reading || srv_ending() || (w->file.fd < 0 && !w->file.gate) || srv_objects_full())
		return;
	if (!o->npending && (o->ahead_done || ahead_of(o) == SRV_AHEAD_NONE))
		return;
	if (may_read(w->file.user))
		srv_read_start(&w->file, w->domain, r->features, o);
}

static int read_it(struct request *r, struct wanted *w)
{
	if (srv_read_pending(&w->file.id, w->domain, r->features))
		return -1;
	if ((w->file.fd < 0 && !w->file.gate) || srv_ending() || !may_read(w->file.user))
		return DRG_LATER;
	return srv_read_start(&w->file, w->domain, r->features, w->object) ? DRG_LATER : -1;
}

/* How far is the object? Sees to it that it gets on. */
static int object_status(struct request *r, struct wanted *w)
{
	struct srv_object *o = w->object;
	int disk;

	switch (o->state) {
	case SRV_READY:
		give_file(r, w);
		return DRG_OK;
	case SRV_NEVER:
		return DRG_NEVER;
	case SRV_LOADING:
		return -1;
	case SRV_WANTED:
		break;
	}
	if (o->reading)
		return -1;
	if (srv_now() < o->wait_until)		/* there was no memory for it */
		return DRG_LATER;
	disk = srv_store_usable() && !o->disk_tried ? srv_store_find(&o->key) : -ENOENT;
	o->disk_tried = true;
	if (disk >= 0)
		return srv_load_start(o, disk) ? DRG_LATER : -1;
	if (disk != -ENOENT && disk != -EINVAL && disk != -ELOOP)
		srv_store_failed(disk);
	return read_it(r, w);
}

void srv_object_need(struct srv_object *o, const struct dragoman_object *head)
{
	int disk = srv_store_usable() && !o->disk_tried ? srv_store_find(&o->key) : -ENOENT;

	o->disk_tried = true;
	o->head = *head;
	o->has_layout = true;
	if (disk >= 0 && !srv_load_start(o, disk))
		return;
	if (srv_object_create(o, head))
		srv_log(SRV_WARN, "no memory for the object of %s", o->name);
}

void srv_load_done(struct srv_object *o)
{
	struct dragoman_object head = o->head;

	if (o->state == SRV_WANTED && o->has_layout && srv_now() >= o->wait_until)
		srv_object_create(o, &head);
	srv_workers_look();
	srv_requests_progress();
}

static bool same_file(const struct drg_file *a, const struct drg_file *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/*
 * A file that has only just been written is mostly run once (a configure script's test programs), and its digest could not be
 * remembered yet: not worth a reader, unless it comes again.
 */
static bool too_young(const struct drg_file *id)
{
	static struct drg_file seen[64];
	static unsigned at;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (srv_ident_settled(id, now.tv_sec))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++)
		if (same_file(&seen[i], id))
			return false;
	seen[at++ % ARRAY_SIZE(seen)] = *id;
	return true;
}

static void look_up(struct request *r, struct wanted *w)
{
	struct obj_key key = { .features = r->features };
	const struct srv_ident *id;
	struct srv_object *o;

	w->status = DRG_NEVER;
	if (w->file.error || w->file.id.size > SRV_MAX_FILE || w->file.id.size < 64)
		return;
	srv_version_set(w->file.fd, &w->file.id);
	if (w->file.id.reserved == SRV_NO_VERSION && r->nowait)
		return;		/* it would be read each time, for nothing */
	w->domain = srv_file_domain(&w->file);
	id = srv_ident_find(&w->file.id, w->domain);
	if (id && id->never)
		return;
	w->status = DRG_LATER;
	if (!id && r->kind == ATTACH && too_young(&w->file.id))
		return;
	if (!id) {
		w->reading = true;
		w->status = read_it(r, w);
		return;
	}
	memcpy(key.digest, id->digest, 32);
	memcpy(key.translator, srv_translator, 32);
	o = srv_object_get(&key, w->file.device);
	w->status = DRG_LATER;
	if (!o)
		return;
	hold(w, o);
	w->status = object_status(r, w);
}

void srv_read_done(const struct drg_file *asked, const struct drg_file *found, u32 domain, struct srv_object *o)
{
	for (struct request *r = first; r; r = r->next)
		for (unsigned i = 0; i < r->nfiles; i++) {
			struct wanted *w = &r->w[i];
			struct srv_object *mine;

			if (w->status != -1 || !w->reading || w->domain != domain || !same_file(&w->file.id, asked) ||
			    (o && o->key.features != r->features))
				continue;
			w->file.id = *found;
			w->reading = false;
			mine = o && o->device != w->file.device ? srv_object_get(&o->key, w->file.device) : o;
			if (mine)
				hold(w, mine);
			else
				w->status = o ? DRG_LATER : DRG_NEVER;
		}
	srv_requests_progress();
}

void srv_read_failed(const struct drg_file *asked, u32 domain, int error)
{
	static struct srv_rate rate;

	srv_log_rate(&rate, SRV_INFO, "a guest file could not be read: %s",
		     error == -EAGAIN ? "it was changed meanwhile; again when it is next asked for" : strerror(-error));
	for (struct request *r = first; r; r = r->next)
		for (unsigned i = 0; i < r->nfiles; i++)
			if (r->w[i].status == -1 && r->w[i].domain == domain && same_file(&r->w[i].file.id, asked))
				r->w[i].status = DRG_LATER;
	srv_requests_progress();
}

/* ---------------------------------------------------------------- ATTACH */

static void count_status(struct srv_object *o, int status)
{
	srv_count.attach_files++;
	if (status == DRG_OK) {
		srv_count.ok++;
		o->attaches++;
		o->last_used = srv_now();
	} else if (status == DRG_LATER) {
		srv_count.later++;
	} else {
		srv_count.never++;
	}
}

static void answer_attach(struct request *r)
{
	struct drg_attached a = {
		.msg = { sizeof(a), DRG_ATTACH, DRG_VERSION }, .features = r->features, .generation = srv_generation, .nfiles = r->nfiles,
	};
	int fds[DRG_MAX_FILES];
	unsigned nfds = 0;

	for (unsigned i = 0; i < r->nfiles; i++) {
		struct wanted *w = &r->w[i];
		int status = w->status == -1 ? DRG_LATER : w->status;

		a.file[i].status = status;
		a.file[i].file = w->file.id;
		a.file[i].file.reserved = 0;
		if (status == DRG_OK) {
			a.file[i].object = w->object->id;
			fds[nfds++] = w->object->fd;
		}
		count_status(w->object, status);
	}
	r->client->answer(r->client, &a, sizeof(a), fds, nfds);
}

static bool settled(const struct request *r)
{
	for (unsigned i = 0; i < r->nfiles; i++)
		if (r->w[i].status == -1)
			return false;
	return true;
}

static struct request *new_request(enum kind kind, struct srv_client *c)
{
	struct request *r = nrequests < MAX_REQUESTS ? calloc(1, sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	r->kind = kind;
	r->client = c;
	r->deadline = ~0ull;
	return r;
}

u64 srv_features(void)
{
	static u64 features;

	if (!features)
		features = x64_host_features();
	return features;
}

static int check_features(u64 *features, u32 machine)
{
	if (!guest_find((u16)machine, 2, 1) || machine > 0xffff || *features & ~(u64)HOST_FEATURES)
		return -EINVAL;
	if (!*features)
		*features = srv_features();
	return 0;
}

/* A user's own server is in the way of the one of the version that this client is of, unless it is in use itself. */
static void make_way(const struct srv_client *c, bool other)
{
	static u64 last;

	if (!other)
		last = srv_now();
	else if (srv_opt.user && srv_opt.idle_exit && c->uid == geteuid() && srv_now() > MAX(last, srv_started) + REPLACED && !srv_ending()) {
		srv_log(SRV_INFO, "another version is in use here now");
		srv_end();
	}
}

/* Most ATTACHes end here: everything is known, and nothing has to be kept. */
static int attach(struct srv_client *c, const struct drg_attach *m, struct srv_file *files, unsigned nfiles)
{
	struct request now = { .kind = ATTACH, .client = c, .features = m->features, .nfiles = nfiles,
			       .nowait = m->flags & DRG_ATTACH_NOWAIT }, *r;
	bool other = memcmp(m->translator, srv_translator, 32);

	if (!nfiles || nfiles != m->nfiles || m->flags & ~DRG_ATTACH_NOWAIT || m->reserved || check_features(&now.features, m->machine))
		return -EINVAL;
	make_way(c, other);
	for (unsigned i = 0; i < nfiles; i++) {
		now.w[i].file = files[i];
		files[i].fd = -1;
		files[i].gate = NULL;
		now.w[i].status = DRG_NEVER;
		if (!other)
			look_up(&now, &now.w[i]);
		srv_count.hits += now.w[i].status == DRG_OK;
	}
	r = settled(&now) || m->flags & DRG_ATTACH_NOWAIT ? NULL : new_request(ATTACH, c);
	if (!r) {
		answer_attach(&now);
		release(&now);
		return 0;
	}
	*r = now;
	r->deadline = srv_now() + (c->patient ? PATIENT : DEADLINE);
	add_request(r);
	return 0;
}

/* ---------------------------------------------------------------- TRANSLATE */

static int translate(struct srv_client *c, const struct drg_translate *m, struct srv_file *files, unsigned nfiles)
{
	u64 features = m->features;
	struct request *r;

	if (nfiles != 1 || m->reserved || check_features(&features, m->machine))
		return -EINVAL;
	r = new_request(TRANSLATE, c);
	if (!r)
		return -EAGAIN;
	r->features = features;
	r->nfiles = 1;
	r->w[0].file = files[0];
	files[0].fd = -1;
	files[0].gate = NULL;
	add_request(r);
	look_up(r, &r->w[0]);
	r->deadline = srv_now();
	return 0;
}

/* Sends how far it is; true: that was the last. */
static bool progress(struct request *r)
{
	struct drg_progress p = { .msg = { sizeof(p), DRG_TRANSLATE, DRG_VERSION } };
	struct wanted *w = &r->w[0];
	struct srv_object *o = w->object;
	const struct dragoman_object *h = o ? o->map : NULL;

	if (w->status == DRG_OK && o->state == SRV_READY) {
		if (!o->whole && !h->complete) {
			o->whole = true;
			o->ahead_done = false;
			if (o->worker)
				srv_worker_stop(o);	/* its successor knows */
			srv_workers_look();
		}
		give_file(r, w);
		p.insns = h->ninsns;
		p.total = (o->head.text_hi - o->head.text_lo) / 4;
		p.bytes = (u64)h->hot_used + h->cold_used + h->pool_used + h->meta_used;
		p.done = o->ahead_done;
		if (!p.done && o->file < 0 && !o->reading && w->file.fd < 0 && !w->file.gate)
			p.error = -EIO;
	} else if (w->status != -1) {
		p.error = w->status == DRG_LATER ? -EAGAIN : -ENOEXEC;
	}
	p.done |= p.error != 0;
	r->deadline = srv_now() + PROGRESS;
	return r->client->answer(r->client, &p, sizeof(p), NULL, 0) || p.done;
}

/* ---------------------------------------------------------------- MISS, REPORT */

static int miss(const struct drg_miss *m, size_t n)
{
	struct srv_object *o;

	if (!m->n || m->n > DRG_MAX_MISSES || n != offsetof(struct drg_miss, pc) + 4 * m->n || m->reserved)
		return -EINVAL;
	srv_count.misses++;
	srv_count.miss_pcs += m->n;
	o = m->generation == srv_generation ? srv_object_by_id(m->object) : NULL;
	if (o && o->state == SRV_READY && !o->device)
		srv_object_misses(o, m->pc, m->n);
	return 0;
}

static int report(const struct drg_report *m)
{
	struct srv_unsupported *u = srv_unsupported;

	if (m->kind > 1)
		return -EINVAL;
	srv_count.reports++;
	while (u < srv_unsupported + srv_nunsupported && (u->kind != m->kind || u->machine != m->machine || u->value != m->value))
		u++;
	if (u == srv_unsupported + ARRAY_SIZE(srv_unsupported))
		return 0;
	if (u == srv_unsupported + srv_nunsupported) {
		*u = (struct srv_unsupported){ m->kind, m->machine, m->value, 0 };
		srv_nunsupported++;
		srv_log(SRV_INFO, "not implemented: %s %#llx", m->kind ? "system call" : "instruction", (unsigned long long)m->value);
	}
	u->count++;
	return 0;
}

/* ---------------------------------------------------------------- STATUS, CLEAR, FLUSH, STOP */

static int status(struct srv_client *c)
{
	struct drg_msg m = { sizeof(m), DRG_STATUS, DRG_VERSION };
	int fd = srv_status_fd();

	if (fd < 0)
		return fd;
	c->answer(c, &m, sizeof(m), &fd, 1);
	close(fd);
	return 0;
}

static int clear(struct srv_client *c)
{
	if (!privileged(c))
		return -EPERM;
	srv_store_clear();
	srv_ident_clear();
	srv_objects_clear();
	srv_log(SRV_INFO, "cache cleared");
	answer_error(c, 0);
	return 0;
}

static int wait_for_end(struct srv_client *c, enum kind kind)
{
	struct request *r = privileged(c) ? new_request(kind, c) : NULL;

	if (!r)
		return privileged(c) ? -EAGAIN : -EPERM;
	add_request(r);
	if (kind == STOP)
		srv_end();
	else
		srv_flushing = true;
	srv_objects_tick(srv_now());
	return 0;
}

int srv_request(struct srv_client *c, const void *msg, size_t n, struct srv_file *files, unsigned nfiles)
{
	const struct drg_msg *m = msg;
	static const u16 sizes[] = {
		[DRG_ATTACH] = sizeof(struct drg_attach), [DRG_REPORT] = sizeof(struct drg_report), [DRG_STATUS] = sizeof(struct drg_msg),
		[DRG_TRANSLATE] = sizeof(struct drg_translate), [DRG_CLEAR] = sizeof(struct drg_msg),
		[DRG_FLUSH] = sizeof(struct drg_msg), [DRG_STOP] = sizeof(struct drg_msg),
	};
	int err = -EINVAL;

	srv_count.requests++;
	srv_last_request = srv_now();
	if (n < sizeof(*m) || m->size != n || m->type > DRG_STOP || (m->type == DRG_MISS ? n < offsetof(struct drg_miss, pc) : n != sizes[m->type]))
		goto out;
	err = -EPROTO;
	if (m->version != DRG_VERSION)
		goto out;
	err = -EINVAL;
	if (nfiles && m->type != DRG_ATTACH && m->type != DRG_TRANSLATE)
		goto out;
	switch ((enum drg_type)m->type) {
	case DRG_ATTACH:
		err = attach(c, msg, files, nfiles);
		break;
	case DRG_MISS:
		err = miss(msg, n);
		break;
	case DRG_REPORT:
		err = report(msg);
		break;
	case DRG_STATUS:
		err = status(c);
		break;
	case DRG_TRANSLATE:
		err = translate(c, msg, files, nfiles);
		break;
	case DRG_CLEAR:
		err = clear(c);
		break;
	case DRG_FLUSH:
		err = wait_for_end(c, FLUSH);
		break;
	case DRG_STOP:
		err = wait_for_end(c, STOP);
		break;
	case DRG_ERROR:
		break;
	}
out:
	for (unsigned i = 0; i < nfiles; i++)
		srv_file_close(&files[i]);
	srv_count.refused += err != 0;
	return err;
}

/* ---------------------------------------------------------------- getting on */

static bool again;

void srv_requests_progress(void)
{
	again = true;
}

/* One look at each; what it starts may settle others, which the next look sees. */
static void look_at(struct request *r, u64 now)
{
	for (unsigned i = 0; i < r->nfiles; i++) {
		struct wanted *w = &r->w[i];

		if (w->status == -1 && w->object)
			w->status = object_status(r, w);
		else if (w->status == -1 && w->reading && !srv_read_pending(&w->file.id, w->domain, r->features))
			w->status = DRG_LATER;
	}
	if (r->kind == ATTACH && (settled(r) || now >= r->deadline)) {
		answer_attach(r);
		remove_request(r);
	} else if (r->kind == TRANSLATE && now >= r->deadline && progress(r)) {
		remove_request(r);
	}
}

static void end_flush(void)
{
	struct request *r, *next;
	bool dirty;

	srv_objects_tick(srv_now());
	dirty = srv_objects_dirty();
	if (dirty && srv_store_usable())
		return;
	srv_flushing = false;
	for (r = first; r; r = next) {
		next = r->next;
		if (r->kind != FLUSH)
			continue;
		answer_error(r->client, dirty ? -EIO : 0);
		remove_request(r);
	}
}

void srv_requests_tick(u64 now)
{
	struct request *r, *next;

	if (!first)
		return;
	do {
		again = false;
		for (r = first; r; r = next) {
			next = r->next;
			look_at(r, now);
		}
	} while (again && first);
	if (srv_flushing)
		end_flush();
}

void srv_requests_end(void)
{
	struct request *r, *next;

	for (r = first; r; r = next) {
		next = r->next;
		if (r->kind == STOP || r->kind == FLUSH)
			answer_error(r->client, 0);
		remove_request(r);
	}
}

u64 srv_requests_deadline(void)
{
	u64 at = ~0ull;

	for (struct request *r = first; r; r = r->next)
		at = MIN(at, r->kind == FLUSH ? srv_now() + 20 : r->deadline);
	return at;
}
