#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes each worker of one file crash: crasher.py SOCKET NAME. In: the server's status, again and again; out: SIGSEGV to the worker
whose object is called NAME. Runs until it is killed."""
import array
import json
import os
import signal
import socket
import struct
import sys
import time


def status(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(5)
        s.connect(path)
        s.send(struct.pack("<IHH", 8, 4, 1))
        _, extra, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(4))
        fd = array.array("i", extra[0][2])[0]
        with os.fdopen(fd, "rb") as f:
            f.seek(0)
            return json.load(f)


while True:
    try:
        for o in status(sys.argv[1])["objects"]:
            if o["name"] == sys.argv[2] and "worker" in o:
                os.kill(o["worker"]["pid"], signal.SIGSEGV)
    except (OSError, IndexError, ValueError):
        pass
    time.sleep(0.002)
