#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file system with one file, `guest`, whose owner is hostile: hangfs.py MOUNTPOINT FILE HANG

Prints the pid of its process, whose end frees all that hang. Serves the content of FILE; HANG names the operations that are never answered: read, flush. As root.
"""
import ctypes, os, struct, sys

point, source, hang = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
data = open(source, "rb").read()
dev = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"hangfs", point.encode(), b"fuse.hangfs", 0,
              f"fd={dev},rootmode=40000,user_id=0,group_id=0,allow_other".encode()):
    sys.exit(4)
pid = os.fork()
if pid:
    print(pid)
    sys.exit(0)
null = os.open("/dev/null", os.O_RDWR)
for n in range(3):
    os.dup2(null, n)

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR = 1, 2, 3, 14, 15, 18, 25, 26, 27


def attr(ino):
    size, mode = (0, 0o40755) if ino == 1 else (len(data), 0o100755)
    return struct.pack("<QQQQQQIIIIIIIIII", ino, size, 0, 100, 100, 100, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(unique, body=b"", error=0):
    os.write(dev, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


while True:
    try:
        m = os.read(dev, 1 << 20)
    except OSError:
        break
    length, op, unique, ino = struct.unpack_from("<IIQQ", m)
    body = m[40:]
    if op == INIT:
        answer(unique, struct.pack("<IIIIHHII", 7, 31, 65536, 0, 16, 12, 65536, 1) + bytes(36))
    elif op == LOOKUP:
        if body.split(b"\0")[0] == b"guest":
            answer(unique, struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + attr(2))
        else:
            answer(unique, error=-2)
    elif op == GETATTR:
        answer(unique, struct.pack("<QII", 3600, 0, 0) + attr(ino))
    elif op in (OPEN, OPENDIR):
        answer(unique, struct.pack("<QII", 0, 0, 0))
    elif op == READ and "read" not in hang:
        fh, off, size = struct.unpack_from("<QQI", body)
        answer(unique, data[off:off + size])
    elif op == FLUSH and "flush" not in hang:
        answer(unique)
    elif op in (READ, FLUSH, FORGET):
        pass
    elif op == RELEASE:
        answer(unique)
    else:
        answer(unique, error=-38)
