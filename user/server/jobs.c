// SPDX-License-Identifier: MIT
/*
 * Children that do one thing and end, with a time limit, for what the supervisor must not wait for or must not look at:
 *
 *   reader  copies a guest file into a memfd, computes its digest, and lays its object out
 *   loader  fills an object's memory from the disk and checks all of it
 *   copier  takes what a loader filled into memory of the module, for the device
 *   saver   checks an object's memory and writes it to the disk
 *
 * Each tells its result by one message; one that ends without has failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"

#define MAX_JOBS 32		/* running */
#define MAX_WAITING 128		/* reads that wait, each with a descriptor */
#define READ_TIME 30000		/* ms */
#define DISK_TIME 120000
#define NO_MEMORY 5000		/* ms until there may be some again */
#define SLOT_JOBS 128		/* uids of jobs: behind the workers' */

enum kind { READ, LOAD, COPY, SAVE };

struct job {
	struct srv_source channel;
	enum kind kind;
	bool running, ended;		/* ended: its result is there */
	pid_t pid;
	unsigned slot;
	u64 kill_at;
	/* READ */
	struct srv_file file;
	u32 domain;
	u64 features;
	int copy;
	/* LOAD, COPY, SAVE, and READ for an object that lacks its file */
	struct srv_object *object;
	char temp[SRV_NAME_SIZE];
	bool copied;
	u32 publish;			/* the header's, when a save began */
};

static struct job *jobs[MAX_JOBS + MAX_WAITING];
static unsigned njobs, nrunning;

unsigned srv_jobs_count(void)
{
	return njobs;
}

unsigned srv_jobs_saving(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < njobs; i++)
		n += jobs[i]->kind == SAVE;
	return n;
}

/* ---------------------------------------------------------------- common */

static void run_waiting(void);

static void forget(struct job *j)
{
	for (unsigned i = 0; i < njobs; i++)
		if (jobs[i] == j) {
			jobs[i] = jobs[--njobs];
			break;
		}
	free(j);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Ends the job, after its result or instead of it. */
static void end(struct job *j)
{
	if (j->running) {
		srv_unwatch(&j->channel);
		close(j->channel.fd);
		nrunning--;
	}
	if (j->kind == READ) {
		srv_file_close(&j->file);
		j->file.user->files--;
	}
	close_fd(&j->copy);
	if (j->object)
		j->object->waited--;
	forget(j);
	run_waiting();
}

static unsigned free_slot(void)
{
	for (unsigned s = 0;; s++) {
		bool taken = false;

		for (unsigned i = 0; i < njobs; i++)
			taken |= jobs[i]->running && jobs[i]->slot == s;
		if (!taken)
			return s;
	}
}

static void finish(struct job *j, const void *result, ssize_t n);

static void on_channel(struct srv_source *s, u32 events)
{
	struct job *j = container_of(s, struct job, channel);
	static u8 result[sizeof(struct srv_read_result) + 64];
	ssize_t n = recv(s->fd, result, sizeof(result), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	finish(j, result, MAX(n, 0));
}

/* Its channel tells, by a message or its end. */
static void reaped(void *ctx, int status)
{
	(void)ctx;
	(void)status;
}

/* Forks; 0 in the child, whose channel is descriptor 3 and the others behind it. */
static pid_t begin(struct job *j, const int *keep, unsigned n, u64 time)
{
	int pair[2], all[4];
	int err = srv_pair(pair);
	pid_t pid;

	if (err)
		return err;
	j->slot = free_slot();
	all[0] = pair[1];
	memcpy(all + 1, keep, n * sizeof(*keep));
	pid = srv_fork(all, n + 1, reaped, NULL);
	if (!pid)
		return 0;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return pid;
	}
	j->channel = (struct srv_source){ pair[0], on_channel };
	j->pid = pid;
	j->running = true;
	j->kill_at = srv_now() + time;
	nrunning++;
	srv_watch(&j->channel, EPOLLIN);
	return pid;
}

static struct job *new_job(enum kind kind, struct srv_object *o)
{
	struct job *j = njobs < ARRAY_SIZE(jobs) ? calloc(1, sizeof(*j)) : NULL;

	if (!j)
		return NULL;
	j->kind = kind;
	j->object = o;
	j->copy = j->channel.fd = -1;
	j->file.fd = -1;
	jobs[njobs++] = j;
	if (o)
		o->waited++;
	return j;
}

void srv_jobs_tick(u64 now)
{
	for (unsigned i = 0; i < njobs; i++)
		if (jobs[i]->running && now > jobs[i]->kill_at) {
			srv_kill(jobs[i]->pid);
			if (jobs[i]->kind == READ) {	/* it may hang in a file system and not even die */
				finish(jobs[i--], NULL, 0);
				continue;
			}
			jobs[i]->kill_at = now + 10000;
		}
}

/* ---------------------------------------------------------------- reading guest files */

#define FUSE_MAGIC 0x65735546
#define NFS_MAGIC 0x6969
#define TMPFS_FILES 0x01021994

int srv_file_identify(int fd, struct drg_file *id)
{
	struct statx x;
	int flags = fcntl(fd, F_GETFL);

	memset(id, 0, sizeof(*id));
	if (flags < 0)
		return -errno;
	if (flags & O_PATH || (flags & O_ACCMODE) != O_RDONLY)
		return -EBADF;
	/* what is known already: a file system must not be asked */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &x))
		return -errno;
	if (!S_ISREG(x.stx_mode))
		return -EINVAL;
	id->dev = (u64)x.stx_dev_major << 32 | x.stx_dev_minor;
	id->ino = x.stx_ino;
	id->size = x.stx_size;
	id->ctime_sec = x.stx_ctime.tv_sec;
	id->ctime_nsec = x.stx_ctime.tv_nsec;
	return 0;
}

