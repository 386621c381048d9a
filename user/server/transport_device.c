// SPDX-License-Identifier: MIT
/*
 * The kernel module's device (include/uapi/linux/dragoman.h is its manual): programs that the module started ask through it. In: its
 * requests. Out: OPEN becomes the ATTACH that sockets bring (srv_request), MISS a place for a worker; answers go back in batches. Also
 * the memory of the objects that such programs map: it is the module's, so these objects are others than those for sockets (o->device).
 *
 * When the server begins, the module asks again for all that its clients use; when the server ends or dies, the module keeps what was
 * not answered for the next one. So nothing is remembered here beyond this process.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"
#include "uapi/linux/dragoman.h"

#define NODE "/dev/dragoman-ctl"
#define GUESTS "/sys/class/misc/dragoman-ctl"
#define BATCH 64
#define MAX_OPENS_USER 128
#define MAX_PLACES 16384	/* as many as the module lets wait */
#define OFFERED 128		/* places of an object that its worker has or gets next; less than SRV_MAX_PENDING */
#define PLACE_TIME 5000		/* ms: then the program translates it itself */
#define MAX_TRIES 4		/* workers that may end with a place */
#define RETRY 1000		/* ms: another server has the device; one that has just died lets go of it in a moment */
#define POLL 10000		/* ms: /dev cannot be watched, so it is looked at */
#define RETRIES 30		/* of 100 ms, where this very device is wanted */
#define SLOW 2000000		/* ns that a file may take to be had */
#define IMAGES 4096

_Static_assert(sizeof(struct dragoman_req) == DRAGOMAN_SIZE_REQ_1_0 && sizeof(struct dragoman_answer) == DRAGOMAN_SIZE_ANSWER_1_0 &&
	       sizeof(struct dragoman_image_fd) == DRAGOMAN_SIZE_IMAGE_FD_1_0 &&
	       sizeof(struct dragoman_obj_create) == DRAGOMAN_SIZE_OBJ_CREATE_1_0, "the module's ABI");

static void on_device(struct srv_source *s, u32 events);
static void on_new_node(struct srv_source *s, u32 events);

static struct srv_source device = { .fd = -1, .ready = on_device }, nodes = { .fd = -1, .ready = on_new_node };
static u64 generation, retry_at;
static struct {
	u64 opens, misses, hits, ok, none, private, idle, retired, stale;
} count;

static const char *node(void)
{
	return srv_opt.device[0] == '/' ? srv_opt.device : NODE;
}

struct place {
	u64 id, since;
	u32 object;			/* the module's number */
	u32 pc;				/* bytes from text_lo */
	unsigned tries;
	bool offered;
};

/* MISSes that are not answered. */
static struct place places[MAX_PLACES];
static unsigned nplaces;

/* ---------------------------------------------------------------- answers */

static struct dragoman_answer answers[BATCH];
static unsigned nanswers;

static void send_answers(void)
{
	struct dragoman_reply r = {
		.size = sizeof(r), .buffer = (u64)(uintptr_t)answers, .count = nanswers, .answer_size = sizeof(answers[0]),
	};
	static struct srv_rate rate;

	if (!nanswers)
		return;
	if (ioctl(device.fd, DRAGOMAN_IOC_REPLY, &r))
		srv_log_rate(&rate, SRV_WARN, "the module does not take answers: %s", strerror(errno));
	for (unsigned i = 0; i < nanswers; i++)
		count.stale += answers[i].error != 0;
	nanswers = 0;
}

static void answer(u64 id, u32 status, u32 object)
{
	answers[nanswers++] = (struct dragoman_answer){ .id = id, .status = status, .object = object };
	count.ok += status == DRAGOMAN_OK;
	count.none += status == DRAGOMAN_NONE;
	count.private += status == DRAGOMAN_PRIVATE;
	if (nanswers == BATCH)
		send_answers();
}

/* ---------------------------------------------------------------- objects */

