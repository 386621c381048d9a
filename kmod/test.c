// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what needs no process and no device: headers, addresses, images, objects, the queue. Only in a module that is
 * built with DRAGOMAN_KUNIT=1 for a kernel with CONFIG_KUNIT; they run when it is loaded (no server may be there), results are in
 * /sys/kernel/debug/kunit/dragoman-.../results.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

/* ---- headers ------------------------------------------------------------------------------------------------------ */

static const struct elf64_hdr good = {
	.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE },
	.e_type = ET_DYN,
	.e_machine = EM_AARCH64,
};

static bool matches(const struct elf64_hdr *header, size_t size)
{
	return dragoman_guest_match((const char *)header, size);
}

static void headers(struct kunit *test)
{
	static const struct { unsigned int at; u8 value; bool match; } changes[] = {
		{ EI_MAG0, 0x7e, false }, { EI_MAG3, 'G', false }, { EI_CLASS, ELFCLASS32, false },
		{ EI_DATA, ELFDATA2MSB, false }, { EI_VERSION, 2, false }, { EI_OSABI, 3, true }, { EI_OSABI, 9, false },
		{ EI_OSABI, 255, false }, { EI_OSABI + 1, 1, true }, { offsetof(struct elf64_hdr, e_type), ET_EXEC, true },
		{ offsetof(struct elf64_hdr, e_type), ET_REL, false }, { offsetof(struct elf64_hdr, e_type), ET_CORE, false },
		{ offsetof(struct elf64_hdr, e_type) + 1, 0xfe, false }, { offsetof(struct elf64_hdr, e_machine), 62, false },
		{ offsetof(struct elf64_hdr, e_machine) + 1, 1, false },
	};

	KUNIT_EXPECT_TRUE(test, matches(&good, sizeof(good)));
	KUNIT_EXPECT_FALSE(test, matches(&good, sizeof(good) - 1));
	KUNIT_EXPECT_FALSE(test, matches(&good, 0));
	for (unsigned int i = 0; i < ARRAY_SIZE(changes); i++) {
		struct elf64_hdr header = good;

		((u8 *)&header)[changes[i].at] = changes[i].value;
		KUNIT_EXPECT_EQ_MSG(test, matches(&header, sizeof(header)), changes[i].match, "change %u", i);
	}
}

/* A file that ends within its header is nobody's, wherever it ends; both classes' headers have their own size. */
static void truncated_headers(struct kunit *test)
{
	struct elf64_hdr narrow = good;

	for (size_t size = 0; size < sizeof(good); size++)
		KUNIT_EXPECT_FALSE_MSG(test, matches(&good, size), "%zu bytes", size);
	KUNIT_EXPECT_TRUE(test, matches(&good, sizeof(good) + 1));
	narrow.e_ident[EI_CLASS] = ELFCLASS32;
	for (size_t size = 0; size <= sizeof(struct elf64_hdr); size++)
		KUNIT_EXPECT_FALSE_MSG(test, matches(&narrow, size), "%zu bytes, class 32", size);
	/* The machine's number in the other byte order. */
	narrow = good;
	narrow.e_machine = (__force u16)cpu_to_be16(EM_AARCH64);
	KUNIT_EXPECT_FALSE(test, matches(&narrow, sizeof(narrow)));
}

/* ---- what is behind an address ------------------------------------------------------------------------------------ */

#define VMA_START 0x10000ul

static void vma_init_test(struct vm_area_struct *vma, struct file *file, vm_flags_t flags, unsigned long pgoff)
{
	memset(vma, 0, sizeof(*vma));
	vma->vm_start = VMA_START;
	vma->vm_end = VMA_START + 2 * PAGE_SIZE;
	vma->vm_file = file;
	vma->vm_pgoff = pgoff;
	/* Newer kernels have it const. */
	*(vm_flags_t *)&vma->vm_flags = flags;
}

static bool is_behind(const struct vm_area_struct *vma, u64 address, u64 *offset)
{
	struct file *file = dragoman_file_behind(vma, address, offset);

	if (file)
		fput(file);
	return file;
}

