# SPDX-License-Identifier: GPL-2.0-only
"""What is known of an SPTE, of an iterator's copy of it, and of a setter's variables."""

from __future__ import annotations

from typing import NamedTuple

from patchgen.analysis.spte.code import OLD
from patchgen.model.base import Value
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare

FIRST = "first"
"""The value that the SPTE held when the iterator came to it."""
ANY = "?"
"""A value of which nothing is known."""
FRAME = "frame"
"""The page frame of the host's new entry."""
MADE = "made"
"""An SPTE made of the first value and the new frame, for reading only."""
LATE = "late"
"""An SPTE made of a copy that was no longer the first value."""
#: States of one place; the setters of the kernels have a handful.
LIMIT = 200


class At(NamedTuple):
    """What is known at a place: the SPTE, the iterator's copy, an owed flush, variables.

    ``owes`` is the line of a change that was not flushed yet, or 0; ``untold`` the value of
    a write that nothing was told of yet, or "".  Values are symbols, or numbers as text.
    """

    entry: str = FIRST
    copy: str = FIRST
    owes: int = 0
    untold: str = ""
    values: frozenset[tuple[str, str]] = frozenset()

    def value(self, name: str) -> str:
        """What a variable holds."""
        return dict(self.values).get(name, ANY)

    def with_value(self, name: str, value: str) -> At:
        """The state behind an assignment to a variable."""
        kept = {pair for pair in self.values if pair[0] != name}
        return self._replace(values=frozenset(kept | {(name, value)}))


class Stale(Value, frozen=True, order=True):
    """A write through a copy that is not what the SPTE holds.

    ``line`` and ``start`` (an offset) are those of the owner's statement that leads to it;
    ``value`` is what the SPTE holds, ``iterator`` the owner's variable, with ``->`` behind it
    where that is a pointer.
    """

    function: str
    path: str
    line: int
    start: int
    iterator: str
    value: str

    @property
    def copy(self) -> str:
        """The iterator's copy, as the owner writes it."""
        return f"{self.iterator}{'' if self.iterator.endswith('>') else '.'}{OLD}"


class Ends(NamedTuple):
    """Where states go: on, out of the loop, to its next step, out of the function."""

    on: set[At]
    out: set[At]
    again: set[At]
    back: set[At]

    @classmethod
    def none(cls) -> Ends:
        """No state goes anywhere."""
        return cls(set(), set(), set(), set())


class Frame(NamedTuple):
    """A function being run, its name for the iterator, and how deep it is below the owner."""

    function: Function
    name: str
    depth: int


def number_of(text: str) -> int | None:
    """The value of an integer constant; None: it is none."""
    try:
        return int(text.rstrip("uUlL"), 0)
    except ValueError:
        return None


def shown(text: str) -> str:
    """A constant as a value of :class:`At`."""
    number = number_of(text)
    return ANY if number is None else str(number)


def truth(test: Expr, at: At, value: str) -> bool | None:
    """Whether a test holds; None: not known."""
    test = bare(test)
    if test.kind == "unary" and test.name == "!":
        inner = truth(test.args[0], at, at.value(test.args[0].name))
        return None if inner is None else not inner
    if test.kind in ("name", "const") and value.lstrip("-").isdigit():
        return value != "0"
    return None
