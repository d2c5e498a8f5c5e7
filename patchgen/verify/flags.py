# SPDX-License-Identifier: GPL-2.0-only
"""Flags of a range that the rules do not follow: whether it is flagged is not known then.

The rules read the flags where mmu_notifier_range_init() has them in plain.  A variable, a
macro, a number, or a store to the range's flags in changed code is said to be undecided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from patchgen.kernel.api.surface import HEADER
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import matching, outline
from patchgen.source.facts.state import TreeState
from patchgen.verify.lines import Changed

_FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
_CORE = ("mm/mmu_notifier.c", HEADER)
_STORES = ("=", "|=", "^=", "&=", "+=", "-=", "<<=", "++", "--")
_INIT = re.compile(r"mmu_notifier_range_init(_\w+)?")
_RANGE = re.compile(rb"\bstruct\s+mmu_notifier_range\s*\*?\s*(\w+)\s*[;,=\[)]")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_UNDECIDED = "whether the range is flagged is undecided"


def unfollowed_flags(after: TreeState, paths: Sequence[str], changed: Changed) -> tuple[str, ...]:
    """Places where a range may get the flag unseen by what is changed, a line each.

    Looked at are changed functions, changed lines outside of functions, and initialisers
    whose flags have a word of the changed lines, in any of ``paths``.
    """
    if _FLAG.encode() not in (after.read(HEADER) or b""):
        return ()
    words = _changed_words(after, changed)
    members = _declared(after, [p for p in after.candidates() if p.endswith(".h")])
    found = []
    for path in paths:
        if path in _CORE:
            continue
        tokens = lexed(after.read(path) or b"")
        ranges = members | _declared(after, [path])
        file = changed.files.get(path)
        touched = file.touched if file is not None else frozenset()
        for at, text in _odd(tokens, touched, ranges, words):
            found.append(f"{path}:{tokens.line(at)}: {_UNDECIDED}: {text}")
    return tuple(dict.fromkeys(found))


def _changed_words(after: TreeState, changed: Changed) -> frozenset[str]:
    """The identifiers in changed lines, but those of the API's own two files."""
    found: set[str] = set()
    for path, file in changed.files.items():
        if path in _CORE or not file.touched:
            continue
        lines = (after.read(path) or b"").split(b"\n")
        for number in file.touched:
            if 1 <= number <= len(lines):
                found |= {word.decode() for word in _WORD.findall(lines[number - 1])}
    return frozenset(found)


def _declared(after: TreeState, paths: Sequence[str]) -> frozenset[str]:
    """The names that sources declare as a range, or as a pointer to one."""
    return frozenset(
        name.decode() for path in paths for name in _RANGE.findall(after.read(path) or b"")
    )


def _odd(
    tokens: Tokens, touched: frozenset[int], ranges: frozenset[str], words: frozenset[str]
) -> Iterator[tuple[int, str]]:
    """Offsets and what is odd there, of a file's functions and of what stands around them."""
    inside: set[int] = set()
    for function in outline(tokens):
        first, last = (tokens.line(tokens.starts[at]) for at in (function.first, function.last))
        inside.update(range(first, last + 1))
        if any(first <= line <= last for line in touched):
            yield from _function(tokens, function.first, function.last, ranges)
        else:
            for at, given in _given(tokens, function.first, function.last):
                if given not in ("", "0", _FLAG) and words & {*given.split()}:
                    yield tokens.starts[at], f"flags are {given}, which is changed"
    for at, text in enumerate(tokens.texts):
        line = tokens.line(tokens.starts[at])
        if text == _FLAG and line in touched and line not in inside:
            yield tokens.starts[at], f"{_FLAG} is given to something here"
    for directive in tokens.directives:
        rows = range(directive.line, directive.line + directive.text.count("\n") + 1)
        if re.search(rf"\b{_FLAG}\b", directive.text) and not touched.isdisjoint(rows):
            yield directive.span.start, f"a macro holds {_FLAG}"


def _function(
    tokens: Tokens, first: int, last: int, ranges: frozenset[str]
) -> Iterator[tuple[int, str]]:
    """A changed function: what its initialisers are given, stores, other uses of the flag."""
    texts = tokens.texts
    plain: set[int] = set()
    for at, given in _given(tokens, first, last):
        plain.update(range(at, matching(tokens, at + 1) + 1))
        if given not in ("", "0", _FLAG):
            yield tokens.starts[at], f"flags are {given}"
    for at in range(first + 2, last - 1):
        if texts[at] == "flags" and texts[at - 1] in (".", "->"):
            base = _base(texts, at - 2, first)
            stored = texts[at + 1] in _STORES or base[0] in ("&", "++", "--")
            if stored and ranges & {*base}:
                name = next(word for word in base if word in ranges)
                yield tokens.starts[at], f"{name}'s flags are set here"
        elif texts[at] == _FLAG and at not in plain:
            yield tokens.starts[at], f"{_FLAG} is used here"


def _base(texts: Sequence[str], at: int, first: int) -> list[str]:
    """The expression that ends at ``at`` and a member is of, with a mark before it."""
    begin = at
    depth = 0
    while begin > first:
        text = texts[begin]
        depth += text in ")]"
        depth -= text in "(["
        if depth < 0 or (not depth and not (text.isidentifier() or text in ")].->([")):
            break
        if not depth and text.isidentifier() and texts[begin - 1] not in (".", "->"):
            begin -= 1
            break
        begin -= 1
    return list(texts[begin : at + 1])


def _given(tokens: Tokens, first: int, last: int) -> Iterator[tuple[int, str]]:
    """Where a function initialises ranges, and the flags that they are given."""
    texts = tokens.texts
    for at in range(first, last - 3):
        match = _INIT.fullmatch(texts[at])
        if match and texts[at + 1] == "(":
            closed = matching(tokens, at + 1)
            yield at, _flags(texts, at + 1, closed, match[1] == "_migrate")


def _flags(texts: Sequence[str], opened: int, closed: int, migrate: bool) -> str:
    """The flags among an initialiser's arguments; "" where it takes none."""
    args: list[list[str]] = [[]]
    depth = 0
    for text in texts[opened + 1 : closed]:
        depth += text in "({["
        depth -= text in ")}]"
        if text == "," and not depth:
            args.append([])
        else:
            args[-1].append(text)
    which = 1 if migrate else 2
    return " ".join(args[which]) if len(args) >= 6 else ""
