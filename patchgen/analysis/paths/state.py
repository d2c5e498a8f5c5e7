# SPDX-License-Identifier: GPL-2.0-only
"""What is known at a point of a path, and small values: constants, names made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from patchgen.analysis.paths.events import Condition, Event
from patchgen.model.base import Span
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, root, subexpressions, text

_NOWHERE = Span(0, 0)


class State(NamedTuple):
    """``scope``: variables by name; ``values``: what variables hold; and what happened.

    Variables have names of their own (``x'3``), so that those of two functions differ.
    """

    scope: Mapping[str, str]
    values: Mapping[str, Expr]
    events: tuple[Event, ...]
    conditions: tuple[Condition, ...]
    path: str
    depth: int

    def happened(self, event: Event) -> State:
        """With one more event."""
        return self._replace(events=(*self.events, event))

    def holding(self, key: str, value: Expr) -> State:
        """With a variable, or a member of one, holding ``value``."""
        kept = {k: v for k, v in self.values.items() if not k.startswith((f"{key}.", f"{key}["))}
        return self._replace(values={**kept, key: value})

    def read(self, place: Expr) -> Expr:
        """What a place holds: the value of a variable of ours, else the place itself."""
        key = text(place)
        if key in self.values:
            return self.values[key]
        if place.kind == "member" and (whole := self.values.get(text(place.args[0]))) is not None:
            whole = bare(whole)
            fields = whole.args[0].args if whole.kind == "compound" else whole.args
            if whole.kind in ("init", "compound") and all(f.kind == "field" for f in fields):
                given = [f.args[0] for f in fields if f.name == place.name]
                return given[-1] if given else number(0)
        return place


def named(name: str) -> Expr:
    """A name that stands nowhere in the source."""
    return Expr("name", name, (), _NOWHERE, 0)


def number(value: int) -> Expr:
    """A constant that stands nowhere in the source."""
    return Expr("const", str(value), (), _NOWHERE, 0)


def constant(expr: Expr) -> bool | None:
    """Whether a value is certainly true, or false; None where that is not known."""
    expr = bare(expr)
    if expr.kind == "const":
        try:
            return int(expr.name.rstrip("uUlL"), 0) != 0
        except ValueError:
            return None
    if expr.kind == "name":
        return {"true": True, "false": False, "NULL": False}.get(expr.name)
    if expr.kind == "string" or (expr.kind == "unary" and expr.name == "&"):
        return True
    if expr.kind == "unary" and expr.name == "-":
        inner = bare(expr.args[0])
        # An error's number: include/uapi/asm-generic/errno-base.h.
        return constant(inner) if inner.kind != "name" else inner.name.startswith("E") or None
    return None


def is_own(expr: Expr) -> bool:
    """Whether a place is a variable of a function that is looked at, or a part of one."""
    return "'" in root(expr) and "->" not in text(expr) and "*" not in text(expr)


def is_settled(expr: Expr) -> bool:
    """Whether a value cannot change on the way: it is read from no memory."""
    kinds = {part.kind for part in subexpressions(expr)}
    starred = any(p.kind == "unary" and p.name == "*" for p in subexpressions(expr))
    return not starred and kinds <= {"name", "const", "unary", "binary", "cast"}
