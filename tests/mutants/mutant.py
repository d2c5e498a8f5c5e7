# SPDX-License-Identifier: GPL-2.0-only
"""Mutants and what became of them."""

from __future__ import annotations

import re

from patchgen.edits.apply import apply
from patchgen.model.base import Span, Value
from patchgen.model.plan import Edit
from tests.mutants.subject import Site

_DIRECTIVE = re.compile(rb"^[ \t]*#[ \t]*(include|ifdef|ifndef|if|endif)\b.*\n", re.MULTILINE)


class Mutant(Value, frozen=True):
    """An operator's fault at one site of one state."""

    operator: str
    rules: tuple[int, ...]
    base: str
    site: Site

    @property
    def place(self) -> str:
        """``mm/ksm.c:replace_page`` and the line of the unmutated file."""
        return f"{self.site.path}:{self.site.line} {self.site.function}"


class Result(Value, frozen=True):
    """What lint said of a mutant.

    ``error`` is clang's first new error (the mutant does not count), ``new`` the rules of
    findings that the unmutated state does not have, ``failed`` that lint failed on it,
    ``header`` that it compiles with the site's header only.
    """

    mutant: Mutant
    error: str = ""
    new: tuple[int, ...] = ()
    failed: str = ""
    header: bool = False

    @property
    def state(self) -> str:
        """found, other (found by another rule), missed, or broken (does not compile)."""
        if self.error:
            return "broken"
        if set(self.new) & set(self.mutant.rules):
            return "found"
        return "other" if self.new else "missed"


def mutate(source: bytes, site: Site, with_header: bool = False) -> bytes:
    """The file with the fault in it, and with the header that the fault may need."""
    edits = list(site.edits)
    if with_header:
        at = behind_includes(source)
        edits.append(Edit(site.path, Span(at, at), f"#include <{site.header}>\n".encode()))
    return apply(source, edits)


def behind_includes(source: bytes) -> int:
    """The offset behind the last include that stands under no condition."""
    depth, at = 0, 0
    for match in _DIRECTIVE.finditer(source):
        if match[1] == b"include" and depth == 0:
            at = match.end()
        depth += {b"include": 0, b"endif": -1}.get(match[1], 1)
    return at
