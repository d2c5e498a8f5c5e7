# SPDX-License-Identifier: GPL-2.0-only
"""Which of a function's subjects a store, a call or other code may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchgen.analysis.values.subjects import (
    Subject,
    holder,
)
from patchgen.kernel.knowledge import names
from patchgen.model.base import Span
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, every, root, subexpressions, text

if TYPE_CHECKING:
    from patchgen.analysis.cfg.graph import Graph


class Index:
    """Which tracked subjects mention a name, a member, or dereference."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names: dict[str, int] = {}
        self.fields: dict[str, list[tuple[str, int]]] = {}
        self.derefs = 0
        self.params: dict[str, str] = {}
        #: Subjects that some pointer may lead to besides those that other code may change.
        self.escaped = 0
        self._addressed: frozenset[str] = frozenset()

    def fill(self) -> None:
        """Look through the tracked subjects; their bits are given by now."""
        graph = self.graph
        for subject, bit in graph.bit_of.items():
            known = graph.subjects.all[subject]
            mask = 1 << bit
            for mentioned in known.names:
                self.names[mentioned] = self.names.get(mentioned, 0) | mask
                if mentioned in self._addressed:
                    self.escaped |= mask
            for owner, field in known.fields:
                self.fields.setdefault(field, []).append((owner, mask))
            if known.derefs:
                self.derefs |= mask

    def prepare(self, addressed: frozenset[str]) -> None:
        """``addressed`` are the variables whose address is taken."""
        self.params = {param.name: param.type for param in self.graph.function.params}
        self._addressed = addressed

    def is_shared(self, subject: Subject) -> bool:
        """Whether code besides this function may change what a subject reads.

        Not where all of it is the function's own, or behind a parameter that points to
        what is constant.
        """
        if any(self._is_shared(owner) for owner, _ in subject.fields):
            return True
        if any(name not in self.graph.locals and name not in self.params for name in subject.names):
            return True
        if subject.derefs or subject.calls:
            pointers = (name for name in subject.names if "*" in self.params.get(name, ""))
            return subject.derefs or not all(map(self._is_constant, pointers))
        return False

    def _is_shared(self, owner: str) -> bool:
        return owner[:1] == "*" and not self._is_constant(owner[1:])

    def _is_constant(self, pointer: str) -> bool:
        return self.params.get(pointer, "").startswith("const ")

    def changed(self, target: Expr) -> tuple[int, int]:
        """Subjects that an assignment to ``target`` changes, and that it may change."""
        target = bare(target)
        if target.kind == "name":
            shared = target.name not in self.graph.locals and target.name not in self.params
            # What it is the address of, where it is, may be a pointer's.
            return self.names.get(target.name, 0), self.derefs if shared else 0
        if target.kind in ("member", "arrow"):
            owner = holder(target)
            mask = maybe = 0
            for other, bit in self.fields.get(target.name, ()):
                if other == owner:
                    mask |= bit
                elif self._may_be_same(owner, other):
                    maybe |= bit
            return mask, maybe | (self.derefs if owner[:1] == "*" else 0)
        if target.kind == "index":
            mask, maybe = self.changed(target.args[0])
            return mask | self.derefs, maybe
        same = self._read_through(target)
        return same, self.derefs & ~same

    def _read_through(self, target: Expr) -> int:
        """Subjects that read ``*p`` itself."""
        found = self.graph.subjects.find(text(target))
        bit = self.graph.bit_of.get(found, -1)
        if bit < 0:
            return 0
        shown = self.graph.subjects.all[found].text
        mask = 1 << bit
        for subject, other in self.graph.bit_of.items():
            if shown in self.graph.subjects.all[subject].text:
                mask |= 1 << other
        return mask

    def _may_be_same(self, one: str, two: str) -> bool:
        """Whether two holders may be one object; a parameter never points to a local."""
        if one[:1] != "*" and two[:1] != "*":
            return False
        local, pointer = (two, one) if one[:1] == "*" else (one, two)
        return pointer[1:] not in self.params or local not in self.graph.locals

    def named(self, member: str) -> int:
        """Subjects that a callee changes: by a member's name, or by a global variable's."""
        mask = 0
        for owner, bit in self.fields.get(member, ()):
            if owner[:1] == "*" or owner not in self.graph.locals or owner in self._addressed:
                mask |= bit
        if member not in self.graph.locals and member not in self.params:
            mask |= self.names.get(member, 0)
        return mask

    def given(self, call: Expr) -> tuple[int, ...]:
        """Subjects that lie where a call's arguments point: ``x`` for ``&x``, ``*p`` for ``p``."""
        found = []
        for argument in map(bare, call.args[1:]):
            if argument.kind == "unary" and argument.name == "&":
                subject = self.graph.subjects.operand(argument.args[0]).subject
            else:
                subject = self.graph.subjects.find(f"*{text(argument)}")
            if subject in self.graph.bit_of:
                found.append(self.graph.bit_of[subject])
            found += self._below(argument)
        return tuple(found)

    def _below(self, pointer: Expr) -> list[int]:
        """Members of what a pointer leads to."""
        start = f"{text(pointer)}->"
        if pointer.kind == "unary" and pointer.name == "&":
            start = f"{text(pointer.args[0])}."
        all_ = self.graph.subjects.all
        return [
            bit
            for subject, bit in self.graph.bit_of.items()
            if all_[subject].text.startswith(start)
        ]

    def behind(self, variable: str) -> tuple[int, ...]:
        """Subjects that a variable points to: ``*p``, ``p->x``."""
        bit = self.graph.bit_of.get(self.graph.subjects.find(f"*{variable}"), -1)
        own = [bit] if bit >= 0 else []
        return (*own, *self._below(Expr("name", variable, (), Span(0, 0), 0)))

    def passed(self, call: Expr) -> int:
        """Subjects that may change because the call gets their address."""
        mask = 0
        for argument in call.args[1:]:
            for part in subexpressions(argument):
                if part.kind == "unary" and part.name == "&":
                    mask |= self.changed(part.args[0])[0]
        return mask


def addressed(graph: Graph) -> frozenset[str]:
    """Variables whose address is taken, but for calls that only look."""
    pure = names("evaluation", "pure", "functions")
    found: set[str] = set()
    pending = list(every(graph.function.body))
    looked_at = {
        id(part)
        for call in pending
        if call.kind == "call" and call.name in pure
        for argument in call.args[1:]
        for part in subexpressions(argument)
    }
    for part in pending:
        if part.kind == "unary" and part.name == "&" and id(part) not in looked_at:
            found.add(root(part.args[0]))
    return frozenset(found)
