# SPDX-License-Identifier: GPL-2.0-only
"""A module's folder → facts of all its files as one program → findings, and what they cover."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.rules.base import Rule
from patchgen.rules.module import ModuleLint, accounted
from patchgen.rules.run import judged
from patchgen.source.facts.inspection import inspect_program
from patchgen.source.module.description import Module
from patchgen.source.module.kbuild import module_at
from patchgen.source.module.state import ModuleState


def lint_module(
    folder: Path,
    kernel: Path | None,
    settings: Sequence[str],
    arch: str | None,
    wanted: Callable[[Rule], bool],
) -> tuple[ModuleState, ModuleLint]:
    """Lint the module in ``folder`` against ``kernel`` (None: what its make would use).

    ``settings`` are ``VAR=value``, variables of make or, where no Makefile asks for one,
    macros.  UserError: there is no module or no kernel, or nothing asks for a setting.
    """
    given = _settings(settings)
    module = module_at(folder, kernel, given, arch or "")
    state = ModuleState(module, arch or module.kernel.arch or "x86")
    state.defined({name: given[name] for name in _macros(state, module)})
    found = inspect_program(state, [source.path for source in module.sources])
    paths = [one.path for one in found.files]
    return state, accounted(state, module, judged(state, found, paths, wanted))


def _settings(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise UserError(f"not VAR=value: {word}", hint="--set takes CONFIG_X=y or VAR=value")
        found[name] = value
    return found


def _macros(state: ModuleState, module: Module) -> Iterator[str]:
    """The settings that no Makefile asks for and a source does: macros."""
    files = [state.read(path) or b"" for path in state.candidates()] if module.unread else []
    for name in module.unread:
        word = re.compile(rb"\b%s\b" % name.encode())
        used = any(word.search(data) for data in files)
        if name.startswith("CONFIG_"):
            continue  # the kernel's headers may ask for it
        if not used:
            raise UserError(f"--set {name}: no Makefile and no source asks for it", module.root)
        yield name