int srv_device_create(struct srv_object *o, u64 size)
{
	struct dragoman_obj_create c = { .size = sizeof(c), .object_size = size, .cpu_class = o->key.features };

	memcpy(c.translator, o->key.translator, sizeof(c.translator));
	if (device.fd < 0)
		return -ENODEV;
	if (ioctl(device.fd, DRAGOMAN_IOC_OBJ_CREATE, &c))
		return -errno;
	o->device_id = c.object;
	return c.fd;
}

void srv_device_retire(struct srv_object *o)
{
	struct dragoman_obj_retire r = { .size = sizeof(r), .object = o->device_id };

	if (!o->device_id)
		return;
	if (device.fd >= 0 && !ioctl(device.fd, DRAGOMAN_IOC_OBJ_RETIRE, &r))
		count.retired++;
	for (unsigned i = 0; i < nplaces;)	/* who waits has been told to attach again */
		if (places[i].object == o->device_id)
			places[i] = places[--nplaces];
		else
			i++;
	o->device_id = 0;
}

static struct srv_object *by_device_id(u32 id)
{
	for (unsigned i = 0; i < srv_nobjects; i++)
		if (srv_objects[i]->device && srv_objects[i]->device_id == id)
			return srv_objects[i];
	return NULL;
}

/* Which object serves an image: so that IDLE is of use. What is not remembered only looks unused for longer. */
static struct {
	u64 image;
	u32 object;
} seen[IMAGES];

static void used(u64 image, struct srv_object *o)
{
	seen[image % IMAGES].image = image;
	seen[image % IMAGES].object = o->id;
	o->last_used = srv_now();
}

static void idle(u64 image)
{
	struct srv_object *o = seen[image % IMAGES].image == image ? srv_object_by_id(seen[image % IMAGES].object) : NULL;

	count.idle++;
	if (o)
		o->last_used = srv_now();	/* until now; it may be used again without a word */
}

/* ---------------------------------------------------------------- files */

static u64 nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/*
 * The file of an image. The module sleeps some milliseconds where a file has only just been changed: who makes it do so is served
 * no new file for twenty times as long. 0 or -errno.
 */
static int get_file(u64 image, struct srv_user *u, bool trusted, struct srv_file *f)
{
	struct dragoman_image_fd i = { .size = sizeof(i), .image = image };
	u64 before = nanoseconds(), took;
	int err;

	if (u->slow_until > before)
		return -EAGAIN;
	err = ioctl(device.fd, DRAGOMAN_IOC_IMAGE_FD, &i) ? -errno : 0;
	took = nanoseconds() - before;
	if (took > SLOW)
		u->slow_until = before + 20 * took;
	if (err)
		return err;
	*f = (struct srv_file){ .fd = i.fd, .user = u, .device = true, .trusted = trusted };
	f->error = srv_file_identify(f->fd, &f->id);
	return 0;
}

/* ---------------------------------------------------------------- OPEN */

struct opening {
	struct srv_client c;		/* first: requests.c knows no more */
	u64 id, image;
	bool dead;
	struct opening *next_dead;
};

static struct opening *dead;
static unsigned nopenings;

/* Freed later: whoever calls may still look at it. */
static void end(struct srv_client *c)
{
	struct opening *p = (struct opening *)c;

	if (p->dead)
		return;
	p->dead = true;
	p->next_dead = dead;
	dead = p;
}

static void free_dead(void)
{
	struct opening *p;

	while ((p = dead)) {
		dead = p->next_dead;
		srv_client_gone(&p->c);
		p->c.user->conns--;
		nopenings--;
		free(p);
	}
}

/* What requests.c has found out. */
static int opened(struct srv_client *c, const void *msg, size_t n, const int *fds, unsigned nfds)
{
	struct opening *p = (struct opening *)c;
	const struct drg_attached *a = msg;
	struct srv_object *o = NULL;
	u32 status = DRAGOMAN_NONE;

	(void)fds;
	(void)nfds;
	if (p->dead)
		return -EPIPE;
	if (n == sizeof(*a) && a->msg.type == DRG_ATTACH) {
		if (a->file[0].status == DRG_NEVER)
			status = DRAGOMAN_PRIVATE;
		else if (a->file[0].status == DRG_OK)
			o = srv_object_by_id(a->file[0].object);
	}
	if (o && o->device && o->device_id) {
		used(p->image, o);
		status = DRAGOMAN_OK;
	}
	answer(p->id, status, status == DRAGOMAN_OK ? o->device_id : 0);
	end(c);
	return 0;
}

