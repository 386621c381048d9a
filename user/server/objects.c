// SPDX-License-Identifier: MIT
/*
 * The table of objects and their memory: one for each (content of a guest file, set of CPU features).
 *
 * The memory is a memfd. The supervisor maps it writable and then seals it: from then on nobody can map it writable, write it or
 * change its size. Workers inherit the mapping by fork; children of other objects do not (MADV_DONTFORK). Clients get a descriptor
 * that is open for reading only.
 *
 * Nothing in the memory is believed: a worker may have been taken over by its guest file. All that the supervisor needs of the
 * header it has in its own copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/server.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define BUCKETS 4096
#define QUIET 5000		/* ms without a publication: written back although there is a worker */
#define MAX_DIRTY 60000		/* ms: then the worker is stopped for it */
#define FILE_KEPT 120000	/* ms without use: the copy of the guest file goes, if all is translated */

struct srv_object *srv_objects[SRV_MAX_OBJECTS];
unsigned srv_nobjects;
static struct srv_object *by_id[SRV_MAX_OBJECTS], *bucket[BUCKETS];
static bool any_dirty;
static u64 total_memory;

static unsigned hash(const struct obj_key *key)
{
	u32 h;

	memcpy(&h, key->digest, sizeof(h));
	return (h ^ (u32)key->features * 0x9e3779b9u) % BUCKETS;
}

static bool same_key(const struct obj_key *a, const struct obj_key *b)
{
	return !memcmp(a->digest, b->digest, 32) && a->features == b->features && !memcmp(a->translator, b->translator, 32);
}

struct srv_object *srv_object_find(const struct obj_key *key, bool device)
{
	struct srv_object *o = bucket[hash(key)];

	while (o && !(o->device == device && same_key(&o->key, key)))
		o = o->next;
	return o;
}

struct srv_object *srv_object_by_id(u32 id)
{
	struct srv_object *o = by_id[id % SRV_MAX_OBJECTS];

	return o && o->id == id ? o : NULL;
}

struct srv_object *srv_object_get(const struct obj_key *key, bool device)
{
	static u32 ids;
	struct srv_object *o = srv_object_find(key, device);

	if (o)
		return o;
	if (srv_nobjects >= SRV_MAX_OBJECTS - 1)
		return NULL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	do
		ids++;
	while (!ids || by_id[ids % SRV_MAX_OBJECTS]);
	*o = (struct srv_object){ .key = *key, .id = ids, .device = device, .fd = -1, .file = -1, .last_used = srv_now() };
	o->crashes = srv_crashes_get(key->digest);
	if (o->crashes >= SRV_MAX_CRASHES)
		o->state = SRV_NEVER;
	by_id[ids % SRV_MAX_OBJECTS] = o;
	o->next = bucket[hash(key)];
	bucket[hash(key)] = o;
	o->place = srv_nobjects;
	srv_objects[srv_nobjects++] = o;
	return o;
}

void srv_object_unmap(struct srv_object *o)
{
	if (o->map)
		munmap(o->map, o->head.size);
	o->map = NULL;
	if (o->device)
		srv_device_retire(o);
}

/* Only without a worker, a job or somebody who waits. */
void srv_object_drop(struct srv_object *o)
{
	struct srv_object **p = &bucket[hash(&o->key)];

	while (*p != o)
		p = &(*p)->next;
	*p = o->next;
	by_id[o->id % SRV_MAX_OBJECTS] = NULL;
	srv_objects[o->place] = srv_objects[--srv_nobjects];
	srv_objects[o->place]->place = o->place;
	srv_object_unmap(o);
	if (o->fd >= 0)
		close(o->fd);
	if (o->file >= 0)
		close(o->file);
	free(o->profile);
	free(o);
}

/* ---------------------------------------------------------------- no memory */

/*
 * Objects are sparse: a page is allocated when it is touched first, if only to be read, and where the module's mount (or a cgroup) is full
 * that is SIGBUS. It can happen at any place of a map, by anybody's doing, so the fault is what is looked at: a page of zeroes takes the
 * place, the access goes on, and the object is dropped at the next tick. (Workers have no handler: they die of it, and are tried later.)
 */
static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	u8 *page = (u8 *)((uintptr_t)info->si_addr & ~4095ul);

	(void)context;
	for (unsigned i = 0; i < srv_nobjects; i++) {
		struct srv_object *o = srv_objects[i];

		if (!o->map || page < (u8 *)o->map || page >= (u8 *)o->map + o->head.size)
			continue;
		if (mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
		o->spoilt = true;
		return;
	}
	signal(sig, SIG_DFL);		/* not ours: the access is repeated, and ends this process */
}

int srv_objects_guard(void)
{
	struct sigaction a = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	return sigaction(SIGBUS, &a, NULL) ? -errno : 0;
}

/* The header's page, before it is written: an object that has none is not made. Kernels before 5.14 cannot be asked. */
static int have_header(void *map)
{
	return madvise(map, DRAGOMAN_OBJECT_HEADER, MADV_POPULATE_WRITE) && errno != EINVAL ? -ENOMEM : 0;
}