void srv_file_close(struct srv_file *f)
{
	if (f->gate)
		srv_gate_release(f->gate, f->slot);
	else if (f->fd >= 0)
		close(f->fd);
	f->gate = NULL;
	f->fd = -1;
}

/* The last part of the file's name, for log lines; from anybody. */
static void name_of(int fd, char name[64])
{
	char link[32], path[4096], *p;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[MAX(n, 0)] = 0;
	p = strrchr(path, '/');
	p = p ? p + 1 : path;
	for (n = 0; p[n] && n < 63; n++)
		name[n] = p[n] > ' ' && p[n] < 127 && p[n] != '"' && p[n] != '\\' ? p[n] : '?';
	name[n] = 0;
	if (!n)
		strcpy(name, "?");
}

/*
 * May what is found out be remembered under this identity? Not for file systems where ctime is what a user says, nor while somebody
 * has the file open for writing (then no lease can be had, where leases can be had at all): stores through an old mapping change no ctime.
 * On tmpfs stores through any shared mapping change none, also when it is gone (version.c).
 */
static enum srv_remember may_remember(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) || fs.f_type == FUSE_MAGIC || fs.f_type == NFS_MAGIC)
		return SRV_FORGET;
	if (!fcntl(fd, F_SETLEASE, F_RDLCK))
		fcntl(fd, F_SETLEASE, F_UNLCK);
	else if (errno == EAGAIN)
		return SRV_FORGET;
	return fs.f_type == TMPFS_FILES ? SRV_REMEMBER_VERSION : SRV_REMEMBER;
}

