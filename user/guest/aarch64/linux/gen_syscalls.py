#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Makes OUTDIR/a64_syscalls.inc.c from syscalls.tbl: the dispatch table of runtime/syscall.c.

  gen_syscalls.py TABLE OUTDIR

The table holds no pointers (names are offsets, handlers are numbers of a switch), so that the runtime has nothing to
relocate at its start.
"""
import os
import re
import sys

KINDS = ["i", "u", "x", "z", "p", "s", "fd", "sig", "m", "buf", "dfd", "path", "lpath", "cpath", "oflags"]
PATHS = ("path", "lpath", "cpath")


def read_table(path):
    rows = []
    for number, line in enumerate(open(path), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        field = line.split()
        if len(field) != 5:
            sys.exit(f"{path}:{number}: five fields expected")
        nr, name, host, args, action = field
        args = [] if args == "-" else args.split(",")
        for kind in args:
            if kind not in KINDS:
                sys.exit(f"{path}:{number}: unknown kind {kind}")
        if len(args) > 6 or not re.fullmatch(r"pass|enosys|fn(:\w+)?", action):
            sys.exit(f"{path}:{number}: bad line")
        if action == "pass" and host == "-":
            sys.exit(f"{path}:{number}: pass to what?")
        if rows and int(nr) <= rows[-1][0]:
            sys.exit(f"{path}:{number}: not in order")
        rows.append((int(nr), name, host, args, action))
    return rows


def host_number(name, host):
    if host == "-":
        return "-1"
    return host if host.isdigit() else "__NR_" + (name if host == "=" else host)


def main():
    table, outdir = sys.argv[1:3]
    rows = read_table(table)
    handlers = ["enosys", "pass"]  # 0: also what the table does not name
    for row in rows:
        if row[4].startswith("fn"):
            fn = row[4][3:] or row[1]
            if fn not in handlers:
                handlers.append(fn)
    out = ["/* Made by gen_syscalls.py from syscalls.tbl. */", ""]
    out += [f"#define RT_SYS_KIND_{k.upper()} {i + 1}" for i, k in enumerate(KINDS)]
    out += ["#define RT_SYS_ENOSYS 0", "#define RT_SYS_PASS 1", f"#define RT_SYS_MAX {rows[-1][0] + 1}",
            "#define RT_SYS_NONE 244  /* a number that no machine of this table uses */", "", "#ifndef RT_SYS_ONLY_KINDS", "static const char rt_sys_names[] ="]
    offset, offsets = 0, {}
    for row in rows:
        offsets[row[0]] = offset
        offset += len(row[1]) + 1
        out.append(f'\t"{row[1]}\\0"')
    out[-1] += ";"
    out += ["", "static const struct rt_sysent rt_sys_table[RT_SYS_MAX] = {"]
    for nr, name, host, args, action in rows:
        act = action if action in ("pass", "enosys") else (action[3:] or name)
        kinds = ", ".join(f"RT_SYS_KIND_{a.upper()}" for a in args) or "0"
        conv = sum(1 << i for i, a in enumerate(args) if a in PATHS or a == "oflags")
        out.append(f"\t[{nr}] = {{ {host_number(name, host)}, {offsets[nr]}, {handlers.index(act)}, {len(args)}, "
                   f"{conv:#x}, {{ {kinds} }} }},")
    out += ["};", ""]
    for fn in handlers[2:]:
        out.append(f"s64 rt_sys_{fn}(struct rt_thread *t, const struct rt_sysent *e, u64 *a);")
    out += ["", "static inline s64 rt_sys_call(struct rt_thread *t, const struct rt_sysent *e, u64 *a)", "{",
            "\tswitch (e->action) {"]
    for i, fn in enumerate(handlers[2:], 2):
        out.append(f"\tcase {i}: return rt_sys_{fn}(t, e, a);")
    out += ["\t}", "\treturn -ENOSYS;", "}", "#endif", ""]
    os.makedirs(outdir, exist_ok=True)
    with open(os.path.join(outdir, "a64_syscalls.inc.c"), "w") as f:
        f.write("\n".join(out))


main()
