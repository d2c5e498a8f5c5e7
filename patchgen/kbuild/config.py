# SPDX-License-Identifier: GPL-2.0-only
"""Which configuration objects are compiled with.

The user's own, where there is one; else the architecture's defconfig with what mmu
notifier code can have (:data:`OPTIONS`) and the options that gate the touched files,
together with those that these need.  What of it the tree can offer is for its own
``make olddefconfig`` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import read_given
from patchgen.source.config.flags_makefile import file_flags, object_of
from patchgen.source.config.kconfig_eval import enablers
from patchgen.source.config.overlay_config import read_kconfig
from patchgen.source.config.overlay_inputs import Inputs
from patchgen.source.config.overlay_start import folders_of

OPTIONS = frozenset(
    "VIRTUALIZATION KVM KVM_INTEL KVM_AMD KSM TRANSPARENT_HUGEPAGE MIGRATION UPROBES".split()
)
_ON = re.compile(r"^CONFIG_(\w+)=[ym]$", re.M)


class Goal(Value, frozen=True):
    """A source, kbuild's name of its object, and the options that gate it."""

    source: str
    target: str
    gates: tuple[str, ...]


class Shown(Inputs):
    """The tree at ``root`` with ``files`` in place of its own."""

    def __init__(self, root: Path, files: Mapping[str, bytes | None]) -> None:
        super().__init__(root)
        self._files = files

    def read(self, path: str) -> str | None:
        if path not in self._files:
            return super().read(path)
        data = self._files[path]
        return None if data is None else data.decode("utf-8", "replace")


def options_on(text: str) -> frozenset[str]:
    """The options that are y or m in the text of a .config."""
    return frozenset(_ON.findall(text))


def goals(inputs: Inputs, sources: Iterable[str], arch: str, on: frozenset[str]) -> list[Goal]:
    """How to ask kbuild for each source's object; of several ways one that ``on`` has."""
    return [
        Goal(path, object_of(inputs, path, arch, on), file_flags(inputs, path, arch, on).options)
        for path in sources
    ]


def wanted(inputs: Inputs, asked: Iterable[Goal], arch: str) -> frozenset[str]:
    """The options to ask for so that all these objects belong to the build."""
    asked = tuple(asked)
    folders = frozenset(folder for goal in asked for folder in folders_of(goal.source))
    gates = frozenset(option for goal in asked for option in goal.gates)
    return enablers(read_kconfig(inputs.read, arch, folders), OPTIONS | gates)


def users(build_dir: Path) -> str:
    """The .config of the user's own build folder; UserError where there is none."""
    data = read_given(build_dir / ".config")
    if data is None:
        raise UserError(
            "--build needs a configured build folder: no .config is here", str(build_dir)
        )
    return data.decode(errors="replace")
