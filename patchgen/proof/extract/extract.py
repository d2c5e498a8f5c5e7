# SPDX-License-Identifier: GPL-2.0-only
"""Handlers to abstract programs: statements followed along every path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from patchgen.model.base import Place
from patchgen.model.code import (
    Block,
    Break,
    Case,
    Continue,
    Decl,
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
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.extract.calls import Calls
from patchgen.proof.extract.evaluate import MOST_EXPRESSIONS, Frame, Go, Then
from patchgen.proof.extract.program import Program
from patchgen.proof.extract.values import Env, Known, Opaque, Record, binary
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import every, statements, text

#: Jumps over all paths, beyond which one counts as endless.
MOST_JUMPS = 400
#: Rounds of a loop that are followed before it counts as endless.
MOST_ROUNDS = 6


class _Where(msgspec.Struct, frozen=True):
    """Where control goes from inside a statement."""

    frame: Frame
    leave: Then
    after_loop: Go | None = None
    next_round: Go | None = None
    jumps: Mapping[str, Go] = msgspec.field(default_factory=dict)


class Extractor(Calls):
    """Builds one handler's program from its function and those that it calls."""

    jumps = 0

    def program(self, function: Function) -> Program:
        """The program of a callback; its arguments are what the core passes."""
        values = [
            Opaque("new pte", frozenset({"new pte"})) if p.type == "pte_t" else Opaque(p.name)
            for p in function.params
        ]

        def end(value: Known, _: Env) -> int:
            text = str(value) if isinstance(value, int) else getattr(value, "text", "")
            return self.build.end(text)

        try:
            entry = self.call(function, values, {}, 1, end)
        except RecursionError:
            place = Place(function.path, function.line)
            entry = self.build.unknown(place, f"{function.name}() is too deep to follow")
        return self.build.program(function.name, entry)

    def call(
        self, function: Function, values: Sequence[Known], env: Env, depth: int, then: Then
    ) -> int:
        doubt = _undetermined(self.functions, function)
        if doubt is not None:
            return self.build.unknown(*doubt)
        self.frames += 1
        frame = Frame(self.frames, function, depth)
        inner = dict(env)
        for index, param in enumerate(function.params):
            inner[frame.number, param.name] = (
                values[index] if index < len(values) else Opaque(param.name)
            )

        def leave(value: Known, after: Env) -> int:
            # The callee's variables are gone, unless a struct of its caller holds them.
            return then(value, {k: v for k, v in after.items() if k[0] != frame.number})

        jumps: dict[str, Go] = {}
        where = _Where(frame, leave, jumps=jumps)
        body = function.body.body

        def fall(after: Env) -> int:
            return leave(Opaque(""), after)

        for index, stmt in enumerate(body):
            if isinstance(stmt, Label):
                rest = body[index + 1 :]
                jumps[stmt.name] = _goes(self, rest, where, fall)
        return self.run(body, inner, where, fall)

    def run(self, body: Sequence[Stmt], env: Env, where: _Where, then: Go) -> int:
        """Statements in order."""
        if not body:
            return then(env)
        return self.statement(body[0], env, where, lambda e: self.run(body[1:], e, where, then))

    def statement(self, stmt: Stmt, env: Env, where: _Where, then: Go) -> int:
        """One statement, and what follows it."""
        frame = where.frame
        self.followed += 1
        if self.followed > MOST_EXPRESSIONS:
            return self.build.unknown(frame.place(stmt.line), "the program does not end")
        if isinstance(stmt, Block):
            return self.run(stmt.body, env, where, then)
        if isinstance(stmt, Empty | Label | Case):
            return then(env)
        if isinstance(stmt, ExprStmt):
            return self.value(stmt.expr, env, frame, lambda _, e: then(e))
        if isinstance(stmt, Decl):
            return self._declare(stmt, 0, env, where, then)
        if isinstance(stmt, If):
            return self._if(stmt, env, where, then)
        if isinstance(stmt, Return):
            if stmt.value is None:
                return where.leave(Opaque(""), env)
            return self.value(stmt.value, env, frame, where.leave)
        if isinstance(stmt, Goto) and stmt.name in where.jumps:
            self.jumps += 1
            if self.jumps > MOST_JUMPS:
                return self.build.unknown(frame.place(stmt.line), "the program does not end")
            return where.jumps[stmt.name](env)
        if isinstance(stmt, Break) and where.after_loop:
            return where.after_loop(env)
        if isinstance(stmt, Continue) and where.next_round:
            return where.next_round(env)
        if isinstance(stmt, While | DoWhile | For | MacroLoop):
            return self._loop(stmt, env, where, then)
        if isinstance(stmt, Switch):
            return self.value(
                stmt.value, env, frame, lambda v, e: self._switch(stmt, v, e, where, then)
            )
        reason = stmt.reason if isinstance(stmt, Unknown) else type(stmt).__name__.lower()
        return self.build.unknown(
            frame.place(stmt.line), f"a statement that is not understood: {reason}"
        )

    def _declare(self, stmt: Decl, index: int, env: Env, where: _Where, then: Go) -> int:
        if index == len(stmt.variables):
            return then(env)
        variable = stmt.variables[index]
        key = (where.frame.number, variable.name)
        if _static(self.functions, where.frame.function, stmt):
            # It is shared: whatever others left in it.
            return self._declare(stmt, index + 1, env, where, then)
        if variable.cleanup:
            return self.build.unknown(
                where.frame.place(variable.line), f"a cleanup that is not known: {variable.cleanup}"
            )
        if variable.init is None:
            is_struct = variable.type.startswith("struct") and not variable.type.endswith("*")
            value = Record() if is_struct else Opaque(variable.name)
            return self._declare(stmt, index + 1, {**env, key: value}, where, then)
        return self.value(
            variable.init,
            env,
            where.frame,
            lambda v, e: self._declare(stmt, index + 1, {**e, key: v}, where, then),
        )

    def _if(self, stmt: If, env: Env, where: _Where, then: Go) -> int:
        def otherwise(after: Env) -> int:
            return self.statement(stmt.orelse, after, where, then) if stmt.orelse else then(after)

        return self.truth(
            stmt.test,
            env,
            where.frame,
            lambda e: self.statement(stmt.then, e, where, then),
            otherwise,
        )

    # -------------------------------------------------------------------- loops

    def _loop(
        self, stmt: While | DoWhile | For | MacroLoop, env: Env, where: _Where, then: Go
    ) -> int:
        if isinstance(stmt, MacroLoop):
            name = stmt.call.name
            if name in words.LOOPS_ONCE:
                return self._once(stmt.body, env, where, then)
            if name in words.LOOPS_SPTE:
                return self._each_spte(stmt, env, where, then)
            return self.unknown(stmt.call, where.frame, f"a loop that is not known: {name}")
        if isinstance(stmt, For):
            known = stmt.test is not None and _bound(stmt.test) in words.BOUNDS_ONCE
            if _counts(stmt.body):
                place = where.frame.place(stmt.line)
                return self.build.unknown(place, "a loop that counts in each of its rounds")
            if known or _is_walk(stmt, where.frame.function):
                return self._once(stmt.body, env, where, then)
            return self.build.unknown(
                where.frame.place(stmt.line), "a loop whose rounds are not known"
            )
        if isinstance(stmt, DoWhile):
            return self._do_while(stmt, env, where, then, MOST_ROUNDS)
        return self._while(stmt, env, where, then, MOST_ROUNDS)

    def _once(self, body: Stmt, env: Env, where: _Where, then: Go) -> int:
        inside = msgspec.structs.replace(where, after_loop=then, next_round=then)
        return self.statement(body, env, inside, then)

    def _each_spte(self, stmt: MacroLoop, env: Env, where: _Where, then: Go) -> int:
        # One SPTE maps the page: the body runs once, or not at all.
        pointer = stmt.call.args[-1]
        key = (where.frame.number, pointer.name)

        def found(there: Known, after: Env) -> int:
            if not there:
                return then(after)
            spte = Opaque(pointer.name, frozenset({"spte"}))
            return self._once(stmt.body, {**after, key: spte}, where, then)

        return self.ask("present", stmt.call, env, where.frame, found)

    def _do_while(self, stmt: DoWhile, env: Env, where: _Where, then: Go, rounds: int) -> int:
        if not rounds:
            return self.build.unknown(
                where.frame.place(stmt.line), "a loop whose rounds are not known"
            )

        def again(after: Env) -> int:
            return self._do_while(stmt, after, where, then, rounds - 1)

        def asked(after: Env) -> int:
            return self.truth(stmt.test, after, where.frame, again, then)

        inside = msgspec.structs.replace(where, after_loop=then, next_round=asked)
        return self.statement(stmt.body, env, inside, asked)

    def _switch(self, stmt: Switch, value: Known, env: Env, where: _Where, then: Go) -> int:
        """The case that ``value`` chooses; where that is not known, all if they do the same."""
        place = where.frame.place(stmt.line)
        body = stmt.body.body if isinstance(stmt.body, Block) else ()
        inner = [s for part in body if not isinstance(part, Case) for s in statements(part)]
        labels = [s for s in body if isinstance(s, Case)]
        if not labels or any(isinstance(s, Case) for s in inner):
            return self.build.unknown(place, "a switch that is not understood")
        inside = msgspec.structs.replace(where, after_loop=then)

        def enter(label: Case) -> int:
            return self.run(body[body.index(label) + 1 :], env, inside, then)

        default = next((label for label in labels if label.value is None), None)
        possible, sure = [], False
        for label in labels:
            chosen = None if label.value is None else self._chosen(label.value, value, where.frame)
            if chosen is not False and label.value is not None:
                possible.append(label)
            if chosen:
                possible, sure = [label], True
                break
        ways = {enter(label) for label in possible}
        if not sure:
            ways.add(enter(default) if default is not None else then(env))
        if len(ways) == 1:
            return ways.pop()
        return self.build.unknown(place, f"a switch that is not understood: {text(stmt.value)}")

    def _chosen(self, label: Expr, value: Known, frame: Frame) -> bool | None:
        """Whether a case is the one of ``value``; None where that is not known."""
        there = self.leaf(label, {}, frame) if label.kind in ("const", "name") else None
        same = binary("==", value, there, "") if isinstance(there, int) else None
        return bool(same) if isinstance(same, int) else None

    def _while(self, stmt: While, env: Env, where: _Where, then: Go, rounds: int) -> int:
        if not rounds:
            return self.build.unknown(
                where.frame.place(stmt.line), "a loop whose rounds are not known"
            )

        def again(after: Env) -> int:
            return self._while(stmt, after, where, then, rounds - 1)

        inside = msgspec.structs.replace(where, after_loop=then, next_round=again)
        return self.truth(
            stmt.test,
            env,
            where.frame,
            lambda e: self.statement(stmt.body, e, inside, again),
            then,
        )


