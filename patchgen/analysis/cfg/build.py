# SPDX-License-Identifier: GPL-2.0-only
"""Statement trees to control-flow graphs, scope ends included.

``guard()``, ``scoped_guard()``, ``CLASS()`` and ``__free()`` become calls at the
places where the compiler puts them: reversed at the end of the scope, and on
every jump out of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.graph import FORK, LEAVE, STOP, SWITCH, Graph, Node, Setting, finish
from patchgen.analysis.cfg.lower import Expressions
from patchgen.analysis.values.subjects import UNFOLLOWED, Condition, Operand, constant_of
from patchgen.analysis.values.value import Constant
from patchgen.kernel.knowledge import load
from patchgen.kernel.locks import ALWAYS, IF_TRUE, guards, primitives
from patchgen.model.base import Span
from patchgen.model.code import (
    Asm,
    Block,
    Break,
    Case,
    Continue,
    Decl,
    Declarator,
    DoWhile,
    Empty,
    Expr,
    ExprStmt,
    For,
    Function,
    Goto,
    If,
    Label,
    MacroLoop,
    Return,
    Stmt,
    Switch,
    Unknown,
    While,
)
from patchgen.source.c.placed import statement_of
from patchgen.source.c.text import bare, name, text

#: Python frames that the deepest statement tree may need; the parser stops at
#: 600 nested statements, each of which takes up to six frames here.
_FRAMES = 20000


#: Values of one case (``case 0 ... 9``) that are told apart.
_LONG = 32


class _Release(NamedTuple):
    """What one scope's end does: ``function(args)``, if ``armed`` is non-NULL."""

    outer: _Release | None
    function: str
    args: tuple[Expr, ...]
    armed: Expr | None


Scope: TypeAlias = _Release | None


class _Frame(NamedTuple):
    """Where break and continue lead, and the scope that is open there."""

    break_to: tuple[int, Scope] | None = None
    continue_to: tuple[int, Scope] | None = None


def build(function: Function) -> Graph:
    """The control-flow graph of a function.

    It never fails: statements that are not understood become ``unknown`` events,
    listed in ``Graph.unknown``.
    """
    if sys.getrecursionlimit() < _FRAMES:
        sys.setrecursionlimit(_FRAMES)
    builder = _Builder(function)
    return builder.function()


