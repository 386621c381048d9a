#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the A64 decoder from insns.decode.

In:  argv[1] the table (its head comment is the manual of the format), argv[2] the output folder.
Out: a64_insns.h        enum a64_op, enum a64_enc, counts
     a64_decode.inc.c   the decision tree, masks and the field extraction, included by decode.c
     a64_names.inc.c    names and disassembly templates, included by disasm.c
The output depends on the table alone, byte for byte.
"""
import os
import re
import sys

FIELDS = {"rd", "rt", "rn", "rm", "rs", "ra", "rt2", "sf", "size", "q", "opc", "wb", "s", "cond",
          "shift", "option", "selem", "amount", "immr", "nzcv", "rot", "nreg", "index", "imms",
          "scalar", "inv", "acq", "u", "rel", "imm", "sh"}
# Fields that share a byte with another one: a line that sets both is wrong.
ALIAS = {"rt": "rd", "rs": "rm", "rt2": "ra", "wb": "opc", "option": "shift", "selem": "shift",
         "immr": "amount", "nzcv": "amount", "rot": "amount", "nreg": "amount",
         "imms": "index", "acq": "inv", "rel": "u"}
BANNER = "/* SPDX-License-Identifier: MIT */\n/* Generated from insns.decode by gen_decode.py. */\n"


class Enc:
    """One line of the table."""

    def __init__(self, line, op, pattern, cond, sets, text):
        self.line, self.op, self.cond, self.sets, self.text = line, op, cond, sets, text
        self.mask = self.value = 0
        self.fields = {}
        pos = 32
        for tok in pattern.split():
            if re.fullmatch(r"[01x]+", tok):
                for bit in tok:
                    pos -= 1
                    if bit != "x":
                        self.mask |= 1 << pos
                        self.value |= int(bit) << pos
                continue
            m = re.fullmatch(r"([a-z]\w*):(\d+)", tok)
            if not m:
                self.die("bad token " + tok)
            pos -= int(m[2])
            if m[1] in self.fields:
                self.die("field twice: " + m[1])
            self.fields[m[1]] = (pos, int(m[2]))
        if pos != 0:
            self.die("pattern has %d bits" % (32 - pos))
        self.code = self.make_code()

    def die(self, why):
        sys.exit("insns.decode:%d: %s: %s" % (self.line, self.op, why))

    def make_code(self):
        """C statements that check the constraint and fill *insn; equal text means one case."""
        exprs = [self.cond] if self.cond else []
        assigns = []
        for part in filter(None, (p.strip() for p in self.sets.split(";"))):
            m = re.fullmatch(r"(\w+)\s*=(?!=)\s*(.*)", part)
            if not m or m[1] not in FIELDS:
                self.die("bad assignment: " + part)
            assigns.append((m[1], m[2]))
            exprs.append(m[2])
        used = set(re.findall(r"[a-z_]\w*", " ".join(exprs)))
        done = set()
        for name in [a[0] for a in assigns]:
            key = ALIAS.get(name, name)
            if key in done:
                self.die("two values for " + key)
            done.add(key)
        out = []
        for name, (lo, n) in self.fields.items():
            get = "FLD(%d, %d)" % (lo, n)
            stored = name in FIELDS and ALIAS.get(name, name) not in done
            if not stored and name not in used:
                self.die("field %s has no use" % name)
            if name in used:
                out.append("const u32 %s = %s;" % (name, get))
                get = name
        if self.cond:
            out.append("if (!(%s))\n\t\t\treturn false;" % self.cond)
        for name, (lo, n) in self.fields.items():
            key = ALIAS.get(name, name)
            if name not in FIELDS or key in [ALIAS.get(a[0], a[0]) for a in assigns]:
                continue
            if key in done:
                self.die("two values for " + key)
            done.add(key)
            out.append("insn->%s = %s;" % (key, name if name in used else "FLD(%d, %d)" % (lo, n)))
        for name, expr in assigns:
            out.append("insn->%s = %s;" % (ALIAS.get(name, name), expr))
        return "\n\t\t".join(out)


def parse(path):
    encs, macros = [], {}
    with open(path) as f:
        text = re.sub(r"\\\n\s*", " ", f.read())
    for no, line in enumerate(text.split("\n"), 1):
        line = line.split("#!", 1)[0].strip() if not line.startswith("#") else ""
        if not line:
            continue

        def expand(m):
            if m[1] not in macros:
                sys.exit("insns.decode:%d: no macro $%s" % (no, m[1]))
            return macros[m[1]]
        m = re.fullmatch(r"\$(\w+)\s*=\s*(.*)", line)
        if m:
            macros[m[1]] = re.sub(r"\$(\w+)", expand, m[2])
            continue
        line = re.sub(r"\$(\w+)", expand, line)
        m = re.fullmatch(r'(\w+)\s+([^?{"]*)(?:\?([^{"]*))?(?:\{([^}]*)\})?\s*"([^"]*)"', line)
        if not m:
            sys.exit("insns.decode:%d: cannot read: %s" % (no, line))
        encs.append(Enc(no, m[1], m[2], (m[3] or "").strip(), m[4] or "", m[5]))
    return encs


def check_overlaps(encs):
    """Two lines may match one word only if the narrower stands first or a constraint parts them."""
    for i, a in enumerate(encs):
        for b in encs[i + 1:]:
            if (a.value ^ b.value) & a.mask & b.mask:
                continue
            if a.mask & b.mask == b.mask and a.mask != b.mask:
                continue
            if a.cond or b.cond:
                continue
            b.die("overlaps with line %d (%s)" % (a.line, a.op))


class Tree:
    """Decision tree as one u16 array. A node is a head (low bit | width << 8) and 2^width links;
    a link is a node's offset, or LEAF | offset into the list of candidates."""
    LEAF = 0x8000

    def __init__(self, encs):
        self.encs, self.tab, self.leaves = encs, [], []
        self.leaf_of, self.node_of = {}, {}
        self.leaf(())
        self.depth = 0
        self.root = self.build(tuple(range(len(encs))), 0, 1)

    def leaf(self, cands):
        if cands not in self.leaf_of:
            self.leaf_of[cands] = len(self.leaves)
            self.leaves += [c + 1 for c in cands] + [0]
        return self.LEAF | self.leaf_of[cands]

    def split(self, cands, lo, n):
        win = ((1 << n) - 1) << lo
        groups = {}
        for c in cands:
            e = self.encs[c]
            groups.setdefault((e.mask & win, e.value & win), []).append(c)
        out = []
        for v in range(1 << n):
            got = []
            for (mask, val), members in groups.items():
                if ((v << lo) ^ val) & mask == 0:
                    got += members
            out.append(tuple(sorted(got)))
        return out

    def build(self, cands, known, depth):
        self.depth = max(self.depth, depth)
        if len(cands) <= 2:
            return self.leaf(cands)
        best = None
        for n in range(1, 8):
            for lo in range(0, 33 - n):
                win = ((1 << n) - 1) << lo
                if win & known or not any(self.encs[c].mask & win for c in cands):
                    continue
                fixed = sum(self.encs[c].mask & win == win for c in cands)
                if n > 3 and fixed * 2 < len(cands):
                    continue
                parts = self.split(cands, lo, n)
                worst = max(len(p) for p in parts)
                if worst == len(cands) and n < 4:
                    continue
                # Expected candidates left, plus what the table's own size costs in cache.
                cost = sum(len(p) ** 2 for p in parts) / len(cands) + (1 << n) / 24 + worst / 4
                if best is None or cost < best[0]:
                    best = (cost, lo, n, parts)
        if best is None or max(len(p) for p in best[3]) == len(cands):
            return self.leaf(cands)
        _, lo, n, parts = best
        known |= ((1 << n) - 1) << lo
        made = {}
        links = []
        for p in parts:
            if p not in made:
                made[p] = self.build(p, known, depth + 1)
            links.append(made[p])
        node = (lo | n << 8,) + tuple(links)
        if node not in self.node_of:
            self.node_of[node] = len(self.tab)
            self.tab += node
            if len(self.tab) >= self.LEAF:
                sys.exit("decision tree too large")
        return self.node_of[node]


