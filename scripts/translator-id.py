#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the translator's id: what code objects are keyed by, so that no other translator's are taken.

In: the output, the compiler's command, the sources that decide what code is made. Out: a header with SHA-256 over the
compiler's version and the name and content of each source, as an initialiser of 32 bytes; untouched when it is right already.
"""
import hashlib
import os
import subprocess
import sys


def main():
    out, compiler, sources = sys.argv[1], sys.argv[2], sorted(set(sys.argv[3:]))
    h = hashlib.sha256(subprocess.run([*compiler.split(), "--version"], check=True, stdout=subprocess.PIPE).stdout.split(b"\n")[0])
    for name in sources:
        with open(name, "rb") as f:
            content = f.read()
        h.update(b"\0%s\0%d\0" % (os.path.relpath(name).encode(), len(content)))
        h.update(content)
    text = "/* Made by scripts/translator-id.py. */\n#define DRAGOMAN_TRANSLATOR_ID { %s }\n#define DRAGOMAN_TRANSLATOR_ID_TEXT \"%s\"\n" % (
        ", ".join("0x%02x" % b for b in h.digest()), h.hexdigest())
    try:
        with open(out, encoding="ascii") as f:
            if f.read() == text:
                return
    except OSError:
        pass
    with open(out, "w", encoding="ascii") as f:
        f.write(text)


main()
