// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel module: so far it only loads and unloads, so that the build against each kernel's headers is
 * kept working while the exec handler and the device grow here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>

#include <linux/dragoman.h>

static int __init dragoman_init(void)
{
	pr_info("loaded, ABI %u.%u\n", DRAGOMAN_ABI_MAJOR, DRAGOMAN_ABI_MINOR);
	return 0;
}

static void __exit dragoman_exit(void)
{
	pr_info("unloaded\n");
}

module_init(dragoman_init);
module_exit(dragoman_exit);

MODULE_DESCRIPTION("Runs foreign Linux programs through the Dragoman translator");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: binfmt_misc");