def array(ctype, name, values, per=12):
    rows = [", ".join(values[i:i + per]) for i in range(0, len(values), per)]
    return "static const %s %s[] = {\n\t%s,\n};\n" % (ctype, name, ",\n\t".join(rows))


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path + ".tmp", "w") as f:
        f.write(BANNER + text)
    os.replace(path + ".tmp", path)


def emit_header(folder, encs, ops):
    out = ["#ifndef A64_INSNS_H\n#define A64_INSNS_H\n", "enum a64_op {", "\tA64_OP_UNDEF = 0,"]
    out += ["\tA64_OP_%s," % op for op in ops]
    out += ["\tA64_OP_COUNT\n};\n",
            "/* Encodings (lines of the table) are numbered from 1; 0 is none. */",
            "#define A64_ENC_COUNT %d" % (len(encs) + 1), "\n#endif\n"]
    write(folder, "a64_insns.h", "\n".join(out))


def emit_decoder(folder, encs):
    tree = Tree(encs)
    fmts, fmt_of = [], {}
    for e in encs:
        if e.code not in fmt_of:
            fmt_of[e.code] = len(fmts)
            fmts.append((e.code, e.op))
    out = ["#define A64_TREE_ROOT %d" % tree.root, "#define A64_TREE_LEAF 0x8000u",
           "#define FLD(lo, n) (w >> (lo) & ((1u << (n)) - 1))\n",
           array("u16", "a64_tree", ["%d" % v for v in tree.tab], 16),
           array("u16", "a64_leaves", ["%d" % v for v in tree.leaves], 16),
           "static const struct { u32 mask, value; u16 op, fmt; } a64_enc_table[] = {",
           "\t{ 0, 0, A64_OP_UNDEF, 0 },"]
    out += ["\t{ 0x%08xu, 0x%08xu, A64_OP_%s, %d }," % (e.mask, e.value, e.op, fmt_of[e.code])
            for e in encs]
    out += ["};\n", "/* False when a constraint of the line says that the word is unallocated. */",
            "static inline bool a64_extract(u32 w, unsigned int fmt, struct a64_insn *insn)", "{",
            "\tu64 bm; /* for constraints that compute a value */\n", "\tswitch (fmt) {"]
    for i, (code, op) in enumerate(fmts):
        out.append("\tcase %d: { /* %s */\n\t\t%s\n\t\treturn true;\n\t}" % (i, op, code))
    out += ["\t}", "\treturn false;", "}", "#undef FLD\n"]
    write(folder, "a64_decode.inc.c", "\n".join(out))
    return tree, len(fmts)


