// SPDX-License-Identifier: MIT
/*
 * See lib_fake.h. The objects are real ones, made by user/object for the file that the client passes; then, by mode, something
 * about them or about the answer is wrong.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib_fake.h"
#include "object/object.h"
#include "translator_id.h"

#define CODE 0x200			/* file offset of the guest program's code */
#define AFTER_READ 13			/* instructions to where it jumps to */
#define STATUS_AT 16			/* to the one that loads the exit status */
#define MOVZ(rd, v) (0xd2800000u | (u32)(v) << 5 | (rd))
#define SVC 0xd4000001u

static void die(const char *what)
{
	printf("Bail out! fake server: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

/* ---- objects ------------------------------------------------------------ */

static void translate_all(struct dragoman_object *o, const struct guest *g, const u8 *file, u64 size)
{
	void *memory = mmap(NULL, obj_writer_size(o), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct obj_writer *w = obj_writer_open(memory, o, g, file, size);
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)file;
	u32 pc = (u32)e->e_shoff;	/* fake_program puts the entry's file offset there */

	if (!w)
		die("obj_writer_open");
	pc -= (u32)o->text_lo;
	do
		if (obj_writer_translate(w, pc))
			die("obj_writer_translate");
	while (obj_writer_next(w, &pc));
	if (obj_writer_translate(w, CODE + 4 * AFTER_READ - (u32)o->text_lo))
		die("obj_writer_translate");
}

/* What FAKE_GROWS adds later: translated from another file than the client's. */
static struct {
	struct dragoman_object *object;
	u8 *file;
	u64 size;
} grown;

static void grow(void)
{
	static const u32 mov = MOVZ(0, FAKE_GROWN_STATUS);
	struct dragoman_object *o = grown.object;
	struct obj_writer *w;
	void *memory;

	if (!o)
		return;
	memory = mmap(NULL, obj_writer_size(o), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	memcpy(grown.file + CODE + 4 * STATUS_AT, &mov, 4);
	w = obj_writer_open(memory, o, guest_find(EM_AARCH64, ELFCLASS64, ELFDATA2LSB), grown.file, grown.size);
	if (obj_writer_translate(w, CODE + 4 * AFTER_READ - (u32)o->text_lo))
		die("obj_writer_translate");
}

static void spoil_header(struct dragoman_object *o, enum fake_mode mode)
{
	switch ((int)mode) {
	case FAKE_MAGIC:
		o->magic++;
		break;
	case FAKE_TRANSLATOR:
		o->translator[31] ^= 1;
		break;
	case FAKE_FEATURES:
		o->features |= 1ull << 60;
		break;
	case FAKE_MACHINE:
		o->machine = EM_RISCV;
		break;
	case FAKE_PARTS:
		o->cold = o->size;
		break;
	case FAKE_OTHER_FILE_SIZE:
		o->file_size++;
		break;
	case FAKE_CORRUPT:
		((u8 *)o)[o->hot + obj_regions(o)[0].hot + 4] ^= 0x10;
		break;
	}
}

static unsigned seals_of(enum fake_mode mode)
{
	switch ((int)mode) {
	case FAKE_UNSEALED:
		return 0;
	case FAKE_NO_GROW:
		return F_SEAL_SHRINK | 0x10 /* F_SEAL_FUTURE_WRITE */;
	case FAKE_WRITABLE:
		return F_SEAL_SHRINK | F_SEAL_GROW;
	}
	return F_SEAL_SHRINK | F_SEAL_GROW | 0x10;
}

static int make_object(int fd, enum fake_mode mode, u64 features)
{
	const struct guest *g = guest_find(EM_AARCH64, ELFCLASS64, ELFDATA2LSB);
	struct obj_key key = { .translator = DRAGOMAN_TRANSLATOR_ID, .features = features };
	struct dragoman_object h, *o;
	struct stat st;
	u8 *file;
	int mem;

	if (fstat(fd, &st))
		die("fstat");
	file = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED || obj_layout(&h, g, file, st.st_size, &key))
		die("obj_layout");
	mem = memfd_create("object", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (mem < 0 || ftruncate(mem, h.size + (mode == FAKE_LARGER ? 65536 : mode == FAKE_SMALLER ? -65536 : 0)))
		die("memfd");
	o = mmap(NULL, h.size, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	if (o == MAP_FAILED)
		die("mmap");
	*o = h;
	if (mode != FAKE_EMPTY && mode != FAKE_SMALLER && mode != FAKE_GROWS)
		translate_all(o, g, file, st.st_size);
	if (mode == FAKE_GROWS) {
		grown.object = o;
		grown.file = file;
		grown.size = st.st_size;
	}
	spoil_header(o, mode);
	if (fcntl(mem, F_ADD_SEALS, seals_of(mode)))
		die("seals");
	return mem;
}

static int wrong_descriptor(enum fake_mode mode)
{
	char name[] = "/tmp/dragoman-fake-XXXXXX";
	int fds[2];

	if (mode == FAKE_PIPE)
		return pipe(fds) ? -1 : fds[0];
	fds[0] = mkstemp(name);
	unlink(name);
	return fds[0];
}

/* ---- answers ------------------------------------------------------------ */

static void send_answer(int c, const void *msg, size_t len, const int *fds, unsigned n)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)msg, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		struct cmsghdr *h;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	}
	sendmsg(c, &m, MSG_NOSIGNAL);
}

static struct drg_file identity(int fd, enum fake_mode mode)
{
	struct drg_file f = { 0 };
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x))
		die("statx");
	f.dev = (u64)x.stx_dev_major << 32 | x.stx_dev_minor;
	f.ino = x.stx_ino + (mode == FAKE_OTHER_FILE);
	f.size = x.stx_size;
	f.ctime_sec = x.stx_ctime.tv_sec;
	f.ctime_nsec = x.stx_ctime.tv_nsec ^ (mode == FAKE_OTHER_TIME);
	return f;
}