static void behind_address(struct kunit *test)
{
	static const struct { vm_flags_t flags; bool proof; } kinds[] = {
		{ VM_READ | VM_MAYREAD, true },
		{ VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, true },	/* private text */
		{ VM_READ | VM_WRITE | VM_MAYWRITE, false },
		{ VM_READ | VM_SHARED | VM_MAYSHARE, true },
		{ VM_READ | VM_SHARED | VM_MAYSHARE | VM_MAYWRITE, false },		/* mprotect away from writing */
		{ VM_READ | VM_IO, false }, { VM_READ | VM_PFNMAP, false }, { VM_READ | VM_HUGETLB, false },
	};
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	struct file *file = dragoman_shmem_file(NULL, "dragoman-kunit", PAGE_SIZE);
	u64 offset = 0;

	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		vma_init_test(vma, file, kinds[i].flags, 1);
		KUNIT_EXPECT_EQ_MSG(test, is_behind(vma, VMA_START + 5, &offset), kinds[i].proof, "kind %u", i);
	}
	/* A page was copied once: what is there now is nobody's file. */
	vma_init_test(vma, file, VM_READ, 0);
	vma->anon_vma = (struct anon_vma *)vma;
	KUNIT_EXPECT_FALSE(test, is_behind(vma, VMA_START, &offset));
	vma_init_test(vma, NULL, VM_READ, 0);
	KUNIT_EXPECT_FALSE(test, is_behind(vma, VMA_START, &offset));
	KUNIT_EXPECT_FALSE(test, is_behind(NULL, VMA_START, &offset));
	/* find_vma() finds the next one for an address in a gap. */
	vma_init_test(vma, file, VM_READ, 0);
	KUNIT_EXPECT_FALSE(test, is_behind(vma, VMA_START - 1, &offset));
	KUNIT_EXPECT_FALSE(test, is_behind(vma, 0, &offset));
	fput(file);
}

/* The offset in the file: all of its bits, for the largest page number that a file can be mapped at. */
static void behind_offset(struct kunit *test)
{
	static const unsigned long pages[] = { 0, 1, 0xfffff, 0x100000, 0x7ffffffffffff - 1 };
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	struct file *file = dragoman_shmem_file(NULL, "dragoman-kunit", PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		u64 offset = 1;

		vma_init_test(vma, file, VM_READ, pages[i]);
		KUNIT_EXPECT_TRUE(test, is_behind(vma, VMA_START, &offset));
		KUNIT_EXPECT_EQ(test, (u64)pages[i] * PAGE_SIZE, offset);
		KUNIT_EXPECT_TRUE(test, is_behind(vma, VMA_START + 2 * PAGE_SIZE - 1, &offset));
		KUNIT_EXPECT_EQ(test, (u64)pages[i] * PAGE_SIZE + 2 * PAGE_SIZE - 1, offset);
		KUNIT_EXPECT_LT(test, offset, 1ull << 63);
	}
	fput(file);
}

/* No memory of a program's here, so no address is one. */
static void behind_nothing(struct kunit *test)
{
	struct dragoman_proof proof;

	if (!current->mm)
		KUNIT_EXPECT_EQ(test, -EFAULT, dragoman_proof_from_address(&proof, VMA_START));
	KUNIT_EXPECT_EQ(test, -EFAULT, dragoman_proof_from_address(&proof, TASK_SIZE));
	KUNIT_EXPECT_EQ(test, -EFAULT, dragoman_proof_from_address(&proof, U64_MAX));
}

/* ---- the stage for images and the queue ----------------------------------------------------------------------------------------- */

struct stage {
	struct file *file;
	struct dragoman_image *image;
	struct dragoman_session *session;
	struct dragoman_ctl ctl[2];
	unsigned int nctl;
	u64 generation;
};

static void join(struct kunit *test, struct stage *s, u32 role)
{
	INIT_LIST_HEAD(&s->ctl[s->nctl].taken);
	KUNIT_ASSERT_EQ(test, 0, dragoman_queue_join(&s->ctl[s->nctl], role, &s->generation));
	s->nctl++;
}

