# SPDX-License-Identifier: GPL-2.0-only
"""A file's preprocessor conditionals, and the texts that their choices make of it.

Nothing is evaluated: each condition as written is true or false, and the same text is
the same everywhere.  That is coarser than the preprocessor, and never leaves a real
choice out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

from patchgen.model.base import Span, Value
from patchgen.source.c.lexer import Directive, Tokens

#: Conditions within one function beyond which its texts are not all tried.
CONDITIONS = 6

_WORD = re.compile(r"\s*#\s*(ifdef|ifndef|if|elif|else|endif)\b(.*)", re.S)
_DEFINED = re.compile(r"(!?)\s*defined\s*(?:\(\s*(\w+)\s*\)|(\w+))")
_NOTE = re.compile(r"/\*.*?\*/|//[^\n]*|\\\r?\n", re.S)


class Branch(Value, frozen=True):
    """A branch of a conditional: its bytes without the directives, and when it is taken.

    ``atom`` is the condition ("" for ``#else``), ``holds`` the value that takes it.
    """

    span: Span
    atom: str
    holds: bool


class Group(Value, frozen=True):
    """``#if`` to ``#endif``; ``span`` from the first byte of the one to the other's last."""

    span: Span
    line: int
    branches: tuple[Branch, ...]

    def at(self, offset: int) -> Branch | None:
        """The branch that an offset lies in."""
        return next((b for b in self.branches if b.span.start <= offset <= b.span.end), None)


def groups(tokens: Tokens) -> tuple[Group, ...]:
    """The conditionals of a file in order of their ``#if``; ValueError: one does not end."""
    found: list[Group] = []
    opened: list[list[tuple[str, str, Directive]]] = []
    for directive in tokens.directives:
        match = _WORD.match(directive.text)
        if match is None:
            continue
        word, rest = match[1], " ".join(_NOTE.sub(" ", match[2]).split())
        if word in ("if", "ifdef", "ifndef"):
            opened.append([(word, rest, directive)])
        elif not opened:
            raise ValueError(f"#{word} without #if in line {directive.line}")
        else:
            opened[-1].append((word, rest, directive))
            if word == "endif":
                found.append(_group(opened.pop()))
    if opened:
        raise ValueError(f"#if in line {opened[-1][0][2].line} has no #endif")
    return tuple(sorted(found, key=lambda group: group.span))


def _group(parts: list[tuple[str, str, Directive]]) -> Group:
    branches = []
    for (word, rest, directive), (_, _, following) in itertools.pairwise(parts):
        atom, holds = _atom(word, rest)
        span = Span(directive.span.end, following.span.start)
        branches.append(Branch(span, atom, holds))
    first, last = parts[0][2], parts[-1][2]
    return Group(Span(first.span.start, last.span.end), first.line, tuple(branches))


def _atom(word: str, text: str) -> tuple[str, bool]:
    if word in ("ifdef", "ifndef"):
        return text, word == "ifdef"
    if word == "else":
        return "", True
    defined = _DEFINED.fullmatch(text)
    return (defined[2] or defined[3], not defined[1]) if defined else (f"({text})", True)


def around(found: Iterable[Group], offset: int) -> tuple[tuple[Group, Branch], ...]:
    """The conditionals that an offset lies in, outermost first, each with its branch."""
    pairs = ((group, group.at(offset)) for group in found)
    return tuple((group, branch) for group, branch in pairs if branch is not None)


def reaching(found: Iterable[Group], offset: int) -> dict[str, bool]:
    """Values of the conditions with which an offset is part of the text."""
    truth: dict[str, bool] = {}
    for group, taken in around(found, offset):
        for branch in group.branches:
            if branch.atom:
                truth.setdefault(branch.atom, branch.holds if branch is taken else not branch.holds)
            if branch is taken:
                break
    return truth


def texts(
    found: tuple[Group, ...], offset: int, inner: Iterable[Group]
) -> Iterator[dict[str, bool]]:
    """All values of the conditions of ``inner`` with which ``offset`` is part of the text.

    ValueError: there are too many.
    """
    base = reaching(found, offset)
    atoms = dict.fromkeys(b.atom for g in inner for b in g.branches if b.atom not in ("", *base))
    if len(atoms) > CONDITIONS:
        raise ValueError(f"{len(atoms)} conditions within one function")
    for values in itertools.product((True, False), repeat=len(atoms)):
        yield {**base, **dict(zip(atoms, values, strict=True))}


def left_out(found: Iterable[Group], truth: Mapping[str, bool]) -> list[Span]:
    """What the preprocessor leaves out; a condition of no value takes its first branch."""
    known = dict(truth)
    spans: list[Span] = []
    for group in found:
        if any(span.start <= group.span.start and group.span.end <= span.end for span in spans):
            continue
        taken: Branch | None = None
        for branch in group.branches:
            if taken is None and known.setdefault(branch.atom, branch.holds) == branch.holds:
                taken = branch
            elif branch is not taken:
                spans.append(branch.span)
        known.pop("", None)
    return spans