static void answer(int c, enum fake_mode mode, const struct drg_attach *a, const int *given, unsigned n)
{
	struct drg_attached r = { .msg = { sizeof(r), DRG_ATTACH, DRG_VERSION }, .generation = 17, .nfiles = a->nfiles };
	struct { struct drg_attached r; char more[100]; } large = { 0 };
	struct drg_error err = { .msg = { sizeof(err), DRG_ERROR, DRG_VERSION }, .error = -EIO };
	size_t len = sizeof(r);
	int fds[8];
	unsigned nfd = 0;

	r.features = a->features ? a->features : x64_host_features();
	for (unsigned i = 0; i < n && i < DRG_MAX_FILES; i++) {
		r.file[i].status = DRG_OK;
		r.file[i].object = 100 + i;
		r.file[i].file = identity(given[i], mode);
		if (mode == FAKE_LATER || mode == FAKE_NEVER) {
			r.file[i].status = mode == FAKE_LATER ? DRG_LATER : DRG_NEVER;
			continue;
		}
		if (mode == FAKE_FD_UNASKED)
			r.file[i].status = DRG_LATER;
		if (mode == FAKE_PIPE || mode == FAKE_FILE)
			fds[nfd++] = wrong_descriptor(mode);
		else if (mode != FAKE_NO_FD)
			fds[nfd++] = make_object(given[i], mode, r.features);
	}
	if (mode == FAKE_TWO_FDS)
		fds[nfd++] = make_object(given[0], mode, r.features);
	if (mode == FAKE_LATE)
		usleep(3000000);
	if (mode == FAKE_NO_FEATURES)
		r.features = 0;
	if (mode == FAKE_WRONG_TYPE)
		r.msg.type = DRG_MISS;
	if (mode == FAKE_WRONG_COUNT)
		r.nfiles++;
	if (mode == FAKE_WRONG_SIZE)
		r.msg.size += 8;
	if (mode == FAKE_GARBAGE)
		memset(&r, 0xa5, sizeof(r));
	if (mode == FAKE_SHORT)
		r.msg.size = len = 12;
	large.r = r;
	if (mode == FAKE_LONG)
		large.r.msg.size = len = sizeof(large);
	if (mode == FAKE_ERROR)
		send_answer(c, &err, sizeof(err), NULL, 0);
	else
		send_answer(c, &large, len, fds, nfd);
}

static void note(struct fake_seen *seen, const void *msg, ssize_t len)
{
	const struct drg_miss *m = msg;
	const struct drg_report *r = msg;

	if (m->msg.type == DRG_MISS && m->object >= 100 && m->generation == 17 && m->n && m->n <= DRG_MAX_MISSES &&
	    len == (ssize_t)(offsetof(struct drg_miss, pc) + 4 * m->n)) {
		for (unsigned i = 0; i < m->n && seen->nmiss < 256; i++)
			seen->miss[seen->nmiss++] = m->pc[i];
	} else if (m->msg.type == DRG_REPORT && len == sizeof(*r) && r->machine == EM_AARCH64) {
		seen->report_kind[seen->nreport & 15] = r->kind;
		seen->report[seen->nreport++ & 15] = r->value;
	} else {
		seen->bad++;
	}
}