static int stage_init(struct kunit *test)
{
	struct stage *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct dragoman_proof proof = {};

	KUNIT_ASSERT_NOT_NULL(test, s);
	test->priv = s;
	s->file = dragoman_shmem_file(NULL, "dragoman-kunit", PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(s->file));
	/* Otherwise it could be written, and would be private. */
	SHMEM_I(file_inode(s->file))->seals = F_SEAL_WRITE;
	proof.file = s->file;
	proof.real = file_inode(s->file);
	s->image = dragoman_image_use(&proof);
	KUNIT_ASSERT_FALSE(test, IS_ERR(s->image));
	s->session = kzalloc(sizeof(*s->session), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->session);
	kref_init(&s->session->ref);
	join(test, s, DRAGOMAN_ROLE_SERVER);
	return 0;
}

static void stage_exit(struct kunit *test)
{
	struct stage *s = test->priv;

	if (!s)
		return;
	while (s->nctl)
		dragoman_queue_leave(&s->ctl[--s->nctl]);
	/* Requests end, and let go of the rest. */
	dragoman_queue_exit();
	if (s->session)
		dragoman_session_put(s->session);
	if (!IS_ERR_OR_NULL(s->image))
		dragoman_image_unuse(s->image);
	if (!IS_ERR_OR_NULL(s->file))
		fput(s->file);
}

static int ask(struct stage *s, u64 class, u32 priority)
{
	struct dragoman_want want = { .kind = DRAGOMAN_REQ_OPEN, .session = s->session, .image = s->image,
				      .priority = priority, .class.cpu_class = class };
	u32 status;

	return dragoman_queue_ask(&want, &status);
}

static void asked_once(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_req reqs[4];

	KUNIT_EXPECT_EQ(test, 0, ask(s, 1, 2));
	KUNIT_EXPECT_EQ(test, 0, ask(s, 2, 1));
	KUNIT_EXPECT_EQ(test, 0, ask(s, 1, 2));
	KUNIT_EXPECT_EQ(test, 2, dragoman_queue_take(&s->ctl[0], reqs, 4, 0));
	/* The better priority first. */
	KUNIT_EXPECT_EQ(test, 2, reqs[0].cpu_class);
	KUNIT_EXPECT_EQ(test, 1, reqs[1].cpu_class);
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], reqs, 4, 0));
	/* What is taken is not asked for again, either. */
	KUNIT_EXPECT_EQ(test, 0, ask(s, 1, 0));
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], reqs, 4, 0));
}

static void limited(struct kunit *test)
{
	struct stage *s = test->priv;
	u64 class = 1;
	int err;

	while (!(err = ask(s, class, 2)))
		class++;
	KUNIT_EXPECT_EQ(test, -EAGAIN, err);
	KUNIT_EXPECT_EQ(test, 33, class);
	while (!(err = ask(s, class, 1)))
		class++;
	KUNIT_EXPECT_EQ(test, -EAGAIN, err);
	KUNIT_EXPECT_EQ(test, 65, class);
}

static void refused(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_class class = { .cpu_class = 5 };
	struct dragoman_answer answer = { .status = DRAGOMAN_PRIVATE };
	struct dragoman_object *object;
	struct dragoman_req req;

	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, dragoman_image_look(s->image, &class, &object));
	KUNIT_EXPECT_EQ(test, 0, ask(s, 5, 1));
	KUNIT_ASSERT_EQ(test, 1, dragoman_queue_take(&s->ctl[0], &req, 1, 0));
	answer.id = req.id;
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_answer(&s->ctl[0], &answer));
	KUNIT_EXPECT_EQ(test, -ENOENT, dragoman_queue_answer(&s->ctl[0], &answer));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_PRIVATE, dragoman_image_look(s->image, &class, &object));
	dragoman_image_forget_private();
	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, dragoman_image_look(s->image, &class, &object));
}

static void requeued(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_req first, second;

	KUNIT_EXPECT_EQ(test, 0, ask(s, 7, 1));
	for (unsigned int i = 0; i <= DRAGOMAN_MAX_REQUEUES; i++) {
		join(test, s, DRAGOMAN_ROLE_JOIN);
		KUNIT_ASSERT_EQ(test, 1, dragoman_queue_take(&s->ctl[1], i ? &second : &first, 1, 0));
		if (i) {
			KUNIT_EXPECT_EQ(test, first.id, second.id);
			KUNIT_EXPECT_EQ(test, i, second.requeues);
		}
		dragoman_queue_leave(&s->ctl[--s->nctl]);
	}
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], &second, 1, 0));
}

/* ---- images and objects ------------------------------------------------------------------------------------------- */

