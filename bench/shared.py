#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the server and its cache are for: starts, builds and memory without, with an empty and with a filled cache.

In: the arm64 root, sources and programs that run.sh made below build/bench; names of parts (default: all). Out: tables, and
build/bench/shared.csv. Exit status 1 if an output differed, a run failed, or memory was over its bound.

Each part has a server of its own, with a private socket and cache; nothing on the machine changes. Programs run in a chroot of the
arm64 root, through binfmt_misc in a user namespace (chroot.sh).
"""
import argparse
import csv
import fcntl
import glob
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
OUT = os.path.join(BUILD, "bench")
ROOT = os.path.join(OUT, "arm64-root")
TICK = os.sysconf("SC_CLK_TCK")
DRAGOMAN = os.path.join(BUILD, "dragoman")
PRIVATE_BOUND = 4096            # KiB of private memory of an idle process beyond native: the bound

rows, faults = [], []


def record(part, item, what, value, unit):
    rows.append((part, item, what, "%.6g" % value, unit))


def fault(text):
    faults.append(text)
    print("  ! " + text, flush=True)


# ------------------------------------------------------------ the server

class Server:
    """A dragomand with its own folder; restart() keeps the cache, clear() empties it."""

    def __init__(self, *options):
        self.dir = tempfile.mkdtemp(prefix="dragoman-bench-")
        self.socket = os.path.join(self.dir, "run", "socket")
        self.cache = os.path.join(self.dir, "cache")
        os.mkdir(os.path.dirname(self.socket))
        self.log = open(os.path.join(self.dir, "log"), "w")
        self.options = options
        self.env = dict(os.environ, DRAGOMAN_SOCKET=self.socket)
        self.env.pop("DRAGOMAN_SERVER", None)
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen([os.path.join(BUILD, "dragomand"), "--foreground", "--socket", self.socket, "--cache-dir",
                                         self.cache, *self.options], stderr=self.log)
        for _ in range(200):
            if self.status():
                return
            time.sleep(0.05)
        sys.exit("bench: the server does not start; see " + self.log.name)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def clear(self):
        self.stop()
        shutil.rmtree(self.cache, ignore_errors=True)
        self.start()

    def status(self):
        text = subprocess.run([DRAGOMAN, "status", "--json"], env=self.env, capture_output=True, text=True).stdout
        server = json.loads(text or "{}").get("server") if text else None
        return server if server and "error" not in server else None

    def family(self):
        """The server's pid and those of its children, theirs too."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    todo += [int(p) for p in f.read().split()]
            except OSError:
                pass
        return found

    def cpu(self):
        """Seconds of CPU time, of the server and all its children up to now (those that ended and were waited for, too)."""
        total = 0
        for pid in self.family():
            try:
                with open("/proc/%d/stat" % pid) as f:
                    words = f.read().rpartition(")")[2].split()
                total += sum(int(w) for w in words[11:15])
            except OSError:
                pass
        return total / TICK

    def settle(self, limit=120):
        """Waits until nobody translates."""
        end = time.time() + limit
        quiet = 0
        while time.time() < end and quiet < 5:
            quiet = quiet + 1 if len(self.family()) == 1 else 0
            time.sleep(0.1)


# ------------------------------------------------------------ runs

def launch(command, runs=1, env=None, limit=600, output=None):
    """[(wall, cpu)] in seconds of each run, by launch.c; None if one failed."""
    out = output or os.path.join(OUT, "output", "shared")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    result = subprocess.run([os.path.join(OUT, "launch"), "-n", str(runs), "-t", str(limit), "-o", out] + command, env=env,
                            capture_output=True, text=True)
    lines = [[float(x) for x in line.split()] for line in result.stdout.splitlines()]
    if len(lines) != runs or any(line[4] for line in lines):
        with open(out + ".err", errors="replace") as f:
            fault("%s: failed: %s" % (" ".join(command)[:60], (f.read().strip().splitlines() or [result.stderr.strip()])[-1][:100]))
        return None
    return [(line[0] / 1e6, (line[1] + line[2]) / 1e6) for line in lines]


def chroot(handler, command):
    return [os.path.join(HERE, "chroot.sh"), ROOT] + handler + ["--"] + command


OURS = [DRAGOMAN, "enable", "aarch64"]


def qemu():
    for path in ("/usr/bin/qemu-aarch64-static", os.path.join(OUT, "qemu-static/usr/bin/qemu-aarch64-static")):
        if os.path.exists(path):
            return [path]
    return None