static int copy_file(int fd, u8 *to, u64 size)
{
	for (u64 at = 0; at < size;) {
		ssize_t n = pread(fd, to + at, MIN(size - at, 1u << 20), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (u64)n;
	}
	return 0;
}

static bool same_file(const struct drg_file *a, const struct drg_file *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* An ELF file of a guest of ours? */
static const struct guest *guest_of(const u8 *file, u64 size)
{
	return size >= 64 && !memcmp(file, "\177ELF", 4) ? guest_find((u16)(file[18] | file[19] << 8), file[4], file[5]) : NULL;
}

/* Reads and digests. *map: the copy. */
static int read_file(int fd, int copy, struct srv_read_result *r, u8 **map)
{
	struct drg_file before;
	u8 head[64] = { 0 };
	struct timespec now;
	int err = srv_file_identify(fd, &before);

	if (err)
		return err;
	r->file = before;
	name_of(fd, r->name);
	r->remember = may_remember(fd);
	if (before.size < sizeof(head) || before.size > SRV_MAX_FILE)
		return -ENOEXEC;
	err = copy_file(fd, head, sizeof(head));
	if (err)
		return err;
	if (!guest_of(head, sizeof(head)))
		return -ENOEXEC;
	if (ftruncate(copy, (off_t)before.size))
		return -errno;
	*map = mmap(NULL, before.size, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
	if (*map == MAP_FAILED)
		return -errno;
	err = copy_file(fd, *map, before.size);
	if (err)
		return err;
	srv_sha256(*map, before.size, r->digest);
	err = srv_file_identify(fd, &r->file);
	if (!err && !same_file(&before, &r->file))
		err = -EAGAIN;		/* being changed just now */
	clock_gettime(CLOCK_REALTIME, &now);
	if (!srv_ident_settled(&r->file, now.tv_sec) && r->remember == SRV_REMEMBER)
		r->remember = SRV_FORGET;
	return err;
}

void srv_reader_child(int file, int copy, int channel, unsigned slot, u64 features)
{
	static struct srv_read_result r;
	const struct guest *guest;
	struct obj_key key = { .features = features };
	u8 *map = NULL;

	r.error = read_file(file, copy, &r, &map);
	if (srv_confine(SRV_READER, slot))
		_exit(4);
	/* what comes now looks at what the file says */
	if (!r.error) {
		guest = guest_of(map, r.file.size);
		memcpy(key.digest, r.digest, 32);
		memcpy(key.translator, srv_translator, 32);
		r.machine = guest->elf_machine;
		r.error = obj_layout(&r.head, guest, map, r.file.size, &key);
		munmap(map, r.file.size);
	}
	if (send(channel, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		_exit(5);
	_exit(0);
}

bool srv_read_pending(const struct drg_file *id, u32 domain, u64 features)
{
	for (unsigned i = 0; i < njobs; i++)
		if (jobs[i]->kind == READ && !jobs[i]->ended && jobs[i]->domain == domain && jobs[i]->features == features &&
		    same_file(&jobs[i]->file.id, id))
			return true;
	return false;
}

static int start_read(struct job *j)
{
	int keep[2], err;
	pid_t pid;

	j->copy = srv_memfd("dragoman-guest-file");
	if (j->copy < 0)
		return j->copy;
	fchmod(j->copy, 0600);
	if (j->file.gate) {
		int pair[2];

		err = srv_pair(pair);
		if (err)
			return err;
		j->slot = free_slot();
		err = srv_gate_read(j->file.gate, j->file.slot, j->copy, pair[1], SLOT_JOBS + j->slot, j->features);
		close(pair[1]);
		if (err) {
			close(pair[0]);
			return err;
		}
		j->channel = (struct srv_source){ pair[0], on_channel };
		j->running = true;
		j->kill_at = srv_now() + READ_TIME;
		nrunning++;
		return srv_watch(&j->channel, EPOLLIN);
	}
	keep[0] = j->file.fd;
	keep[1] = j->copy;
	pid = begin(j, keep, 2, READ_TIME);
	if (!pid)
		srv_reader_child(4, 5, 3, SLOT_JOBS + j->slot, j->features);
	srv_count.reads++;
	return pid < 0 ? pid : 0;
}

/* Reads that could not run at once. */
static void run_waiting(void)
{
	static bool inside;

	if (inside)
		return;
	inside = true;
	for (unsigned i = 0; i < njobs && nrunning < MAX_JOBS; i++)
		if (jobs[i]->kind == READ && !jobs[i]->running && !jobs[i]->ended && start_read(jobs[i])) {
			finish(jobs[i], NULL, 0);
			i = ~0u;	/* the list has changed: from the beginning */
		}
	inside = false;
}

int srv_read_start(struct srv_file *f, u32 domain, u64 features, struct srv_object *for_object)
{
	struct srv_user *u = f->user;
	struct job *j = u->files < SRV_MAX_FILES_USER ? new_job(READ, for_object) : NULL;
	int err;

	if (!j) {
		srv_file_close(f);
		return -EAGAIN;
	}
	j->file = *f;
	f->gate = NULL;
	f->fd = -1;
	j->domain = domain;
	j->features = features;
	u->files++;
	if (for_object)
		for_object->reading = true;
	if (nrunning >= MAX_JOBS)
		return 0;
	err = start_read(j);
	if (err) {
		if (for_object)
			for_object->reading = false;
		end(j);
	}
	return err;
}

/* Seals the copy, so that nothing can change it any more, and gives it to the object. */
static void keep_copy(struct job *j, struct srv_object *o, u64 size)
{
	struct stat st;

	if (o->file >= 0 || fstat(j->copy, &st) || (u64)st.st_size != size ||
	    fcntl(j->copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return;
	o->file = j->copy;
	o->file_size = size;
	j->copy = -1;
	srv_workers_look();
}

static bool remembered(const struct srv_read_result *r, const struct drg_file *id)
{
	if (r->remember == SRV_REMEMBER_VERSION)
		return id->reserved && id->reserved != SRV_NO_VERSION;
	return r->remember == SRV_REMEMBER && !id->reserved;
}

static void finish_read(struct job *j, const struct srv_read_result *r)
{
	struct srv_ident id = { .domain = j->domain };
	struct obj_key key = { .features = j->features };
	struct srv_object *o;

	if (j->object)
		j->object->reading = false;
	if (!r || (r->error && r->error != -ENOEXEC && r->error != -E2BIG)) {
		srv_read_failed(&j->file.id, j->domain, r ? r->error : -EIO);
		return;
	}
	id.file = r->file;
	id.file.reserved = j->file.id.reserved;
	id.never = r->error != 0;
	memcpy(id.digest, r->digest, 32);
	if (r->remember == SRV_REMEMBER_VERSION)
		srv_version_learn(r->file.dev);
	if (remembered(r, &id.file))
		srv_ident_put(&id);
	memcpy(key.digest, r->digest, 32);
	memcpy(key.translator, srv_translator, 32);
	o = r->error ? NULL : srv_object_get(&key, j->file.device);
	if (o) {
		snprintf(o->name, sizeof(o->name), "%.63s", r->name);
		if (o->state == SRV_WANTED)
			srv_object_need(o, &r->head);
		if (o->state == SRV_WANTED) {	/* no memory: not at once again */
			srv_read_failed(&j->file.id, j->domain, -ENOMEM);
			return;
		}
		keep_copy(j, o, r->file.size);
	}
	srv_read_done(&j->file.id, &r->file, j->domain, o);
}

/* ---------------------------------------------------------------- loading */

struct load_result {
	s32 error;
	char why[60];
	struct dragoman_object head;
};

static void loader_child(int channel, int disk, int memory)
{
	static struct load_result r;
	const char *why = "";
	void *map;

	r.error = obj_load_header(disk, &r.head, &why);
	if (!r.error && ftruncate(memory, (off_t)r.head.size))
		r.error = -errno;
	if (!r.error) {
		map = mmap(NULL, r.head.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory, 0);
		r.error = map == MAP_FAILED ? -errno : obj_load(disk, map, r.head.size, &why);
		if (!r.error)
			memcpy(&r.head, map, sizeof(r.head));
		if (map != MAP_FAILED)
			munmap(map, r.head.size);
	}
	snprintf(r.why, sizeof(r.why), "%s", why);
	if (send(channel, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		_exit(5);
	_exit(0);
}

int srv_load_start(struct srv_object *o, int disk)
{
	struct job *j = nrunning < MAX_JOBS ? new_job(LOAD, o) : NULL;
	int keep[2];
	pid_t pid = -EAGAIN;

	if (!j)
		goto fail;
	j->copy = srv_memfd("dragoman-object");
	if (j->copy < 0)
		goto fail;
	keep[0] = disk;
	keep[1] = j->copy;
	pid = begin(j, keep, 2, DISK_TIME);
	if (!pid) {
		if (srv_confine(SRV_LOADER, SLOT_JOBS + j->slot))
			_exit(4);
		loader_child(3, 4, 5);
	}
	if (pid < 0)
		goto fail;
	close(disk);
	o->state = SRV_LOADING;
	return 0;
fail:
	if (j)
		end(j);
	close(disk);
	return pid < 0 ? pid : -EAGAIN;
}

/* What is on the disk is good, but there is nowhere to put it: not at once again, and nothing new in its place. */
static void no_memory(struct srv_object *o)
{
	static struct srv_rate rate;

	srv_log_rate(&rate, SRV_WARN, "no memory for the object of %s", o->name);
	o->state = SRV_WANTED;
	o->disk_tried = false;
	o->wait_until = srv_now() + NO_MEMORY;
}

static void finish_load(struct job *j, const struct load_result *r)
{
	struct srv_object *o = j->object;
	int err = r ? r->error : -EIO;
	bool memory = false;

	o->state = SRV_WANTED;
	if (!err) {
		err = srv_object_adopt(o, &r->head, j->copy);
		j->copy = -1;
		memory = err && err != -EINVAL;
	}
	if (!err && o->state == SRV_LOADING)
		return;			/* on its way into the module's memory */
	if (!err)
		srv_count.loads++;
	else if (!memory && (err == -EIO || err == -ENOMEM || err == -ENOSPC))
		srv_store_failed(err);
	if (memory)
		no_memory(o);
	else if (err)
		srv_store_set_aside(&o->key, r && r->error && r->why[0] ? r->why : !r ? "it could not be read" : "its header is wrong");
	srv_load_done(o);
}

/* ---------------------------------------------------------------- copying into the module's memory */

static int copy_parts(int from, u8 *to, u64 size)
{
	off_t at = 0, end;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0 && (u64)at < size) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			return -errno;
		while (at < end) {
			ssize_t n = pread(from, to + at, MIN((u64)(end - at), 1u << 20), at);

			if (n <= 0)
				return n ? -errno : -EIO;
			at += n;
		}
	}
	return at < 0 && errno != ENXIO ? -errno : 0;
}

static void copier_child(struct srv_object *o, int channel, int from)
{
	s32 result = copy_parts(from, o->map, o->head.size);

	if (send(channel, &result, sizeof(result), MSG_NOSIGNAL) < 0)
		_exit(5);
	_exit(0);
}

int srv_copy_start(struct srv_object *o, int fd)
{
	struct job *j = new_job(COPY, o);
	pid_t pid = -EAGAIN;

	if (j) {
		madvise(o->map, o->head.size, MADV_DOFORK);
		pid = begin(j, &fd, 1, DISK_TIME);
		if (!pid) {
			if (srv_confine(SRV_LOADER, SLOT_JOBS + j->slot))
				_exit(4);
			copier_child(o, 3, 4);
		}
		madvise(o->map, o->head.size, MADV_DONTFORK);
	}
	close(fd);
	if (pid < 0) {
		if (j)
			end(j);
		srv_object_unmap(o);
		return pid;
	}
	o->state = SRV_LOADING;
	return 0;
}

static void finish_copy(struct srv_object *o, int err)
{
	if (!err) {
		o->state = SRV_READY;
		srv_count.loads++;
	} else {
		srv_object_unmap(o);
		no_memory(o);
	}
	srv_load_done(o);
}

/* ---------------------------------------------------------------- saving */

/* Repairs what a killed worker left, then checks: what is spoilt does not get onto the disk. */
static int save(struct srv_object *o, int fd)
{
	struct dragoman_object *h = o->map;
	const char *why;
	void *memory;

	if (memcmp(h, &o->head, offsetof(struct dragoman_object, publish)) || obj_check_header(h, o->head.size, &why))
		return -EBADMSG;
	memory = mmap(NULL, obj_writer_size(h), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	obj_writer_open(memory, h, guest_find((u16)h->machine, 2, 1), NULL, 0);
	if (obj_check(h, o->head.size, &why))
		return -EBADMSG;
	return obj_save(h, fd);
}

static void saver_child(struct srv_object *o, int channel, int fd)
{
	s32 result = save(o, fd);

	/* The first message: the memory is not looked at any more. */
	if (send(channel, &result, sizeof(result), MSG_NOSIGNAL) < 0 || result)
		_exit(5);
	result = fsync(fd) ? -errno : 0;
	if (send(channel, &result, sizeof(result), MSG_NOSIGNAL) < 0)
		_exit(5);
	_exit(0);
}

int srv_save_start(struct srv_object *o)
{
	struct job *j = nrunning < MAX_JOBS ? new_job(SAVE, o) : NULL;
	pid_t pid;
	int fd;

	if (!j)
		return -EAGAIN;
	fd = srv_store_begin(j->temp);
	if (fd < 0) {
		end(j);
		srv_store_failed(fd);
		srv_count.save_errors++;
		return fd;
	}
	madvise(o->map, o->head.size, MADV_DOFORK);
	pid = begin(j, &fd, 1, DISK_TIME);
	if (!pid) {
		if (srv_confine(SRV_SAVER, SLOT_JOBS + j->slot))
			_exit(4);
		saver_child(o, 3, 4);
	}
	madvise(o->map, o->head.size, MADV_DONTFORK);
	close(fd);
	if (pid < 0) {
		srv_store_abort(j->temp);
		end(j);
		return pid;
	}
	o->saving = o->writing = true;
	j->publish = ((struct dragoman_object *)o->map)->publish;
	return 0;
}

static void finish_save(struct job *j, int err)
{
	struct srv_object *o = j->object;

	if (!err)
		err = srv_store_commit(j->temp, &o->key);
	else
		srv_store_abort(j->temp);
	o->saving = o->writing = false;
	if (!err) {
		srv_count.saves++;
		srv_store_worked();
		o->disk_publish = j->publish;
	} else if (err == -EBADMSG) {
		srv_log(SRV_WARN, "the object of %s is damaged in memory and is given up", o->name);
		o->state = SRV_NEVER;
		if (o->device)
			srv_device_requeue(o);
	} else {
		srv_count.save_errors++;
		srv_store_failed(err);
	}
	srv_workers_look();
	srv_requests_progress();
}

/* ---------------------------------------------------------------- results */

static void finish(struct job *j, const void *result, ssize_t n)
{
	if (j->ended)
		return;
	if (j->kind == SAVE && n == sizeof(s32) && !*(const s32 *)result && !j->copied) {
		j->copied = true;		/* a worker may go on; the disk takes its time */
		j->object->saving = false;
		srv_workers_look();
		return;
	}
	j->ended = true;
	switch (j->kind) {
	case READ:
		finish_read(j, n == sizeof(struct srv_read_result) ? result : NULL);
		break;
	case LOAD:
		finish_load(j, n == sizeof(struct load_result) ? result : NULL);
		break;
	case COPY:
		finish_copy(j->object, n == sizeof(s32) ? *(const s32 *)result : -EIO);
		break;
	case SAVE:
		finish_save(j, n == sizeof(s32) ? *(const s32 *)result : -EIO);
		break;
	}
	end(j);
}
