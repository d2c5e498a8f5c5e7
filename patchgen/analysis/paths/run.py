# SPDX-License-Identifier: GPL-2.0-only
"""Every path through a function, its callees put in: what happens on each, in order.

For the small functions of an interface, which are straight but for a loop and a few
conditions.  A loop's rounds are looked at once each, with variables that it sets unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from patchgen.analysis.paths.bodies import Bodies, MacroBody, NotUnderstood
from patchgen.analysis.paths.events import Call, Condition, Loop, Odd, Path, Store
from patchgen.analysis.paths.state import (
    State,
    constant,
    is_own,
    is_settled,
    named,
    number,
)
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
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
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import expressions

#: Calls in calls; the longest of the kernel's here are six deep.
_DEPTH = 12
#: Ways through one function, and jumps on one way.
_WAYS, _JUMPS = 4000, 12

_TRANSPARENT = names("paths", "calls", "transparent")
_PURE = names("paths", "calls", "pure")
_WRITES = names("paths", "calls", "writes")


class _Exit(NamedTuple):
    kind: str = ""
    value: Expr | None = None
    label: str = ""


_ON = _Exit()
_Ways = list[tuple[State, _Exit]]
_Values = list[tuple[Expr, State]]


def paths(
    bodies: Bodies, name: str, args: Sequence[str], stop: frozenset[str] = frozenset()
) -> tuple[Path, ...]:
    """The ways through the function or macro ``name``, given names as arguments.

    All callees that ``bodies`` defines are looked into, but those of ``stop``.
    NotUnderstood: there is none, it takes other arguments, or there are too many ways.
    """
    run = _Run(bodies, stop)
    start = State({}, {}, (), (), "", 0)
    given = tuple(named(arg) for arg in args)
    call = Expr("call", name, (named(name), *given), named("").span, 0)
    first = bodies.paths[0] if bodies.paths else ""
    if not bodies.macros(name) and not bodies.functions(name):
        raise NotUnderstood(first, 1, f"{name}() is not defined where it is looked for")
    found = []
    for value, state in run.value(call, start):
        found.append(Path(state.events, state.conditions, "return", value))
    return tuple(found)


class _Run:
    def __init__(self, bodies: Bodies, stop: frozenset[str]) -> None:
        self._bodies = bodies
        self._stop = stop
        self._made = 0

    def _fresh(self, stem: str) -> Expr:
        self._made += 1
        return named(f"{stem}#{self._made}")

    # -- statements ----------------------------------------------------------

    def body(self, stmts: Sequence[Stmt], state: State) -> _Ways:
        """The ways through a function's statements, jumps to its labels included."""
        done: _Ways = []
        todo = [(way, tuple[str, ...]()) for way in self.run(stmts, state)]
        while todo:
            (state, exit_), jumps = todo.pop()
            if exit_.kind != "goto":
                done.append((state, exit_))
                continue
            at = next((n for n, s in enumerate(stmts)
                       if isinstance(s, Label) and s.name == exit_.label), None)  # fmt: skip
            if at is None or len(jumps) > _JUMPS:
                place = Place(state.path, stmts[0].line if stmts else 1)
                done.append((state.happened(Odd(f"a jump to {exit_.label}", place)), _ON))
                continue
            if exit_.label in jumps:
                # With nothing known of what is set behind the label: the same ways again.
                behind = Block(named("").span, 0, tuple(stmts[at + 1 :]))
                state = self._forgotten(behind, state)
                if jumps.count(exit_.label) > 1:
                    continue
            todo += [(way, (*jumps, exit_.label)) for way in self.run(stmts[at + 1 :], state)]
        return done

    def run(self, stmts: Sequence[Stmt], state: State) -> _Ways:
        """The ways through statements in a row; a jump ends one."""
        going, done = [state], list[tuple[State, _Exit]]()
        for stmt in stmts:
            after: list[State] = []
            for one in going:
                for then, exit_ in self.stmt(stmt, one):
                    if exit_.kind:
                        done.append((then, exit_))
                    else:
                        after.append(then)
            going = after
            if len(going) + len(done) > _WAYS:
                raise NotUnderstood(state.path, stmt.line, "too many ways to follow")
        return done + [(one, _ON) for one in going]

    def stmt(self, stmt: Stmt, state: State) -> _Ways:
        """The ways through one statement."""
        match stmt:
            case Block():
                ways = self.run(stmt.body, state)
                return [(one._replace(scope=state.scope), exit_) for one, exit_ in ways]
            case ExprStmt():
                return [(then, _ON) for _, then in self.value(stmt.expr, state)]
            case Decl():
                return [(then, _ON) for then in self._declared(stmt, state)]
            case If():
                found: _Ways = []
                for holds, then in self.truth(stmt.test, state):
                    branch = stmt.then if holds else stmt.orelse
                    found += self.stmt(branch, then) if branch is not None else [(then, _ON)]
                return found
            case Return():
                if stmt.value is None:
                    return [(state, _Exit("return"))]
                given = self.value(stmt.value, state)
                return [(then, _Exit("return", value)) for value, then in given]
            case Switch():
                return self._switch(stmt, state)
            case While() | For() | DoWhile() | MacroLoop():
                return self._loop(stmt, state)
            case Break():
                return [(state, _Exit("break"))]
            case Continue():
                return [(state, _Exit("continue"))]
            case Goto():
                return [(state, _Exit("goto", None, stmt.name))]
            case Label() | Empty() | Case():
                return [(state, _ON)]
            case Asm():
                return [(state.happened(Odd("assembly", self._at(state, stmt.line))), _ON)]
            case Unknown():
                return [(state.happened(Odd(stmt.reason, self._at(state, stmt.line))), _ON)]

    def _at(self, state: State, line: int) -> Place:
        return Place(state.path, line)

    def _declared(self, stmt: Decl, state: State) -> list[State]:
        going = [state]
        for variable in stmt.variables:
            if "static" in variable.type.split():
                continue
            after = []
            for one in going:
                self._made += 1
                own = f"{variable.name}'{self._made}"
                values = (
                    self.value(variable.init, one) if variable.init is not None else [(None, one)]
                )
                for value, then in values:
                    then = then._replace(scope={**then.scope, variable.name: own})
                    after.append(then if value is None else then.holding(own, value))
            going = after
        return going

    def _switch(self, stmt: Switch, state: State) -> _Ways:
        found: _Ways = []
        inner = stmt.body.body if isinstance(stmt.body, Block) else (stmt.body,)
        cases = [(at, s) for at, s in enumerate(inner) if isinstance(s, Case)]
        for value, then in self.value(stmt.value, state):
            for at, case in cases:
                if case.value is not None:
                    what = f"{text(value)} == {text(case.value)}"
                    asked = Condition(what, True, self._at(state, case.line), value)
                    then_ = then._replace(conditions=(*then.conditions, asked))
                else:
                    then_ = then
                found += self.run(inner[at:], then_)
            if not any(case.value is None for _, case in cases):
                found.append((then, _ON))
        return [
            (one._replace(scope=state.scope), _ON if exit_.kind == "break" else exit_)
            for one, exit_ in found
        ]

    # -- loops ---------------------------------------------------------------

    def _loop(self, stmt: While | For | DoWhile | MacroLoop, state: State) -> _Ways:
        if isinstance(stmt, DoWhile) and constant(stmt.test) is False:
            ways = self.stmt(stmt.body, state)
            return [(s, _ON if e.kind in ("break", "continue") else e) for s, e in ways]
        starts = [state]
        if isinstance(stmt, For) and stmt.init is not None:
            starts = [then for then, _ in self.stmt(stmt.init, state)]
        found: _Ways = []
        for start in starts:
            for then, exit_ in self._rounds(stmt, start):
                found.append((then._replace(scope=state.scope), exit_))
        return found

    def _rounds(self, stmt: While | For | DoWhile | MacroLoop, state: State) -> _Ways:
        place, macro, args = self._at(state, stmt.line), "", tuple[Expr, ...]()
        start = self._forgotten(stmt, state)
        if isinstance(stmt, MacroLoop):
            call = self._unfolded(stmt.call, state)
            macro = call.name
            args, start = self._headed(call, start)
        elif isinstance(stmt, For):
            args = self._counted(stmt, state, start)
        elif isinstance(stmt, While):
            args = (stmt.test,)
        begun = start._replace(events=(), conditions=())
        ways: _Ways = []
        test = None if isinstance(stmt, MacroLoop | DoWhile) else stmt.test
        tested = [(True, begun)] if test is None else self.truth(test, begun)
        for _, then in (one for one in tested if one[0]):
            ways += self.stmt(stmt.body, then)
        rounds = tuple(
            Path(one.events, one.conditions, exit_.kind, exit_.value) for one, exit_ in ways
        )
        loop = Loop(macro, args, rounds, place)
        after = self._forgotten(stmt, state).happened(loop)
        found = [(after, _ON)]
        for one, exit_ in ways:
            if exit_.kind in ("return", "goto"):
                left = after._replace(conditions=(*after.conditions, *one.conditions))
                found.append((left, exit_))
        return found

    def _counted(self, stmt: For, before: State, state: State) -> tuple[Expr, ...]:
        """Where ``for (; x < y; x++)`` begins, what it asks and its step; () for others."""
        test = bare(stmt.test) if stmt.test is not None else None
        if test is None:
            return (number(1),)
        if test.kind != "binary" or stmt.step is None:
            return ()
        first = self.value(test.args[0], before)
        last = self.value(test.args[1], state)
        if len(first) != 1 or len(last) != 1:
            return ()
        return (first[0][0], _with(test, (test.args[0], last[0][0])), stmt.step)

    def _forgotten(self, stmt: Stmt, state: State) -> State:
        """Nothing known of the variables that a loop sets."""
        for expr in expressions(stmt):
            sets = expr.kind == "assign" or (
                expr.kind in ("postfix", "unary") and expr.name in ("++", "--", "&")
            )
            own = state.scope.get(bare(expr.args[0]).name, "") if sets else ""
            if own:
                state = state.holding(own, self._fresh(bare(expr.args[0]).name))
        return state

    def _unfolded(self, call: Expr, state: State) -> Expr:
        """A loop macro's call for that of a macro of the files that stands for it."""
        for _ in range(_DEPTH):
            known = self._bodies.macros(call.name)
            if not known:
                return call
            if known[0].tokens.texts[:1] == ["for"]:
                return call
            inner = known[0].expression()
            if len(known) > 1 or inner is None or bare(inner).kind != "call":
                line = known[0].line
                raise NotUnderstood(known[0].path, line, f"what {call.name}() comes by")
            call = bare(_put(inner, _given(known[0], call)))
        return call

    def _headed(self, call: Expr, state: State) -> tuple[tuple[Expr, ...], State]:
        """The arguments of a loop's macro: what it sets, what it goes through, the rest."""
        args = list(call.args[1:])
        for at, arg in enumerate(args[:2]):
            if at == 0 and bare(arg).kind == "name":
                own = state.scope.get(bare(arg).name, bare(arg).name)
                each = self._fresh(bare(arg).name)
                state, args[0] = state.holding(own, each), each
                continue
            values = self.value(arg, state)
            if len(values) == 1:
                args[at], state = values[0]
        return tuple(args), state

    # -- conditions ----------------------------------------------------------

    def truth(self, expr: Expr, state: State) -> list[tuple[bool, State]]:
        """The answers that an expression may have, each with the state behind it."""
        expr = bare(expr)
        if expr.kind == "unary" and expr.name == "!":
            return [(not holds, then) for holds, then in self.truth(expr.args[0], state)]
        if expr.kind == "binary" and expr.name in ("&&", "||"):
            ends = expr.name == "||"
            found = []
            for holds, then in self.truth(expr.args[0], state):
                found += [(holds, then)] if holds == ends else self.truth(expr.args[1], then)
            return found
        answers = []
        for value, then in self.value(expr, state):
            answers += self._asked(value, expr.line, then)
        return answers

    def _asked(self, value: Expr, line: int, state: State) -> list[tuple[bool, State]]:
        value = bare(value)
        known = constant(value)
        if known is not None:
            return [(known, state)]
        if value.kind == "unary" and value.name == "!":
            return [(not h, s) for h, s in self._asked(value.args[0], line, state)]
        if value.kind == "binary" and value.name in ("==", "!="):
            sides = [side for side in value.args if constant(side) is not False]
            if len(sides) == 1:
                same = value.name == "!="
                return [(h == same, s) for h, s in self._asked(sides[0], line, state)]
        what = text(value)
        if is_settled(value):
            for asked in state.conditions:
                if asked.text == what:
                    return [(asked.holds, state)]
        place = self._at(state, line)
        return [
            (h, state._replace(conditions=(*state.conditions, Condition(what, h, place, value))))
            for h in (True, False)
        ]

    # -- values --------------------------------------------------------------

    def value(self, expr: Expr, state: State) -> _Values:
        """What an expression may be worth, each with the state behind it."""
        match expr.kind:
            case "const" | "string" | "type":
                return [(expr, state)]
            case "cast":
                return self.value(expr.args[0], state)
            case "name" | "member" | "arrow" | "index":
                found = self.place(expr, state)
                return [(then.read(place), then) for place, then in found]
            case "call":
                return self._call(expr, state)
            case "assign":
                return self._assigned(expr, state)
            case "postfix":
                return self._stepped(expr, state)
            case "unary":
                return self._unary(expr, state)
            case "cond":
                found = []
                for holds, then in self.truth(expr.args[0], state):
                    found += self.value(expr.args[1 if holds else 2], then)
                return found
            case "binary" if expr.name in ("&&", "||"):
                return [(number(int(h)), then) for h, then in self.truth(expr, state)]
            case "comma":
                lefts = self.value(expr.args[0], state)
                return [one for _, then in lefts for one in self.value(expr.args[1], then)]
            case "stmtexpr":
                return self._block_value(expr.body, state)
            case "unknown":
                odd = Odd(expr.name, self._at(state, expr.line))
                return [(self._fresh("unknown"), state.happened(odd))]
            case _:
                return [(_with(expr, args), then) for args, then in self._all(expr.args, state)]

    def _all(self, exprs: Iterable[Expr], state: State) -> list[tuple[tuple[Expr, ...], State]]:
        found: list[tuple[tuple[Expr, ...], State]] = [((), state)]
        for expr in exprs:
            found = [
                ((*before, value), after)
                for before, then in found
                for value, after in self.value(expr, then)
            ]
        return found

    def _unary(self, expr: Expr, state: State) -> _Values:
        inner = expr.args[0]
        if expr.name == "sizeof":
            return [(expr, state)]
        if expr.name in ("++", "--"):
            return self._stepped(expr, state)
        if expr.name == "*":
            return [(then.read(place), then) for place, then in self.place(expr, state)]
        if expr.name == "&":
            return [(_address(place), then) for place, then in self.place(inner, state)]
        if expr.name == "!":
            found = []
            for value, then in self.value(inner, state):
                known = constant(value)
                found.append((_with(expr, (value,)) if known is None else number(not known), then))
            return found
        return [(_with(expr, (value,)), then) for value, then in self.value(inner, state)]

    def place(self, expr: Expr, state: State) -> _Values:
        """The place that an expression names, each with the state behind it."""
        expr = bare(expr)
        if expr.kind == "name":
            own = state.scope.get(expr.name)
            return [(named(own) if own else expr, state)]
        if expr.kind == "member":
            return [(_with(expr, (at,)), then) for at, then in self.place(expr.args[0], state)]
        if expr.kind == "arrow":
            found = []
            for at, then in self.value(expr.args[0], state):
                at = bare(at)
                if at.kind == "unary" and at.name == "&":
                    whole = Expr("member", expr.name, (at.args[0],), expr.span, expr.line)
                    found.append((whole, then))
                else:
                    found.append((_with(expr, (at,)), then))
            return found
        if expr.kind == "index":
            return [
                (_with(expr, (at, index)), after)
                for at, then in self.place(expr.args[0], state)
                for index, after in self.value(expr.args[1], then)
            ]
        if expr.kind == "unary" and expr.name == "*":
            found = []
            for at, then in self.value(expr.args[0], state):
                at = bare(at)
                pointed = at.args[0] if at.kind == "unary" and at.name == "&" else None
                found.append((pointed or _with(expr, (at,)), then))
            return found
        return self.value(expr, state)

    def _stepped(self, expr: Expr, state: State) -> _Values:
        op = "+=" if expr.name == "++" else "-="
        found = []
        for at, then in self.place(expr.args[0], state):
            old = then.read(at)
            after = self._written(at, op, number(1), expr.line, then)
            found.append((old if expr.kind == "postfix" else after.read(at), after))
        return found

    def _assigned(self, expr: Expr, state: State) -> _Values:
        found = []
        for value, then in self.value(expr.args[1], state):
            for at, after in self.place(expr.args[0], then):
                done = self._written(at, expr.name, value, expr.line, after)
                found.append((value if expr.name == "=" else done.read(at), done))
        return found

    def _written(self, at: Expr, op: str, value: Expr, line: int, state: State) -> State:
        if is_own(at):
            if op == "=":
                return state.holding(text(at), value)
            made = Expr("binary", op[:-1], (state.read(at), value), at.span, line)
            return state.holding(text(at), made)
        return state.happened(Store(at, op, value, self._at(state, line)))

    def _block_value(self, stmts: tuple[Stmt, ...], state: State) -> _Values:
        last = stmts[-1] if stmts else None
        found: _Values = []
        before = stmts[:-1] if isinstance(last, ExprStmt) else stmts
        for then, exit_ in self.run(before, state):
            if exit_.kind:
                odd = Odd(f"{exit_.kind} within an expression", self._at(state, stmts[0].line))
                found.append((self._fresh("block"), then.happened(odd)))
            elif isinstance(last, ExprStmt):
                found += self.value(last.expr, then)
            else:
                found.append((self._fresh("block"), then))
        return [(value, then._replace(scope=state.scope)) for value, then in found]

    # -- calls ---------------------------------------------------------------

    def _call(self, expr: Expr, state: State) -> _Values:
        found: _Values = []
        for callee, then in self.value(expr.args[0], state):
            callee = bare(callee)
            if callee.kind == "unary" and callee.name in ("&", "*"):
                inner = bare(callee.args[0])
                callee = inner if inner.kind == "name" else callee
            found += self._called(expr, callee, then)
            if len(found) > _WAYS:
                raise NotUnderstood(state.path, expr.line, "too many ways to follow")
        return found

    def _called(self, expr: Expr, callee: Expr, state: State) -> _Values:
        name = callee.name if callee.kind == "name" and "'" not in callee.name else ""
        wanted = name not in self._stop
        macros = self._bodies.macros(name) if name and wanted else ()
        functions = self._bodies.functions(name, state.path) if name and wanted else ()
        if (macros or functions) and state.depth > _DEPTH:
            raise NotUnderstood(state.path, expr.line, f"{name}() is too deep to follow")
        found: _Values = []
        for macro in macros:
            found += self._expanded(macro, expr, state)
        for function in functions if not macros else ():
            found += self._entered(function, expr, state)
        if macros or functions:
            return found
        if name in _TRANSPARENT and len(expr.args) >= 2:
            return self.value(expr.args[1], state)
        if name in _WRITES and len(expr.args) == 3:
            return self._assigned(_assignment(expr), state)
        for args, then in self._all(expr.args[1:], state):
            if name in _PURE:
                found.append((_with(expr, (callee, *args)), then))
                continue
            result = self._fresh(callee.name or "call")
            place = self._at(state, expr.line)
            after = then.happened(Call(callee, args, place, result.name))
            for arg in args:
                inner = bare(arg)
                if inner.kind == "unary" and inner.name == "&" and is_own(inner.args[0]):
                    after = after.holding(text(inner.args[0]), self._fresh("given"))
            found.append((result, after))
        return found

    def _entered(self, function: Function, expr: Expr, state: State) -> _Values:
        found: _Values = []
        if len(function.params) != len(expr.args) - 1:
            text_ = f"{function.name}() is called with other arguments than it takes"
            raise NotUnderstood(state.path or function.path, expr.line or function.line, text_)
        for args, then in self._all(expr.args[1:], state):
            scope, inside = {}, then
            for param, arg in zip(function.params, args, strict=True):
                self._made += 1
                scope[param.name] = f"{param.name}'{self._made}"
                inside = inside.holding(scope[param.name], arg)
            inside = inside._replace(scope=scope, path=function.path, depth=state.depth + 1)
            for after, exit_ in self.body(function.body.body, inside):
                back = after._replace(scope=then.scope, path=then.path, depth=state.depth)
                found.append((exit_.value or self._fresh(function.name), back))
        return found

    def _expanded(self, macro: MacroBody, expr: Expr, state: State) -> _Values:
        given = _given(macro, expr)
        inside = state._replace(path=macro.path, depth=state.depth + 1)
        whole = macro.expression()
        if whole is not None:
            found = self.value(_put(whole, given), inside)
        else:
            stmts = [_put_stmt(one, given) for one in macro.statements()]
            ways = self.run(stmts, inside)
            found = [(self._fresh(macro.name), then) for then, exit_ in ways if not exit_.kind]
            if len(found) != len(ways):
                raise NotUnderstood(macro.path, macro.line, f"{macro.name}() jumps")
        return [
            (value, then._replace(scope=state.scope, path=state.path, depth=state.depth))
            for value, then in found
        ]


