# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of some files come to one of some calls, by their tokens alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from patchgen.analysis.paths.bodies import Bodies
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import Outline, outline


class Reach:
    """``called``: by path and function the names that it calls, ``FNAME(f)`` included."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.inside = tuple(
            (path, one) for path in bodies.paths for one in outline(bodies.tokens(path))
        )
        self.called = self._united(_calls)

    def _united(
        self, what: Callable[[Tokens, Outline], frozenset[str]]
    ) -> dict[tuple[str, str], frozenset[str]]:
        """By path and function, of all its definitions."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        for path, one in self.inside:
            here = what(self._bodies.tokens(path), one)
            found[path, one.name] = found.get((path, one.name), frozenset()) | here
        return found

    @property
    def defined(self) -> frozenset[str]:
        """The names of all functions."""
        return frozenset(name for _, name in self.called)

    def to(self, wanted: Iterable[str], mentioned: bool = False) -> frozenset[str]:
        """The functions that call one of ``wanted``, or one that does; ``wanted`` included.

        ``mentioned``: whatever they name counts, as a function that they hand over.
        """
        found, grown = set(wanted), True
        inside = self._united(_names) if mentioned else self.called
        while grown:
            more = {name for (_, name), calls in inside.items() if calls & found}
            grown = not more <= found
            found |= more
        return frozenset(found)


def _calls(tokens: Tokens, one: Outline) -> frozenset[str]:
    """The names that stand before a parenthesis in a function."""
    texts, found = tokens.texts, set()
    for at in range(one.body_at, one.last):
        if tokens.kinds[at] == "name" and texts[at + 1] == "(":
            found.add(texts[at])
            if texts[at] == "FNAME":
                found.add(f"FNAME({texts[at + 2]})")
    return frozenset(found)


def _names(tokens: Tokens, one: Outline) -> frozenset[str]:
    return frozenset(tokens.texts[one.body_at : one.last])
