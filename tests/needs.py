# SPDX-License-Identifier: GPL-2.0-only
"""What tests need of a machine beyond git, make and Python, and how to have it.

A test says ``@pytest.mark.needs("gcc", "flex")``, a fixture calls ``need("gcc")`` of
conftest.py: where one is missing the test is skipped and says which and in which Debian
packages it is.  In CI a skip fails the run.  ``python3 tests/needs.py`` prints the packages
of all that is missing here, one a line; it runs before anything is installed, so nothing
but Python's own library is used.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

_LANDLOCK_CREATE_RULESET = 444  # include/uapi/asm-generic/unistd.h
_LANDLOCK_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
#: Linux 5.19: renames between folders, which kconfig does (landlock.rst, "ABI < 2").
_LANDLOCK_ABI = 2


class Tool(NamedTuple):
    """Something that a machine has or lacks; the Debian packages that bring it."""

    here: Callable[[], bool]
    packages: tuple[str, ...]
    what: str = ""


def programs(*names: str) -> Callable[[], bool]:
    """Whether all these programs are in PATH."""
    return lambda: all(shutil.which(name) for name in names)


def compiles(source: str, *options: str) -> Callable[[], bool]:
    """Whether gcc makes a program of ``source``."""

    def here() -> bool:
        if shutil.which("gcc") is None:
            return False
        with tempfile.TemporaryDirectory(prefix="patchgen-needs-") as folder:
            command = ["gcc", "-x", "c", "-", "-o", f"{folder}/need", *options]
            done = subprocess.run(
                command, input=source.encode(), stderr=subprocess.DEVNULL, check=False
            )
            return done.returncode == 0

    return here


def send_email() -> bool:
    """Whether git has send-email and, which Debian only recommends, what it parses with."""
    if not programs("git", "perl")():
        return False
    command = ["git", "--exec-path"]
    folder = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    parser = subprocess.run(["perl", "-MMail::Address", "-e1"], capture_output=True, check=False)
    return Path(folder, "git-send-email").exists() and parser.returncode == 0


def landlock() -> bool:
    """Whether this kernel can keep a process to its folders."""
    call = ctypes.CDLL(None).syscall
    return int(call(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)) >= _LANDLOCK_ABI


TOOLS = {
    "gcc": Tool(compiles("#include <stdio.h>\nint main(void) { return 0; }\n", "-static"),
                ("gcc", "libc6-dev"), "gcc and the C library's headers"),
    "flex": Tool(programs("flex"), ("flex",)),
    "bison": Tool(programs("bison"), ("bison",)),
    "bc": Tool(programs("bc"), ("bc",)),
    "libelf": Tool(compiles("#include <libelf.h>\nint main(void) { return 0; }\n", "-lelf"),
                   ("libelf-dev",), "libelf's header"),
    "perl": Tool(programs("perl"), ("perl",)),
    "xz": Tool(programs("xz"), ("xz-utils",)),
    "gpg": Tool(programs("gpg", "gpgconf", "gpg-agent"), ("gpg", "gpg-agent")),
    "apt": Tool(programs("apt-get", "apt-config", "dpkg-deb"), (), "apt and dpkg"),
    "git send-email": Tool(send_email, ("git-email", "libmailtools-perl")),
    "spatch": Tool(programs("spatch"), ("coccinelle",)),
    "spin": Tool(programs("spin"), ("spin",)),
    "strace": Tool(programs("strace"), ("strace",)),
    "root": Tool(lambda: os.geteuid() == 0, (), "root's rights"),
    "Landlock": Tool(landlock, (), "a kernel with Landlock (5.19)"),
}  # fmt: skip


@cache
def has(name: str) -> bool:
    """Whether this machine has the tool; KeyError for one that is not listed here."""
    return TOOLS[name].here()


def lacking(names: tuple[str, ...]) -> str:
    """What of these is missing and how to have it; "" when nothing is."""
    missing = [name for name in names if not has(name)]
    if not missing:
        return ""
    what = ", ".join(TOOLS[name].what or name for name in missing)
    packages = [package for name in missing for package in TOOLS[name].packages]
    return f"needs {what}" + (f": apt install {' '.join(packages)}" if packages else "")


def packages(names: tuple[str, ...] = tuple(TOOLS)) -> list[str]:
    """The packages of these tools, in the order of the table."""
    return [package for name in names for package in TOOLS[name].packages]


if __name__ == "__main__":
    print("\n".join(packages(tuple(name for name in TOOLS if not has(name)))))