/* An object that serves the stage's image for a class; 0 and *id. */
static int make_object(struct stage *s, u64 class, u32 *id)
{
	struct dragoman_obj_create create = { .size = sizeof(create), .object_size = DRAGOMAN_OBJECT_MIN, .cpu_class = class };
	struct dragoman_object *object;
	struct file *writer;
	int err = dragoman_object_create(&create, &writer);

	if (err)
		return err;
	fput(writer);
	*id = create.object;
	object = dragoman_object_find(*id);
	if (!object)
		return -ENOENT;
	err = dragoman_image_bind(s->image, &object->class, DRAGOMAN_OK, object);
	dragoman_object_put(object);
	return err;
}

static int look_at(struct stage *s, u64 cpu_class)
{
	struct dragoman_class class = { .cpu_class = cpu_class };
	struct dragoman_object *object;
	int status = dragoman_image_look(s->image, &class, &object);

	if (status == DRAGOMAN_OK)
		dragoman_object_put(object);
	return status;
}

static void bound(struct kunit *test)
{
	struct dragoman_class other = { .cpu_class = 2 };
	struct stage *s = test->priv;
	struct dragoman_object *object;
	u32 id = 0;

	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, look_at(s, 1));
	KUNIT_ASSERT_EQ(test, 0, make_object(s, 1, &id));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_OK, look_at(s, 1));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, look_at(s, 2));
	object = dragoman_object_find(id);
	KUNIT_ASSERT_NOT_NULL(test, object);
	KUNIT_EXPECT_EQ(test, -EINVAL, dragoman_image_bind(s->image, &other, DRAGOMAN_OK, object));
	KUNIT_EXPECT_EQ(test, 0, dragoman_object_retire(id));
	KUNIT_EXPECT_EQ(test, -ENOENT, dragoman_object_retire(id));
	KUNIT_EXPECT_NULL(test, dragoman_object_find(id));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, look_at(s, 1));
	KUNIT_EXPECT_EQ(test, -ESTALE, dragoman_image_bind(s->image, &object->class, DRAGOMAN_OK, object));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, look_at(s, 1));
	dragoman_object_put(object);
}

static void object_sizes(struct kunit *test)
{
	static const u64 bad[] = { 0, 1, DRAGOMAN_OBJECT_MIN - 1, DRAGOMAN_OBJECT_MIN + 1, DRAGOMAN_OBJECT_MAX + DRAGOMAN_OBJECT_MIN,
				   BIT_ULL(63), U64_MAX, U64_MAX - DRAGOMAN_OBJECT_MIN + 1 };
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	struct stage *s = test->priv;
	struct dragoman_object *object;
	struct file *writer;
	u32 id = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct dragoman_obj_create create = { .size = sizeof(create), .object_size = bad[i] };

		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, dragoman_object_create(&create, &writer), "size %llu", bad[i]);
	}
	/* Maps beyond its one page. */
	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_ASSERT_EQ(test, 0, make_object(s, 1, &id));
	object = dragoman_object_find(id);
	KUNIT_ASSERT_NOT_NULL(test, object);
	vma_init_test(vma, NULL, VM_READ | VM_SHARED, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, dragoman_object_mmap(object, vma, 0));
	vma->vm_end = VMA_START + PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, dragoman_object_mmap(object, vma, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, dragoman_object_mmap(object, vma, ULONG_MAX));
	dragoman_object_put(object);
}

/* As many kinds of clients as there are places; one more gets nothing, until a place that is only wanted can go. */
static void places(struct kunit *test)
{
	struct stage *s = test->priv;
	u32 first = 0, id = 0;

	KUNIT_ASSERT_EQ(test, 0, make_object(s, 1, &first));
	for (u64 class = 2; class <= 16; class++)
		KUNIT_ASSERT_EQ(test, 0, make_object(s, class, &id));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_PRIVATE, look_at(s, 17));
	KUNIT_EXPECT_EQ(test, -ENOSPC, make_object(s, 17, &id));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_OK, look_at(s, 16));
	KUNIT_EXPECT_EQ(test, 0, dragoman_object_retire(first));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, look_at(s, 17));
	KUNIT_EXPECT_EQ(test, 0, make_object(s, 17, &id));
}

