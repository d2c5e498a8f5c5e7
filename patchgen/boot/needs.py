# SPDX-License-Identifier: GPL-2.0-only
"""What building and booting needs on this machine, asked before any work.

Each need is tried, not looked up: a header is compiled against, a static program
linked.  Package names are Debian's.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path

from patchgen.boot import process
from patchgen.model import Value
from patchgen.outcome import UserError

_PROGRAMS = (
    ("gcc", "gcc"),
    ("ld", "binutils"),
    ("make", "make"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("gzip", "gzip"),
    ("perl", "perl"),
    ("qemu-system-x86_64", "qemu-system-x86"),
)

# (what, package, flags, source): compiled and linked by gcc.
_COMPILES = (
    ("libelf's header and library", "libelf-dev", ["-lelf"], "#include <libelf.h>\n"),
    ("a C library to link statically", "libc6-dev", ["-static", "-pthread"], ""),
)


class Need(Value, frozen=True):
    """Something that is missing, and the package that has it."""

    what: str
    package: str


def missing() -> tuple[Need, ...]:
    """All needs that this machine does not meet; () when it can build and boot."""
    found = [Need(name, package) for name, package in _PROGRAMS if shutil.which(name) is None]
    if shutil.which("gcc") is not None:
        found += _uncompilable()
    return tuple(found)


def check() -> None:
    """Raise UserError with all that is missing, and how to get it."""
    if platform.machine() not in ("x86_64", "amd64"):
        raise UserError(
            f"boot builds an x86-64 kernel with this machine's gcc; it is {platform.machine()}",
            hint="run it on an x86-64 machine; hardware virtualisation is not needed",
        )
    lacking = missing()
    if lacking:
        packages = " ".join(dict.fromkeys(need.package for need in lacking))
        raise UserError(
            "boot needs " + ", ".join(need.what for need in lacking),
            hint=f"on Debian: apt install {packages}",
        )


def _uncompilable() -> list[Need]:
    found: list[Need] = []
    with tempfile.TemporaryDirectory(prefix="patchgen-") as folder:
        source = Path(folder) / "need.c"
        for what, package, flags, text in _COMPILES:
            source.write_text(text + "int main(void) { return 0; }\n")
            command = ["gcc", str(source), "-o", f"{folder}/need", *flags]
            if process.output(command)[0] != 0:
                found.append(Need(what, package))
        source.write_text("int first(void) { return 0; }\n")
        command = ["gcc", "-m32", "-ffreestanding", "-c", str(source), "-o", f"{folder}/need.o"]
        if process.output(command)[0] != 0:
            found.append(Need("a gcc that compiles for i386 (-m32)", "gcc"))
    return found