def emit_names(folder, encs, ops):
    pool, where = [], {}
    size = 0

    def intern(s):
        nonlocal size
        if s not in where:
            where[s] = size
            pool.append(s)
            size += len(s) + 1
        return where[s]
    op_offs = ["%d" % intern(s) for s in ["UNDEF"] + ops]
    rows = ["%d" % intern("")] + ["%d" % intern(e.text) for e in encs]
    if size >= 65536:
        sys.exit("string pool too large")
    out = ["/* Offsets, not pointers: nothing here needs a relocation. */",
           "static const char a64_pool[] ="]
    out += ['\t"%s\\0"' % s for s in pool]
    out[-1] += ";\n"
    out += [array("u16", "a64_op_name_at", op_offs), array("u16", "a64_enc_text_at", rows)]
    write(folder, "a64_names.inc.c", "\n".join(out))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: gen_decode.py insns.decode OUTDIR")
    encs = parse(sys.argv[1])
    check_overlaps(encs)
    ops = list(dict.fromkeys(e.op for e in encs))
    os.makedirs(sys.argv[2], exist_ok=True)
    emit_header(sys.argv[2], encs, ops)
    tree, nfmt = emit_decoder(sys.argv[2], encs)
    emit_names(sys.argv[2], encs, ops)
    if os.environ.get("V"):
        print("%d encodings, %d ops, %d formats, tree %d words, depth %d, longest leaf %d" % (
            len(encs), len(ops), nfmt, len(tree.tab), tree.depth, max(map(len, tree.leaf_of))))


main()
