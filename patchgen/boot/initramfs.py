# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs: one static program, packed by the kernel's own gen_init_cpio."""

from __future__ import annotations

import subprocess
from importlib import resources
from pathlib import Path

from patchgen import memo
from patchgen.model.outcome import UserError
from patchgen.sandbox import look, process
from patchgen.sandbox.aside import Aside
from patchgen.sandbox.reader import read_given

_SOURCES = ("layout.h", "guest.c", "guest.lds", "payload.S", "init.c")
_LIST = "dir /dev 0755 0 0\nnod /dev/console 0600 0 0 c 5 1\nfile /init init 0755 0 0\n"

# The guest has no paging, no FPU set up, and no loader: plain i386 code at one address.
_GUEST = (
    "gcc -m32 -march=i686 -O2 -Wall -ffreestanding -fno-pic -fno-pie -fno-stack-protector "
    "-fcf-protection=none -fno-asynchronous-unwind-tables -mno-sse -mno-mmx -c guest.c -o guest.o"
).split()
_LINK = "ld -m elf_i386 -T guest.lds --oformat binary guest.o -o guest.bin".split()
_INIT = "gcc -O2 -Wall -static -pthread init.c payload.S -o init".split()


def initramfs(packer: Path, compiler: str) -> Path:
    """The packed initramfs; built when its sources or the compiler changed.

    ``packer`` is the build's usr/gen_init_cpio.
    """
    folder = resources.files("patchgen.boot") / "guest"
    sources = {name: (folder / name).read_bytes() for name in _SOURCES}
    key = memo.digest(compiler, _LIST, *(" ".join(c) for c in (_GUEST, _LINK, _INIT)))
    key = memo.digest(key, *sources.values())
    target = memo.cache_dir() / "boot" / "images" / f"{key}.cpio"
    if not look.is_file(target):
        with Aside() as work:
            memo.write_atomic(target, _build(work, sources, packer))
    return target


def _build(work: Path, sources: dict[str, bytes], packer: Path) -> bytes:
    for name, data in sources.items():
        (work / name).write_bytes(data)
    (work / "list").write_text(_LIST)
    for command in (_GUEST, _LINK, _INIT):
        status, text = process.output(list(command), cwd=work)
        if status != 0:
            raise UserError(f"the program for the initramfs does not build: {text.strip()[:300]}")
    command = [str(packer), "list"]
    with (
        (work / "packed").open("wb") as file,
        process.running(command, cwd=work, stdout=file, stderr=subprocess.DEVNULL) as packing,
    ):
        packing.wait()
    if packing.returncode != 0:
        raise UserError("the kernel's packer failed", str(packer))
    return read_given(work / "packed") or b""
