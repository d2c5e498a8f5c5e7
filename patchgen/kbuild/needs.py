# SPDX-License-Identifier: GPL-2.0-only
"""What building needs on this machine, asked before any work.

Each need is tried, not looked up: a header is compiled against, a program started from
PATH.  What a build needs is in the tree's Documentation/process/changes.rst; package
names are Debian's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import process
from patchgen.sandbox.aside import Aside

PROGRAMS = (
    ("gcc", "gcc"),
    ("ld", "binutils"),
    ("make", "make"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("perl", "perl"),
)
"""(program, package) that any kernel build needs."""


class Need(Value, frozen=True):
    """Something that is missing, and the package that has it."""

    what: str
    package: str


class Trial(Value, frozen=True):
    """Something that gcc must manage with ``flags``: what it shows, and its package."""

    what: str
    package: str
    flags: tuple[str, ...]
    source: str = "int main(void) { return 0; }\n"


LIBELF = Trial(
    "libelf's header and library",
    "libelf-dev",
    ("-lelf",),
    "#include <libelf.h>\nint main(void) { return 0; }\n",
)


def missing(
    programs: Iterable[tuple[str, str]] = PROGRAMS, trials: Iterable[Trial] = (LIBELF,)
) -> tuple[Need, ...]:
    """All of these that this machine does not meet; () when it can build."""
    found = [Need(name, package) for name, package in programs if shutil.which(name) is None]
    if shutil.which("gcc") is not None:
        with Aside() as folder:
            found += [
                Need(trial.what, trial.package) for trial in trials if not _compiles(trial, folder)
            ]
    return tuple(found)


def require(what: str, lacking: Iterable[Need]) -> None:
    """Raise UserError with all that ``what`` lacks, and how to get it."""
    needs = tuple(lacking)
    if needs:
        packages = " ".join(dict.fromkeys(need.package for need in needs))
        raise UserError(
            f"{what} needs " + ", ".join(need.what for need in needs),
            hint=f"on Debian: apt install {packages}",
        )


def _compiles(trial: Trial, folder: Path) -> bool:
    source = folder / "need.c"
    source.write_text(trial.source)
    command = ["gcc", str(source), "-o", str(folder / "need"), *trial.flags]
    return process.output(command)[0] == 0
