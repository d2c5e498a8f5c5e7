# SPDX-License-Identifier: GPL-2.0-only
"""Kernel tree and replaced files to a bootable image, everything below the cache.

One build folder a tree and compiler: the patched kernel reuses the base kernel's
objects, the finished images are kept by content.  ``boot/work/<key>`` holds ``src``
(the links), ``build`` (make's output), ``boot/images`` the kernels.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from patchgen import memo
from patchgen.boot import config
from patchgen.kbuild.farm import Farm
from patchgen.kbuild.folder import locked
from patchgen.model.outcome import Refused, UserError
from patchgen.sandbox import look, process
from patchgen.sandbox.reader import read_inside, read_own

Say = Callable[[str], None]
#: Largest kernel that is taken, in bytes.
_IMAGE = 256 << 20
_COMPILED = (b"  CC ", b"  AS ", b"  HOSTCC ")


class BuildFailed(UserError):
    """make ended with an error; the message names its log and its first error."""


class Builder:
    """Builds kernels of the tree at ``root`` (resolved); use :func:`builder`."""

    def __init__(self, root: Path, folder: Path, jobs: int) -> None:
        self.folder = folder
        self.out = folder / "build"
        self.compiler = process.output(["gcc", "--version"])[1].partition("\n")[0]
        self._farm = Farm(root, folder / "src")
        self._jobs = jobs

    def image(self, name: str, files: Mapping[str, bytes | None], say: Say) -> tuple[Path, float]:
        """The kernel of the tree with ``files`` replaced, and the seconds it took.

        ``name`` is for progress and the log.  Refused: the tree does not offer what the
        measurement needs; BuildFailed: it does not compile.
        """
        began = time.monotonic()
        say(f"{name}: looking at the tree")
        state = self._farm.sync(files)
        parts = [os.fsencode(p) + b"\0" + (b"-" if d is None else d) for p, d in files.items()]
        key = memo.digest(state, config.fragment(), self.compiler, *sorted(parts))
        image = memo.cache_dir() / "boot" / "images" / f"{key}.bzImage"
        if not look.is_file(image):
            self._configure(name, say)
            self._make(["bzImage"], name, say)
            image.parent.mkdir(parents=True, exist_ok=True)
            built = read_inside(str(self.out.resolve()), "arch/x86/boot/bzImage", _IMAGE) or b""
            memo.write_atomic(image, built)
        return image, time.monotonic() - began

    def _configure(self, name: str, say: Say) -> None:
        """Bring .config up to date; written only where it changes, make compares times."""
        self.out.mkdir(parents=True, exist_ok=True)
        fragment = self.folder / "all.config"
        fragment.write_text(config.fragment())
        before = self._config_text()
        self._make([f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig"], name, say)
        lacking = config.absent(self.out / ".config")
        if lacking:
            raise Refused(
                "not shown: this tree's configuration does not offer "
                + ", ".join(f"CONFIG_{option}" for option in lacking)
            )
        if before and before != self._config_text():
            say(f"{name}: the configuration changed, all is built anew")

    def _config_text(self) -> str:
        return (read_own(self.out / ".config") or b"").decode(errors="replace")

    def _make(self, goals: list[str], name: str, say: Say) -> None:
        log = self.folder / "make.log"
        command = ["make", "-C", str(self._farm.place), f"O={self.out}", "ARCH=x86_64"]
        command += [f"-j{self._jobs}", *goals]
        with log.open("wb") as file, process.running(command, stdout=file) as running:
            while running.poll() is None:
                time.sleep(0.2)
                say(f"{name}: {_done(log)} objects")
        if running.returncode != 0:
            raise BuildFailed(f"make failed, {name} kernel: {_first_error(log)}", str(log))


@contextlib.contextmanager
def builder(root: Path, jobs: int, say: Say) -> Iterator[Builder]:
    """The tree's build folder, locked: a second run waits for the first."""
    compiler = process.output(["gcc", "--version"])[1].partition("\n")[0]
    key = memo.digest(os.fsencode(root), compiler, config.fragment())[:16]
    with locked(
        "boot/work", key, lambda: say("waiting for another patchgen boot of this tree")
    ) as folder:
        yield Builder(root, folder, jobs)


def _done(log: Path) -> int:
    data = read_own(log) or b""
    return sum(data.count(word) for word in _COMPILED)


def _first_error(log: Path) -> str:
    lines = (read_own(log) or b"").decode(errors="replace").splitlines()
    for line in lines:
        if "error:" in line or "*** " in line or "Error " in line:
            return line.strip()[:200]
    return lines[-1].strip()[:200] if lines else "make said nothing"
