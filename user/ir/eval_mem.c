// SPDX-License-Identifier: MIT
/*
 * The evaluator's memory operations: loads, stores, atomics, the exclusive monitor. Memory is reached through the
 * environment's callbacks, or directly where there are none. A store happens after everything that can refuse it, so
 * that a faulting operation changes nothing.
 *
 * Exclusives: LDX notes address and value in the guest state; STX succeeds if the address is the same and memory still
 * holds the value, which it finds out with a compare-and-swap. (A value that changed and changed back is not noticed.)
 */
#include <linux/errno.h>

#include "ir/eval_priv.h"

#define EXCL_NONE (~0ull)

/* --- plain host accesses, each a single one where the size allows ----------------------------------------------- */

typedef u16 __attribute__((may_alias, aligned(1))) mem_u16;
typedef u32 __attribute__((may_alias, aligned(1))) mem_u32;
typedef u64 __attribute__((may_alias, aligned(1))) mem_u64;

static void host_load(u64 addr, v128 *out, unsigned size)
{
	switch (size) {
	case 1: out->d[0] = *(const volatile u8 *)addr; break;
	case 2: out->d[0] = *(const volatile mem_u16 *)addr; break;
	case 4: out->d[0] = *(const volatile mem_u32 *)addr; break;
	case 16: out->d[1] = ((const volatile mem_u64 *)addr)[1];
		/* fallthrough */
	default: out->d[0] = *(const volatile mem_u64 *)addr; break;
	}
}

static void host_store(u64 addr, const v128 *v, unsigned size)
{
	switch (size) {
	case 1: *(volatile u8 *)addr = v->b[0]; break;
	case 2: *(volatile mem_u16 *)addr = v->h[0]; break;
	case 4: *(volatile mem_u32 *)addr = v->s[0]; break;
	case 16: ((volatile mem_u64 *)addr)[1] = v->d[1];
		/* fallthrough */
	default: *(volatile mem_u64 *)addr = v->d[0]; break;
	}
}

static void host_cas16(u64 addr, const v128 *expected, const v128 *desired, v128 *old)
{
	u64 lo = expected->d[0], hi = expected->d[1];

	__asm__ volatile("lock cmpxchg16b %2"
			 : "+a"(lo), "+d"(hi), "+m"(*(v128 *)addr)
			 : "b"(desired->d[0]), "c"(desired->d[1])
			 : "cc", "memory");
	old->d[0] = lo;
	old->d[1] = hi;
}

#define HOST_CAS(type, field) do { \
	type e = expected->field[0]; \
	__atomic_compare_exchange_n((type *)addr, &e, desired->field[0], false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	old->field[0] = e; \
} while (0)

static int host_cas(u64 addr, unsigned size, const v128 *expected, const v128 *desired, v128 *old)
{
	switch (size) {
	case 1: HOST_CAS(u8, b); break;
	case 2: HOST_CAS(u16, h); break;
	case 4: HOST_CAS(u32, s); break;
	case 8: HOST_CAS(u64, d); break;
	default:
		if (addr & 15)
			return -EFAULT;		/* cmpxchg16b would trap, and Arm too */
		host_cas16(addr, expected, desired, old);
	}
	return 0;
}

/* --- accesses by way of the environment --------------------------------------------------------------------------- */

static int mem_load(struct ir_eval_env *env, u64 addr, v128 *out, unsigned size)
{
	*out = (v128){ .d = { 0, 0 } };
	env->fault_addr = addr;
	if (env->load)
		return env->load(env->ctx, addr, out, size);
	host_load(addr, out, size);
	return 0;
}

/* A store-release is followed by a full fence, so that no later load-acquire passes it (docs: memory model). */
static int mem_store(struct ir_eval_env *env, u64 addr, const v128 *v, unsigned aux)
{
	unsigned size = aux & IR_MEM_SIZE;
	int err = 0;

	env->fault_addr = addr;
	if (env->store)
		err = env->store(env->ctx, addr, v, size);
	else
		host_store(addr, v, size);
	if (!err && aux & IR_MEM_REL)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return err;
}

static int mem_cas(struct ir_eval_env *env, u64 addr, unsigned size, const v128 *expected, const v128 *desired, v128 *old)
{
	*old = (v128){ .d = { 0, 0 } };
	env->fault_addr = addr;
	if (env->cas)
		return env->cas(env->ctx, addr, size, expected, desired, old);
	return host_cas(addr, size, expected, desired, old);
}

/* --- the operations ------------------------------------------------------------------------------------------------- */

static unsigned size_log2(unsigned size)
{
	return (unsigned)__builtin_ctz(size);
}

static int eval_load(const struct ir_inst *i, u64 addr, struct ir_eval_env *env, v128 *out)
{
	unsigned size = i->aux & IR_MEM_SIZE;
	int err = mem_load(env, addr, out, size);

	if (!err && i->op == IR_LOAD) {
		if (i->aux & IR_MEM_SIGNED)
			out->d[0] = sext64(out->d[0], 8 * size);
		if (i->type == IR_I32)
			out->d[0] = (u32)out->d[0];
	}
	return err;
}