def _undetermined(
    functions: Mapping[str, Function], function: Function
) -> tuple[Place, str] | None:
    """Where what ``function`` does depends on the configuration: which one is not asked."""
    if isinstance(functions, Definitions) and function.name in functions:
        return functions.undetermined(function.name)
    return None


def _static(functions: Mapping[str, Function], function: Function, stmt: Decl) -> bool:
    """Whether a declaration is of variables that outlive the call, and may change."""
    first = stmt.variables[0] if stmt.variables else None
    if first is None or not isinstance(functions, Definitions):
        return False
    words_before = functions.words(function.name, stmt.span.start, first.span.start)
    return "static" in words_before and "const" not in words_before


def _goes(
    extractor: Extractor, rest: Sequence[Stmt], where: _Where, then: Go
) -> Callable[[Env], int]:
    return lambda env: extractor.run(rest, env, where, then)


def _is_walk(stmt: For, function: Function) -> bool:
    """Whether a loop of an architecture's code goes up to a bound, one by one.

    That its walks come by every mapping once is judged by itself (analysis/handlers/walks.py).
    """
    test, step = stmt.test, stmt.step
    plain = test is not None and test.kind == "binary" and test.name == "<"
    one = step is not None and step.kind in ("postfix", "unary") and step.name == "++"
    return function.path.startswith("arch/") and plain and one


def _counts(body: Stmt) -> bool:
    """Whether a loop's body changes a counter of the protocol itself, in each round."""
    return any(
        expr.args[0].name in words.STATE
        for expr in every(body)
        if expr.kind == "assign"
        or (expr.kind in ("postfix", "unary") and expr.name in ("++", "--"))
    )


def _bound(test: Expr) -> str:
    """The name that a loop counts up to: ``i < BOUND``, or that of a call."""
    if test.kind == "binary" and test.name == "<" and test.args[1].kind in ("name", "call"):
        return test.args[1].name
    return ""
