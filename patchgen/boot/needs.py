# SPDX-License-Identifier: GPL-2.0-only
"""What booting needs on this machine beyond a kernel build, asked before any work."""

from __future__ import annotations

import platform

from patchgen.kbuild.needs import LIBELF, PROGRAMS, Need, Trial, require
from patchgen.kbuild.needs import missing as lacking
from patchgen.model.outcome import UserError

_PROGRAMS = (*PROGRAMS, ("gzip", "gzip"), ("qemu-system-x86_64", "qemu-system-x86"))

_TRIALS = (
    LIBELF,
    Trial("a C library to link statically", "libc6-dev", ("-static", "-pthread")),
    Trial(
        "a gcc that compiles for i386 (-m32)",
        "gcc",
        ("-m32", "-ffreestanding", "-c"),
        "int first(void) { return 0; }\n",
    ),
)


def missing() -> tuple[Need, ...]:
    """All needs that this machine does not meet; () when it can build and boot."""
    return lacking(_PROGRAMS, _TRIALS)


def check() -> None:
    """Raise UserError with all that is missing, and how to get it."""
    if platform.machine() not in ("x86_64", "amd64"):
        raise UserError(
            f"boot builds an x86-64 kernel with this machine's gcc; it is {platform.machine()}",
            hint="run it on an x86-64 machine; hardware virtualisation is not needed",
        )
    require("boot", missing())