def inner(command, runs, handler, env, static_launch="/tmp/bench-launch"):
    """As launch, but all of it in the chroot: what is timed begins with the program's fork and exec."""
    text = subprocess.run(chroot(handler, [static_launch, "-n", str(runs), "-t", "120", "-o", "/tmp/bench-output"] + command), env=env,
                          capture_output=True, text=True)
    lines = [[float(x) for x in line.split()] for line in text.stdout.splitlines()]
    if len(lines) != runs or any(line[4] for line in lines):
        fault("%s: failed: %s" % (" ".join(command)[:60], text.stderr.strip()[-200:]))
        return None
    return [(line[0] / 1e6, (line[1] + line[2]) / 1e6) for line in lines]


def median(values):
    return statistics.median(values) if values else None


# ------------------------------------------------------------ parts

AGE = 3         # seconds: which content a younger file has is not remembered, since it could change without a trace


def prepare_root():
    tmp = os.path.join(ROOT, "tmp")
    os.makedirs(tmp, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", os.path.join(tmp, "bench-launch"), os.path.join(HERE, "launch.c")], check=True)
    for name in ("hello", "hello_dynamic"):
        shutil.copy(os.path.join(OUT, "arm64", name), os.path.join(tmp, "bench-" + name))
    for folder in (tmp, os.path.join(OUT, "work")):
        with open(os.path.join(folder, "bench-small.c"), "w") as f:
            f.write("#include <stdio.h>\n#include <string.h>\n\nint main(int argc, char **argv)\n{\n"
                    "\tfor (int i = 1; i < argc; i++)\n\t\tprintf(\"%zu %s\\n\", strlen(argv[i]), argv[i]);\n\treturn 0;\n}\n")
    time.sleep(AGE)


def starts():
    """Process starts: no server, cache filled; the first of all with an empty cache."""
    small = os.path.join(OUT, "work", "bench-small.c")
    # name, native command, arm64 command, bound of the ratio
    items = [("static hello", [os.path.join(OUT, "native/hello")], ["/tmp/bench-hello"], 2),
             ("dynamic hello", [os.path.join(OUT, "native/hello_dynamic")], ["/tmp/bench-hello_dynamic"], 3),
             ("/bin/true", ["/bin/true"], ["/bin/true"], 3),
             ("bash -c true", ["/bin/bash", "-c", "true"], ["/bin/bash", "-c", "true"], 3),
             ("perl -e 1", ["/usr/bin/perl", "-e", "1"], ["/usr/bin/perl", "-e", "1"], 4),
             ("python3 -c pass", ["/usr/bin/python3", "-I", "-S", "-c", "pass"], ["/usr/bin/python3", "-I", "-S", "-c", "pass"], 4),
             ("gcc small file", ["/usr/bin/gcc", "-O2", "-c", "-o", "/dev/null", small],
              ["/usr/bin/gcc", "-O2", "-c", "-o", "/dev/null", "/tmp/bench-small.c"], 4)]
    print("\nStarts: elapsed time of fork, exec and exit, median; x = times native. First: the first start with an empty cache, elapsed.")
    print("%-16s %10s %10s %18s %18s %18s %8s" % ("", "native", "first", "no server", "warm", "qemu", "bound"), flush=True)
    off = dict(os.environ, DRAGOMAN_SERVER="off")
    emulator = qemu()
    with Server() as server:
        for name, native, guest, bound in items:
            slow = "gcc" in name
            runs = 9 if slow else 60
            server.clear()
            first = inner(guest, 1, OURS, server.env)
            server.settle()
            inner(guest, 2, OURS, server.env)
            server.settle()
            columns = {"native": [], "none": [], "warm": [], "qemu": []}
            rounds = 3 if slow else 10
            for _ in range(rounds):     # in turn, so that the machine's mood is everybody's
                columns["native"] += launch(native, runs // rounds) or []
                columns["none"] += inner(guest, max(1, runs // rounds // 2), OURS, off) or []
                columns["warm"] += inner(guest, runs // rounds, OURS, server.env) or []
                if emulator:
                    columns["qemu"] += inner(guest, 1 if slow else runs // rounds // 3, emulator, off) or []
            wall = {k: median([w for w, _ in v]) for k, v in columns.items()}
            cpu = {k: median([c for _, c in v]) for k, v in columns.items()}
            line = "%-16s %8.2fms %8.1fms" % (name, wall["native"] * 1e3, first[0][0] * 1e3 if first else 0)
            for k in ("none", "warm", "qemu"):
                line += "%10.2fms %5.2fx" % (wall[k] * 1e3, wall[k] / wall["native"]) if wall[k] else "%18s" % "-"
                if wall[k]:
                    record("starts", name, k, wall[k] / wall["native"], "x native, elapsed")
                    record("starts", name, k, cpu[k] / cpu["native"] if cpu["native"] else 0, "x native, CPU")
            if first and wall["native"]:
                record("starts", name, "first", first[0][0] / wall["native"], "x native, elapsed")
            met = wall["warm"] and wall["warm"] / wall["native"] <= bound
            print(line + "%6.1fx %s" % (bound, "" if met else "missed"), flush=True)


def build_once(project, server, handler=OURS, env=None):
    """(elapsed, CPU of the processes, CPU of the server, hashes) of a project's build in the chroot."""
    env = dict(env or (server.env if server else os.environ), PROJECT=project)
    output = os.path.join(OUT, "output", "shared-build")
    before = server.cpu() if server else 0
    command = [os.path.join(HERE, "zlib.sh")] + (["guest", os.path.join(OUT, "src"), ROOT] + handler if handler else
                                                 ["native", os.path.join(OUT, "src")])
    result = launch(command, env=env, output=output)
    if not result:
        return None
    with open(output) as f:
        hashes = f.read()
    return result[0][0], result[0][1], (server.cpu() if server else 0) - before, hashes


def builds():
    """zlib's configure and make, then another project with the same compiler."""
    print("\nBuilds (zlib: configure and make): CPU time of all processes, the server's included; x = times native", flush=True)
    off = dict(os.environ, DRAGOMAN_SERVER="off")
    results = {}

    def show(name, result, native, bound=None):
        if not result:
            print("  %-34s failed" % name)
            return
        results[name] = result
        wall, cpu, served, _ = result
        ratio = (cpu + served) / native[1]
        record("build", name, "cpu", ratio, "x native, CPU")
        record("build", name, "elapsed", wall / native[0], "x native, elapsed")
        print("  %-34s %7.2f s + %5.2f s server  %5.2fx   elapsed %6.2f s %5.2fx%s" %
              (name, cpu, served, ratio, wall, wall / native[0],
               "" if bound is None else "   bound %.1fx%s" % (bound, "" if ratio <= bound else " missed")), flush=True)

    native = min((r for r in (build_once("zlib", None, None) for _ in range(3)) if r), key=lambda r: r[1])
    show("native", native, native)
    show("no server", build_once("zlib", None, env=off), native)
    with Server() as server:
        show("empty cache", build_once("zlib", server), native, 6)
        server.settle()
        show("second", build_once("zlib", server), native)
        server.settle()
        warm = [r for r in (build_once("zlib", server) for _ in range(3)) if r]
        show("warm", min(warm, key=lambda r: r[1] + r[2]) if warm else None, native, 3.5)
        # Another project, the same compiler: its first build finds what zlib's left.
        other = min((r for r in (build_once("bzip2", None, None) for _ in range(2)) if r), key=lambda r: r[1])
        show("bzip2, native", other, other)
        show("bzip2 first, after zlib", build_once("bzip2", server), other)
        server.settle()
        build_once("bzip2", server)
        show("bzip2 warm", build_once("bzip2", server), other)
        if "bzip2 warm" in results and "bzip2 first, after zlib" in results:
            first, last = (sum(results[k][1:3]) for k in ("bzip2 first, after zlib", "bzip2 warm"))
            print("  the first build of bzip2 takes %.2f times what it takes warm" % (first / last))
            record("build", "bzip2", "first/warm", first / last, "ratio")
    hashes = {k: r[3] for k, r in results.items() if "native" not in k}
    for project in ("bzip2", ""):
        same = {h for k, h in hashes.items() if k.startswith("bzip2") == bool(project)}
        if len(same) > 1:
            fault("the results of the builds of %s differ" % (project or "zlib"))


def memory_of(pids):
    """Means over processes in KiB: private, shared (proportional part left out), and mapped code objects (Rss, Pss)."""
    total = {"private": 0, "shared": 0, "object rss": 0, "object pss": 0}
    n = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps" % pid) as f:
                text = f.read()
        except OSError:
            continue
        n += 1
        ours = False
        for line in text.splitlines():
            if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
                ours = "memfd:" in line
                continue
            key, _, value = line.partition(":")
            if key in ("Private_Clean", "Private_Dirty"):
                total["private"] += int(value.split()[0])
            elif key in ("Shared_Clean", "Shared_Dirty"):
                total["shared"] += int(value.split()[0])
            elif key in ("Rss", "Pss") and ours:
                total["object " + key.lower()] += int(value.split()[0])
    return {k: v / n for k, v in total.items()} if n else None


def descendants(pid, name):
    """pids below pid whose command is called so."""
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        try:
            with open("/proc/%d/task/%d/children" % (p, p)) as f:
                todo += [int(c) for c in f.read().split()]
            with open("/proc/%d/cmdline" % p, "rb") as f:
                words = f.read().split(b"\0")[:2]      # QEMU stands before its program
            if name in [os.path.basename(w).decode() for w in words]:
                found.append(p)
        except (OSError, UnicodeDecodeError):
            pass
    return found


def held(command, name, n, env):
    """Memory of n processes of that name, which command starts and which then wait."""
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        begin, last, still, pids = time.time(), None, 0, []
        while time.time() < begin + (240 if pids else 30) and still < 8:        # all there, and no CPU time used for a while
            time.sleep(0.25)
            pids = descendants(process.pid, name)
            used = 0
            for pid in pids:
                try:
                    with open("/proc/%d/stat" % pid) as f:
                        used += sum(int(w) for w in f.read().rpartition(")")[2].split()[11:13])
                except OSError:
                    pass
            still = still + 1 if len(pids) >= n - 5 and used == last else 0
            last = used
        if len(pids) < n - 5:           # the output of a few fits into the pipe: they end
            fault("memory: only %d of %d %s are there" % (len(pids), n, name))
        return memory_of(pids)
    finally:
        for pid in descendants(process.pid, name):
            os.kill(pid, signal.SIGKILL)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def memory():
    """Many compilers at once; many idle processes."""
    n = 100
    print("\nMemory: %d processes at once, KiB each (mean); objects: mapped translations, as each sees them and its share" % n)
    print("%-20s %-12s %9s %9s %12s %12s" % ("", "", "private", "shared", "objects", "its share"), flush=True)
    off = dict(os.environ, DRAGOMAN_SERVER="off")
    # cc1 stops when the pipe that it writes to is full: all of it has been compiled by then.
    source = "".join("int f%d(int a, int b) { return a * b + %d ? a / (b | 1) : b; }\n" % (i, i) for i in range(400))
    for folder in (os.path.join(ROOT, "tmp"), os.path.join(OUT, "work")):
        with open(os.path.join(folder, "bench-many.c"), "w") as f:
            f.write(source)
    cc1 = "{ i=0; while [ $i -lt %d ]; do %s -quiet -O2 %s -o /dev/stdout & i=$((i + 1)); done; wait; } | sleep 1000"
    arm64 = [p[len(ROOT):] for p in glob.glob(ROOT + "/usr/lib/gcc/aarch64-linux-gnu/*/cc1")]
    x86 = glob.glob("/usr/lib/gcc/x86_64-linux-gnu/*/cc1")
    idle = "i=0; while [ $i -lt %d ]; do /bin/sleep 1000 & i=$((i + 1)); done; wait"
    with Server() as server:
        for item, name, native, guest, bound in (
                ("idle (sleep)", "sleep", idle % n, idle % n, PRIVATE_BOUND),
                ("cc1", "cc1", cc1 % (n, x86[-1], os.path.join(OUT, "work", "bench-many.c")) if x86 else None,
                 cc1 % (n, arm64[-1], "/tmp/bench-many.c") if arm64 else None, None)):
            if not guest:
                continue
            base = held(["/bin/sh", "-c", native], name, n, None) if native else None
            subprocess.run(chroot(OURS, ["/bin/sh", "-c", guest.replace(str(n), "1", 1).replace("sleep 1000", "sleep 1")]),
                           env=server.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
            server.settle()
            columns = [("native", base), ("no server", held(chroot(OURS, ["/bin/sh", "-c", guest.replace(str(n), "20", 1)]), name, 20, off)),
                       ("warm", held(chroot(OURS, ["/bin/sh", "-c", guest]), name, n, server.env))]
            if qemu():
                columns.append(("qemu", held(chroot(qemu(), ["/bin/sh", "-c", guest.replace(str(n), "20", 1)]), name, 20, off)))
            for column, m in columns:
                if not m:
                    continue
                print("%-20s %-12s %9.0f %9.0f %12.0f %12.0f" % (item, column, m["private"], m["shared"], m["object rss"], m["object pss"]),
                      flush=True)
                for k, v in m.items():
                    record("memory", item, column + ", " + k, v, "KiB")
                if bound and column == "warm" and m["private"] > bound:
                    fault("memory: %.0f KiB private of an idle process, the bound is %d" % (m["private"], bound))


def content():
    """A library under another path with the same content."""
    print("\nContent: /bin/bash copied to another path of another file system", flush=True)
    with Server() as server, tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        env = dict(server.env, SHARE=folder)
        shutil.copy(os.path.join(ROOT, "usr/bin/bash"), folder)
        command = ["-c", "x=0; while [ $x -lt 100 ]; do x=$((x + 1)); done; echo $x"]
        inner(["/bin/bash"] + command, 2, OURS, env)
        server.settle()
        time.sleep(AGE)
        before = server.status()
        first = inner([os.path.join(folder, "bash")] + command, 1, OURS, env)
        again = inner([os.path.join(folder, "bash")] + command, 20, OURS, env)
        known = inner(["/bin/bash"] + command, 20, OURS, env)
        after = server.status()
        made = after["objects_made"] - before["objects_made"]
        if first and again and known:
            print("  known path %.2f ms, the copy's first start %.2f ms, later %.2f ms; objects made for it: %d" %
                  (median([w for w, _ in known]) * 1e3, first[0][0] * 1e3, median([w for w, _ in again]) * 1e3, made))
            record("content", "bash", "copy/known", median([w for w, _ in again]) / median([w for w, _ in known]), "ratio")
        if made:
            fault("content: %d objects were made for a copy" % made)


def latency():
    """What a question costs, and translation itself."""
    bash = os.path.join(ROOT, "usr/bin/bash")
    tool = os.path.join(BUILD, "tests", "tool_client")
    speed = os.path.join(BUILD, "tests", "tool_speed")
    print("\nQuestions, microseconds")

    def ask(server, *words):
        text = subprocess.run([tool, server.socket, *words], capture_output=True, text=True).stdout.strip()
        return text, re.search(r"median (\d+) us, 90 % (\d+) us", text)

    with Server("--ahead=none") as server:
        ask(server, "attach", bash)
        server.settle()
        for what, words in (("ATTACH of one file", ("bench", "2000", bash)),
                            ("ATTACH of two files", ("bench", "2000", bash, os.path.join(ROOT, "usr/lib/ld-linux-aarch64.so.1"))),
                            ("MISS, until the code is there", ("missbench", bash, "300"))):
            text, found = ask(server, *words)
            if not found:
                fault("latency: %s: %s" % (what, text[-100:]))
                continue
            print("  %-32s median %4s, 90 %% %4s" % (what, found[1], found[2]), flush=True)
            record("latency", what, "median", int(found[1]), "us")
            record("latency", what, "90 %", int(found[2]), "us")
    text = subprocess.run([speed, os.path.join(ROOT, "usr/lib/aarch64-linux-gnu/libc.so.6")], capture_output=True, text=True).stdout
    found = re.search(r"(\d+) ns", text)
    if found:
        print("  %-32s %s ns an instruction (libc, in regions of what a process makes for itself)" % ("translation", found[1]))
        record("latency", "translation", "libc", int(found[1]), "ns per instruction")


PARTS = {"latency": latency, "starts": starts, "builds": builds, "memory": memory, "content": content}


def main():
    p = argparse.ArgumentParser(prog="bench/shared.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("parts", nargs="*", metavar="PART", help="of " + ", ".join(PARTS))
    options = p.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        p.error("no part is called %s" % ", ".join(sorted(unknown)))
    if subprocess.run(chroot(OURS, ["/bin/true"]), env=dict(os.environ, DRAGOMAN_SERVER="off"), capture_output=True).returncode == 77:
        print("bench: the server's benchmarks are skipped: no binfmt_misc in user namespaces here (Linux 6.7)")
        return 0
    lock = open(os.path.join(OUT, ".lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    prepare_root()
    for name, part in PARTS.items():
        if not options.parts or name in options.parts:
            part()
    with open(os.path.join(OUT, "shared.csv"), "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["part", "item", "what", "value", "unit"])
        out.writerows(rows)
    if faults:
        print("\nWrong or failed:\n  " + "\n  ".join(faults))
    return 1 if faults else 0


sys.exit(main())