def _with(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    return Expr(expr.kind, expr.name, args, expr.span, expr.line, expr.body)


def _assignment(expr: Expr) -> Expr:
    """``WRITE_ONCE(a, b)`` as ``a = b``."""
    return Expr("assign", "=", expr.args[1:], expr.span, expr.line)


def _address(place: Expr) -> Expr:
    if place.kind == "unary" and place.name == "*":
        return place.args[0]
    return Expr("unary", "&", (place,), place.span, place.line)


def _given(macro: MacroBody, expr: Expr) -> dict[str, Expr]:
    params = macro.params
    if params is None or len(params) != len(expr.args) - 1:
        text_ = f"{macro.name} is used with other arguments than it takes"
        raise NotUnderstood(macro.path, macro.line, text_)
    return dict(zip(params, expr.args[1:], strict=True))


def _put(expr: Expr, given: dict[str, Expr]) -> Expr:
    """``expr`` with a macro's parameters replaced by the arguments as written."""
    if expr.kind == "name":
        return given.get(expr.name, expr)
    args = tuple(_put(arg, given) for arg in expr.args)
    body = tuple(_put_stmt(one, given) for one in expr.body)
    return Expr(expr.kind, expr.name, args, expr.span, expr.line, body)


def _put_stmt(stmt: Stmt, given: dict[str, Expr]) -> Stmt:
    changes = {}
    for field in stmt.__struct_fields__:
        changes[field] = _put_any(getattr(stmt, field), given)
    return msgspec.structs.replace(stmt, **changes)


def _put_any(part: object, given: dict[str, Expr]) -> object:
    if isinstance(part, Expr):
        return _put(part, given)
    if isinstance(part, tuple):
        return tuple(_put_any(one, given) for one in part)
    if isinstance(part, Declarator) and part.init is not None:
        return msgspec.structs.replace(part, init=_put(part.init, given))
    if isinstance(part, Block | ExprStmt | Decl | If | While | DoWhile | For | MacroLoop | Return):
        return _put_stmt(part, given)
    return part


def calls_in(path: Path) -> Iterator[Call]:
    """The calls of a path outside of loops."""
    return (event for event in path.events if isinstance(event, Call))
