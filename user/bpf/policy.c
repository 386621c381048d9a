// SPDX-License-Identifier: MIT
/*
 * dragoman policy: an example of a policy for foreign programs, by cgroup. In: cgroups and what shall happen to their execs;
 * out: policy.bpf.c attached to the module's hook until this program is ended, and what it decided then.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <dragoman-bpf/policy.skel.h>

#include "policy.h"
#include "tool.h"

struct named_rule {
	const char *path, *word;
	__u64 cgroup;
	struct policy_rule rule;
};

struct options {
	struct tool_source source;
	struct named_rule rules[POLICY_CGROUPS];
	size_t n;
};

static const struct option long_options[] = {
	{ "allow", required_argument, NULL, 'a' },
	{ "refuse", required_argument, NULL, 'r' },
	{ "leave", required_argument, NULL, 'l' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* The kernel's id of a cgroup is its folder's inode number. */
static int add_rule(struct options *options, const char *path, const char *word, int err)
{
	struct named_rule *rule = &options->rules[options->n];
	struct statfs fs;
	struct stat st;

	if (options->n == POLICY_CGROUPS)
		return -E2BIG;
	if (stat(path, &st) || statfs(path, &fs))
		return -errno;
	if (!S_ISDIR(st.st_mode) || fs.f_type != CGROUP2_SUPER_MAGIC)
		return -ENOTDIR;
	*rule = (struct named_rule){ .path = path, .word = word, .cgroup = st.st_ino, .rule.err = err };
	options->n++;
	return 0;
}

static int parse(struct options *options, int argc, char **argv)
{
	int c, err = 0;

	optind = 1;
	while (!err && (c = getopt_long(argc, argv, "a:r:l:vh", long_options, NULL)) != -1) {
		switch (c) {
		case 'a': err = add_rule(options, optarg, "allowed", 0); break;
		case 'r': err = add_rule(options, optarg, "refused", -EACCES); break;
		case 'l': err = add_rule(options, optarg, "left to others", -ENOEXEC); break;
		case 'v': options->source.verbose = true; break;
		case 'h': return tool_usage(&tool_policy, 0);
		default: return tool_usage(&tool_policy, TOOL_USAGE);
		}
	}
	if (err) {
		tool_error("policy: %s: %s", optarg, err == -ENOTDIR ? "not a folder of a cgroup2 file system" : strerror(-err));
		return TOOL_FAILED;
	}
	if (options->n && optind == argc)
		return -1;
	tool_error(options->n ? "policy: takes options only ('%s')" : "policy: needs a cgroup and what to do with it",
		   optind < argc ? argv[optind] : "");
	return tool_usage(&tool_policy, TOOL_USAGE);
}

static int load(struct policy_bpf *skeleton, const struct options *options)
{
	int err = policy_bpf__load(skeleton);

	if (err == -ESRCH || err == -ENOENT) {
		tool_error("policy: the module has no BTF here, so that there is no hook for a policy");
		return TOOL_FAILED;
	}
	if (err == -EINVAL) {
		tool_error("policy: this kernel has no hooks in modules for a policy (6.1 has not)");
		return TOOL_FAILED;
	}
	if (err)
		return tool_failed("cannot load the BPF program", err);
	for (size_t i = 0; i < options->n; i++) {
		const struct named_rule *rule = &options->rules[i];

		err = bpf_map_update_elem(bpf_map__fd(skeleton->maps.rules), &rule->cgroup, &rule->rule, BPF_ANY);
		if (err)
			return tool_failed("cannot set a rule", err);
	}
	err = policy_bpf__attach(skeleton);
	return err ? tool_failed("cannot attach to the module's hook", err) : 0;
}

static void report(struct policy_bpf *skeleton, const struct options *options)
{
	for (size_t i = 0; i < options->n; i++) {
		const struct named_rule *named = &options->rules[i];
		struct policy_rule rule;

		if (!bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.rules), &named->cgroup, &rule))
			printf("%s: %llu %s\n", named->path, (unsigned long long)rule.hits, named->word);
	}
}

static int run(int argc, char **argv)
{
	struct options *options = calloc(1, sizeof(*options));
	struct policy_bpf *skeleton = NULL;
	int status = options ? parse(options, argc, argv) : tool_failed("policy", -ENOMEM);

	if (status >= 0)
		goto out;
	status = TOOL_FAILED;
	if (access("/sys/module/dragoman", F_OK)) {
		tool_error("the kernel module is not loaded (modprobe dragoman)");
		goto out;
	}
	tool_set_log(options->source.verbose);
	tool_catch_signals();
	skeleton = policy_bpf__open();
	status = skeleton ? load(skeleton, options) : tool_failed("cannot open the BPF program", -errno);
	if (!status) {
		puts("in force");
		fflush(stdout);
		while (tool_sleep(3600))
			;
		report(skeleton, options);
	}
	policy_bpf__destroy(skeleton);
out:
	free(options);
	return status;
}

const struct tool tool_policy = {
	.name = "policy",
	.run = run,
	.help = "usage: dragoman policy {--refuse | --leave | --allow} CGROUP ...\n"
		"Decides about execs of foreign programs by cgroup, until it is ended. CGROUP is a folder of a cgroup2 file system; what is\n"
		"said of the nearest cgroup holds for all below. As root; an example, for policies of your own.\n\n"
		"  -r, --refuse CGROUP  the exec fails with EACCES\n"
		"  -l, --leave CGROUP   the kernel's next handler gets it, e.g. binfmt_misc\n"
		"  -a, --allow CGROUP   as without a policy\n"
		"  -v, --verbose        also what libbpf says\n",
};
