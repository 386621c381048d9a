#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks and prints the table. run.sh calls it after preparing what --needs names.

In: kernels.tbl and programs.tbl beside this file, what run.sh made below build/bench, the options; out: the table on
stdout, and results.csv and results.svg below build/bench. Exit status 1 if any output differed or any run failed.
"""
import argparse
import collections
import fcntl
import glob
import os
import re
import shlex
import statistics
import subprocess
import sys

import report

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", "build")
OUT = os.path.abspath(os.path.join(BUILD, "bench"))
ROOT = os.path.join(OUT, "arm64-root")

STARTS = 20                     # repetitions of a process start in one round
BUDGET = 5.0                    # seconds after which a column is not measured again for the same item
QUICK_DIVISOR = 2               # of the kernels' counts

Item = collections.namedtuple("Item", "group name compare input command count")
Run = collections.namedtuple("Run", "cpu wall rss status output message")


def read_table(name, fields):
    with open(os.path.join(HERE, name)) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                yield line.strip().split(None, fields - 1)


def all_items():
    """Starts first, kernels, then programs: in the order of the tables."""
    kernels = [Item(group, name, "kernel", "-", "%%bin/%s" % name, int(count))
               for group, name, count in read_table("kernels.tbl", 3)]
    programs = [Item(*fields, None) for fields in read_table("programs.tbl", 5)]
    return ([i for i in programs if i.group == "start"] + kernels +
            [i for i in programs if i.group != "start"])


class Column:
    """One way to run things. name: heading; words: what stands before an arm64 program, None for native."""

    def __init__(self, name, words, handler=None):
        self.name, self.words, self.handler = name, words, handler
        self.native = words is None
        self.bin = os.path.join(OUT, "native" if self.native else "arm64")

    def command(self, item):
        if item.group == "build":       # without a handler: zlib.sh says "skipped"
            script = [os.path.join(HERE, "zlib.sh")]
            if self.native:
                return script + ["native", os.path.join(OUT, "src")]
            return script + ["guest", os.path.join(OUT, "src"), ROOT] + self.handler
        program, *rest = [self.expand(word) for word in item.command.split()]
        if item.count:
            rest = [str(item.count)]
        if not program.startswith("@"):
            return (self.words or []) + [program] + rest
        program = program[1:]
        if self.native:
            return [self.only(program)] + rest
        if not program.startswith(OUT):
            program = ROOT + program
        return self.words + ["-L", ROOT, self.only(program)] + rest

    def expand(self, word):
        word = word.replace("%bin", self.bin).replace("%work", os.path.join(OUT, "work"))
        word = word.replace("%in", os.path.join(HERE, "programs"))
        return word.replace("TRIPLET", "x86_64-linux-gnu" if self.native else "aarch64-linux-gnu")

    @staticmethod
    def only(pattern):
        return (sorted(glob.glob(pattern)) or [pattern])[-1]


def columns(options):
    def version(program):
        try:
            text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        except OSError:
            return None
        match = re.search(r"version (\d+(\.\d+)?)", text)
        return match.group(1) if match else None

    found = [Column("native", None)]
    system = os.environ.get("QEMU", "qemu-aarch64")
    if not options.no_qemu and version(system):
        # In a chroot the handler has to be static, or it would look for its libraries there.
        static = ["/usr/bin/qemu-aarch64-static", os.path.join(OUT, "qemu-static/usr/bin/qemu-aarch64-static")]
        found.append(Column("qemu " + version(system), [system], [p for p in static if os.path.exists(p)][:1]))
    new = os.path.join(OUT, "qemu-new", "qemu-aarch64")
    if not options.no_qemu and not options.no_qemu_new and os.path.exists(new):
        found.append(Column("qemu " + version(new), [new], [new]))
    dragoman = os.path.abspath(os.path.join(BUILD, "dragoman"))
    words = shlex.split(os.environ.get("RUNNER", "")) or [dragoman, "run"]
    found.append(Column("dragoman", words, [dragoman, "enable", "aarch64"]))
    return found


def measure(column, item, options, limit):
    """One round: the median over the repetitions that the group asks for."""
    output = os.path.join(OUT, "output", column.name.replace(" ", "-"))
    os.makedirs(os.path.dirname(output), exist_ok=True)
    source = "/dev/null" if item.input == "-" else os.path.join(OUT, "work", item.input)
    repeat = STARTS if item.group == "start" else 1
    command = [os.path.join(OUT, "launch"), "-n", str(repeat), "-t", str(int(limit)), "-i", source, "-o", output]
    text = subprocess.run(command + column.command(item), capture_output=True, text=True)
    rows = [[float(x) for x in line.split()] for line in text.stdout.splitlines()]
    if not rows:
        sys.exit("bench: %s" % (text.stderr.strip() or "launch failed"))
    with open(output, "rb") as f:
        content = f.read()
    cpu = statistics.median(r[1] + r[2] for r in rows) / 1e6
    wall = statistics.median(r[0] for r in rows) / 1e6
    status = int(max(r[4] for r in rows))
    if item.group == "ssl" and not status:
        cpu = wall = seconds_per_operation(content.decode(errors="replace")) or 0
        status = 0 if cpu else 1
    with open(output + ".err", errors="replace") as f:
        message = (f.read().strip().splitlines() or [""])[-1]
    return Run(cpu, wall, max(r[3] for r in rows), status, content, message)


def seconds_per_operation(text):
    """From `openssl speed -mr`: +F:..:name:BYTES/S, +F2:..:bits:SIGN/S:VERIFY/S, +F6 alike. Signing counts for RSA, both for
    Ed25519."""
    for line in text.splitlines():
        words = line.split(":")
        if words[0] == "+F":
            return 8192 / float(words[-1])
        if words[0] == "+F2":
            return 1 / float(words[3])
        if words[0].startswith("+F"):
            return 1 / float(words[-2]) + 1 / float(words[-1])
    return None


def comparable(item, output, guest):
    """The part of an output that has to be equal: with the native one, or (guest) among arm64 runners."""
    if item.compare == "none" or (item.compare == "guest" and not guest):
        return None
    if item.compare == "kernel" and not guest:
        return b"\n".join(line for line in output.splitlines() if not line.startswith(b"bits"))
    return output


def judge(item, column, runs, results):
    """What is wrong with the last run of this column, or None."""
    last = runs[-1]
    if last.status == 77 and item.group == "build":
        return "skipped"
    if last.status == 124:
        return "timeout"
    if last.status:
        return "exit %d" % last.status if last.status < 128 else "signal %d" % (last.status - 128)
    for other, others in results.items():       # the columns before this one, and its own first run
        if not others or others[0].status:
            continue
        guest = not (other.native or column.native)
        if comparable(item, last.output, guest) != comparable(item, others[0].output, guest):
            return "DIFFERS"
        if other is column:
            break
    return None


def run_item(item, cols, options):
    """{column: (seconds or None, wall, rss, fault)}; native first, all in turn, then the medians."""
    results = {c: [] for c in cols}
    faults = {}
    limit = 600 if item.group == "build" else 60
    for _ in range(1 if item.group == "build" else options.runs):
        for column in cols:
            runs = results[column]
            if column in faults or sum(r.wall for r in runs) > BUDGET:
                continue
            runs.append(measure(column, item, options, limit))
            fault = judge(item, column, runs, results)
            if fault:
                faults[column] = fault
            if column.native and item.group != "build":
                limit = max(20, 150 * runs[0].wall)
    out = {}
    for column in cols:
        runs = results[column]
        good = None if column in faults else statistics.median(r.wall if options.wall else r.cpu for r in runs)
        out[column.name] = report.Cell(good, statistics.median(r.cpu for r in runs),
                                       statistics.median(r.wall for r in runs), max(r.rss for r in runs),
                                       faults.get(column), runs[-1].message)
    return out


def select(options):
    words = [w for o in options.only for w in re.split(r"[ ,]+", o) if w]
    items = all_items()
    if words:
        known = {i.group for i in items} | {i.name for i in items} | {i.group + ":" + i.name for i in items}
        unknown = [w for w in words if w not in known]
        if unknown:
            sys.exit("bench: no group or item is called %s; --list shows them" % ", ".join(unknown))
        items = [i for i in items if i.group in words or i.name in words or i.group + ":" + i.name in words]
    elif options.quick:
        items = [i for i in items if i.group != "build"]
    if options.quick:
        items = [i._replace(count=max(1, i.count // QUICK_DIVISOR)) if i.count and i.name != "fib" else i
                 for i in items]
    return items


def purpose(item):
    if item.compare != "kernel":
        return item.command
    with open(os.path.join(HERE, "kernels", item.name + ".c")) as f:
        f.readline()
        return f.readline().strip("/* \n").rstrip()


def needs(items, options):
    """Words for run.sh: kernels, root, work, src, qemu-new."""
    words = {"kernels"}
    for i in items:
        if i.group in ("prog", "ssl", "build") or i.command.startswith("@"):
            words.add("root")
        if i.group == "prog":
            words.add("work")
        if i.group == "build" or i.name == "cc1":
            words.add("gcc")
        if i.group == "build":
            words.add("src")
    if not options.no_qemu_new and not options.no_qemu:
        words.add("qemu-new")
    return words


def parse():
    p = argparse.ArgumentParser(prog="bench/run.sh", description="Compares native, QEMU and Dragoman.")
    p.add_argument("only", nargs="*", help="groups or items, like int, fib, sys:fork; $ONLY adds to them")
    p.add_argument("--group", action="append", default=[], metavar="G", help="the same as naming G")
    p.add_argument("--quick", action="store_true", help="one round, half of the work, no build (under 4 minutes)")
    p.add_argument("--runs", type=int, metavar="N", help="rounds, of which the median counts (default 3)")
    p.add_argument("--wall", action="store_true", help="elapsed time instead of user + system time")
    p.add_argument("--no-qemu-new", action="store_true", help="without the newest QEMU")
    p.add_argument("--no-qemu", action="store_true", help="without any QEMU")
    p.add_argument("--list", action="store_true", help="what there is")
    p.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args()
    o.only += o.group + os.environ.get("ONLY", "").split()
    o.runs = o.runs or (1 if o.quick else 3)
    return o


def main():
    options = parse()
    items = select(options)
    if options.list:
        for i in items:
            print("%-6s %-14s %s" % (i.group, i.name, purpose(i)))
        return 0
    if options.needs:
        print(" ".join(sorted(needs(items, options))))
        return 0
    cols = columns(options)
    lock = open(os.path.join(OUT, ".lock"), "w")        # until the end: two at once would disturb each other
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("waiting for another run to end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    table = report.Table([c.name for c in cols], "elapsed" if options.wall else "user + system",
                         os.path.join(OUT, "results"))
    table.head()
    try:
        for item in items:
            table.add(item.group, item.name, run_item(item, cols, options))
    except KeyboardInterrupt:
        print("stopped; what there is so far:")
    table.finish()
    return 1 if table.faults else 0


sys.exit(main())