static int eval_lane(const struct ir_inst *i, u64 addr, const v128 *b, struct ir_eval_env *env, v128 *out)
{
	unsigned size = i->aux & IR_MEM_SIZE, esz = size_log2(size);
	v128 lane = { .d = { 0, 0 } };
	int err;

	if (i->op == IR_VSTOREL) {
		lane.d[0] = ir_lane(b, esz, i->cc);
		return mem_store(env, addr, &lane, i->aux);
	}
	err = mem_load(env, addr, &lane, size);
	if (!err) {
		*out = *b;
		ir_put(out, esz, i->cc, lane.d[0]);
	}
	return err;
}

static u64 rmw_result(unsigned kind, unsigned bits, u64 old, u64 v)
{
	s64 so = sext64(old, bits), sv = sext64(v, bits);

	switch (kind) {
	case IR_RMW_ADD: return old + v;
	case IR_RMW_CLR: return old & ~v;
	case IR_RMW_EOR: return old ^ v;
	case IR_RMW_SET: return old | v;
	case IR_RMW_SMAX: return MAX(so, sv);
	case IR_RMW_SMIN: return MIN(so, sv);
	case IR_RMW_UMAX: return MAX(old, v);
	case IR_RMW_UMIN: return MIN(old, v);
	}
	return v;			/* SWP */
}

static int eval_rmw(const struct ir_inst *i, u64 addr, u64 v, struct ir_eval_env *env, v128 *out)
{
	unsigned size = i->aux & IR_MEM_SIZE;
	u64 mask = ir_ones(8 * size);
	v128 seen, desired = { .d = { 0, 0 } };
	int err = mem_load(env, addr, &seen, size);

	while (!err) {
		v128 expected = seen;

		desired.d[0] = rmw_result(i->cc, 8 * size, expected.d[0], v & mask) & mask;
		err = mem_cas(env, addr, size, &expected, &desired, &seen);
		if (!err && seen.d[0] == expected.d[0])
			break;
	}
	if (!err)
		*out = seen;
	return err;
}

static int eval_cas(const struct ir_inst *i, u64 addr, const v128 *b, const v128 *c, struct ir_eval_env *env, v128 *out)
{
	v128 old;
	int err = mem_cas(env, addr, i->aux & IR_MEM_SIZE, b, c, &old);

	if (!err)
		*out = old;
	return err;
}

static u64 *int_slot(const struct guest *g, void *state, unsigned slot)
{
	return (u64 *)((char *)state + g->slot[slot].offset);
}

static int eval_ldx(const struct ir_inst *i, u64 addr, const struct guest *g, void *state, struct ir_eval_env *env, v128 *out)
{
	unsigned size = i->aux & IR_MEM_SIZE;
	v128 v;
	int err = mem_load(env, addr, &v, size);

	if (!err && addr & (size - 1))
		err = -EFAULT;		/* an exclusive access has to be aligned */
	if (err)
		return err;
	*int_slot(g, state, g->excl_addr_slot) = addr;
	*int_slot(g, state, g->excl_lo_slot) = v.d[0];
	*int_slot(g, state, g->excl_hi_slot) = v.d[1];
	*out = v;
	return 0;
}

static int eval_stx(const struct ir_inst *i, u64 addr, const v128 *b, const struct guest *g, void *state,
		    struct ir_eval_env *env, v128 *out)
{
	unsigned size = i->aux & IR_MEM_SIZE;
	u64 *armed = int_slot(g, state, g->excl_addr_slot);
	v128 expected = { .d = { *int_slot(g, state, g->excl_lo_slot), *int_slot(g, state, g->excl_hi_slot) } }, old;
	u64 status = 1;

	if (*armed == addr) {
		int err = mem_cas(env, addr, size, &expected, b, &old);

		if (err)
			return err;
		if (size < 16)
			expected.d[0] &= ir_ones(8 * size);
		status = old.d[0] != expected.d[0] || (size == 16 && old.d[1] != expected.d[1]);
	}
	*armed = EXCL_NONE;
	*out = (v128){ .d = { status, 0 } };
	return 0;
}

static void eval_fence(const struct ir_inst *i)
{
	if (i->aux == IR_FENCE_FULL)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_thread_fence(__ATOMIC_ACQ_REL);	/* the host does not reorder these; the compiler might */
}

int ir_eval_mem(const struct ir_inst *i, const v128 *a, const v128 *b, const v128 *c, const struct guest *g, void *state,
		struct ir_eval_env *env, v128 *out)
{
	u64 addr = a ? a->d[0] + (u64)i->imm : 0;

	switch (i->op) {
	case IR_LOAD:
	case IR_VLOAD: return eval_load(i, addr, env, out);
	case IR_STORE:
	case IR_VSTORE: return mem_store(env, addr, b, i->aux);
	case IR_VLOADL:
	case IR_VSTOREL: return eval_lane(i, addr, b, env, out);
	case IR_FENCE: eval_fence(i); return 0;
	case IR_RMW: return eval_rmw(i, addr, b->d[0], env, out);
	case IR_CAS:
	case IR_CAS128: return eval_cas(i, addr, b, c, env, out);
	case IR_LDX:
	case IR_LDX128: return eval_ldx(i, addr, g, state, env, out);
	case IR_STX:
	case IR_STX128: return eval_stx(i, addr, b, g, state, env, out);
	case IR_CLREX: *int_slot(g, state, g->excl_addr_slot) = EXCL_NONE; return 0;
	}
	return -EINVAL;
}
