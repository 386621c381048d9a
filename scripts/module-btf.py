#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""module-btf.py MODULE.ko [VMLINUZ]: gives a module type information (BTF) where the kernel's headers make none.

In: a module with debugging information, and the image of the very kernel that it is for; without one, the kernel that runs.
Out: the module with a .BTF section. Nothing is done if it has one. Needs pahole.

Debian's headers of 6.1 lack the kernel's own types, on which a module's are built. They are in the image, too, compressed.
"""
import lzma
import os
import subprocess
import sys
import tempfile
import zlib

RUNNING = "/sys/kernel/btf/vmlinux"


def unpack_zstd(data):
    return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


# What begins a compressed kernel, and how to unpack it when bytes follow.
METHODS = (
    (b"\xfd7zXZ\0", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x28\xb5\x2f\xfd", unpack_zstd),
    (b"\x1f\x8b\x08", lambda data: zlib.decompressobj(31).decompress(data)),
)


def unpack(image):
    """The kernel's ELF file inside its boot image, or None."""
    for magic, method in METHODS:
        at = image.find(magic)
        while at >= 0:
            try:
                kernel = method(image[at:])
            except (lzma.LZMAError, zlib.error, OSError):
                kernel = b""
            if kernel.startswith(b"\x7fELF"):
                return kernel
            at = image.find(magic, at + 1)
    return None


def has_btf(module):
    sections = subprocess.run(["objdump", "-h", module], stdout=subprocess.PIPE, check=True, text=True).stdout
    return " .BTF " in sections


def kernel_types(image, folder):
    """Path of a file with the kernel's BTF; None if there is none."""
    if not image:
        return RUNNING if os.path.exists(RUNNING) else None
    with open(image, "rb") as f:
        kernel = unpack(f.read())
    if not kernel:
        return None
    path, types = os.path.join(folder, "vmlinux"), os.path.join(folder, "btf")
    with open(path, "wb") as f:
        f.write(kernel)
    subprocess.run(["objcopy", "--dump-section", ".BTF=" + types, path, os.path.join(folder, "rest")],
                   stderr=subprocess.DEVNULL)
    return types if os.path.exists(types) else None


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: module-btf.py MODULE.ko [VMLINUZ]")
    module, image = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    if has_btf(module):
        return
    with tempfile.TemporaryDirectory() as folder:
        types = kernel_types(image, folder)
        if not types:
            sys.exit("module-btf.py: no types of the kernel can be found (%s)" % (image or "is this kernel built with BTF?"))
        subprocess.run(["pahole", "-J", "--btf_gen_floats", "--btf_base", types, module], check=True)
    if not has_btf(module):
        sys.exit("module-btf.py: pahole made no types for %s" % module)


main()