/* ---------------------------------------------------------------- memory */

int srv_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)		/* a kernel that does not know that flag */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

/* A second descriptor of it that cannot write, nor allocate. Without /proc: the same one, which the seals guard. */
static int read_only(int fd)
{
	char path[32];
	int ro;

	fchmod(fd, 0444);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	if (ro < 0)
		return fd;
	close(fd);
	return ro;
}

static void take_memory(struct srv_object *o, const struct dragoman_object *head, void *map)
{
	o->head = *head;
	o->map = map;
	o->disk_publish = o->seen_publish = head->publish;
	o->last_used = srv_now();
	srv_profile_load(o);
}

/* Maps and seals fd, which has its size, and makes o ready. fd is closed or kept in o. */
static int make_ready(struct srv_object *o, const struct dragoman_object *head, int fd)
{
	void *map = mmap(NULL, head->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	int err;

	if (map == MAP_FAILED || madvise(map, head->size, MADV_DONTFORK) || have_header(map) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		err = -errno;
		if (map != MAP_FAILED)
			munmap(map, head->size);
		close(fd);
		return err;
	}
	memcpy(map, head, sizeof(*head));
	o->fd = read_only(fd);
	o->state = SRV_READY;
	take_memory(o, head, map);
	return 0;
}

/*
 * The same with the module's memory, which nobody can map writable who lacks the descriptor; so it is not kept. The header is left
 * to the caller, as is o->state.
 */
static int make_device(struct srv_object *o, const struct dragoman_object *head)
{
	int fd = srv_device_create(o, head->size), err = 0;
	void *map;

	if (fd < 0)
		return fd;
	map = mmap(NULL, head->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED || madvise(map, head->size, MADV_DONTFORK))
		err = -errno;
	else
		err = have_header(map);
	close(fd);
	if (!err) {
		take_memory(o, head, map);
		return 0;
	}
	if (map != MAP_FAILED)
		munmap(map, head->size);
	srv_device_retire(o);
	return err;
}

/* The key decides, not what a file or a child says. */
static int check(struct srv_object *o, const struct dragoman_object *head)
{
	static struct srv_rate rate;
	const char *why = "made for something else";

	if (!memcmp(head->digest, o->key.digest, 32) && !memcmp(head->translator, o->key.translator, 32) &&
	    head->features == o->key.features && !obj_check_header(head, head->size, &why))
		return 0;
	srv_log_rate(&rate, SRV_WARN, "an object's header is wrong: %s", why);
	return -EINVAL;
}

int srv_object_create(struct srv_object *o, const struct dragoman_object *head)
{
	int err = check(o, head), fd;

	if (!err && o->device) {
		err = make_device(o, head);
		if (!err) {
			memcpy(o->map, head, sizeof(*head));
			o->state = SRV_READY;
			srv_count.creates++;
		}
	}
	if (err || o->device)
		return err;
	fd = srv_memfd("dragoman-object");
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)head->size)) {
		err = -errno;
		close(fd);
		return err;
	}
	srv_count.creates++;
	return make_ready(o, head, fd);
}

int srv_object_adopt(struct srv_object *o, const struct dragoman_object *head, int fd)
{
	struct stat st;
	int err = check(o, head);

	if (!err && (fstat(fd, &st) || (u64)st.st_size != head->size))
		err = -EINVAL;
	if (err) {
		close(fd);
		return err;
	}
	o->ahead_done = head->complete;
	if (!o->device)
		return make_ready(o, head, fd);
	err = make_device(o, head);
	if (err)
		close(fd);
	return err ? err : srv_copy_start(o, fd);
}

static u32 published(const struct srv_object *o)
{
	return __atomic_load_n(&((struct dragoman_object *)o->map)->publish, __ATOMIC_ACQUIRE);
}