/* A file that is another one now: what was said of it does not count, and it is another image. */
static void changed(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_proof proof = { .file = s->file, .real = file_inode(s->file) };
	struct dragoman_image *image;
	u32 id = 0;

	KUNIT_EXPECT_EQ(test, 0, dragoman_image_check(s->image));
	image = dragoman_image_use(&proof);
	KUNIT_EXPECT_PTR_EQ(test, s->image, image);
	dragoman_image_unuse(image);
	i_size_write(file_inode(s->file), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, -ESTALE, dragoman_image_check(s->image));
	KUNIT_EXPECT_EQ(test, -ESTALE, make_object(s, 1, &id));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, look_at(s, 1));
	image = dragoman_image_use(&proof);
	KUNIT_ASSERT_FALSE(test, IS_ERR(image));
	KUNIT_EXPECT_NE(test, image->id, s->image->id);
	dragoman_image_unuse(image);
	i_size_write(file_inode(s->file), PAGE_SIZE);
}

/* Nobody uses an image with an object: the server hears it once; the object is there for the next start. */
static void idle(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_proof proof = { .file = s->file, .real = file_inode(s->file) };
	u64 image = s->image->id;
	struct dragoman_req req;
	u32 id = 0;

	KUNIT_ASSERT_EQ(test, 0, make_object(s, 1, &id));
	dragoman_image_unuse(s->image);
	KUNIT_EXPECT_EQ(test, 1, dragoman_queue_take(&s->ctl[0], &req, 1, 0));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_REQ_IDLE, req.kind);
	KUNIT_EXPECT_EQ(test, image, req.image);
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], &req, 1, 0));
	KUNIT_EXPECT_TRUE(test, dragoman_image_find(image, true) == ERR_PTR(-ESTALE));
	s->image = dragoman_image_use(&proof);
	KUNIT_ASSERT_FALSE(test, IS_ERR(s->image));
	KUNIT_EXPECT_EQ(test, image, s->image->id);
	KUNIT_EXPECT_EQ(test, DRAGOMAN_OK, look_at(s, 1));
}

/* ---- waiting ------------------------------------------------------------------------------------------------------ */

struct waiter {
	struct dragoman_want want;
	struct completion done;
	u32 status;
	int err;
};

static int wait_thread(void *data)
{
	struct waiter *w = data;

	w->err = dragoman_queue_ask(&w->want, &w->status);
	complete(&w->done);
	return 0;
}

static void want_open(struct stage *s, struct dragoman_want *want, u64 class, u64 deadline)
{
	*want = (struct dragoman_want){ .kind = DRAGOMAN_REQ_OPEN, .session = s->session, .image = s->image, .wait = true,
					.deadline = deadline, .class.cpu_class = class };
}

static void start_waiter(struct kunit *test, struct stage *s, struct waiter *w, u64 class)
{
	struct task_struct *task;

	want_open(s, &w->want, class, DRAGOMAN_NO_DEADLINE);
	init_completion(&w->done);
	task = kthread_run(wait_thread, w, "dragoman-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
}

static void deadline(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_answer answer = { .status = DRAGOMAN_NONE };
	u64 begin = ktime_get_ns(), cookie;
	struct dragoman_want want;
	struct dragoman_req reqs[2];
	u32 status = 9;

	want_open(s, &want, 1, begin + 20 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, dragoman_queue_ask(&want, &status));
	KUNIT_EXPECT_GE(test, ktime_get_ns(), begin + 20 * NSEC_PER_MSEC);
	cookie = want.cookie;
	KUNIT_EXPECT_NE(test, 0, cookie);
	/* Long past: at once, and the same request, with the cookie or without. */
	want_open(s, &want, 1, 0);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, dragoman_queue_ask(&want, &status));
	KUNIT_EXPECT_EQ(test, cookie, want.cookie);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, dragoman_queue_ask(&want, &status));
	KUNIT_EXPECT_EQ(test, cookie, want.cookie);
	KUNIT_ASSERT_EQ(test, 1, dragoman_queue_take(&s->ctl[0], reqs, 2, 0));
	KUNIT_EXPECT_EQ(test, cookie, reqs[0].id);
	/* A cookie of something else ends the wait, and asks for nothing. */
	want.class.cpu_class = 2;
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_ask(&want, &status));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_OK, status);
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], reqs + 1, 1, 0));
	/* So does one of a request that has ended: look again. */
	answer.id = cookie;
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_answer(&s->ctl[0], &answer));
	want.class.cpu_class = 1;
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_ask(&want, &status));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_OK, status);
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], reqs, 1, 0));
}

