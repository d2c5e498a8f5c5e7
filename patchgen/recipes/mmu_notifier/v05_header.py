# SPDX-License-Identifier: GPL-2.0-only
"""The API header of a 5.0-shaped tree: where its parts stand, as spans.

Both branches of CONFIG_MMU_NOTIFIER are looked at; a part is found by its name in
the branch, never by its line.
"""

from __future__ import annotations

import re

from patchgen.analysis.entries.section_code import HEADER, INIT
from patchgen.model.base import Evidence, Place, Span, Value
from patchgen.model.code import Function
from patchgen.model.plan import AlreadyThere, Change, Refusal
from patchgen.recipes.base import State
from patchgen.source.c.lexer import Tokens, lexed

NAME = "mmu-notifier-v05"
CORE = "mm/mmu_notifier.c"
BITS = "include/linux/bits.h"
OPTION = "CONFIG_MMU_NOTIFIER"
START = "mmu_notifier_invalidate_range_start"
_OPENS = re.compile(rf"#\s*(?:ifdef\s+{OPTION}\b|if\s+.*\b{OPTION}\b)")


class Member(Value, frozen=True):
    """A member of struct mmu_notifier_range: its type, and the whole line's span."""

    name: str
    type: str
    span: Span
    line: int


class Header(Value, frozen=True):
    """The header's bytes, its functions by branch, the range's members, its macros.

    ``gate`` is the offset of the line that opens the CONFIG_MMU_NOTIFIER part,
    ``struct_at`` of the line with ``struct mmu_notifier_range {`` in it.
    """

    source: bytes
    on: dict[str, Function]
    off: dict[str, Function]
    members: tuple[Member, ...]
    macros: dict[str, tuple[Span, str]]
    gate: int
    struct_at: int
    has_bits: bool

    def bit(self, number: int) -> str:
        """A flag's value; checkpatch prefers BIT() where the tree has it."""
        return f"BIT({number})" if self.has_bits else f"(1 << {number})"

    def bits_included(self) -> tuple[Change, ...]:
        """The include that BIT() needs, unless it is there."""
        at = self.source.find(b"#include <")
        if not self.has_bits or BITS.encode()[8:] in self.source or at < 0:
            return ()
        lines = ["#include <linux/bits.h>"]
        return (Change(HEADER, Span(at, at), f"{NAME}/block.c.j2", {"lines": lines}),)

    def member(self, name: str) -> Member | None:
        """The range's member ``name``, or None."""
        return next((m for m in self.members if m.name == name), None)

    def line(self, offset: int) -> int:
        """Line of a byte offset."""
        return self.source.count(b"\n", 0, offset) + 1

    def place(self, offset: int) -> Place:
        """Place of a byte offset."""
        return Place(HEADER, self.line(offset))

    def before(self, function: Function) -> Span:
        """An empty span on the line at which a function's definition begins."""
        begin = self.source.rfind(b"\n", 0, function.span.start) + 1
        return Span(begin, begin)


def header(state: State) -> Header | Refusal:
    """The header's parts; a refusal that names what is not there."""
    source = state.read(HEADER)
    if source is None:
        return _missing("the tree has no mmu notifier header", 1)
    tokens = lexed(source)
    gates = [d for d in tokens.directives if _OPENS.match(d.text.strip())]
    if not gates:
        return _missing(f"nothing in the header depends on {OPTION}", 1)
    on: dict[str, Function] = {}
    off: dict[str, Function] = {}
    for function in state.functions(HEADER):
        gated = [c for c in function.conditions if OPTION in c]
        if gated:
            (off if gated[-1].startswith("else of") else on)[function.name] = function
    struct_at, members = _range_struct(tokens)
    for name, where in ((INIT, on), (START, on), (START, off)):
        if name not in where:
            branch = "configured" if where is on else "unconfigured"
            return _missing(f"the {branch} part has no {name}()", gates[0].line)
    if not members:
        return _missing("struct mmu_notifier_range is not defined as expected", gates[0].line)
    return Header(
        source=source,
        on=on,
        off=off,
        members=members,
        macros=_macros(tokens),
        gate=_gate(tokens, struct_at),
        struct_at=struct_at,
        has_bits=state.read(BITS) is not None,
    )


def refusal(kind: str, reason: str, evidence: tuple[Evidence, ...]) -> Refusal:
    """A refusal of this recipe."""
    return Refusal(NAME, kind, reason, evidence)


def already(place: Place, text: str) -> AlreadyThere:
    """The tree has a step's change already."""
    return AlreadyThere(NAME, (Evidence(place, text),))


def _missing(reason: str, line: int) -> Refusal:
    return refusal("absent", reason, (Evidence(Place(HEADER, line), "looked for it here"),))


def _gate(tokens: Tokens, struct_at: int) -> int:
    """Offset of the CONFIG_MMU_NOTIFIER line that stands above the range struct."""
    above = [
        d.span.start
        for d in tokens.directives
        if _OPENS.match(d.text.strip()) and d.span.start < struct_at
    ]
    return max(above)


def _range_struct(tokens: Tokens) -> tuple[int, tuple[Member, ...]]:
    """The configured definition: the one that has an mm."""
    texts = tokens.texts
    for at in range(len(texts) - 2):
        if texts[at : at + 3] == ["struct", "mmu_notifier_range", "{"]:
            close = texts.index("}", at)
            members = _members(tokens, at + 3, close)
            if any(member.name == "mm" for member in members):
                return tokens.line_start(tokens.line(tokens.starts[at])), members
    return 0, ()


def _members(tokens: Tokens, first: int, close: int) -> tuple[Member, ...]:
    found: list[Member] = []
    begin = first
    for at in range(first, close):
        if tokens.texts[at] == ";":
            line = tokens.line(tokens.starts[begin])
            end = tokens.source.find(b"\n", tokens.ends[at]) + 1
            found.append(
                Member(
                    tokens.texts[at - 1],
                    " ".join(tokens.texts[begin : at - 1]),
                    Span(tokens.line_start(line), end),
                    line,
                )
            )
            begin = at + 1
    return tuple(found)


def _macros(tokens: Tokens) -> dict[str, tuple[Span, str]]:
    found: dict[str, tuple[Span, str]] = {}
    for directive in tokens.directives:
        match = re.match(r"#\s*define\s+(\w+)", directive.text.strip())
        if match:
            found[match[1]] = (directive.span, directive.text)
    return found
