# SPDX-License-Identifier: GPL-2.0-only
"""What an iterator of x86's TDP MMU says an SPTE holds, against what it holds.

``struct tdp_iter`` carries a copy of the SPTE that it points at.  A change is written
through the iterator, and what is kept account of (dirty and accessed pages, freed
tables, the BUG() on a mapping that changes its page) is told that copy: a write is
right only while the copy is what the SPTE holds.  Here the function that owns an
iterator is run on symbols, on every path, callees that are handed the iterator
included.  What is not understood ends the run: :class:`NotUnderstood`, with the line.
"""

from __future__ import annotations

from patchgen.analysis.spte.code import (
    DEPTH,
    ENTRY,
    FRAMES,
    ITERATOR,
    OLD,
    WRITES,
    Code,
    NotUnderstood,
    is_entry,
)
from patchgen.analysis.spte.state import (
    ANY,
    FIRST,
    FRAME,
    LATE,
    LIMIT,
    MADE,
    At,
    Ends,
    Frame,
    Stale,
    number_of,
    shown,
    truth,
)
from patchgen.model.code import (
    Block,
    Break,
    Continue,
    Decl,
    DoWhile,
    Empty,
    Expr,
    ExprStmt,
    For,
    Function,
    If,
    MacroLoop,
    Return,
    Stmt,
    While,
)
from patchgen.source.c.text import bare, subexpressions
from patchgen.source.c.walk import expressions


