# SPDX-License-Identifier: GPL-2.0-only
"""What happens along a path: calls, stores, loops, in order, with values put in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from patchgen.model.base import Place
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, text


class Call(NamedTuple):
    """A call that was not looked into; ``result`` stands for what it returns.

    ``held`` is what variables, and members of them, hold whose addresses are handed over.
    """

    callee: Expr
    args: tuple[Expr, ...]
    place: Place
    result: str
    held: tuple[tuple[str, Expr], ...] = ()

    @property
    def name(self) -> str:
        """The function's, or the member's that points to it."""
        return bare(self.callee).name

    def holds(self, arg: Expr, member: str = "") -> Expr:
        """What ``arg`` points to, or a member of it, where that is known; else ``arg``."""
        inner = bare(arg)
        if inner.kind == "unary" and inner.name == "&":
            key = text(inner.args[0]) + (f".{member}" if member else "")
            return dict(self.held).get(key, arg)
        return arg

    @property
    def direct(self) -> bool:
        """Whether the function is named, and not pointed to."""
        return bare(self.callee).kind == "name"


class Store(NamedTuple):
    """``target op value``; a step up or down is ``+=`` or ``-=`` of 1."""

    target: Expr
    op: str
    value: Expr
    place: Place


class Loop(NamedTuple):
    """A loop: its macro ("" for C's own), the macro's arguments, each way through its body."""

    macro: str
    args: tuple[Expr, ...]
    rounds: tuple[Path, ...]
    place: Place


class Odd(NamedTuple):
    """Something that was not understood."""

    text: str
    place: Place


Event: TypeAlias = Call | Store | Loop | Odd


class Condition(NamedTuple):
    """What was asked on the way, as text, and the answer."""

    text: str
    holds: bool
    place: Place
    expr: Expr


class Path(NamedTuple):
    """One way through: events and conditions in order; how it is left, and with what.

    ``exit`` is "" (the end), "return", "break", "continue" or "goto".
    """

    events: tuple[Event, ...]
    conditions: tuple[Condition, ...]
    exit: str = ""
    value: Expr | None = None

    def holds(self, what: str) -> bool | None:
        """The last answer to a condition; None where it was not asked."""
        answers = [c.holds for c in self.conditions if c.text == what]
        return answers[-1] if answers else None


def every(events: tuple[Event, ...]) -> Iterator[Event]:
    """All events, those within loops included."""
    for event in events:
        yield event
        if isinstance(event, Loop):
            for one in event.rounds:
                yield from every(one.events)


def said(event: Event) -> str:
    """An event in words."""
    match event:
        case Call():
            return f"{text(event.callee)}()"
        case Store():
            return f"{text(event.target)} {event.op} {text(event.value)}"
        case Loop():
            return f"a loop ({event.macro or 'for, while'})"
        case Odd():
            return event.text
