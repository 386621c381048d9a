#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Finds the region that the code generator gets wrong: runs a program twice under the runtime's trace, once with regions of
one instruction and once with regions of N, at the same addresses (setarch -R), and compares the general registers wherever a
region of the second run begins.

    scripts/trace-diff.py N [--root=DIR] -- PROGRAM ARGV0 ARGS...

Prints the first region after which a register differs (values that look like process ids or random numbers are let pass),
and the instructions in between. The traces are left in build/trace-1 and build/trace-N.
"""
import os
import re
import subprocess
import sys

BUILD = os.environ.get("BUILD", "build")
HEAD = re.compile(r"trace pc (\w+) nzcv (\w+) stack \w+")
REGS = re.compile(r" x(\d+) (\w+) (\w+) (\w+) (\w+)$")


def run(region, command, log):
    """The trace flag and the region size go into --flags=, in the same number of digits: it is on the guest's stack."""
    argv = ["setarch", "-R", BUILD + "/dragoman-rt", "--run", "--flags=%02x0400" % region] + command
    with open(log, "w") as out:
        p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=out, env={"PATH": "/usr/bin:/bin"})
        p.wait()
    return "%x" % p.pid


def records(log):
    current = None
    for line in open(log, errors="replace"):
        line = line.rstrip("\n")
        m = HEAD.search(line)
        if m:
            if current:
                yield current
            current = (m[1], [])
        elif current and REGS.search(line):
            current[1].extend(REGS.search(line).groups()[1:])
    if current:
        yield current


def differ(ours, ref, pids):
    if ours == ref or (ref, ours) == pids:
        return False
    return not (len(ours) > 13 and len(ref) > 13 and ours[:3] != "fff" and ref[:3] != "fff")


def main():
    if len(sys.argv) < 4 or not 1 < int(sys.argv[1]) < 256:
        sys.exit(__doc__)
    n = int(sys.argv[1])
    logs = BUILD + "/trace-1", "%s/trace-%d" % (BUILD, n)
    pids = run(0, sys.argv[2:], logs[0]), run(n, sys.argv[2:], logs[1])
    fine = records(logs[0])
    previous = None
    for pc, regs in records(logs[1]):
        path = []
        for at, want in fine:
            if at == pc:
                break
            path.append(at)
        else:
            sys.exit("after region %s the runs part: %s is never reached one instruction at a time" % (previous, pc))
        bad = ["x%d is %s, not %s" % (k, a, b) for k, (a, b) in enumerate(zip(regs, want)) if differ(a, b, pids)]
        if bad:
            sys.exit("wrong after region %s (at %s): %s\ninstructions: %s" % (previous, pc, ", ".join(bad), " ".join(path)))
        previous = pc
    print("no difference")


main()