class Run:
    """One owner's run; ``stale`` and ``writes`` (path, line) are its result."""

    def __init__(self, code: Code, owner: Function, iterator: str) -> None:
        self.code = code
        self.owner = owner
        self.iterator = iterator
        self.stale: set[Stale] = set()
        self.writes: set[tuple[str, int]] = set()
        self._statement: Stmt = owner.body

    def run(self) -> None:
        """Run the owner; NotUnderstood where that is not possible."""
        frame = Frame(self.code.plain(self.owner), self.iterator, 0)
        self.code.hidden(self.owner, self.iterator)
        ends = self._statement_ends(self.owner.body, {At()}, frame)
        for at in ends.on | ends.back:
            self._told(at, self.owner.line, frame)
            if at.owes:
                text = "changes an SPTE and returns without a flush of its own on some path"
                raise NotUnderstood(self.owner.path, at.owes, text)

    # Statements.

    def _statement_ends(self, stmt: Stmt, states: set[At], frame: Frame) -> Ends:
        if frame.depth == 0 and not isinstance(stmt, Block):
            self._statement = stmt
        if len(states) > LIMIT:
            raise self._lost(frame, stmt.line, "too many states")
        match stmt:
            case Block():
                ends = Ends(set(states), set(), set(), set())
                for part in stmt.body:
                    one = self._statement_ends(part, ends.on, frame)
                    ends = Ends(one.on, *(a | b for a, b in zip(ends[1:], one[1:], strict=True)))
                return ends
            case Empty():
                return Ends(states, set(), set(), set())
            case Break():
                return Ends(set(), states, set(), set())
            case Continue():
                return Ends(set(), set(), states, set())
            case ExprStmt():
                return Ends({self._value(stmt.expr, at, frame)[0] for at in states},
                             set(), set(), set())  # fmt: skip
            case Return():
                value = stmt.value
                if value is not None:
                    states = {self._value(value, at, frame)[0] for at in states}
                return Ends(set(), set(), set(), states)
            case Decl():
                return Ends(self._declared(stmt, states, frame), set(), set(), set())
            case If():
                return self._branches(stmt, states, frame)
            case MacroLoop() | While() | DoWhile() | For():
                return self._loop(stmt, states, frame)
            case _:
                raise self._lost(frame, stmt.line, "a statement that is not followed here")

    def _declared(self, stmt: Decl, states: set[At], frame: Frame) -> set[At]:
        for variable in stmt.variables:
            if variable.type.split()[-1:] == [ITERATOR] and frame.depth:
                raise self._lost(frame, variable.line, "an iterator of its own")
            if variable.init is None:
                states = {at.with_value(variable.name, ANY) for at in states}
                continue
            valued = [self._value(variable.init, at, frame) for at in states]
            states = {at.with_value(variable.name, value) for at, value in valued}
        return states

    def _branches(self, stmt: If, states: set[At], frame: Frame) -> Ends:
        then, orelse = set[At](), set[At]()
        for state in states:
            at, value = self._value(stmt.test, state, frame)
            holds = truth(stmt.test, at, value)
            if holds is not False:
                then.add(at)
            if holds is not True:
                orelse.add(at)
        one = self._statement_ends(stmt.then, then, frame) if then else Ends.none()
        two = Ends(orelse, set(), set(), set())
        if stmt.orelse is not None and orelse:
            two = self._statement_ends(stmt.orelse, orelse, frame)
        return Ends(*(a | b for a, b in zip(one, two, strict=True)))

    def _loop(self, stmt: MacroLoop | While | DoWhile | For, states: set[At], frame: Frame) -> Ends:
        moves = isinstance(stmt, MacroLoop) and self._is_ours(stmt.call, frame)
        if isinstance(stmt, MacroLoop) and moves:
            self.code.steps(stmt.call.name, frame.function.path, stmt.line)
        elif isinstance(stmt, For) and stmt.init is not None:
            states = self._statement_ends(stmt.init, states, frame).on
        heads = set[At]()
        done = set[At]() if isinstance(stmt, DoWhile) else set(states)
        todo, ends = set(states), Ends.none()
        while todo - heads:
            todo -= heads
            heads |= todo
            for at in todo if moves else ():
                self._told(at, stmt.line, frame)
            inside = {at._replace(entry=FIRST, copy=FIRST) for at in todo} if moves else todo
            inside = self._tested(stmt, inside, frame)
            if not isinstance(stmt, DoWhile):
                done |= inside
            one = self._statement_ends(stmt.body, inside, frame)
            done |= one.out
            ends.back.update(one.back)
            todo = one.on | one.again
            if isinstance(stmt, For) and stmt.step is not None:
                todo = {self._value(stmt.step, at, frame)[0] for at in todo}
            done |= todo
        return Ends(done, set(), set(), ends.back)

    def _tested(self, stmt: Stmt, states: set[At], frame: Frame) -> set[At]:
        test = getattr(stmt, "test", None)
        if test is None or isinstance(stmt, DoWhile):
            if isinstance(stmt, DoWhile) and self._mentions(stmt.test, frame):
                raise self._lost(frame, stmt.line, "a loop on the iterator")
            return states
        return {self._value(test, at, frame)[0] for at in states}

    # Expressions.

    def _value(self, expr: Expr, at: At, frame: Frame) -> tuple[At, str]:
        """The state behind ``expr``, and its value."""
        expr = bare(expr)
        if self._is_copy(expr, frame):
            return at, at.copy
        if is_entry(expr) and self._mentions(expr, frame):
            return at, at.entry
        match expr.kind:
            case "const":
                return at, "0" if number_of(expr.name) == 0 else shown(expr.name)
            case "name":
                if expr.name == frame.name:
                    raise self._lost(frame, expr.line, "the iterator, as a whole")
                return at, {"true": "1", "false": "0"}.get(expr.name) or at.value(expr.name)
            case "assign":
                return self._assigned(expr, at, frame)
            case "call":
                return self._called(expr, at, frame)
            case "member" | "arrow" if self._is_ours(expr, frame):
                if expr.name == ENTRY:
                    raise self._lost(frame, expr.line, f"{ENTRY}, not what it points at")
                return at, ANY
            case "postfix":
                return self._stepped(expr, at, frame)
            case "stmtexpr" | "unknown":
                raise self._lost(frame, expr.line, "an expression that is not followed here")
            case "cond":
                lazy = expr.args[1:]
            case "binary" if expr.name in ("&&", "||"):
                lazy = expr.args[1:]
            case _:
                lazy = ()
        if any(self._acts(part, frame) for part in lazy):
            raise self._lost(frame, expr.line, "a change inside a condition")
        if expr.kind == "unary" and expr.name in ("++", "--"):
            return self._stepped(expr, at, frame)
        values = []
        for part in expr.args:
            at, value = self._value(part, at, frame)
            values.append(value)
        return at, ANY

    def _stepped(self, expr: Expr, at: At, frame: Frame) -> tuple[At, str]:
        target = bare(expr.args[0])
        if self._mentions(target, frame):
            raise self._lost(frame, expr.line, "the iterator is changed")
        return (at.with_value(target.name, ANY) if target.kind == "name" else at), ANY

    def _assigned(self, expr: Expr, at: At, frame: Frame) -> tuple[At, str]:
        target = bare(expr.args[0])
        at, value = self._value(expr.args[1], at, frame)
        if expr.name != "=":
            value = value if expr.name == "|=" and value.isdigit() and value != "0" else ANY
        if self._is_copy(target, frame):
            if value == ANY:
                raise self._lost(frame, expr.line, f"{OLD} is given a value that is not known")
            return at._replace(copy=value), value
        if is_entry(target) and self._mentions(target, frame):
            return self._written(value, expr.line, at, frame), value
        if self._mentions(target, frame):
            raise self._lost(frame, expr.line, "the iterator is changed")
        if target.kind == "name":
            return at.with_value(target.name, value), value
        raise self._lost(frame, expr.line, "a store that is not followed here")

    def _written(self, value: str, line: int, at: At, frame: Frame) -> At:
        """A write of the SPTE."""
        self._told(at, line, frame)
        at = at._replace(untold=value)
        self.writes.add((frame.function.path, line))
        if at.copy != at.entry:
            if at.entry == FIRST or at.copy != FIRST:
                text = (
                    f"{OLD} was changed, the SPTE was not: what is told of the next write is wrong"
                )
                raise self._lost(frame, line, text, at_owner=True)
            where = self._statement
            self.stale.add(Stale(self.owner.name, self.owner.path, where.line, where.span.start,
                                 self.iterator, at.entry))  # fmt: skip
        if value == "0":
            owes = line if at.entry != "0" else at.owes
            return at._replace(entry="0", owes=owes)
        if at.entry != "0":
            text = "an SPTE that may map a page is written over without having been cleared"
            raise self._lost(frame, line, text, at_owner=True)
        if value == LATE:
            text = f"the new SPTE is made of {OLD} after that was changed"
            raise self._lost(frame, line, text, at_owner=True)
        if value != MADE:
            text = "the new SPTE is not seen to be made of the old one and the new page, read-only"
            raise self._lost(frame, line, text, at_owner=True)
        return at._replace(entry=MADE)

    def _called(self, expr: Expr, at: At, frame: Frame) -> tuple[At, str]:
        arguments = expr.args[1:]
        if expr.name in WRITES and len(arguments) == 2:
            made = Expr("assign", "=", arguments, expr.span, expr.line)
            return self._assigned(made, at, frame)
        if expr.name == "":
            raise self._lost(frame, expr.line, "a call through a pointer")
        handed = [n for n, argument in enumerate(arguments) if self._hands(argument, frame)]
        values: list[str] = []
        for number, argument in enumerate(arguments):
            value = ANY
            if number not in handed:
                at, value = self._value(argument, at, frame)
            for part in subexpressions(argument):
                if part.kind == "unary" and part.name == "&" and part.args[0].kind == "name":
                    at = at.with_value(part.args[0].name, ANY)
            values.append(value)
        function = self.code.function(expr.name, frame.function.path) if expr.name else None
        if handed:
            return self._followed(expr, function, handed, values, at, frame), ANY
        if at.untold and {at.copy, at.untold} <= {*values} and len(values) > 1:
            at = at._replace(untold="")
        if function is not None and self.code.writes_entries(function):
            raise self._lost(frame, expr.line, f"{expr.name}() may write the SPTE by another way")
        if self.code.flushes(expr.name, frame.function.path):
            at = at._replace(owes=0)
        if expr.name in FRAMES:
            return at, FRAME
        if {FIRST, LATE} & set(values) and function is not None:
            if FRAME in values and self.code.takes_write(function):
                return at, MADE if FIRST in values else LATE
        elif at.copy != FIRST and function is not None and any(
            self._is_copy(bare(a), frame) for a in arguments
        ):  # fmt: skip
            return at, LATE if self.code.takes_write(function) else ANY
        return at, ANY

    def _followed(
        self, expr: Expr, function: Function | None, handed: list[int], values: list[str], at: At,
        frame: Frame,
    ) -> At:  # fmt: skip
        """The state behind a call that is handed the iterator."""
        if function is None or self.code.macros(expr.name):
            text = f"the iterator goes to {expr.name}(), whose definition is not known"
            raise self._lost(frame, expr.line, text)
        if frame.depth >= DEPTH or len(handed) != 1 or len(function.params) != len(values):
            raise self._lost(frame, expr.line, f"{expr.name}() is not followed here")
        if self.code.renews(function):
            raise self._lost(frame, expr.line, f"{expr.name}() may move the iterator")
        params = [(p.name, v) for p, v in zip(function.params, values, strict=True)]
        name = params.pop(handed[0])[0]
        inner = Frame(self.code.plain(function), name, frame.depth + 1)
        self.code.hidden(function, name)
        entered = at._replace(values=frozenset(params))
        ends = self._statement_ends(function.body, {entered}, inner)
        for one in ends.on | ends.back if not at.untold else ():
            self._told(one, function.line, inner)
        left = {one._replace(values=at.values) for one in ends.on | ends.back}
        if len(left) != 1:
            text = f"{expr.name}() leaves the SPTE or the iterator in one of several states"
            raise self._lost(frame, expr.line, text)
        return left.pop()

    def _told(self, at: At, line: int, frame: Frame) -> None:
        """NotUnderstood where no call was told of the last write, old value and new."""
        if at.untold:
            text = "a write of the SPTE that nothing is told of"
            raise self._lost(frame, line, text, at_owner=True)

    # Questions.

    def _is_ours(self, expr: Expr, frame: Frame) -> bool:
        """Whether a member, or a loop macro's first argument, is the iterator's."""
        if expr.kind == "call":
            return any(bare(a).kind == "name" and a.name == frame.name for a in expr.args[1:])
        return expr.args[0].kind == "name" and expr.args[0].name == frame.name

    def _is_copy(self, expr: Expr, frame: Frame) -> bool:
        kinds = ("member", "arrow")
        return expr.kind in kinds and expr.name == OLD and self._is_ours(expr, frame)

    def _hands(self, argument: Expr, frame: Frame) -> bool:
        """Whether an argument is the iterator: its address, or the pointer to it."""
        argument = bare(argument)
        if frame.depth == 0 and argument.kind == "unary" and argument.name == "&":
            return argument.args[0].kind == "name" and argument.args[0].name == frame.name
        return frame.depth > 0 and argument.kind == "name" and argument.name == frame.name

    def _mentions(self, expr: Expr, frame: Frame) -> bool:
        return any(e.kind == "name" and e.name == frame.name for e in expressions(expr))

    def _acts(self, expr: Expr, frame: Frame) -> bool:
        """Whether evaluating it may change the SPTE, the iterator or a variable."""
        for part in expressions(expr):
            if part.kind in ("assign", "postfix", "stmtexpr", "unknown"):
                return True
            if part.kind == "unary" and part.name in ("++", "--"):
                return True
            if part.kind == "call" and any(self._hands(a, frame) for a in part.args[1:]):
                return True
        return False

    def _lost(self, frame: Frame, line: int, text: str, *, at_owner: bool = False) -> NotUnderstood:
        """``at_owner``: the owner's statement is what a person has to look at."""
        if at_owner:
            return NotUnderstood(self.owner.path, self._statement.line, text)
        return NotUnderstood(frame.function.path, line, f"{frame.function.name}(): {text}")
