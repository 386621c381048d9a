#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client that does not keep to the protocol, for clients.sh. In: the socket, what to do, a guest file, a folder to write in; out: exit
status 0 if the server did nothing that it must not: no hang of this client, no descriptor for a wrong request."""
import array
import os
import random
import socket
import struct
import sys
import time

ERROR, ATTACH, MISS, REPORT, STATUS, TRANSLATE, CLEAR, FLUSH, STOP = range(9)
path, what, guest, folder = sys.argv[1:]
random.seed(what)


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    s.connect(path)
    return s


def message(kind, body=b"", size=None, version=1):
    return struct.pack("<IHH", 8 + len(body) if size is None else size, kind, version) + body


def attach_body(nfiles=1, machine=183, features=0, flags=0, reserved=0, translator=bytes(32)):
    return translator + struct.pack("<QIIII", features, machine, nfiles, flags, reserved)


def send(s, data, fds=()):
    try:
        s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
    except (BrokenPipeError, ConnectionResetError, socket.timeout, BlockingIOError):
        pass


def receive(s):
    """(data, descriptors) or None if it was closed. A server that says nothing for 10 s makes this fail."""
    try:
        data, extra, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(64))
    except ConnectionResetError:
        return None
    fds = array.array("i")
    for _, _, raw in extra:
        fds.frombytes(raw[:len(raw) - len(raw) % fds.itemsize])
    return (data, list(fds)) if data else None


def refused(data, fds=()):
    """The answer to a wrong message is an error, or the connection ends. No descriptor may come."""
    with connect() as s:
        send(s, data, fds)
        answer = receive(s)
        if not answer:
            return
        got, descriptors = answer
        kind = struct.unpack_from("<IHH", got)[1]
        if descriptors:
            sys.exit("%s: a descriptor for %r" % (what, data[:16]))
        if kind == ATTACH:      # attached, but no file of it
            for i in range(4):
                status = struct.unpack_from("<I", got, 24 + 48 * i)[0]
                if status == 0 and i < struct.unpack_from("<I", got, 20)[0]:
                    sys.exit("%s: accepted" % what)
        elif kind == TRANSLATE:  # it ends with an error
            while answer and struct.unpack_from("<iI", answer[0], 8) == (0, 0):
                answer = receive(s)
            if answer and struct.unpack_from("<i", answer[0], 8)[0] >= 0:
                sys.exit("%s: accepted" % what)
        elif kind != ERROR:
            sys.exit("%s: answer %d" % (what, kind))


def silent(data, fds=()):
    """A message without an answer, then the connection is closed."""
    with connect() as s:
        send(s, data, fds)


def opened(flags=os.O_RDONLY, name=None):
    return os.open(name or guest, flags)


def wrong_descriptors():
    yield opened(os.O_RDONLY | os.O_DIRECTORY, "/")
    yield opened(os.O_RDWR, "/dev/null")
    yield opened(os.O_RDONLY, "/dev/zero")
    yield opened(os.O_RDONLY, "/proc/self/status")
    yield opened(os.O_PATH)
    yield os.pipe()[0]
    yield socket.socketpair()[0].detach()
    yield os.memfd_create("x")
    fd = os.memfd_create("y")
    os.ftruncate(fd, 1 << 40)
    yield fd
    yield os.eventfd(0) if hasattr(os, "eventfd") else os.pipe()[1]
    name = os.path.join(folder, "elf")
    for size in (0, 1, 63, 64, 4096):
        with open(name, "wb") as f:
            f.write(open(guest, "rb").read(size))
        yield opened(os.O_RDONLY, name)
    with open(name, "wb") as f:
        f.write(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\xff" * 48)
    yield opened(os.O_RDONLY, name)
    fifo = os.path.join(folder, "fifo")
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    yield opened(os.O_RDONLY | os.O_NONBLOCK, fifo)


fd = opened()
if what == "garbage":
    for n in (1, 7, 8, 9, 64, 100, 4096):
        refused(bytes(random.randrange(256) for _ in range(n)))
elif what == "short":
    for kind in range(10):
        for n in range(0, 8):
            refused(message(kind)[:n] or b"\0")
elif what == "long":
    for size in (4096, 4097, 8192, 65536, 200000):
        refused(message(ATTACH, bytes(size - 8)))
elif what == "types":
    for kind in (9, 10, 100, 65535, ERROR):
        refused(message(kind))
        refused(message(kind, bytes(56)), [fd])
elif what == "versions":
    for version in (0, 2, 65535):
        refused(message(ATTACH, attach_body(), version=version), [fd])
elif what == "sizes":
    for size in (0, 7, 8, 63, 65, 0xffffffff):
        refused(message(ATTACH, attach_body(), size=size), [fd])
elif what == "reserved":
    refused(message(ATTACH, attach_body(reserved=1)), [fd])
    refused(message(ATTACH, attach_body(flags=0x80000000)), [fd])
    refused(message(ATTACH, attach_body(machine=62)), [fd])
    refused(message(ATTACH, attach_body(machine=0xb700b7)), [fd])
    refused(message(ATTACH, attach_body(features=1 << 63)), [fd])
elif what == "no-descriptor":
    for n in (0, 1, 4, 5, 0xffffffff):
        refused(message(ATTACH, attach_body(nfiles=n)))
    refused(message(TRANSLATE, struct.pack("<QII", 0, 183, 0)))
elif what == "too-many-descriptors":
    refused(message(ATTACH, attach_body(nfiles=1)), [fd] * 2)
    refused(message(ATTACH, attach_body(nfiles=5)), [fd] * 5)
    refused(message(ATTACH, attach_body(nfiles=4)), [fd] * 200)
    refused(message(STATUS), [fd] * 253) if False else silent(message(STATUS), [fd] * 253)
elif what == "wrong-descriptors":
    for other in wrong_descriptors():
        refused(message(ATTACH, attach_body()), [other])
        refused(message(TRANSLATE, struct.pack("<QII", 0, 183, 0)), [other])
        os.close(other)
elif what == "writable-descriptor":
    name = os.path.join(folder, "writable")
    with open(name, "wb") as f:
        f.write(open(guest, "rb").read())
    refused(message(ATTACH, attach_body()), [opened(os.O_RDWR, name)])
    refused(message(ATTACH, attach_body()), [opened(os.O_WRONLY, name)])
elif what == "half":
    whole = message(ATTACH, attach_body())
    for n in range(8, len(whole)):
        refused(whole[:n], [fd])
elif what == "random":
    for _ in range(500):
        kind = random.choice([ATTACH, MISS, REPORT, TRANSLATE, random.randrange(65536)])
        body = bytes(random.choice((0, 0, 0, 1, 255, random.randrange(256))) for _ in range(random.choice((0, 8, 56, 64, 264))))
        silent(message(kind, body), [fd] * random.randrange(3))
elif what == "misses":
    for n in (0, 1, 64, 65, 0xffffffff):
        silent(message(MISS, struct.pack("<IIII", random.randrange(1 << 32), random.randrange(8192), n, 0) + bytes(256)))
        silent(message(MISS, struct.pack("<IIII", 0, 0, n, 0)))
    for number in range(300):
        silent(message(MISS, struct.pack("<IIII", 1, number, 2, 0) + struct.pack("<II", 3, 0xfffffffc)))
elif what == "silent":
    with connect() as s:
        s.settimeout(1)
        try:
            receive(s)
        except socket.timeout:
            pass
elif what == "many-silent":
    held = []
    for _ in range(2000):
        try:
            s = connect()
            s.setblocking(False)
            held.append(s)
        except OSError:
            break
    time.sleep(0.5)
    closed = 0
    for s in held:
        try:
            s.recv(64)      # an error, or the end
            closed += 1
        except BlockingIOError:
            pass
        except ConnectionResetError:
            closed += 1
    print("# %d connections, of which the server closed %d" % (len(held), closed))
    if len(held) - closed > 1000:
        sys.exit("one user holds %d connections" % (len(held) - closed))
elif what == "disconnect":
    for _ in range(300):
        silent(message(ATTACH, attach_body()), [fd])
elif what == "flood-attach":
    for i in range(300):
        name = os.path.join(folder, "flood")
        with open(name, "wb") as f:
            f.write(open(guest, "rb").read() + struct.pack("<I", i))
        other = opened(os.O_RDONLY, name)
        silent(message(ATTACH, attach_body()), [other])
        os.close(other)
elif what == "flood-miss":
    with connect() as s:
        s.settimeout(0.5)
        for i in range(5000):
            send(s, message(MISS, struct.pack("<IIII", 1, i, 1, 0) + struct.pack("<I", 4 * i)))
elif what == "unread":
    held = []
    for _ in range(50):
        s = connect()
        s.settimeout(0.2)
        for _ in range(50):
            send(s, message(STATUS))
        held.append(s)
elif what == "stat-flood":
    for _ in range(300):
        silent(message(STATUS))
else:
    sys.exit("hostile.py: what is %s?" % what)