static void serve(int c, enum fake_mode mode, struct fake_seen *seen)
{
	char control[CMSG_SPACE(8 * sizeof(int))];
	union { struct drg_msg msg; struct drg_attach attach; char room[DRG_MAX_MESSAGE]; } in;
	struct iovec iov = { &in, sizeof(in) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(c, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	unsigned n = h ? (h->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	int fds[8];

	if (n)
		memcpy(fds, CMSG_DATA(h), n * sizeof(int));
	if (len < (ssize_t)sizeof(in.msg) || in.msg.size != len || in.msg.version != DRG_VERSION) {
		seen->bad++;
	} else if (in.msg.type == DRG_STATUS) {
		seen->connections--;	/* fake_sync */
		if (mode == FAKE_GROWS)
			grow();
	} else if (in.msg.type != DRG_ATTACH) {
		note(seen, &in, len);
	} else if (len != sizeof(in.attach) || in.attach.nfiles != n || in.attach.machine != EM_AARCH64) {
		seen->bad++;
	} else {
		seen->attaches++;
		for (unsigned i = 0; i < n; i++)
			if ((fcntl(fds[i], F_GETFL) & O_ACCMODE) != O_RDONLY)
				seen->bad++;
		if (mode == FAKE_SILENT)
			pause();
		if (mode != FAKE_CLOSE)
			answer(c, mode, &in.attach, fds, n);
	}
	while (n)
		close(fds[--n]);
}

/* @NAME is an abstract one. */
static socklen_t address(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "%s", path);
	if (path[0] != '@')
		return sizeof(*a);
	a->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
}

pid_t fake_start(const char *path, enum fake_mode mode, struct fake_seen *seen)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, path);
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pid_t pid;

	unlink(path);
	if (s < 0 || bind(s, (struct sockaddr *)&a, len) || (path[0] != '@' && chmod(path, 0777)) || listen(s, mode == FAKE_NO_ACCEPT ? 0 : 100))
		die("socket");
	if (mode == FAKE_NO_ACCEPT) {
		/* the queue is full with these two */
		for (int i = 0; i < 2; i++) {
			int c = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

			connect(c, (struct sockaddr *)&a, len);
		}
	}
	pid = fork();
	if (pid) {
		close(s);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int c;

		if (mode == FAKE_NO_ACCEPT)
			pause();
		c = accept4(s, NULL, NULL, SOCK_CLOEXEC);
		if (c < 0)
			continue;
		seen->connections++;
		serve(c, mode, seen);
		close(c);
	}
}

void fake_sync(const char *path)
{
	struct drg_msg msg = { sizeof(msg), DRG_STATUS, DRG_VERSION };
	struct sockaddr_un a;
	socklen_t len = address(&a, path);
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char c;

	if (connect(s, (struct sockaddr *)&a, len) || send(s, &msg, sizeof(msg), MSG_NOSIGNAL) != sizeof(msg) ||
	    recv(s, &c, 1, 0))
		die("no end of what the server sees");
	close(s);
}

/* ---- the guest program ------------------------------------------------------------ */

void fake_program(const char *path, bool fixed)
{
	static const u32 code[] = {
		MOVZ(8, 64), MOVZ(0, 1), 0x10000000u | (16 * 4 / 4) << 5 | 1 /* adr x1, text below */, MOVZ(2, 3), SVC,	/* write */
		0xd10043ffu /* sub sp, sp, #16 */,
		MOVZ(8, 63), MOVZ(0, 0), 0x910003e1u /* mov x1, sp */, MOVZ(2, 1), SVC,			/* read */
		0x10000000u | 2 << 5 | 9 /* adr x9, . + 8 */, 0xd61f0120u /* br x9 */,
		MOVZ(8, FAKE_PROGRAM_SYSCALL), SVC,
		MOVZ(8, 94), MOVZ(0, FAKE_PROGRAM_STATUS), SVC,						/* exit_group */
		0x000a6b6fu,	/* "ok\n" */
	};
	u64 base = fixed ? 0x400000 : 0, text = 1 << 20;	/* that much makes an object of 17 MiB */
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr ph[3];
	} h = {
		.e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		       .e_type = fixed ? ET_EXEC : ET_DYN, .e_machine = EM_AARCH64, .e_version = EV_CURRENT,
		       .e_entry = base + CODE, .e_phoff = sizeof(Elf64_Ehdr), .e_shoff = CODE, .e_ehsize = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 },
		.ph = {
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = base, .p_filesz = text, .p_memsz = text,
			  .p_align = 0x10000 },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = text, .p_vaddr = base + text + 0x10000,
			  .p_filesz = 0x800, .p_memsz = 0x5000, .p_align = 0x10000 },
			{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
		},
	};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || ftruncate(fd, text + 0x1000) || pwrite(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    pwrite(fd, code, sizeof(code), CODE) != sizeof(code))
		die(path);
	close(fd);
}
