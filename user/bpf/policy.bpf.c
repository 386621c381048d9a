// SPDX-License-Identifier: GPL-2.0-only
/*
 * dragoman policy, the kernel's side: an example of a policy on the module's hook. In: `rules`, a verdict for each cgroup named; out: what
 * dragoman_exec_policy() returns to the module instead of its own 0.
 */
#include "kernel.h"
#include "policy.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, POLICY_CGROUPS);
	__type(key, __u64);
	__type(value, struct policy_rule);
} rules SEC(".maps");

/*
 * Arguments: struct linux_binprm *bprm, int machine, and what the hook would return. Called before anything is changed, in the
 * process that executes.
 */
SEC("fmod_ret/dragoman_exec_policy")
int exec_policy(void *ctx)
{
	struct policy_rule *rule, *nearest = 0;
	__u64 cgroup;

	for (int level = 0; level < POLICY_LEVELS; level++) {
		cgroup = bpf_get_current_ancestor_cgroup_id(level);
		if (!cgroup)
			break;
		rule = bpf_map_lookup_elem(&rules, &cgroup);
		if (rule)
			nearest = rule;
	}
	if (!nearest)
		return 0;
	__sync_fetch_and_add(&nearest->hits, 1);
	return nearest->err;
}
