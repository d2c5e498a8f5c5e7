# SPDX-License-Identifier: GPL-2.0-only
"""Expressions to nodes, in evaluation order, built from the end backwards.

Each method takes the number of the node that follows and returns the number of
the first node, so no jump is ever patched except those to labels and loops.
"""

from __future__ import annotations

from collections.abc import Callable

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.graph import CHOICE, FORK, PASS, STEP, STOP, Graph, Node, Setting
from patchgen.analysis.values.subjects import (
    OPEN,
    UNFOLLOWED,
    Condition,
    Formula,
    Operand,
    condition_argument,
    constant_of,
    is_pure,
)
from patchgen.analysis.values.value import NONZERO, ZERO, Known
from patchgen.analysis.values.value import constant as value_of
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Span
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, substitute, text

_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
_UNEVALUATED = frozenset({"sizeof", "typeof", "__typeof__", "offsetof", "alignof", "_Alignof"})
_STEPS = {"++": 1, "--": -1}

Sink = Callable[[Operand], int]


class Expressions:
    """Builds the nodes of expressions into a graph."""

    def __init__(self, function: Function) -> None:
        self.graph = Graph(function)
        self.path = function.path
        self.booleans = {p.name for p in function.params if p.type.strip() in ("bool", "_Bool")}

    # -- nodes ------------------------------------------------------------

    def add(self, node: Node) -> int:
        self.graph.nodes.append(node)
        return len(self.graph.nodes) - 1

    def waypoint(self, following: int = -1) -> int:
        return self.add(Node(PASS, following))

    def make(
        self,
        kind: str,
        expr: Expr | None,
        where: Expr | tuple[int, Span],
        *,
        name: str = "",
        polarity: bool = True,
        whole: Expr | None = None,
        scope_end: bool = False,
        opaque: bool = False,
    ) -> Event:
        """An event of the node that is added next."""
        line, span = (where.line, where.span) if isinstance(where, Expr) else where
        return Event(
            kind, expr, line, span, self.path, name, polarity, whole, scope_end, opaque,
            len(self.graph.nodes),
        )  # fmt: skip

    def step(self, event: Event, following: int) -> Node:
        node = Node(STEP, following)
        node.event = event
        self.graph.nodes.append(node)
        return node

    @property
    def last(self) -> int:
        return len(self.graph.nodes) - 1

    # -- conditions -------------------------------------------------------

    def condition(self, expr: Expr, yes: int, no: int) -> int:
        """Nodes that evaluate ``expr`` and go to ``yes`` or ``no``."""
        expr = bare(expr)
        kind = expr.kind
        if kind == "unary" and expr.name == "!":
            return self.condition(expr.args[0], no, yes)
        if kind == "binary" and expr.name == "&&":
            return self.condition(expr.args[0], self.condition(expr.args[1], yes, no), no)
        if kind == "binary" and expr.name == "||":
            return self.condition(expr.args[0], yes, self.condition(expr.args[1], yes, no))
        if kind == "comma":
            return self.events(expr.args[0], self.condition(expr.args[1], yes, no))
        if kind == "cond":
            return self._conditional(expr, yes, no)
        if kind == "call" and expr.name in names("evaluation", "transparent"):
            return self.condition(condition_argument(expr), yes, no)
        known = self.graph.subjects.operand(expr).constant
        if isinstance(known, int):
            return self.events(expr, yes if known else no)
        if isinstance(known, str) and known.startswith("&"):
            return self.events(expr, yes)
        return self.events(expr, self._fork(expr, yes, no))

    def _conditional(self, expr: Expr, yes: int, no: int) -> int:
        test, then, orelse = expr.args
        otherwise = self.condition(orelse, yes, no)
        if then == test:  # a ?: b
            return self.condition(test, yes, otherwise)
        return self.condition(test, self.condition(then, yes, no), otherwise)

    def _fork(self, expr: Expr, yes: int, no: int) -> int:
        shape = FORK
        node = Node(shape, yes)
        node.condition = self.graph.subjects.condition(_stepped(expr))
        node.event = self.make(events.BRANCH, expr, expr)
        node.no = (self.make(events.BRANCH, expr, expr, polarity=False), no)
        return self.add(node)

    def choice(self, shown: Expr, round_: int, done: int) -> int:
        """A fork that nothing decides: one more round of a macro's loop."""
        node = Node(CHOICE, round_)
        node.condition = Condition(-1, "==", 0, True)
        node.event = self.make(events.BRANCH, shown, shown, opaque=True)
        node.no = (self.make(events.BRANCH, shown, shown, opaque=True, polarity=False), done)
        return self.add(node)

    # -- values -----------------------------------------------------------

    def value(self, expr: Expr, sink: Sink, boolean: bool = False) -> int:
        """Nodes that evaluate ``expr`` and hand its operand to ``sink``.

        Boolean expressions and ``?:`` end in a sink of their own on each branch.
        """
        stripped = bare(expr)
        if stripped.kind == "cond":
            test, then, orelse = stripped.args
            no = self.value(orelse, sink, boolean)
            if then == test:
                inner = self.graph.subjects.operand(test)
                return self.condition(test, sink(inner), no)
            return self.condition(test, self.value(then, sink, boolean), no)
        if stripped.kind == "comma":
            return self.events(stripped.args[0], self.value(stripped.args[1], sink, boolean))
        if self._is_boolean(stripped, boolean):
            no = sink(Operand(constant=0))
            return self.condition(stripped, sink(Operand(constant=1)), no)
        return self.events(expr, sink(self.graph.subjects.operand(_stepped(expr))))

    def _is_boolean(self, expr: Expr, wanted: bool) -> bool:
        if expr.kind == "unary" and expr.name == "!":
            return True
        if expr.kind == "binary" and expr.name in ("&&", "||"):
            return True
        if expr.kind == "binary" and expr.name in _COMPARISONS:
            return is_pure(expr)
        if expr.kind in ("const", "name"):
            return False
        return wanted and is_pure(expr)

    def assign(self, expr: Expr, following: int) -> int:
        """``left op right``: the right side, the left's subscripts, the store."""
        left, right = bare(expr.args[0]), expr.args[1]

        def store(operand: Operand) -> int:
            node = self.step(self.make(events.ASSIGN, expr, expr), following)
            self._stores(node, left)
            node.sets = self._effects(expr.name, left, operand)
            return self.target(left, self.last)

        if expr.name != "=":
            return self.events(right, store(self.graph.subjects.operand(right)))
        return self.value(right, store, left.kind == "name" and left.name in self.booleans)

    def _effects(self, operator: str, left: Expr, operand: Operand) -> tuple[Setting, ...]:
        if not is_pure(left):
            return ()
        subjects = self.graph.subjects
        target = subjects.operand(left).subject
        if target < 0:
            return ()
        if operator == "=":
            members = self.copied(left, operand)
            return members + (((target, self._fixed(operand)),) if operand != OPEN else ())
        return ((target, Formula(operator[:-1], Operand(target), operand)),)

    def copied(self, left: Expr, source: Operand) -> tuple[Setting, ...]:
        """Members of a structure that is stored as a whole: those of the other one."""
        if left.kind != "name":
            return ()
        subjects = self.graph.subjects
        other = subjects.all[source.subject].expr if source.subject >= 0 else None
        sets: list[Setting] = []
        for number in subjects.starting(left.name):
            known = subjects.all[number]
            through = known.text.startswith((f"{left.name}->", f"*{left.name}"))
            if known.expr is None or not (through or known.text.startswith(f"{left.name}.")):
                continue
            if through and (other is None or other.kind not in ("name", "arrow", "member")):
                continue  # the pointer is new, and so is what it points to
            value: Operand | Formula = UNFOLLOWED
            if other is not None and (through or other.kind == "name"):
                value = subjects.operand(substitute(known.expr, {left.name: other}))
            sets.append((number, value))
        return tuple(sets)

    def _stores(self, node: Node, left: Expr) -> None:
        """The store to ``left``, and the pointer that it goes through."""
        node.kills = (left,)
        if left.kind == "unary" and left.name == "*" and bare(left.args[0]).kind == "name":
            node.pointer = self.graph.subjects.operand(left.args[0]).subject

    @staticmethod
    def _fixed(operand: Operand) -> Operand | Known:
        return operand if operand.constant is None else value_of(operand.constant)

    def masked(self, expr: Expr, following: int) -> int:
        """``x &= ~M`` and ``x |= M``: a store after which ``x & M`` is known."""
        left, right = bare(expr.args[0]), bare(expr.args[1])
        mask: Expr | None = right
        if expr.name == "&=":
            mask = right.args[0] if right.kind == "unary" and right.name == "~" else None
        node = self.step(self.make(events.ASSIGN, expr, expr), following)
        self._stores(node, left)
        node.sets = self._effects(expr.name, left, self.graph.subjects.operand(right))
        if is_pure(left):
            node.keeps = (text(left), expr.name == "|=", constant_of(mask) if mask else None)
        if mask is not None and is_pure(left) and is_pure(mask):
            test = Expr("binary", "&", (left, mask), expr.span, expr.line)
            subjects = self.graph.subjects
            known = ZERO if expr.name == "&=" else NONZERO
            node.sets += ((subjects.operand(test).subject, known),)
        return self.events(right, self.target(left, self.last))

    # -- events -----------------------------------------------------------

    def events(self, expr: Expr, following: int) -> int:
        """Nodes for everything that happens while ``expr`` is evaluated."""
        kind = expr.kind
        if kind in ("name", "const", "string", "type"):
            return following
        if kind == "call":
            return self.call(expr, following)
        if kind == "assign":
            masks = expr.name in ("&=", "|=") and is_pure(expr.args[1])
            return (self.masked if masks else self.assign)(expr, following)
        if kind == "cond" or (kind == "binary" and expr.name in ("&&", "||")):
            return self._branching(expr, following)
        if kind == "postfix" or (kind == "unary" and expr.name in _STEPS):
            return self._count(expr, following)
        if kind == "unary" and expr.name == "&":
            return self.target(expr.args[0], following, deref=False)
        if kind == "unary" and expr.name in _UNEVALUATED:
            return following
        if kind == "arrow" or (kind == "unary" and expr.name == "*"):
            return self.dereference(expr, following)
        if kind == "stmtexpr":
            return self.statements(expr, following)
        if kind == "unknown":
            return self.unknown(expr.name or "expression", (expr.line, expr.span), following)
        for part in reversed(expr.args):
            following = self.events(part, following)
        return following

    def statements(self, expr: Expr, following: int) -> int:
        """A statement expression; the statements' builder overrides this."""
        raise NotImplementedError

    def unknown(self, why: str, where: tuple[int, Span], following: int) -> int:
        event = self.make(events.UNKNOWN, None, where, name=why)
        self.graph.unknown += (event,)
        self.step(event, following)
        return self.last

    def _branching(self, expr: Expr, following: int) -> int:
        if expr.kind != "cond":
            return self.condition(expr, following, following)
        test, then, orelse = expr.args
        no = self.events(orelse, following)
        yes = following if then == test else self.events(then, following)
        return self.condition(test, yes, no)

    def dereference(self, expr: Expr, following: int) -> int:
        """``p->x`` or ``*p``: the pointer is evaluated, then followed."""
        pointer = expr.args[0]
        self.step(self.make(events.DEREF, pointer, expr, whole=expr), following)
        return self.events(pointer, self.last)

    def target(self, left: Expr, following: int, deref: bool = True) -> int:
        """An lvalue's own evaluation: subscripts and pointers, no read."""
        left = bare(left)
        if left.kind == "arrow" or (left.kind == "unary" and left.name == "*"):
            if deref:
                return self.dereference(left, following)
            return self.events(left.args[0], following)
        if left.kind == "member":
            return self.target(left.args[0], following, deref)
        if left.kind == "index":
            after = self.events(left.args[1], following)
            return self.target(left.args[0], after, deref)
        return self.events(left, following)

    def _count(self, expr: Expr, following: int) -> int:
        left = bare(expr.args[0])
        node = self.step(self.make(events.ASSIGN, expr, expr), following)
        self._stores(node, left)
        subject = self.graph.subjects.operand(left).subject if is_pure(left) else -1
        if subject >= 0:
            by = Operand(constant=_STEPS[expr.name])
            node.sets = ((subject, Formula("+", Operand(subject), by)),)
        return self.target(left, self.last)

    def call(self, expr: Expr, following: int) -> int:
        """The arguments, the callee where it is computed, then the call."""
        name = expr.name
        data = load("evaluation")
        if name in _UNEVALUATED:
            return following
        if name in names("evaluation", "transparent") or name in data["compare"]:
            return self._arguments(expr, following)
        if name in data["dies"]["if_true"] and len(expr.args) > 1:
            return self.condition(expr.args[1], self.add(Node(STOP)), following)
        if name in data["dies"]["always"]:
            following = self.add(Node(STOP))
        node = self.step(self.make(events.CALL, expr, expr), following)
        number = self.last
        if not is_pure(expr):
            node.result = self.graph.subjects.result(expr)
            self._call_effects(expr, node)
        return self._arguments(expr, number)

    def _arguments(self, expr: Expr, following: int) -> int:
        for part in reversed(expr.args if not expr.name else expr.args[1:]):
            following = self.events(part, following)
        return following

    def _call_effects(self, expr: Expr, node: Node) -> None:
        for entry in load("evaluation")["sets"]:
            position = entry["argument"] + 1
            if entry["function"] != expr.name or position >= len(expr.args):
                continue
            argument = bare(expr.args[position])
            if argument.kind == "unary" and argument.name == "&":
                made = Expr("member", entry["member"], argument.args, expr.span, expr.line)
            else:
                made = Expr("arrow", entry["member"], (argument,), expr.span, expr.line)
            node.sets += ((self.graph.subjects.operand(made).subject, NONZERO),)
        if expr.name in load("evaluation")["empties"]["functions"] and len(expr.args) == 2:
            self._emptied(expr, node)
        for identifier in load("scopes")["disarm"]["functions"]:
            if expr.name == identifier and len(expr.args) == 2 and is_pure(expr.args[1]):
                node.kills = (expr.args[1],)
                node.sets = ((self.graph.subjects.operand(expr.args[1]).subject, ZERO),)

    def _emptied(self, expr: Expr, node: Node) -> None:
        """LIST_HEAD(x): list_empty(&x) is true until somebody gets its address."""
        head = expr.args[1]
        if expr.name == "LIST_HEAD":
            head = Expr("unary", "&", (head,), expr.span, expr.line)
        test = self.made_call("list_empty", (head,), (expr.line, expr.span))
        node.sets += ((self.graph.subjects.operand(test).subject, NONZERO),)

    def made_call(self, function: str, args: tuple[Expr, ...], where: tuple[int, Span]) -> Expr:
        """A call that a guard makes; its text is as if it were written."""
        line, span = where
        callee = Expr("name", function, (), span, line)
        return Expr("call", function, (callee, *args), span, line)


def _stepped(expr: Expr) -> Expr:
    """``expr`` as it reads once the ``x++`` in it are done: ``x - 1``."""
    expr = bare(expr)
    if expr.kind == "postfix" and is_pure(expr.args[0]):
        one = Expr("const", "1", (), expr.span, expr.line)
        back = "-" if expr.name == "++" else "+"
        return Expr("binary", back, (expr.args[0], one), expr.span, expr.line)
    if expr.kind == "binary" and expr.name in _COMPARISONS:
        args = tuple(map(_stepped, expr.args))
        if args != expr.args:
            return Expr("binary", expr.name, args, expr.span, expr.line)
    return expr


def shown(expr: Expr) -> str:
    """The canonical text, for limits and reasons."""
    return text(expr)
