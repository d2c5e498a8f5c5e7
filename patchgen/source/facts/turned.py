# SPDX-License-Identifier: GPL-2.0-only
"""Configurations in which what a parse skipped is active, by the conditions around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from patchgen.source.c.lexer import Tokens
from patchgen.source.config.arch import SYMBOLS, arches_of
from patchgen.source.facts.conditions import switches
from patchgen.source.facts.state import Job, TreeState


def turned(
    state: TreeState, path: str, tokens: Tokens, offsets: Iterable[int], arches: Sequence[str]
) -> list[Job]:
    """Parses of ``path`` on ``arches`` with the options around ``offsets`` turned.

    The option of an architecture is turned on that architecture alone, where the file may
    belong to it.  ``tokens`` are those that the offsets are of: of ``path``, or of a header
    that is parsed through it.
    """
    if state.is_built(path):
        return []  # a build's flags are what they are
    jobs: list[Job] = []
    for on, off in switches(tokens, offsets):
        asked = {SYMBOLS[name] for name in on if name in SYMBOLS}
        refused = {SYMBOLS[name] for name in off if name in SYMBOLS}
        possible = (*arches, *(others(state, path) if asked else ()))
        jobs += [
            (path, arch, on - _foreign(arch), off.difference(SYMBOLS))
            for arch in dict.fromkeys(possible)
            if arch not in refused and (not asked or arch in asked)
        ]
    return [*dict.fromkeys(jobs)]


def others(state: TreeState, path: str) -> tuple[str, ...]:
    """Further architectures that may have what is inactive on the first."""
    if state.arch or state.is_built(path):
        return ()
    return arches_of(state.root, path)[1:]


def _foreign(arch: str) -> frozenset[str]:
    """The options that mean another architecture."""
    return frozenset(name for name, owner in SYMBOLS.items() if owner != arch)
