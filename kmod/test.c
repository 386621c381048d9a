// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what needs no process and no device: headers, images, the queue. Only in a module that is built with
 * DRAGOMAN_KUNIT=1 for a kernel with CONFIG_KUNIT; they run when it is loaded (no server may be there), results are in
 * /sys/kernel/debug/kunit/dragoman/results.
 */
#include <kunit/test.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
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

/* ---- images and the queue ----------------------------------------------------------------------------------------- */

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

static struct kunit_case header_cases[] = { KUNIT_CASE(headers), {} };
static struct kunit_suite header_suite = { .name = "dragoman-headers", .test_cases = header_cases };

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(asked_once), KUNIT_CASE(limited), KUNIT_CASE(refused), KUNIT_CASE(requeued), {}
};
static struct kunit_suite queue_suite = {
	.name = "dragoman-queue", .init = stage_init, .exit = stage_exit, .test_cases = queue_cases
};

kunit_test_suites(&header_suite, &queue_suite);