static struct opening *new_opening(const struct dragoman_req *q)
{
	struct srv_user *u = srv_user_get(q->uid);
	struct opening *p = u && u->conns < MAX_OPENS_USER && !srv_limited(u) && !srv_ending() ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->c = (struct srv_client){ .uid = q->uid, .user = u, .answer = opened, .end = end, .patient = true };
	p->id = q->id;
	p->image = q->image;
	u->conns++;
	nopenings++;
	return p;
}

static void open_image(const struct dragoman_req *q)
{
	/* The machine is any that there is: what counts is in the file. */
	struct drg_attach m = {
		.msg = { sizeof(m), DRG_ATTACH, DRG_VERSION }, .features = q->cpu_class, .machine = EM_AARCH64, .nfiles = 1,
	};
	struct opening *p = q->cpu_class ? new_opening(q) : NULL;
	struct srv_file f;
	int err;

	count.opens++;
	if (!p) {
		answer(q->id, q->cpu_class ? DRAGOMAN_NONE : DRAGOMAN_PRIVATE, 0);
		return;
	}
	memcpy(m.translator, q->translator, sizeof(m.translator));
	err = get_file(q->image, p->c.user, q->flags & DRAGOMAN_REQ_TRUSTED, &f);
	if (!err)
		err = srv_request(&p->c, &m, sizeof(m), &f, 1);
	if (!err)
		return;
	if (!p->dead)
		answer(q->id, err == -EINVAL ? DRAGOMAN_PRIVATE : DRAGOMAN_NONE, 0);
	end(&p->c);
}

/* ---------------------------------------------------------------- MISS */

static u32 *index_word(const struct srv_object *o, u32 pc)
{
	return (u32 *)((u8 *)o->map + o->head.index) + pc / 4;
}

static void answer_place(unsigned at, u32 status)
{
	answer(places[at].id, status, 0);
	places[at] = places[--nplaces];
}

/* Hands o's places to its worker, as many as it may have. */
static void offer(struct srv_object *o)
{
	u32 pc[OFFERED];
	unsigned n = 0, out = 0;

	if (o->state != SRV_READY)
		return;
	for (unsigned i = 0; i < nplaces; i++)
		out += places[i].object == o->device_id && places[i].offered;
	for (unsigned i = 0; i < nplaces && out < OFFERED && o->npending + n < SRV_MAX_PENDING; i++) {
		struct place *p = &places[i];

		if (p->object != o->device_id || p->offered)
			continue;
		p->offered = true;
		pc[n++] = p->pc;
		out++;
	}
	if (n)
		srv_object_misses(o, pc, n);
}

void srv_device_progress(struct srv_object *o, bool all)
{
	for (unsigned i = 0; i < nplaces;) {
		struct place *p = &places[i];

		if (p->object != o->device_id)
			i++;
		else if (o->state != SRV_READY)
			answer_place(i, o->state == SRV_NEVER ? DRAGOMAN_PRIVATE : DRAGOMAN_NONE);
		else if (__atomic_load_n(index_word(o, p->pc), __ATOMIC_ACQUIRE))
			answer_place(i, DRAGOMAN_OK);
		else if (all && p->offered)
			answer_place(i, DRAGOMAN_PRIVATE);	/* the object is full */
		else
			i++;
	}
	offer(o);
	send_answers();
}

void srv_device_requeue(struct srv_object *o)
{
	for (unsigned i = 0; i < nplaces;) {
		struct place *p = &places[i];

		if (p->object != o->device_id || !p->offered) {
			i++;
			continue;
		}
		p->offered = false;
		if (++p->tries > MAX_TRIES)
			answer_place(i, DRAGOMAN_NONE);
		else
			i++;
	}
	srv_device_progress(o, false);
	if (o->state == SRV_NEVER)
		srv_device_retire(o);	/* who attaches again hears why */
}