/* Who looked before the answer came and asks after it is told to look again; the server hears nothing. */
static void answered_meanwhile(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_req req;
	struct dragoman_want want;
	u32 status = 9, id = 0;

	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, look_at(s, 1));
	KUNIT_ASSERT_EQ(test, 0, make_object(s, 1, &id));
	want_open(s, &want, 1, DRAGOMAN_NO_DEADLINE);
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_ask(&want, &status));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_OK, status);
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], &req, 1, 0));
	/* Its end makes it a question again. */
	KUNIT_EXPECT_EQ(test, 0, dragoman_object_retire(id));
	want.wait = false;
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_ask(&want, &status));
	KUNIT_EXPECT_EQ(test, DRAGOMAN_NONE, status);
	KUNIT_EXPECT_EQ(test, 1, dragoman_queue_take(&s->ctl[0], &req, 1, 0));
}

/* Two who wait for the same thing, over the death of a server, are told by one answer. */
static void waiters_told(struct kunit *test)
{
	struct stage *s = test->priv;
	struct waiter *w = kunit_kzalloc(test, 2 * sizeof(*w), GFP_KERNEL);
	struct dragoman_answer answer = { .status = DRAGOMAN_PRIVATE };
	struct dragoman_req req[2];

	KUNIT_ASSERT_NOT_NULL(test, w);
	start_waiter(test, s, &w[0], 3);
	KUNIT_ASSERT_EQ(test, 1, dragoman_queue_take(&s->ctl[0], req, 2, ktime_get_ns() + 60 * NSEC_PER_SEC));
	start_waiter(test, s, &w[1], 3);
	dragoman_queue_leave(&s->ctl[--s->nctl]);
	join(test, s, DRAGOMAN_ROLE_SERVER);
	KUNIT_ASSERT_EQ(test, 1, dragoman_queue_take(&s->ctl[0], &req[1], 1, ktime_get_ns() + 60 * NSEC_PER_SEC));
	KUNIT_EXPECT_EQ(test, req[0].id, req[1].id);
	KUNIT_EXPECT_EQ(test, 1, req[1].requeues);
	answer.id = req[1].id;
	KUNIT_EXPECT_FALSE(test, completion_done(&w[0].done));
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_answer(&s->ctl[0], &answer));
	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&w[0].done, 60 * HZ));
	KUNIT_EXPECT_EQ(test, 0, w[0].err);
	KUNIT_EXPECT_EQ(test, DRAGOMAN_PRIVATE, w[0].status);
	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&w[1].done, 60 * HZ));
	KUNIT_EXPECT_EQ(test, 0, w[1].err);
	/* The second one may come only now; then it is told to look, and finds what the answer left. */
	KUNIT_EXPECT_EQ(test, DRAGOMAN_PRIVATE, w[1].status == DRAGOMAN_OK ? look_at(s, 3) : w[1].status);
	KUNIT_EXPECT_EQ(test, -EAGAIN, dragoman_queue_take(&s->ctl[0], req, 1, 0));
}

/* No server comes: who waits is told after grace_ms, who asks then at once. */
static void nobody_comes(struct kunit *test)
{
	struct stage *s = test->priv;
	struct waiter *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	start_waiter(test, s, w, 4);
	while (s->nctl)
		dragoman_queue_leave(&s->ctl[--s->nctl]);
	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&w->done, 60 * HZ));
	KUNIT_EXPECT_EQ(test, -ENOTCONN, w->err);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, ask(s, 5, 0));
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_generation());
}