void srv_object_set_never(struct srv_object *o, u32 pc)
{
	struct dragoman_object *h = o->map;
	u32 none = 0;

	if (pc >= o->head.text_hi - o->head.text_lo || (pc & 3))
		return;
	__atomic_compare_exchange_n((u32 *)((u8 *)o->map + o->head.index) + pc / 4, &none, DRAGOMAN_INDEX_NEVER, false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
	__atomic_add_fetch(&h->publish, 1, __ATOMIC_RELEASE);
}

void srv_object_misses(struct srv_object *o, const u32 *pc, unsigned n)
{
	const u32 *index = (u32 *)((u8 *)o->map + o->head.index);
	unsigned was = o->npending;

	/*
	 * Who asks for everything, also inside of instructions' blocks and in data, would fill the object with it for all users: what
	 * belongs there has three quarters of the room for itself.
	 */
	if (o->misses >= o->head.regions_size / sizeof(struct dragoman_region) / 4)
		return;
	for (unsigned i = 0; i < n; i++) {
		if ((pc[i] & 3) || pc[i] >= o->head.text_hi - o->head.text_lo || index[pc[i] / 4])
			continue;
		for (unsigned k = 0; k < o->npending; k++)
			if (o->pending[k] == pc[i])
				goto next;
		if (o->npending < SRV_MAX_PENDING)
			o->pending[o->npending++] = pc[i];
		srv_profile_add(o, pc[i]);
next:;
	}
	o->misses += o->npending - was;
	o->last_used = srv_now();
	if (o->npending)
		srv_worker_misses(o);
}

/* ---------------------------------------------------------------- looking after them */

u64 srv_objects_memory(void)
{
	return total_memory;
}

bool srv_objects_full(void)
{
	return total_memory > srv_opt.memory_limit;
}

bool srv_objects_dirty(void)
{
	return any_dirty;
}

/*
 * What the header says that is used. The module does not tell what is; a worker that lies spoils the account, and can fill no more than
 * the module's mount holds.
 */
static u64 said_memory(const struct srv_object *o)
{
	const struct dragoman_object *h = o->map;

	return MIN(DRAGOMAN_OBJECT_HEADER + (u64)h->hot_used + h->cold_used + h->pool_used + h->meta_used + h->nregions * 56ull + h->ninsns * 4ull,
		   o->head.size);
}

static void measure(struct srv_object *o)
{
	struct stat st;

	o->memory = 0;
	if (o->fd >= 0 && !fstat(o->fd, &st))
		o->memory = (u64)st.st_blocks * 512;
	else if (o->device && o->map)
		o->memory = said_memory(o);
	if (o->file >= 0)
		o->memory += o->file_size;
}

bool srv_object_dirty(const struct srv_object *o)
{
	return o->state == SRV_READY && srv_opt.cache_dir[0] && (o->writing || published(o) != o->disk_publish);
}

/* Writes o back when that is due; stops its worker first if it has to. */
static void write_back(struct srv_object *o, u64 now)
{
	u32 n = published(o);

	if (n != o->seen_publish) {
		if (o->seen_publish == o->disk_publish)
			o->dirty_since = now;
		o->seen_publish = n;
		o->last_change = now;
	}
	if (!srv_object_dirty(o) || o->writing)
		return;
	if (o->worker) {
		if (o->worker->page->phase == SRV_IDLE || (now - o->last_change > QUIET && !o->npending) || now - o->dirty_since > MAX_DIRTY ||
		    srv_ending() || srv_flushing)
			srv_worker_stop(o);
		return;
	}
	if (srv_store_usable())
		srv_save_start(o);
}

void srv_object_check_write_back(struct srv_object *o)
{
	if (o->state == SRV_READY && !o->npending)
		write_back(o, srv_now());
	any_dirty |= srv_object_dirty(o);
}

/* May this object go out of memory? */
static bool quiet(const struct srv_object *o)
{
	return !o->worker && !o->waited && (!srv_object_dirty(o) || !srv_store_usable());
}

/* Without a look at what of it is not on disk yet. False: somebody holds it. */
static bool give_up(struct srv_object *o)
{
	if (o->worker) {
		srv_worker_stop(o);
		o->worker->object = NULL;
		o->worker = NULL;
	}
	if (o->waited)
		return false;
	srv_object_drop(o);
	return true;
}

void srv_objects_clear(void)
{
	for (unsigned i = 0; i < srv_nobjects;)
		i += !give_up(srv_objects[i]);
	any_dirty = false;
}

/* Those whose memory ran out: what was translated in them is there again when there is memory again. */
static void drop_spoilt(void)
{
	static struct srv_rate rate;

	for (unsigned i = 0; i < srv_nobjects;) {
		struct srv_object *o = srv_objects[i];

		if (!o->spoilt) {
			i++;
			continue;
		}
		srv_log_rate(&rate, SRV_WARN, "no memory for the object of %s: it is dropped", o->name);
		i += !give_up(o);
	}
}

/* Room for others: those go that nobody asked for for the longest time. */
static void make_room(void)
{
	struct srv_object *victim;

	while (srv_objects_full()) {
		victim = NULL;
		for (unsigned i = 0; i < srv_nobjects; i++)
			if (srv_objects[i]->memory && quiet(srv_objects[i]) &&
			    (!victim || srv_objects[i]->last_used < victim->last_used))
				victim = srv_objects[i];
		if (!victim)
			return;
		total_memory -= MIN(victim->memory, total_memory);
		srv_count.evicted_memory++;
		srv_object_drop(victim);
	}
}

void srv_objects_tick(u64 now)
{
	total_memory = 0;
	any_dirty = false;
	drop_spoilt();
	for (unsigned i = 0; i < srv_nobjects; i++) {
		struct srv_object *o = srv_objects[i];

		if (o->state != SRV_READY)
			continue;
		if (o->file >= 0 && o->ahead_done && !o->npending && !o->worker && now - o->last_used > FILE_KEPT) {
			close(o->file);
			o->file = -1;
		}
		measure(o);
		total_memory += o->memory;
		write_back(o, now);
		srv_profile_save(o);
		any_dirty |= srv_object_dirty(o);
	}
	make_room();
}
