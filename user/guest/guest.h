/* SPDX-License-Identifier: MIT */
/*
 * What a guest architecture gives to the rest: one struct guest per folder, listed in guest/guests.def.
 * A guest knows nothing of hosts: it describes its state as slots and lifts instructions to IR.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "base/types.h"
#include "ir/ir.h"

enum guest_slot_kind { GUEST_SLOT_INT, GUEST_SLOT_VEC, GUEST_SLOT_FLAGS };

struct guest_slot {
	u16 offset;			/* in bytes in the guest state */
	u8 kind;			/* enum guest_slot_kind */
	u8 heat;			/* how often compiled code uses it: the host keeps the hottest in registers */
	const char *name;
};

/* How lifting an instruction went on. */
enum guest_lift {
	GUEST_NEXT,			/* falls through to pc + length */
	GUEST_END,			/* a TERM operation was emitted */
};

struct guest {
	const char *name;		/* "aarch64" */
	u16 elf_machine;
	u8 elf_class, elf_data;
	u8 insn_align;			/* bytes; also the shortest instruction */
	u8 insn_max;
	u16 nslots;
	u16 flags_slot, fpcr_slot, fpsr_slot, excl_addr_slot, excl_lo_slot, excl_hi_slot, sp_slot, lr_slot;
	u32 state_size;
	const struct guest_slot *slot;

	/*
	 * Lifts the instruction at pc whose bytes are at p (insn_max readable). Emits INSN first. An instruction that
	 * does not exist becomes TRAP; one that exists but is not implemented too. *len: bytes consumed.
	 */
	enum guest_lift (*lift)(struct ir_region *r, u64 pc, const void *p, unsigned *len);

	/*
	 * Where control may go after this instruction, found without lifting: used to find blocks and to look ahead.
	 */
	struct guest_flow (*flow)(u64 pc, const void *p);

	/* Text of one instruction, for traces. */
	size_t (*disasm)(u64 pc, const void *p, char *buf, size_t len);
};

enum guest_flow_kind {
	GUEST_FLOW_NEXT,		/* only pc + len */
	GUEST_FLOW_COND,		/* target or pc + len */
	GUEST_FLOW_JUMP,		/* target */
	GUEST_FLOW_CALL,		/* target, later pc + len */
	GUEST_FLOW_INDIRECT,		/* anywhere */
	GUEST_FLOW_ICALL,		/* anywhere, later pc + len */
	GUEST_FLOW_RETURN,
	GUEST_FLOW_SYSCALL,		/* the kernel, then pc + len */
	GUEST_FLOW_STOP,		/* trap: no successor */
};
enum guest_flags_use { GUEST_FLAGS_NONE, GUEST_FLAGS_READ, GUEST_FLAGS_WRITE };	/* READ: reads (and may write) */

struct guest_flow {
	u8 kind;			/* enum guest_flow_kind */
	u8 flags;			/* enum guest_flags_use */
	u8 len;
	u64 target;
};

/* The guest of an ELF machine number, or NULL. */
const struct guest *guest_find(u16 elf_machine, u8 elf_class, u8 elf_data);

#endif
