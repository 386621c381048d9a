#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks from the #include lines that each folder uses only what stands below it.

In: the tree (or the folder given as argument); out: one line for each breach and exit 1, or a summary and 0.

    base <- ir <- {guest, opt, codegen} <- translate <- {server, runtime}; codegen <- host

guest and host never see each other, nor does one guest or host see another; kmod sees only include/. What is
linked into the runtime may include no libc header, except below `#ifdef DRAGOMAN_HOSTED`.
"""
import os
import re
import sys

TOP = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), ".."))

# Layer -> the layers that it may include, itself left out. Everything may include include/.
BELOW = {
    "base": set(),
    "ir": {"base"},
    "guest": {"base", "ir"},
    "opt": {"base", "ir"},
    "codegen": {"base", "ir"},
    "host": {"base", "ir", "codegen"},
    "object": {"base", "codegen", "guest", "host", "ir", "translate"},
    "translate": {"base", "ir", "guest", "opt", "codegen", "host"},
    "runtime": {"base", "ir", "guest", "codegen", "host", "translate", "object"},
    "server": {"base", "translate", "object"},
    "cli": {"base", "object"},
    "bpf": set(),
    "fuzz": {"base", "ir", "guest", "opt", "codegen", "host", "translate", "object"},
}
FREESTANDING = {"base", "ir", "guest", "opt", "codegen", "host", "translate", "object", "runtime"}
C_HEADERS = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "limits.h", "stdalign.h", "stdnoreturn.h"}
KERNEL_HEADERS = ("linux/", "asm/", "asm-generic/", "dragoman/", "drm/", "sound/", "mtd/", "rdma/", "scsi/", "video/")

# What a generator writes to build/gen belongs to the folder that its prefix names.
GENERATED = {"translator": "include", "a64": "user/guest/aarch64", "x64": "user/host/x64"}

# Headers that describe a whole class of folders to those beside them; they count as part of the layer below.
CONTRACTS = {"user/guest/guest.h": "ir"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    """(layer, arch or None) of a file in the tree; arch for guest and host only."""
    if path in CONTRACTS:
        return CONTRACTS[path], None
    parts = path.split("/")
    if parts[0] in ("include", "kmod", "selftests", "bench"):
        return parts[0], None
    if parts[0] != "user" or len(parts) < 3:
        return None, None
    arch = parts[2] if parts[1] in ("guest", "host") and len(parts) > 3 else None
    return parts[1], arch


def resolve(name, includer):
    """The included file's path in the tree, as the compiler's search would find it; None if it is none of ours."""
    for folder in (os.path.dirname(includer), "user", "include", "include/uapi"):
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(TOP, path)):
            return path
    prefix = os.path.basename(name).split("_")[0]
    return GENERATED[prefix] + "/" + name if prefix in GENERATED else None


def breach(path, quote, name):
    """What is wrong with `path` including `name`, or None."""
    layer, arch = layer_of(path)
    target = resolve(name, path)
    if layer in ("selftests", "bench", "include", None):
        if layer == "include" and target and not target.startswith("include/"):
            return "include/ may include only include/"
        return None
    if layer == "kmod":
        if target and not target.startswith(("include/", "kmod/")):
            return "kmod sees only include/"
        return None
    if layer not in BELOW:
        return "folder user/%s is not in the list of layers" % layer
    if not target:
        if quote == '"':
            return "is not in the tree"
        if layer in FREESTANDING and name not in C_HEADERS and not name.startswith(KERNEL_HEADERS):
            return "libc header in what the runtime links"
        return None
    to, to_arch = layer_of(target)
    if to == "include" or (to == layer and (not to_arch or to_arch == arch or not arch)):
        return None
    if to == layer:
        return "one %s may not see another" % layer
    if to not in BELOW[layer]:
        return "%s may not include %s" % (layer, to)
    return None


def included(path):
    """(line number, quote, name, hosted) of each #include."""
    stack = []
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
        for number, line in enumerate(f, 1):
            word = re.match(r"\s*#\s*(ifdef|ifndef|if|else|elif|endif)\b(.*)", line)
            if word and word[1] in ("ifdef", "ifndef", "if"):
                stack.append(word[1] != "ifndef" and "DRAGOMAN_HOSTED" in word[2] and "!" not in word[2])
            elif word and word[1] in ("else", "elif") and stack:
                stack[-1] = False
            elif word and stack:
                stack.pop()
            m = INCLUDE.match(line)
            if m:
                yield number, m[1], m[2], any(stack)


def sources():
    for root in ("include", "kmod", "user", "selftests", "bench"):
        for folder, dirs, files in os.walk(os.path.join(TOP, root)):
            dirs.sort()
            for f in sorted(files):
                if f.endswith((".c", ".h", ".S", ".inc")):
                    yield os.path.relpath(os.path.join(folder, f), TOP)


def main():
    checked = bad = 0
    for path in sources():
        checked += 1
        for number, quote, name, hosted in included(path):
            what = breach(path, quote, name)
            if what and not (hosted and what.startswith("libc")):
                print("%s:%d: %s: %s" % (path, number, name, what))
                bad += 1
    print("layers: %d files, %d breaches" % (checked, bad))
    return 1 if bad else 0


sys.exit(main())
