# SPDX-License-Identifier: GPL-2.0-only
"""One function as statements with parents, and edits on whole statements.

A statement that is the lone body of an ``if`` or a loop gets braces where an edit
makes two of it, so that every edit leaves C that parses.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.base import Span
from patchgen.model.code import Block, Case, Decl, Expr, ExprStmt, Function, If, Label, Return, Stmt
from patchgen.model.plan import Edit
from patchgen.source.c.walk import calls, children, expressions, text_of


class Code:
    """A function of ``source``; nodes are told apart by identity."""

    def __init__(self, source: bytes, function: Function) -> None:
        self.source = source
        self.function = function
        self.nodes: list[Stmt | Expr] = []
        self._parents: dict[int, Stmt | Expr] = {}
        stack: list[Stmt | Expr] = [function.body]
        while stack:
            node = stack.pop()
            self.nodes.append(node)
            parts = children(node)
            for part in parts:
                self._parents[id(part)] = node
            stack.extend(reversed(parts))

    # -- questions ----------------------------------------------------------
    @property
    def statements(self) -> Iterator[Stmt]:
        """All statements, parents first, in source order."""
        return (node for node in self.nodes if not isinstance(node, Expr))

    def calls(self, *names: str) -> list[Expr]:
        """The calls (of ``names``) in the function, in source order."""
        return list(calls(self.function.body, *names))

    def parent(self, node: Stmt | Expr) -> Stmt | Expr | None:
        """What the node is a direct part of; None for the body."""
        return self._parents.get(id(node))

    def ancestors(self, node: Stmt | Expr) -> Iterator[Stmt | Expr]:
        """Parents, innermost first."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def statement(self, expr: Expr) -> Stmt:
        """The innermost statement that the expression is part of."""
        return next(node for node in self.ancestors(expr) if not isinstance(node, Expr))

    def lone(self, call: Expr) -> ExprStmt | None:
        """The statement that is just this call, or an assignment or cast of it."""
        above = self.parent(call)
        while isinstance(above, Expr) and above.kind in ("assign", "cast"):
            above = self.parent(above)
        return above if isinstance(above, ExprStmt) else None

    def siblings(self, stmt: Stmt) -> tuple[tuple[Stmt, ...], int]:
        """The block's statements around ``stmt``, and its index among them."""
        above = self.parent(stmt)
        if isinstance(above, Block):
            return above.body, next(i for i, s in enumerate(above.body) if s is stmt)
        return (stmt,), 0

    def following(self, stmt: Stmt) -> tuple[Stmt, ...]:
        """What follows ``stmt`` in its block."""
        body, index = self.siblings(stmt)
        return body[index + 1 :]

    def preceding(self, stmt: Stmt) -> tuple[Stmt, ...]:
        """What precedes ``stmt`` in its block, nearest first."""
        body, index = self.siblings(stmt)
        return body[:index][::-1]

    def text(self, node: Expr) -> str:
        """The expression as written, white space folded."""
        return text_of(node, self.source)

    def raw(self, node: Stmt | Expr) -> bytes:
        """The bytes of the node."""
        return self.source[node.span.start : node.span.end]

    def local(self, name: str) -> str:
        """The declared type of a parameter or local variable, or ""."""
        for param in self.function.params:
            if param.name == name:
                return param.type
        for stmt in self.statements:
            if isinstance(stmt, Decl):
                for variable in stmt.variables:
                    if variable.name == name:
                        return variable.type
        return ""

    def top(self) -> Stmt | None:
        """The first statement behind the declarations."""
        return next((s for s in self.function.body.body if not isinstance(s, Decl)), None)

    def labels(self) -> dict[str, Label]:
        """The function's labels by name."""
        return {s.name: s for s in self.statements if isinstance(s, Label)}

    def returns(self) -> list[Return]:
        """The return statements, in source order."""
        return [s for s in self.statements if isinstance(s, Return)]

    def last_return(self) -> Return | None:
        """The return at the end of the body, where there is one."""
        body = self.function.body.body
        return body[-1] if body and isinstance(body[-1], Return) else None

    def mentions(self, node: Stmt | Expr, *names: str) -> bool:
        """Whether one of the identifiers occurs below the node."""
        return any(e.kind == "name" and e.name in names for e in expressions(node))

    # -- edits --------------------------------------------------------------
    def edit(self, span: Span, new: str | bytes) -> Edit:
        """Replace the bytes of ``span``."""
        data = new.encode() if isinstance(new, str) else new
        return Edit(self.function.path, span, data)

    def replace(self, node: Stmt | Expr, new: str | bytes) -> Edit:
        """Replace a whole node."""
        return self.edit(node.span, new)

    def remove(self, stmt: Stmt) -> Edit:
        """Take a statement out; a lone body, or one behind a label, becomes ``;``."""
        body, index = self.siblings(stmt)
        in_block = isinstance(self.parent(stmt), Block)
        bare = index > 0 and isinstance(body[index - 1], Label | Case)
        if not in_block or bare:
            return self.replace(stmt, ";")
        start = stmt.span.start
        line = self.source.rfind(b"\n", 0, start) + 1
        end = stmt.span.end
        if not self.source[line:start].strip() and self.source[end : end + 1] == b"\n":
            return self.edit(Span(line, end + 1), "")
        return self.replace(stmt, "")

    def before(self, stmt: Stmt, text: str) -> tuple[Edit, ...]:
        """Put ``text`` in front of a statement."""
        lead = self._indent(stmt)
        at = stmt.span.start
        if isinstance(self.parent(stmt), Block):
            return (self.edit(Span(at, at), f"{text}\n{lead}"),)
        return (self.edit(Span(at, at), f"{{ {text}\n{lead}"), self._close(stmt))

    def after(self, stmt: Stmt, text: str) -> tuple[Edit, ...]:
        """Put ``text`` behind a statement."""
        lead = self._indent(stmt)
        end = stmt.span.end
        if isinstance(self.parent(stmt), Block):
            return (self.edit(Span(end, end), f"\n{lead}{text}"),)
        at = stmt.span.start
        return (self.edit(Span(at, at), "{ "), self.edit(Span(end, end), f"\n{lead}{text} }}"))

    def move_before(self, stmt: Stmt, target: Stmt) -> tuple[Edit, ...]:
        """Take ``stmt`` out and put it in front of ``target``."""
        return (self.remove(stmt), *self.before(target, self.raw(stmt).decode()))

    def move_after(self, stmt: Stmt, target: Stmt) -> tuple[Edit, ...]:
        """Take ``stmt`` out and put it behind ``target``."""
        return (self.remove(stmt), *self.after(target, self.raw(stmt).decode()))

    def _close(self, stmt: Stmt) -> Edit:
        return self.edit(Span(stmt.span.end, stmt.span.end), " }")

    def _indent(self, stmt: Stmt) -> str:
        line = self.source.rfind(b"\n", 0, stmt.span.start) + 1
        text = self.source[line : stmt.span.start].decode("utf-8", "replace")
        return text[: len(text) - len(text.lstrip())]


def only_returns(stmt: If) -> Return | None:
    """The return that is all of an ``if``'s then branch, without an else."""
    if stmt.orelse is not None:
        return None
    then = stmt.then
    if isinstance(then, Block) and len(then.body) == 1:
        then = then.body[0]
    return then if isinstance(then, Return) else None
