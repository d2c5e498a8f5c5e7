# SPDX-License-Identifier: GPL-2.0-only
"""Minimal Debian roots, kept below the cache folder, and commands in them.

A root is what mmdebstrap makes of the essential packages, apt and the few that are
named; a command runs in it as an ordinary user, who can write only to a home and a /tmp
of the run's own, or as root on what is thrown away.  Both need root on this machine.
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from patchgen.memo import cache_dir, digest
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.source.tree.fetch_debian import transport
from tests.bare import host


class Person(Value, frozen=True):
    """Who runs the commands, where at home, and with which programs in PATH."""

    uid: int
    home: str
    path: str = "/usr/local/bin:/usr/bin:/bin"


USER = Person(1000, "/home/user")
ROOT = Person(0, "/root", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
BASIC = ("git", "make", "python3", "python3-venv")
#: gcc as `apt install gcc` brings it: with the C library's headers that it recommends.
COMPILER = ("gcc", "libc6-dev")
_WEEK = 7 * 86400.0
_ENTER = Path(__file__).with_name("enter.sh")


class Kind(Value, frozen=True):
    """A machine to try: a Debian release's suite and what is installed beyond apt."""

    name: str
    suite: str
    packages: tuple[str, ...]


KINDS = tuple(
    Kind(f"debian-{number}{more}", suite, packages)
    for number, suite in ((12, "bookworm"), (13, "trixie"))
    for more, packages in (("", BASIC), ("-gcc", BASIC + COMPILER))
)


class Mount(Value, frozen=True):
    """A file or folder of this machine and where it is seen in a root."""

    source: Path
    target: str
    writable: bool = False


def folder() -> Path:
    """Where roots, logs and pip's downloads are kept."""
    return cache_dir().absolute() / "bare"


def root_of(kind: Kind) -> Path:
    """The root of ``kind``, made if there is none of this week.

    Raises UserError when this machine cannot make it.
    """
    if os.geteuid() != 0:
        raise UserError("bare roots are made and entered by root only", hint="run it as root")
    if shutil.which("mmdebstrap") is None:
        raise UserError("mmdebstrap is not installed", hint="apt install mmdebstrap")
    sources = host.sources(kind.suite)
    root = folder() / "roots" / f"{kind.name}-{digest(*kind.packages, *sources)[:8]}"
    if not root.is_dir() or time.time() - root.stat().st_mtime > _WEEK:
        part = root.with_name(f".part-{root.name}")
        for old in (root, part):
            shutil.rmtree(old, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        _make(kind, sources, part)
        os.utime(part)
        part.rename(root)
    host.take_over(root)
    return root


def _make(kind: Kind, sources: list[str], into: Path) -> None:
    options = [line for line in transport() if "::" in line]
    command = [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase",
        f"--include={','.join(kind.packages)}", '--aptopt=APT::Install-Recommends "false"',
        *(f"--aptopt={line.rstrip(';')}" for line in options),
        kind.suite, str(into), *sources,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"mmdebstrap cannot make {kind.name}: {done.stderr.strip()[-500:]}")
    with (into / "etc/passwd").open("a") as file:
        file.write(f"user:x:{USER.uid}:{USER.uid}::{USER.home}:/bin/bash\n")
    with (into / "etc/group").open("a") as file:
        file.write(f"user:x:{USER.uid}:\n")


def run(
    root: Path,
    person: Person,
    mounts: list[Mount],
    environment: Mapping[str, str],
    command: str,
    log: IO[bytes],
) -> int:
    """Run a shell command in ``root`` as ``person`` at a terminal does; its exit status.

    All that it prints goes to ``log``.  No process of it is left when this returns.
    """
    words = [f"{'rw' if m.writable else 'ro'}:{m.source}:{m.target}" for m in mounts]
    reader, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with subprocess.Popen(
        ["/usr/bin/unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc",
         "bash", str(_ENTER), str(root), str(person.uid), command, *words],
        stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
        env={"PATH": person.path, "HOME": person.home, "LANG": "C.UTF-8", **environment},
    ) as process:  # fmt: skip
        os.close(terminal)
        try:
            _copy(reader, log)
            return process.wait()
        finally:
            # An interrupted run: all in the namespace ends with this one.
            process.kill()


def _copy(reader: int, log: IO[bytes]) -> None:
    """What comes from the terminal, to the log, until nobody has it open any more."""
    try:
        while select.select([reader], [], []) and (data := os.read(reader, 1 << 16)):
            log.write(data)
            log.flush()
    except OSError:
        # EIO: the last writer is gone.
        pass
    finally:
        os.close(reader)
