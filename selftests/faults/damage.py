#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Damages an object file, for objects.sh. In: the file, what to do; out: the file. --fields lists the header's members.

The checksum is made anew where that is the point: then the structure itself has to be checked.
"""
import glob
import hashlib
import os
import struct
import sys

# Name, format; in the order of struct dragoman_object.
FIELDS = [("magic", "Q"), ("version", "I"), ("machine", "I"), ("size", "Q"), ("digest", "32s"), ("translator", "32s"),
          ("features", "Q"), ("file_size", "Q"), ("delta", "q"), ("text_lo", "Q"), ("text_hi", "Q"), ("index", "Q"),
          ("index_size", "Q"), ("regions", "Q"), ("regions_size", "Q"), ("hot", "Q"), ("hot_size", "Q"), ("cold", "Q"),
          ("cold_size", "Q"), ("meta", "Q"), ("meta_size", "Q"), ("region_insns", "I"), ("reserved0", "52s"), ("publish", "I"),
          ("nregions", "I"), ("hot_used", "I"), ("cold_used", "I"), ("pool_used", "I"), ("meta_used", "I"), ("ninsns", "I"),
          ("complete", "I"), ("reserved1", "32s"), ("checksum", "32s")]
OFFSET, at = {}, 0
for name, form in FIELDS:
    at += -at % (struct.calcsize(form) if "s" not in form else 1)
    OFFSET[name] = at
    at += struct.calcsize(form)
SIZE = at
assert SIZE == 360, SIZE


class Object:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.bytes = bytearray(f.read())

    def __getitem__(self, name):
        return struct.unpack_from("<" + dict(FIELDS)[name], self.bytes, OFFSET[name])[0]

    def __setitem__(self, name, value):
        struct.pack_into("<" + dict(FIELDS)[name], self.bytes, OFFSET[name], value)

    def sign(self):
        self["publish"] = 0
        self["checksum"] = bytes(32)
        h = hashlib.sha256(self.bytes[:SIZE])
        for start, size in ((self["index"], self["index_size"]), (self["regions"], self["nregions"] * REGION),
                            (self["hot"], self["hot_used"]), (self["cold"], self["cold_used"]),
                            (self["cold"] + self["cold_size"] - self["pool_used"], self["pool_used"]),
                            (self["meta"], self["meta_used"])):
            part = bytes(self.bytes[start:start + size])
            h.update(part + bytes(max(0, min(size, 1 << 31) - len(part))))
        self["checksum"] = h.digest()

    def write(self):
        with open(self.path, "r+b") as f:
            f.truncate(0)
            for i in range(0, len(self.bytes), 4096):
                page = self.bytes[i:i + 4096]
                if any(page):
                    f.seek(i)
                    f.write(page)
            f.truncate(len(self.bytes))


REGION = int(os.environ.get("REGION_SIZE", "0")) or None


def region_size():
    """sizeof(struct dragoman_region), from the header's assertion."""
    import re
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../include/dragoman/object.h")) as f:
        return int(re.search(r"sizeof\(struct dragoman_region\) == (\d+)", f.read()).group(1))


def wrong(o, name):
    """Another value of a member."""
    value = o[name]
    if isinstance(value, bytes):
        return bytes([value[0] ^ 0x55]) + value[1:]
    return value + 0x1000 if name not in ("magic", "version", "machine", "complete") else value ^ 0x40


def main():
    global REGION
    if sys.argv[1] == "--fields":
        print(" ".join(name for name, _ in FIELDS))
        return
    REGION = region_size()
    path, how, *rest = sys.argv[1:]
    if how == "truncate":
        os.truncate(path, os.path.getsize(path) // 2 if rest[0] == "half" else int(rest[0]))
        return
    if how in ("symlink", "symlink-nowhere", "fifo", "folder", "hardlink"):
        moved = os.path.join(os.path.dirname(os.path.dirname(path)), "moved")
        os.rename(path, moved)
        if how == "fifo":
            os.mkfifo(path)
        elif how == "folder":
            os.mkdir(path)
        elif how == "hardlink":
            os.link(moved, path)
        else:
            os.symlink(moved if how == "symlink" else "/nowhere", path)
        return
    if how == "append":
        with open(path, "ab") as f:
            f.write(b"x" * 65536)
        return
    if how == "garbage":
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            f.write(hashlib.sha256(b"seed").digest() * (size // 64))
        return
    o = Object(path)
    if how == "flip":
        used = {"index": "index_size", "regions": "nregions", "hot": "hot_used", "cold": "cold_used", "meta": "meta_used"}[rest[0]]
        size = o[used] * (REGION if rest[0] == "regions" else 1)
        o.bytes[o[rest[0]] + size // 2] ^= 4
    elif how == "field":
        o[rest[0]] = wrong(o, rest[0])
        if rest[0] != "checksum":
            o.sign()
    elif how == "other":
        others = [p for p in glob.glob(os.path.dirname(path) + "/*.dgo") if p != path]
        o.bytes = Object(others[0]).bytes
    elif how == "class":
        o["features"] = o["features"] & 1 or 1
        o.sign()
    elif how == "code":     # of the first region, near its beginning
        hot, size = struct.unpack_from("<II", o.bytes, o["regions"])
        o.bytes[o["hot"] + hot + 2] ^= 0x18
        o.sign()
    elif how == "index-astray":
        for i in range(o["index"], o["index"] + o["index_size"], 4):
            word = struct.unpack_from("<I", o.bytes, i)[0]
            if word & 0x3fffffff > 64:
                struct.pack_into("<I", o.bytes, i, word + 1)
                break
        o.sign()
    elif how == "region-astray":
        struct.pack_into("<I", o.bytes, o["regions"], 0x7ffffff0)
        o.sign()
    elif how == "entry-astray":
        struct.pack_into("<I", o.bytes, o["meta"] + 4, 0x7ffffff0)
        o.sign()
    elif how == "site-astray":
        # The first region's last site: behind all its other arrays. Any word that is no place will do.
        end = o["meta_used"]
        if o["nregions"] > 1:
            end = struct.unpack_from("<I", o.bytes, o["regions"] + REGION + region_meta_offset())[0]
        struct.pack_into("<I", o.bytes, o["meta"] + end - 8, 0x7ffffff8)
        o.sign()
    else:
        sys.exit("damage.py: what is %s?" % how)
    o.write()


def region_meta_offset():
    """Of dragoman_region.meta: the members before it, all __u32."""
    import re
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../include/dragoman/object.h")) as f:
        body = re.search(r"struct dragoman_region \{(.*?)\};", f.read(), re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    names = []
    for kind, members in re.findall(r"__u(32|16)\s+([^;]+);", body):
        names += [(m.strip(), int(kind) // 8) for m in members.split(",")]
    offset = 0
    for name, size in names:
        if name == "meta":
            return offset
        offset += size
    raise KeyError("meta")


main()