/* A worker needs the guest file: it may have been loaded from the disk without. False: there is none now. */
static bool give_file(struct srv_object *o, const struct dragoman_req *q)
{
	struct srv_user *u = srv_user_get(q->uid);
	struct srv_file f;

	if (o->file >= 0 || o->reading)
		return true;
	if (srv_objects_full() || !u || get_file(q->image, u, q->flags & DRAGOMAN_REQ_TRUSTED, &f))
		return false;
	if (!f.error)
		return !srv_read_start(&f, srv_file_domain(&f), o->key.features, o);
	srv_file_close(&f);
	return false;
}

static void miss(const struct dragoman_req *q)
{
	struct srv_object *o = by_device_id(q->object);
	u64 offset = q->offset & ~3ull;

	count.misses++;
	srv_count.misses++;
	if (!o || o->state != SRV_READY || srv_ending() || nplaces == MAX_PLACES) {
		answer(q->id, o && o->state == SRV_NEVER ? DRAGOMAN_PRIVATE : DRAGOMAN_NONE, 0);
		return;
	}
	if (offset < o->head.text_lo || offset >= o->head.text_hi) {
		answer(q->id, DRAGOMAN_PRIVATE, 0);
		return;
	}
	used(q->image, o);
	srv_count.miss_pcs++;
	if (__atomic_load_n(index_word(o, offset - o->head.text_lo), __ATOMIC_ACQUIRE)) {
		count.hits++;
		answer(q->id, DRAGOMAN_OK, 0);
		return;
	}
	if (!give_file(o, q)) {
		answer(q->id, DRAGOMAN_NONE, 0);
		return;
	}
	places[nplaces++] = (struct place){ .id = q->id, .since = srv_now(), .object = q->object, .pc = offset - o->head.text_lo };
}

/* ---------------------------------------------------------------- receiving */

static void handle(const struct dragoman_req *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		srv_last_request = srv_now();
		if (q[i].kind == DRAGOMAN_REQ_OPEN)
			open_image(&q[i]);
		else if (q[i].kind == DRAGOMAN_REQ_MISS)
			miss(&q[i]);
		else if (q[i].kind == DRAGOMAN_REQ_IDLE)
			idle(q[i].image);
		else if (q[i].id)
			answer(q[i].id, DRAGOMAN_NONE, 0);
	}
	/* all of a batch in one message to each worker */
	for (unsigned i = 0; i < n; i++) {
		struct srv_object *o = q[i].kind == DRAGOMAN_REQ_MISS && (!i || q[i].object != q[i - 1].object) ?
				       by_device_id(q[i].object) : NULL;

		if (o)
			offer(o);
	}
	send_answers();
}

static void on_device(struct srv_source *s, u32 events)
{
	static struct dragoman_req reqs[BATCH];
	struct dragoman_recv r = { .size = sizeof(r), .buffer = (u64)(uintptr_t)reqs, .count = BATCH, .req_size = sizeof(reqs[0]) };
	static struct srv_rate rate;
	int n;

	(void)events;
	n = ioctl(s->fd, DRAGOMAN_IOC_RECV, &r);
	if (n > 0)
		handle(reqs, (unsigned)n);
	if (n >= 0 || errno == EAGAIN || errno == EINTR)
		return;
	if (errno == ENOMEM) {
		srv_log_rate(&rate, SRV_WARN, "the module gives no requests: %s", strerror(errno));
		return;
	}
	/* Nothing that time cures, and epoll would tell for ever: another server may do better. */
	srv_log(SRV_ERR, "the module gives no requests: %s", strerror(errno));
	srv_unwatch(s);
	srv_fail();
}

/* ---------------------------------------------------------------- the runtime */