/* One user's sessions together have a limit, too. */
static void user_limited(struct kunit *test)
{
	enum { SESSIONS = 40 };
	struct stage *s = test->priv;
	struct dragoman_session *first = s->session;
	struct dragoman_session **more = kunit_kcalloc(test, SESSIONS, sizeof(*more), GFP_KERNEL);
	u64 class = 1, asked = 0;
	int err = 0, n;

	KUNIT_ASSERT_NOT_NULL(test, more);
	for (n = 0; n < SESSIONS; n++) {
		more[n] = kzalloc(sizeof(**more), GFP_KERNEL);
		if (!more[n])
			break;
		kref_init(&more[n]->ref);
		s->session = more[n];
		for (err = 0; !err; class++) {
			err = ask(s, class, 1);
			asked += !err;
		}
		KUNIT_EXPECT_EQ(test, -EAGAIN, err);
	}
	s->session = first;
	KUNIT_EXPECT_EQ(test, SESSIONS, n);
	KUNIT_EXPECT_EQ(test, 1024, asked);
	/* What is answered makes room. */
	dragoman_queue_leave(&s->ctl[--s->nctl]);
	dragoman_queue_exit();
	join(test, s, DRAGOMAN_ROLE_SERVER);
	KUNIT_EXPECT_EQ(test, 0, ask(s, class, 1));
	while (n--)
		dragoman_session_put(more[n]);
}

static void servers(struct kunit *test)
{
	struct stage *s = test->priv;
	struct dragoman_ctl ctl = { .taken = LIST_HEAD_INIT(ctl.taken) };
	struct dragoman_answer answer = { .status = DRAGOMAN_OK, .object = 77 };
	struct dragoman_req req;
	u64 generation = 0;

	KUNIT_EXPECT_EQ(test, -EBUSY, dragoman_queue_join(&ctl, DRAGOMAN_ROLE_SERVER, &generation));
	generation = s->generation + 1;
	KUNIT_EXPECT_EQ(test, -ESTALE, dragoman_queue_join(&ctl, DRAGOMAN_ROLE_JOIN, &generation));
	generation = s->generation;
	KUNIT_EXPECT_EQ(test, generation, dragoman_queue_generation());
	KUNIT_EXPECT_EQ(test, 0, ask(s, 1, 1));
	KUNIT_ASSERT_EQ(test, 1, dragoman_queue_take(&s->ctl[0], &req, 1, 0));
	answer.id = req.id;
	/* No such object; no such status; no such request: the waiters are not disturbed. */
	KUNIT_EXPECT_EQ(test, -EINVAL, dragoman_queue_answer(&s->ctl[0], &answer));
	answer.status = 99;
	KUNIT_EXPECT_EQ(test, -EINVAL, dragoman_queue_answer(&s->ctl[0], &answer));
	answer.status = DRAGOMAN_PRIVATE;
	KUNIT_EXPECT_EQ(test, -EINVAL, dragoman_queue_answer(&s->ctl[0], &answer));
	answer.object = 0;
	answer.id = req.id + 1;
	KUNIT_EXPECT_EQ(test, -ENOENT, dragoman_queue_answer(&s->ctl[0], &answer));
	answer.id = req.id;
	KUNIT_EXPECT_EQ(test, 0, dragoman_queue_answer(&s->ctl[0], &answer));
}

static struct kunit_case header_cases[] = { KUNIT_CASE(headers), KUNIT_CASE(truncated_headers), {} };
static struct kunit_suite header_suite = { .name = "dragoman-headers", .test_cases = header_cases };

static struct kunit_case address_cases[] = {
	KUNIT_CASE(behind_address), KUNIT_CASE(behind_offset), KUNIT_CASE(behind_nothing), {}
};
static struct kunit_suite address_suite = { .name = "dragoman-addresses", .test_cases = address_cases };

static struct kunit_case image_cases[] = {
	KUNIT_CASE(bound), KUNIT_CASE(object_sizes), KUNIT_CASE(places), KUNIT_CASE(changed), KUNIT_CASE(idle), {}
};
static struct kunit_suite image_suite = {
	.name = "dragoman-images", .init = stage_init, .exit = stage_exit, .test_cases = image_cases
};

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(asked_once), KUNIT_CASE(limited), KUNIT_CASE(user_limited), KUNIT_CASE(refused), KUNIT_CASE(requeued),
	KUNIT_CASE(servers), KUNIT_CASE(answered_meanwhile), KUNIT_CASE(deadline), KUNIT_CASE(waiters_told), KUNIT_CASE(nobody_comes), {}
};
static struct kunit_suite queue_suite = {
	.name = "dragoman-queue", .init = stage_init, .exit = stage_exit, .test_cases = queue_cases
};

kunit_test_suites(&header_suite, &address_suite, &image_suite, &queue_suite);
