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
_STORES = ("=", "|=", "^=", "&=", "+=", "-=")


def unfollowed_flags(after: TreeState, paths: Sequence[str], changed: Changed) -> tuple[str, ...]:
    """Places in changed functions where a range may get the flag unseen, a line each."""
    if _FLAG.encode() not in (after.read(HEADER) or b""):
        return ()
    found = []
    for path in paths:
        file = changed.files.get(path)
        if file is None or path in _CORE:
            continue
        tokens = lexed(after.read(path) or b"")
        for function in outline(tokens):
            first, last = (tokens.line(tokens.starts[at]) for at in (function.first, function.last))
            if any(first <= line <= last for line in file.touched):
                for at, text in _odd(tokens, function.first, function.last):
                    found.append(f"{path}:{tokens.line(tokens.starts[at])}: {text}")
    return tuple(dict.fromkeys(found))


def _odd(tokens: Tokens, first: int, last: int) -> Iterator[tuple[int, str]]:
    texts = tokens.texts
    ranges = {
        texts[at + 2 if texts[at + 1] == "*" else at + 1]
        for at in range(first, last - 2)
        if texts[at] == "mmu_notifier_range" and texts[at - 1] == "struct"
    }
    for at in range(first, last - 3):
        if re.fullmatch(r"mmu_notifier_range_init(_\w+)?", texts[at]) and texts[at + 1] == "(":
            given = _flags(texts, at + 1, matching(tokens, at + 1), texts[at].endswith("_migrate"))
            if given not in ("", "0", _FLAG):
                yield at, f"whether the range is flagged is undecided: flags are {given}"
        member = texts[at] in ranges and texts[at + 1] in (".", "->") and texts[at + 2] == "flags"
        if member and (texts[at + 3] in _STORES or texts[at - 1] == "&"):
            yield at, f"whether the range is flagged is undecided: {texts[at]}'s flags are set here"


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
