#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes cases.def from asm.txt: assembles each line, runs it under an arm64 emulator or machine, notes what changed.

In:  asm.txt: "N | assembly; assembly ... [| register=value ...]": N inputs for each line. Registers that the assembly
     names get values from a fixed pseudo-random sequence, except where they address memory (in brackets): these get
     BUF + 0x80. Given values stand for all inputs.
Out: cases.def: CASE("assembly", "words", "input", "what changed") as test_lift_int.c reads it.

Not run by the build: cases.def is checked in. Needs a cross assembler and compiler, and RUNNER (default qemu-aarch64).
x28 belongs to the harness.
"""
import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CROSS = os.environ.get("CROSS", "aarch64-linux-gnu-")
RUNNER = os.environ.get("RUNNER", "qemu-aarch64")
BUF = 0x10000000
M64 = (1 << 64) - 1

VALUES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
          0x7fffffffffffffff, 0x8000000000000000, M64, M64 - 1, 0x0123456789abcdef, 0xfedcba9876543210,
          0xff00ff00ff00ff00, 0x00000000ffff8001, 0x1234567880000000]

HARNESS = r"""
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
struct st { unsigned long x[31], sp, nzcv; } st;
struct in { unsigned long x[31], sp, nzcv; int fn; };
extern const struct in in[]; extern const int nin; extern void (*const fns[])(void);
unsigned long saved_sp;
int main(void)
{
	unsigned char *m = mmap((void *)0x%xul, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	for (int i = 0; i < nin; i++) {
		for (int j = 0; j < 256; j++)
			m[j] = j * 37 + 11;
		memcpy(&st, &in[i], sizeof st);
		fns[in[i].fn]();
		for (int j = 0; j < 31; j++)
			printf("%%lx ", st.x[j]);
		printf("%%lx %%lx", st.sp, st.nzcv >> 28 & 15);
		for (int j = 0; j < 256; j += 8)
			printf(" %%lx", *(unsigned long *)(m + j));
		printf("\n");
	}
}
""" % BUF


def function(n, asm):
    out = [".p2align 4", "fn%d:" % n]
    out += ["stp x%d, x%d, [sp, #-16]!" % (r, r + 1) for r in range(19, 31, 2)]
    out += ["adrp x28, saved_sp", "mov x27, sp", "str x27, [x28, :lo12:saved_sp]",
            "adrp x28, st", "add x28, x28, :lo12:st", "ldr x27, [x28, 256]", "msr nzcv, x27",
            "ldr x27, [x28, 248]", "mov sp, x27"]
    out += ["ldr x%d, [x28, %d]" % (r, 8 * r) for r in range(31) if r != 28]
    out += asm.split(";")
    out += ["str x%d, [x28, %d]" % (r, 8 * r) for r in range(31) if r != 28]
    out += ["mrs x27, nzcv", "str x27, [x28, 256]", "mov x27, sp", "str x27, [x28, 248]",
            "adrp x28, saved_sp", "ldr x27, [x28, :lo12:saved_sp]", "mov sp, x27"]
    out += ["ldp x%d, x%d, [sp], #16" % (r, r + 1) for r in range(29, 18, -2)]
    return out + ["ret"]


def default(r):
    return 0xd000000000000000 | r << 8 | r


def inputs(rnd, asm, n, given):
    named = sorted({int(m) for m in re.findall(r"\b[xw](\d+)\b", asm)})
    base = {int(m) for m in re.findall(r"\[[xw](\d+)", asm)}
    for _ in range(n):
        x = [default(r) for r in range(31)] + [BUF + 0x80]
        for r in named:
            x[r] = BUF + 0x80 if r in base else rnd.choice(VALUES) if rnd.random() < 0.7 else rnd.getrandbits(64)
        nzcv = rnd.getrandbits(4)
        for key, value in given:
            if key == "nzcv":
                nzcv = value
            else:
                x[31 if key == "sp" else int(key[1:])] = value
        yield x, nzcv


def words(tmp, asms):
    """The words of each line."""
    src = "\n".join("\n".join(a.split(";")) + "\n.word 0xfeedf00d" for a in asms) + "\n"
    with open(tmp + "/w.s", "w") as f:
        f.write(".arch armv8.5-a+flagm\n" + src)
    subprocess.run([CROSS + "as", "-o", tmp + "/w.o", tmp + "/w.s"], check=True)
    subprocess.run([CROSS + "objcopy", "-O", "binary", "-j", ".text", tmp + "/w.o", tmp + "/w.bin"], check=True)
    with open(tmp + "/w.bin", "rb") as f:
        data = f.read()
    out, cur = [], []
    for i in range(0, len(data), 4):
        w = int.from_bytes(data[i:i + 4], "little")
        if w == 0xfeedf00d:
            out.append(cur)
            cur = []
        else:
            cur.append(w)
    return out


def run(tmp, asms, cases):
    with open(tmp + "/f.s", "w") as f:
        f.write(".arch armv8.5-a+flagm\n.text\n")
        for n, a in enumerate(asms):
            f.write("\n".join(function(n, a)) + "\n")
        f.write(".section .data.rel.ro,\"aw\"\n.globl fns\n.p2align 3\nfns:\n")
        f.write("".join(".xword fn%d\n" % n for n in range(len(asms))))
    with open(tmp + "/in.c", "w") as f:
        f.write("struct in { unsigned long x[31], sp, nzcv; int fn; };\nconst struct in in[] = {\n")
        for n, x, nzcv in cases:
            f.write("{{%s}, %#xul, %#xul, %d},\n" % (",".join("%#xul" % v for v in x[:31]), x[31], nzcv << 28, n))
        f.write("};\nconst int nin = %d;\n" % len(cases))
    with open(tmp + "/h.c", "w") as f:
        f.write(HARNESS)
    subprocess.run([CROSS + "gcc", "-O1", "-static", "-o", tmp + "/h", tmp + "/h.c", tmp + "/in.c", tmp + "/f.s"],
                   check=True)
    text = subprocess.run([RUNNER, tmp + "/h"], check=True, stdout=subprocess.PIPE).stdout.decode()
    return [[int(v, 16) for v in line.split()] for line in text.splitlines()]


def name(r):
    return "sp" if r == 31 else "x%d" % r


def describe(asm, word, x, nzcv, got):
    before = [int.from_bytes(bytes((j * 37 + 11) & 255 for j in range(i, i + 8)), "little") for i in range(0, 256, 8)]
    left = ["%s=%x" % (name(r), x[r]) for r in range(32) if x[r] != (default(r) if r < 31 else BUF + 0x80)]
    left.append("nzcv=%x" % nzcv)
    right = ["%s=%x" % (name(r), got[r]) for r in range(32) if got[r] != x[r] and r != 28]
    if got[32] != nzcv:
        right.append("nzcv=%x" % got[32])
    right += ["m%x=%x" % (8 * i, got[33 + i]) for i in range(32) if got[33 + i] != before[i]]
    return 'CASE("%s", "%s", "%s", "%s")' % (asm, " ".join("%08x" % w for w in word), " ".join(left), " ".join(right))


def main():
    rnd = random.Random(64)
    asms, cases = [], []
    with open(HERE + "/asm.txt") as f:
        for line in f:
            line = line.split("#!", 1)[0].strip()
            if not line or line.startswith("//"):
                continue
            count, asm, *more = [p.strip() for p in line.split("|")]
            given = [(k, int(v, 0)) for k, v in (t.split("=") for t in (more[0].split() if more else []))]
            cases += [(len(asms), x, nzcv) for x, nzcv in inputs(rnd, asm, int(count), given)]
            asms.append(asm)
    with tempfile.TemporaryDirectory() as tmp:
        word = words(tmp, asms)
        got = run(tmp, asms, cases)
    if len(word) != len(asms) or len(got) != len(cases):
        sys.exit("lines were lost")
    with open(HERE + "/cases.def", "w") as f:
        f.write("/* SPDX-License-Identifier: MIT */\n/* Made by make_cases.py from asm.txt. */\n")
        for (n, x, nzcv), g in zip(cases, got):
            f.write(describe(asms[n], word[n], x, nzcv, g) + "\n")
    print("%d lines, %d cases" % (len(asms), len(cases)))


main()
