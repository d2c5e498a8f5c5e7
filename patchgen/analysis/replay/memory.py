# SPDX-License-Identifier: GPL-2.0-only
"""What memory holds on one path: a log of stores, read backwards.

An object is a variable of a frame, a global, or what a pointer leads to; a place in it is the
way there by members and subscripts.  Two pointers that are not the same term may lead to one
object: what is read through one then depends on whether they are equal, as a term.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple, TypeAlias

from patchgen.analysis.replay.terms import (
    ONE,
    ZERO,
    Address,
    Number,
    Term,
    Unknown,
    binary,
    chosen,
    converted,
)
from patchgen.analysis.values.types import CType


class Variable(NamedTuple):
    """A parameter or local: of a call, by name and where it is declared."""

    frame: int
    name: str
    start: int


class Global(NamedTuple):
    """A variable at file scope, or one that is static."""

    name: str


class Pointee(NamedTuple):
    """What a pointer leads to."""

    pointer: Term


class Subscript(NamedTuple):
    """An element of an array."""

    at: Term


class Place(NamedTuple):
    """An object's part."""

    base: Hashable
    path: tuple[Hashable, ...] = ()

    def below(self, *parts: Hashable) -> Place:
        """A part of this one."""
        return Place(self.base, (*self.path, *parts))


class _Store(NamedTuple):
    place: Place
    value: Term


class _Fill(NamedTuple):
    """All of a place is set: to zeros, or to what is not known."""

    place: Place
    zero: bool


class _Copy(NamedTuple):
    """A place is set to what another one held."""

    place: Place
    source: Place


class _Others(NamedTuple):
    """Other code ran: what it sees may have changed, these variables included."""

    seen: frozenset[Hashable]


_Entry: TypeAlias = _Store | _Fill | _Copy | _Others

#: What is read where no store is known.
First: TypeAlias = Callable[[Place, CType | None], "Term | None"]


class Memory:
    """The log; ``first`` gives what a place holds before all of it, or None."""

    def __init__(self, first: First = lambda place, kind: None) -> None:
        self._log: list[_Entry] = []
        self._first = first

    @property
    def length(self) -> int:
        """A moment: how much has happened."""
        return len(self._log)

    def store(self, place: Place, value: Term) -> None:
        """Set a place."""
        self._log.append(_Store(place, value))

    def fill(self, place: Place, zero: bool) -> None:
        """Set all of a place, to zeros or to what is not known."""
        self._log.append(_Fill(place, zero))

    def copy(self, place: Place, source: Place) -> None:
        """Set a place to what another one holds."""
        self._log.append(_Copy(place, source))

    def others(self, seen: frozenset[Hashable]) -> None:
        """Let other code run, which sees globals, what pointers lead to, and ``seen``."""
        self._log.append(_Others(seen))

    def forget(self, since: int) -> None:
        """What was set since a moment is set to anything: a loop goes round again."""
        places = [entry.place for entry in self._log[since:] if not isinstance(entry, _Others)]
        for place in dict.fromkeys(places):
            self.fill(place, zero=False)

    def load(self, place: Place, kind: CType | None, before: int | None = None) -> Term:
        """What a place holds, as a value of a type; at the moment ``before`` if given."""
        at = len(self._log) if before is None else before
        maybe: list[tuple[Term, Term]] = []
        found: Term | None = None
        while at and found is None:
            at -= 1
            entry = self._log[at]
            if isinstance(entry, _Others):
                if _is_seen(place.base, entry.seen):
                    # What is initialised and never stored to stays so, whoever runs.
                    found = self._first(place, kind) or Unknown(
                        ("read", place, at), kind, loose=True
                    )
                continue
            same, rest = _covers(entry.place, place, isinstance(entry, _Store))
            if same == ZERO:
                continue
            value = self._value(entry, rest, kind, at, place)
            if same == ONE:
                found = value
            else:
                maybe.append((same, value))
        if found is None:
            found = self._first(place, kind) or Unknown(("read", place, -1), kind)
        for test, value in reversed(maybe):
            found = chosen(test, value, found)
        return found

    def _value(
        self, entry: _Entry, rest: tuple[Hashable, ...], kind: CType | None, at: int, place: Place
    ) -> Term:
        if isinstance(entry, _Store):
            return converted(entry.value, kind)
        if isinstance(entry, _Copy):
            return self.load(entry.source.below(*rest), kind, at)
        if isinstance(entry, _Fill) and entry.zero:
            return Number(0, kind)
        return Unknown(("read", place, at), kind, loose=True)


def _is_seen(base: Hashable, seen: frozenset[Hashable]) -> bool:
    return not isinstance(base, Variable) or base in seen


def _covers(whole: Place, part: Place, exact: bool) -> tuple[Term, tuple[Hashable, ...]]:
    """Whether ``part`` lies in ``whole`` (is all of it, if ``exact``), and how it goes on."""
    size = len(whole.path)
    rest = part.path[size:]
    if len(part.path) < size or (exact and rest):
        return ZERO, rest
    same = _same_base(whole.base, part.base)
    for one, two in zip(whole.path, part.path, strict=False):
        if same == ZERO:
            break
        if isinstance(one, Subscript) and isinstance(two, Subscript):
            same = _both(same, binary("==", one.at, two.at))
        elif one != two:
            same = ZERO
    return same, rest


def _same_base(one: Hashable, two: Hashable) -> Term:
    if one == two:
        return ONE
    if isinstance(one, Pointee) and isinstance(two, Pointee):
        return binary("==", one.pointer, two.pointer)
    return ZERO


def _both(one: Term, two: Term) -> Term:
    if ZERO in (one, two):
        return ZERO
    return two if one == ONE else one if two == ONE else binary("&", one, two)


def place_at(pointer: Term) -> Place:
    """What a pointer leads to."""
    if isinstance(pointer, Address):
        return Place(pointer.base, pointer.path)
    return Place(Pointee(pointer))


def address_of(place: Place) -> Term:
    """A pointer to a place."""
    if isinstance(place.base, Pointee) and not place.path:
        return place.base.pointer
    return Address(place.base, place.path)