class _Builder(Expressions):
    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self.source = function
        self.frame = _Frame()
        self.scope: Scope = None
        self.labels: dict[str, tuple[int, Scope]] = {}
        self.cases: list[tuple[Expr | None, int, tuple[int, Span]]] | None = None

    def function(self) -> Graph:
        source = self.source
        self._find_labels(source.body, None)
        end = Span(source.span.end - 1, source.span.end)
        leave = self._leave(None, (source.end_line, end), None)
        self.graph.entry = self.statement(source.body, leave)
        return finish(self.graph)

    # -- scopes -----------------------------------------------------------

    def _find_labels(self, block: Stmt, scope: Scope) -> None:
        """Number every label, with the scope that is open at it."""
        stack: list[tuple[Stmt, Scope]] = [(block, scope)]
        while stack:
            stmt, scope = stack.pop()
            if isinstance(stmt, Block):
                for part in stmt.body:
                    stack.append((part, scope))
                    scope = self._opened(part, scope)
                continue
            if isinstance(stmt, Label):
                self.labels[stmt.name] = (self.waypoint(), scope)
            if isinstance(stmt, MacroLoop):
                scope = self._guarded(stmt.call, scope)
            for field in ("then", "orelse", "body"):
                inner = getattr(stmt, field, None)
                if inner is not None:
                    stack.append((inner, scope))

    def _opened(self, stmt: Stmt, scope: Scope) -> Scope:
        """The scope after a declaration or guard() in a block."""
        if isinstance(stmt, ExprStmt):
            call = stmt.expr
            if call.kind == "call" and call.args and call.args[0].kind == "call":
                inner = call.args[0]
                if inner.name == "guard" and len(inner.args) == 2:
                    return self._class(inner.args[1].name, call.args[1:2], scope)
                if inner.name == "CLASS" and len(inner.args) == 3:
                    variable = inner.args[2]
                    return _Release(scope, f"class_{inner.args[1].name}_destructor",
                                    (variable,), None)  # fmt: skip
        elif isinstance(stmt, Decl):
            for declared in stmt.variables:
                if declared.cleanup:
                    value = name(declared.name, declared.line)
                    scope = _Release(scope, declared.cleanup, (value,), value)
        return scope

    def _guarded(self, call: Expr, scope: Scope) -> Scope:
        position = load("scopes")["once"].get(call.name, 0)
        if not position or len(call.args) < 2:
            return scope
        return self._class(call.args[1].name, call.args[position + 1 : position + 2], scope)

    @staticmethod
    def _class(kind: str, args: tuple[Expr, ...], scope: Scope) -> Scope:
        known = guards().get(kind)
        function = known[1] if known else f"class_{kind}_destructor"
        return _Release(scope, function, args, None)

    def _unwind(self, scope: Scope, outer: Scope, where: tuple[int, Span], following: int) -> int:
        """Nodes that leave ``scope`` for ``outer``, innermost release first."""
        kept, up = set(), outer
        while up is not None:
            kept.add(id(up))
            up = up.outer
        leaving: list[_Release] = []
        while scope is not None and id(scope) not in kept:
            leaving.append(scope)
            scope = scope.outer
        for release in reversed(leaving):
            call = self.made_call(release.function, release.args, where)
            self.step(self.make(events.CALL, call, where, scope_end=True), following)
            done = self.last
            if release.armed is not None:
                done = self._armed(release.armed, where, done, following)
            following = done
        return following

    def _armed(self, variable: Expr, where: tuple[int, Span], yes: int, no: int) -> int:
        fork = Node(FORK, yes)
        fork.condition = self.graph.subjects.condition(variable)
        fork.event = self.make(events.BRANCH, variable, where)
        fork.no = (self.make(events.BRANCH, variable, where, polarity=False), no)
        return self.add(fork)

    # -- statements -------------------------------------------------------

    def statement(self, stmt: Stmt, following: int) -> int:
        """Nodes of one statement; the first one's number."""
        if isinstance(stmt, ExprStmt):
            return self._expression(stmt, following)
        if isinstance(stmt, If):
            return self._if(stmt, following)
        if isinstance(stmt, Block):
            return self._block(stmt.body, (stmt.line, stmt.span), following)
        if isinstance(stmt, Decl):
            for variable in reversed(stmt.variables):
                following = self._declare(variable, following)
            return following
        if isinstance(stmt, Return):
            return self._return(stmt)
        if isinstance(stmt, (Goto, Label, Break, Continue, Case)):
            return self._jump(stmt, following)
        if isinstance(stmt, (While, DoWhile, For, MacroLoop)):
            return self._loop(stmt, following)
        if isinstance(stmt, Switch):
            return self._switch(stmt, following)
        if isinstance(stmt, Asm):
            self.step(self.make(events.ASM, None, (stmt.line, stmt.span), name="asm"), following)
            return self.last
        if isinstance(stmt, Unknown):
            return self.unknown(stmt.reason, (stmt.line, stmt.span), following)
        assert isinstance(stmt, Empty)
        return following

    def _block(
        self, body: tuple[Stmt, ...], where: tuple[int, Span], following: int, tail: int = 0
    ) -> int:
        """Nodes of a block; the last ``tail`` statements are left out."""
        outer = scope = self.scope
        scopes = []
        for stmt in body:
            if isinstance(stmt, Decl):
                self.booleans.update(
                    v.name for v in stmt.variables if v.type.split()[-1:] in (["bool"], ["_Bool"])
                )
            scopes.append(scope)
            scope = self._opened(stmt, scope)
        if scope is not outer:
            following = self._unwind(scope, outer, _end(where), following)
        for stmt, inner in zip(reversed(body), reversed(scopes), strict=True):
            self.scope = inner
            following = self.statement(stmt, following)
        self.scope = outer
        return following

    def _expression(self, stmt: ExprStmt, following: int) -> int:
        expr = stmt.expr
        if expr.kind == "call" and not expr.name and expr.args and expr.args[0].name == "guard":
            kind = expr.args[0].args[1].name if len(expr.args[0].args) == 2 else ""
            return self._acquire(kind, expr.args[1:2], (stmt.line, expr.span), following, following)
        return self.events(expr, following)

    def _acquire(
        self, kind: str, args: tuple[Expr, ...], where: tuple[int, Span], held: int, missed: int
    ) -> int:
        known = guards().get(kind)
        call = self.made_call(known[0] if known else f"class_{kind}_constructor", args, where)
        after = held
        when = primitives()[known[0]].when if known else ALWAYS
        if held != missed and when != ALWAYS:
            fork = Node(FORK, held)
            condition = self.graph.subjects.condition(call)
            fork.condition = condition._replace(negated=True)
            fork.event = self.make(events.BRANCH, call, where, polarity=when == IF_TRUE)
            failed = self.make(events.BRANCH, call, where, polarity=when != IF_TRUE)
            fork.no = (failed, missed)
            after = self.add(fork)
        return self.call(call, after)

    def _if(self, stmt: If, following: int) -> int:
        chain: list[tuple[Expr, int]] = []
        orelse: Stmt | None = stmt
        while isinstance(orelse, If):  # else-if chains may be long
            chain.append((orelse.test, self.statement(orelse.then, following)))
            orelse = orelse.orelse
        no = following if orelse is None else self.statement(orelse, following)
        for test, yes in reversed(chain):
            no = self.condition(test, yes, no)
        return no

    def _declare(self, variable: Declarator, following: int) -> int:
        left = name(variable.name, variable.line)
        where = (variable.line, variable.span)
        self.graph.locals.add(variable.name)

        def store(operand: Operand) -> int:
            node = self.step(
                self.make(events.DECL, variable.init, where, name=variable.name), following
            )
            node.kills = (left,)
            if variable.init is not None:
                node.sets = self._effects("=", left, operand)
                if bare(variable.init).kind == "init":
                    node.sets = self._members(variable.name, bare(variable.init))
            return self.last

        if variable.init is None:
            return store(Operand())
        return self.value(variable.init, store, variable.name in self.booleans)

    def _members(self, variable: str, init: Expr) -> tuple[Setting, ...]:
        """Members that are asked for later: as initialised, else zero."""
        given = {field.name: field.args[0] for field in init.args if field.kind == "field"}
        unclear = len(given) != len(init.args) and not _is_zero(init)
        sets: list[Setting] = []
        for number, subject in enumerate(self.graph.subjects.all):
            head, _, member = subject.text.partition(".")
            if head != variable or not member.replace(".", "").isidentifier():
                continue
            inner = member not in given and member.partition(".")[0] in given
            if inner or (unclear and member not in given):
                sets.append((number, UNFOLLOWED))
                continue
            value = given.get(member)
            operand = self.graph.subjects.operand(value) if value else Operand(constant=0)
            if operand.constant is not None or operand.subject >= 0:
                sets.append((number, self._fixed(operand)))
        return tuple(sets)

    def _leave(self, value: Expr | None, where: tuple[int, Span], scope: Scope) -> int:
        node = Node(LEAVE)
        node.event = self.make(events.RETURN, value, where)
        return self._unwind(scope, None, where, self.add(node))

    def _return(self, stmt: Return) -> int:
        where = (stmt.line, stmt.span)
        if stmt.value is None:
            return self._leave(None, where, self.scope)
        return self._returned(stmt.value, where)

    def _returned(self, value: Expr, where: tuple[int, Span]) -> int:
        """``return a ? b : c`` leaves on each branch with its own value."""
        stripped = bare(value)
        if stripped.kind == "cond" and stripped.args[0] != stripped.args[1]:
            no = self._returned(stripped.args[2], where)
            return self.condition(stripped.args[0], self._returned(stripped.args[1], where), no)
        if self._is_boolean(stripped, False):

            def constant(operand: Operand) -> int:
                token = str(operand.constant)
                shown = Expr("const", token, (), value.span, value.line)
                return self._leave(shown, where, self.scope)

            return self.value(value, constant)
        return self.events(value, self._leave(value, where, self.scope))

    def _jump(self, stmt: Stmt, following: int) -> int:
        where = (stmt.line, stmt.span)
        if isinstance(stmt, Label):
            if stmt.name not in self.labels:  # inside a statement expression
                return self.unknown("label that is not looked for", where, following)
            number, _ = self.labels[stmt.name]
            self.graph.nodes[number].next = following
            return number
        if isinstance(stmt, Case):
            if self.cases is None:
                return self.unknown("case outside a switch", where, following)
            start = self.waypoint(following)
            self.cases.append((stmt.value, start, where))
            return start
        if isinstance(stmt, Goto):
            target = self.labels.get(stmt.name)
        else:
            frame = self.frame
            target = frame.break_to if isinstance(stmt, Break) else frame.continue_to
        if target is None:
            return self.unknown("jump to nowhere", where, self.add(Node(STOP)))
        return self._unwind(self.scope, target[1], where, target[0])

    def _loop(self, stmt: While | DoWhile | For | MacroLoop, following: int) -> int:
        if isinstance(stmt, MacroLoop) and stmt.call.name in load("scopes")["once"]:
            return self._once(stmt, following)
        head = self.waypoint()
        node = self.graph.nodes[head]
        again = head
        if isinstance(stmt, For) and stmt.step is not None:
            again = self.events(stmt.step, head)
        if isinstance(stmt, DoWhile):
            again = self.condition(stmt.test, head, following)
        body = self._body(stmt.body, again, following)
        if isinstance(stmt, DoWhile):
            node.next = body
            return head
        if isinstance(stmt, MacroLoop):
            return self._macro_loop(stmt, head, body, following)
        if stmt.test is None:
            node.next = body
        else:
            node.next = self.condition(stmt.test, body, following)
        if isinstance(stmt, For) and stmt.init is not None:
            return self.statement(stmt.init, head)
        return head

    def _body(self, body: Stmt, again: int, done: int) -> int:
        saved = self.frame
        self.frame = _Frame((done, self.scope), (again, self.scope))
        start = self.statement(body, again)
        self.frame = saved
        return start

    def _macro_loop(self, stmt: MacroLoop, head: int, body: int, following: int) -> int:
        """A for_each: its plain-name arguments may be its cursors."""
        choice = self.choice(stmt.call, body, following)
        node = self.graph.nodes[choice]
        node.loops = tuple(a for a in stmt.call.args[1:] if a.kind == "name")
        self.graph.nodes[head].next = choice
        return self._arguments(stmt.call, head)

    def _once(self, stmt: MacroLoop, following: int) -> int:
        """scoped_guard(): acquire, the body once, release."""
        where = (stmt.call.line, stmt.call.span)
        outer = self.scope
        scope = self._guarded(stmt.call, outer)
        after = self._unwind(scope, outer, _end((stmt.line, stmt.span)), following)
        self.scope = scope
        saved = self.frame
        # The macro is a for loop: break and continue inside leave just it.
        self.frame = _Frame((following, outer), (following, outer))
        body = self.statement(stmt.body, after)
        self.frame = saved
        self.scope = outer
        position = load("scopes")["once"][stmt.call.name]
        if not position or len(stmt.call.args) < 2:
            return body
        args = stmt.call.args[position + 1 : position + 2]
        missed = following
        if position == 2:  # scoped_cond_guard(class, what to do where it is missed, lock)
            missed = self._block(self._action(stmt.call.args[2]), where, following)
        return self._acquire(stmt.call.args[1].name, args, where, body, missed)

    @staticmethod
    def _action(argument: Expr) -> tuple[Stmt, ...]:
        """A statement that is a macro's argument, and may read as an expression: ``return -E``."""
        first = argument
        while first.args and first.kind != "stmtexpr":
            first = first.args[0]
        if first.kind == "name" and first.name in ("return", "goto"):
            return statement_of(text(argument), argument.span, argument.line)
        if argument.kind in ("type", "unknown"):
            return statement_of(argument.name, argument.span, argument.line)
        return (ExprStmt(argument.span, argument.line, argument),)

    def _switch(self, stmt: Switch, following: int) -> int:
        saved, self.cases = self.cases, []
        frame = self.frame
        self.frame = _Frame((following, self.scope), frame.continue_to)
        self.statement(stmt.body, following)
        self.frame = frame
        found, self.cases = self.cases, saved
        found.reverse()
        node = Node(SWITCH)
        subject = self.graph.subjects.operand(stmt.value).subject
        node.condition = Condition(subject, "==", 0, True)
        cases: list[tuple[Constant | None, events.Event, int]] = []
        default: tuple[int, tuple[int, Span]] = (following, (stmt.line, stmt.span))
        for value, start, where in found:
            if value is None:
                default = (start, where)
                continue
            test = Expr("binary", "==", (stmt.value, value), stmt.value.span, where[0])
            for known in _constants(value):
                cases.append((known, self._case(test, where, True), start))
        other = self.make(
            events.BRANCH, stmt.value, default[1], opaque=True, name="default", polarity=False
        )
        cases.append((None, other, default[0]))
        if self._is_boolean(bare(stmt.value), False):
            ways = {constant: start for constant, _, start in reversed(cases[:-1])}
            return self.value(stmt.value, lambda one: ways.get(one.constant, default[0]))
        number = self.graph.subjects.operand(stmt.value).constant
        if isinstance(number, int):
            chosen = [start for constant, _, start in cases if constant == number]
            if chosen or all(isinstance(c, int) for c, _, _ in cases[:-1]):
                return self.events(stmt.value, [*chosen, default[0]][0])
        node.cases = tuple(cases)
        return self.events(stmt.value, self.add(node))

    def _case(self, test: Expr, where: tuple[int, Span], holds: bool) -> events.Event:
        return self.make(events.BRANCH, test, where, polarity=holds)

    def statements(self, expr: Expr, following: int) -> int:
        """A statement expression: its statements, in a scope of their own."""
        return self._block(expr.body, (expr.line, expr.span), following)


def _constants(value: Expr) -> Iterable[Constant]:
    """What a case stands for; "" where that is no constant, or a long range of them."""
    if value.kind == "binary" and value.name == "...":
        low, high = map(constant_of, value.args)
        if isinstance(low, int) and isinstance(high, int) and 0 <= high - low < _LONG:
            return range(low, high + 1)
    known = constant_of(value)
    return ("" if known is None else known,)


def _is_zero(init: Expr) -> bool:
    return not init.args or [constant_of(part) for part in init.args] == [0]


def _end(where: tuple[int, Span]) -> tuple[int, Span]:
    line, span = where
    return line, Span(max(span.end - 1, span.start), span.end)
