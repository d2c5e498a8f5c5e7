# SPDX-License-Identifier: GPL-2.0-only
"""A build that can write into its own folders, nowhere else.

Makefiles and build tools come with the tree and with the series, and the view of the
tree is made of links into it: whatever they do, the tree and the user's files stay as
they are.  Landlock (Documentation/userspace-api/landlock.rst) takes the right to write
away from a child for good; reading and the network are not limited.  Its first version
forbids all renames between folders, which kconfig does: Linux 5.19 has the second.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from patchgen.sandbox import landlock, syscalls


@contextlib.contextmanager
def fence(folders: Iterable[Path]) -> Iterator[Callable[[], None] | None]:
    """What a new child calls to be kept to ``folders``; None: no Landlock that can do it."""
    if landlock.version() < 2:
        yield None
        return
    with landlock.rules(landlock.WRITE) as rules:
        if rules is None:
            yield None
            return
        for folder in folders:
            rules.allow(folder, landlock.WRITE)
        for name in ("null", "zero", "full"):
            rules.allow(Path("/dev", name), landlock.WRITE)

        def enter() -> None:
            if not rules.enter():
                os._exit(126)

        yield enter


class Fencing:
    """Whether a tree's program may run without a fence, as the person says for a whole run."""

    required = True


#: Where programs, their libraries and their data lie.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/perl", "/etc/ld.so.cache")
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_MEMORY, _FILE = 2 << 30, 64 << 20  # bytes
_PROCESSES = 64


@contextlib.contextmanager
def closed(
    reads: Iterable[Path], work: Path, seconds: float
) -> Iterator[Callable[[], None] | None]:
    """What a new child calls before a program of strangers; None: no Landlock.

    The program may read ``reads`` and the system's programs, read and write in the folder
    ``work``, and nothing else: no home, no other file, no network, no signal to a process
    outside, no group of its own; 2 GiB of memory, ``seconds`` of the processor, and a number
    of processes where a namespace of users can be had.  Where the kernel lacks a way to
    take one of these, the others still are.
    """
    rights = landlock.READ | landlock.WRITE | landlock.IOCTL
    with landlock.rules(rights, alone=True) as rules:
        if rules is None:
            yield None
            return
        for place in (*map(Path, _SYSTEM), *reads):
            rules.allow(place, landlock.READ)
        rules.allow(work, landlock.READ | landlock.WRITE)
        rules.allow(Path("/dev/null"), landlock.READ | landlock.WRITE)
        rules.allow(Path("/dev/urandom"), landlock.READ)
        libc = ctypes.CDLL(None)
        limit = int(seconds) + 1
        refuse = syscalls.refusing()

        def enter() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            # Not everybody may have namespaces.  The limit counts those of one alone.
            if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
                resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES, _PROCESSES))
            if not rules.enter():
                os._exit(126)
            if refuse is not None:
                refuse()

        yield enter