/* The runtime that programs of all guests that are switched on get: it has to be the one that this server translates for. */
static int open_runtime(void)
{
	static const char *const places_of[] = { "dragoman-rt", "../libexec/dragoman/dragoman-rt" };
	char path[4200];
	ssize_t n;
	int fd = -ENOENT;

	if (srv_opt.runtime[0])
		return open(srv_opt.runtime, O_RDONLY | O_CLOEXEC);
	n = readlink("/proc/self/exe", path, 4096);
	for (path[MAX(n, 0)] = 0; n > 0 && path[n - 1] != '/'; n--)
		path[n - 1] = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(places_of) && fd < 0 && n > 0; i++) {
		strcpy(path + n, places_of[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

static long number_in(const char *guest, const char *name)
{
	char path[400], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), GUESTS "/%.200s/%s", guest, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return text[0] ? atol(text) : -1;
}

static void set_runtime(u32 machine, const char *name, int fd)
{
	struct dragoman_set_runtime r = {
		.size = sizeof(r), .flags = DRAGOMAN_RUNTIME_CREDENTIALS, .machine = machine, .elf_class = ELFCLASS64,
		.elf_data = ELFDATA2LSB, .fd = fd,
	};

	if (ioctl(device.fd, DRAGOMAN_IOC_SET_RUNTIME, &r))
		srv_log(SRV_WARN, "the module does not take the runtime for %s: %s", name, strerror(errno));
	else
		srv_log(SRV_INFO, "the module runs %s programs", name);
}

static void set_runtimes(void)
{
	DIR *dir = opendir(GUESTS);
	int fd = open_runtime();
	struct dirent *e;

	if (fd < 0)
		srv_log(SRV_WARN, "no runtime for the module: install dragoman-rt, or name it with --runtime=PATH");
	while (fd >= 0 && dir && (e = readdir(dir))) {
		long machine = strncmp(e->d_name, "guest-", 6) ? -1 : number_in(e->d_name, "machine");

		if (machine > 0 && guest_find((u16)machine, ELFCLASS64, ELFDATA2LSB) && number_in(e->d_name, "enabled") == 1)
			set_runtime((u32)machine, e->d_name + 6, fd);
	}
	if (!dir && fd >= 0)
		set_runtime(EM_AARCH64, "aarch64", fd);
	if (dir)
		closedir(dir);
	if (fd >= 0)
		close(fd);
}

/* ---------------------------------------------------------------- beginning and end */

/* The one thing that it was for has been done. */
static void drop_admin(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return;
	d[0].effective &= ~(1u << CAP_SYS_ADMIN);
	d[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	d[0].inheritable &= ~(1u << CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &h, d))
		srv_log(SRV_WARN, "CAP_SYS_ADMIN cannot be given up: %s", strerror(errno));
}

/* 0 or -errno; -EBUSY: another server has it. */
static int take_device(void)
{
	struct dragoman_ctl_hello h = {
		.size = sizeof(h), .abi_major = DRAGOMAN_ABI_MAJOR, .abi_minor = DRAGOMAN_ABI_MINOR, .role = DRAGOMAN_ROLE_SERVER,
	};
	int fd = open(node(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW), err;

	if (fd < 0)
		return -errno;
	device.fd = fd;
	err = ioctl(fd, DRAGOMAN_IOC_CTL_HELLO, &h) ? -errno : srv_watch(&device, EPOLLIN);
	if (err) {
		close(fd);
		device.fd = -1;
		return err;
	}
	generation = h.generation;
	srv_log(SRV_INFO, "serves the kernel module, ABI %u.%u, generation %llu", h.abi_major, h.abi_minor, (unsigned long long)generation);
	set_runtimes();
	drop_admin();
	return 0;
}

static const char *reason(int err)
{
	return err == -EBUSY ? "another server has it" : err == -EPROTO ? "it is of another version" :
	       err == -EPERM || err == -EACCES ? "that takes root (CAP_SYS_ADMIN)" : strerror(-err);
}

static void stop_watching(void)
{
	if (nodes.fd < 0)
		return;
	srv_unwatch(&nodes);
	close(nodes.fd);
	nodes.fd = -1;
}

/* For --device=auto: takes the device if it is there, and comes back when there is hope. */
static void try_device(u64 now)
{
	int err = take_device();
	static int last;

	retry_at = 0;
	if (!err)
		stop_watching();
	else if (err != -ENOENT && err != last)
		srv_log(SRV_WARN, "the kernel module is not served: %s", reason(err));
	last = err;
	if (!err || err == -EPERM || err == -EACCES || err == -EPROTO || (err == -ENOENT && nodes.fd >= 0))
		return;
	retry_at = now + (err == -ENOENT ? POLL : RETRY);
	srv_wake_at(retry_at);
}

/* Something has appeared in /dev: the module may have been loaded. Udev may not have been there yet: its node is root's from the beginning. */
static void on_new_node(struct srv_source *s, u32 events)
{
	char text[4096] __attribute__((aligned(8)));
	bool ours = false;
	ssize_t n = read(s->fd, text, sizeof(text));

	(void)events;
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(text + at);

		ours |= e->len && !strcmp(e->name, strrchr(NODE, '/') + 1);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	if (ours)
		try_device(srv_now());
}

static int start(void)
{
	int err;

	if (!strcmp(srv_opt.device, "none") || (!strcmp(srv_opt.device, "auto") && !srv_opt.system_wide))
		return 0;
	if (srv_opt.device[0] == '/') {
		for (int i = 0; (err = take_device()) == -EBUSY && i < RETRIES; i++)
			usleep(100000);
		if (err)
			srv_log(SRV_ERR, "the kernel module's device cannot be served: %s", reason(err));
		return err;
	}
	nodes.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (nodes.fd >= 0 && (inotify_add_watch(nodes.fd, "/dev", IN_CREATE | IN_MOVED_TO) < 0 || srv_watch(&nodes, EPOLLIN))) {
		close(nodes.fd);
		nodes.fd = -1;
	}
	try_device(srv_now());
	return 0;
}

static void stop(void)
{
	if (device.fd < 0)
		return;
	while (nplaces)
		answer_place(0, DRAGOMAN_NONE);
	send_answers();
	srv_unwatch(&device);
	close(device.fd);
	device.fd = -1;
}

/* Those that wait for too long, and those whose guest file could not be read, so that no worker comes. */
static void give_up_places(u64 now)
{
	const struct srv_object *o = NULL;

	for (unsigned i = 0; i < nplaces;) {
		if (!o || o->device_id != places[i].object)	/* many of one object follow each other */
			o = by_device_id(places[i].object);
		if (now - places[i].since > PLACE_TIME || !o || (o->file < 0 && !o->reading))
			answer_place(i, DRAGOMAN_NONE);
		else
			i++;
	}
}

static void tick(u64 now)
{
	if (retry_at && now >= retry_at)
		try_device(now);
	else if (retry_at)
		srv_wake_at(retry_at);
	give_up_places(now);
}

static unsigned clients(void)
{
	return nopenings + nplaces;
}

static void after_events(void)
{
	if (device.fd >= 0)
		send_answers();
	free_dead();
}

void srv_device_status(FILE *f)
{
#define U(x) ((unsigned long long)(x))
	if (device.fd < 0) {
		fputs("  \"device\": null,\n", f);
		return;
	}
	fprintf(f, "  \"device\": {\"generation\": %llu, \"opens\": %llu, \"misses\": %llu, \"hits\": %llu, \"ok\": %llu, \"later\": %llu, "
		   "\"private\": %llu, \"stale\": %llu, \"idle\": %llu, \"retired\": %llu, \"waiting\": %u},\n", U(generation), U(count.opens),
		U(count.misses), U(count.hits), U(count.ok), U(count.none), U(count.private), U(count.stale), U(count.idle),
		U(count.retired), clients());
#undef U
}

const struct srv_transport srv_transport_device = {
	.name = "device", .start = start, .stop = stop, .tick = tick, .clients = clients, .after_events = after_events,
};
