# SPDX-License-Identifier: GPL-2.0-only
"""Single objects of a tree, compiled by its own kbuild after every patch.

Everything is below the cache: ``build/<key>/src`` is a view of the tree (see
:mod:`patchgen.kbuild.farm`) with the files of the present patch as real files, and
``obj`` make's output.  The key is the tree's place, the compiler, the architecture and
where the configuration comes from; of what changed since the last run, make compiles
what depends on it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from patchgen import memo
from patchgen.kbuild import config, needs
from patchgen.kbuild.built import Built
from patchgen.kbuild.config import Goal, Shown
from patchgen.kbuild.farm import Farm
from patchgen.kbuild.folder import locked
from patchgen.kbuild.said import Said, understand
from patchgen.model.outcome import UserError
from patchgen.sandbox import look, process
from patchgen.sandbox.fence import fence
from patchgen.sandbox.reader import read_own

Files = Mapping[str, bytes | None]
Say = Callable[[str], None]

_MACHINES = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm64", "ppc64le": "powerpc",
             "s390x": "s390", "riscv64": "riscv", "loongarch64": "loongarch"}  # fmt: skip
_KBUILD = ("Kconfig", "scripts/Makefile.build")
#: From here on make can be asked for ``a/../b.o`` (394053f4a4b3, "kbuild: make single
#: targets work more correctly").
_SINGLE = (5, 4)


def machine_arch() -> str:
    """The kernel's name of this machine's architecture; UserError for one not known."""
    name = platform.machine()
    if name not in _MACHINES:
        raise UserError(f"--build does not know this machine's architecture: {name}")
    return _MACHINES[name]


@contextlib.contextmanager
def object_builder(root: Path, version: str, build_dir: Path | None, say: Say) -> Iterator[Objects]:
    """The tree's build folder, for this run alone.

    UserError: the tree has no kbuild, ``build_dir`` no configuration, or a program is
    missing; it is named with its package.
    """
    lacking = [name for name in _KBUILD if not look.is_file(root / name)]
    if lacking:
        raise UserError(
            f"cannot build: the tree has no kbuild ({lacking[0]} is missing)", str(root)
        )
    needs.require("--build", needs.missing())
    text = config.users(build_dir) if build_dir else ""
    compiler = process.output(["gcc", "--version"])[1].partition("\n")[0]
    key = memo.digest(os.fsencode(root), compiler, machine_arch(), text)[:16]
    with locked("build", key, lambda: say("waiting for another build of this tree")) as folder:
        yield Objects(root, version, folder, text, say)


class Objects:
    """Compiles objects of one tree; use :func:`object_builder`."""

    def __init__(self, root: Path, version: str, folder: Path, users: str, say: Say) -> None:
        self._root = root
        self._folder = folder
        self._users = users
        self._say = say
        self._arch = machine_arch()
        self._farm = Farm(root, folder / "src")
        self._out = folder / "obj"
        self._temporary = folder / "tmp"
        numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
        self._single = tuple(numbers) >= _SINGLE
        for path in (self._out, self._temporary):
            path.mkdir(exist_ok=True)

    def prepare(self, before: Files, after: Files, sources: Sequence[str]) -> None:
        """Configure for ``sources`` as they are behind the series, and build the tools.

        ``before`` and ``after`` are its files around the series.  UserError: the tree,
        without the series, cannot be configured or prepared; with the first error.
        """
        self._say("build: looking at the tree")
        state = self._farm.sync(before)
        self._configure(state, Shown(self._root, {**before, **after}), sources)
        self._need("the tree itself cannot be built here", ["prepare", "scripts"])

    def build(self, label: str, files: Files, sources: Sequence[str]) -> Built:
        """Compile the objects of ``sources`` with ``files`` shown in the tree.

        ``label`` is for progress.
        """
        self._farm.replace(files)
        if any(path.rpartition("/")[2].startswith("Kconfig") for path in files):
            self._make(label, ["olddefconfig"])
        on = config.options_on(self._config_text())
        foreign = [f"{path}: of another architecture" for path in sources if self._foreign(path)]
        own = [path for path in sources if not self._foreign(path)]
        asked = config.goals(Shown(self._root, files), own, self._arch, on)
        if not asked:
            return Built(left_out=tuple(foreign))
        status, said = self._make(label, sorted({self._name(goal) for goal in asked}))
        unknown = [goal for goal in asked if self._name(goal) in said.unknown]
        failed = {goal.source: error for goal in asked if (error := said.error_of(goal.target))}
        stray = [error for error in said.errors.values() if error not in failed.values()]
        if status and not (stray or failed or unknown):
            stray = [said.first or f"make ended with status {status}"]
        # Where what everything depends on failed, the objects are an earlier run's.
        rest = [] if stray else [goal for goal in asked if goal not in unknown]
        return Built(
            tuple(goal.source for goal in rest if goal.source not in failed),
            (*foreign, *(f"{goal.source}: {_why(goal, on)}" for goal in unknown)),
            failed,
            tuple(dict.fromkeys([*stray, *failed.values()])),
        )

    def _foreign(self, path: str) -> bool:
        return path.startswith("arch/") and not path.startswith(f"arch/{self._arch}/")

    def _name(self, goal: Goal) -> str:
        """What to ask make for: the object, or its folder where make knows no such name."""
        if "/../" not in goal.target or self._single:
            return goal.target
        return goal.target.partition("/../")[0] + "/"

    def _configure(self, state: str, inputs: Shown, sources: Sequence[str]) -> None:
        """Bring .config up to date; written only where something that decides it changed."""
        own = [path for path in sources if not self._foreign(path)]
        asked = config.goals(inputs, own, self._arch, config.OPTIONS)
        options = () if self._users else sorted(config.wanted(inputs, asked, self._arch))
        key = memo.digest(state, self._users, *options)
        file, stamp = self._out / ".config", self._folder / "config.key"
        if look.is_file(file) and read_own(stamp) == key.encode():
            return
        stamp.unlink(missing_ok=True)
        if self._users:
            file.write_text(self._users)
        else:
            self._need("the tree cannot be configured", ["defconfig"])
            more = "".join(f"CONFIG_{name}=y\n" for name in options)
            file.write_text(f"{self._config_text()}\n{more}")
        self._need("the tree cannot be configured", ["olddefconfig"])
        stamp.write_text(key)

    def _need(self, failure: str, goals: list[str]) -> None:
        status, said = self._make("preparation", goals)
        if status:
            hint = "" if self._users else "--build-dir gives it another configuration"
            raise UserError(f"{failure}: {said.first}", str(self._folder / "make.log"), hint)

    def _config_text(self) -> str:
        return (read_own(self._out / ".config") or b"").decode(errors="replace")

    def _make(self, label: str, goals: list[str]) -> tuple[int, Said]:
        """make's exit status, and what was said; errors are of the target they stand at."""
        jobs = len(os.sched_getaffinity(0))
        status, said = self._run(label, goals, jobs)
        if status and said.errors and jobs > 1:
            # Messages of several compilers may be mixed up; what failed is tried alone.
            status, said = self._run(label, goals, 1)
        return status, said

    def _run(self, label: str, goals: list[str], jobs: int) -> tuple[int, Said]:
        log = self._folder / "make.log"
        arch = "x86_64" if self._arch == "x86" else self._arch
        command = ["make", "-C", str(self._farm.place), f"O={self._out}", f"ARCH={arch}"]
        command += ["-k", f"-j{jobs}", *goals]
        more = {"TMPDIR": str(self._temporary), "CCACHE_DISABLE": "1"}
        with (
            fence((self._out, self._temporary)) as first,
            log.open("wb") as file,
            process.running(command, stdout=file, more=more, first=first) as running,
        ):
            while running.poll() is None:
                time.sleep(0.05)
                self._say(f"build {label}: {(read_own(log) or b'').count(b'  CC ')} compiled")
        text = (read_own(log) or b"").decode(errors="replace")
        return running.returncode, understand(text, str(self._farm.place), str(self._out))


def _why(goal: Goal, on: frozenset[str]) -> str:
    off = [option for option in goal.gates if option not in on]
    if off:
        return f"not in this configuration (CONFIG_{off[0]} is off)"
    return "kbuild knows no such object in this configuration"
