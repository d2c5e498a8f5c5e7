# SPDX-License-Identifier: GPL-2.0-only
"""Function bodies as statement trees with byte spans.

Statements come from the file's own tokens, so a macro call is a call, a
``for_each`` macro is a loop, and every span can be edited.  A statement that is
not understood becomes :class:`patchgen.model.code.Unknown` with the reason.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

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
    Param,
    Return,
    Stmt,
    Switch,
    Unknown,
    While,
)
from patchgen.source.c.expressions import TYPE_WORDS, Expressions, NotUnderstood
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import Outline, join, matching, outline, parameters, span_between

#: Nesting of statements beyond which a body is not looked into.
NESTING_LIMIT = 600

_KEYWORD_START = frozenset(
    "if for while do switch return goto break continue case default asm __asm__".split()
)
_ATTRIBUTE_WORDS = ("__maybe_unused", "__always_unused", "__unused", "__aligned", "__ro_after_init")


def functions_in(
    source: bytes,
    path: str,
    skipped: Sequence[Span] = (),
    wanted: Callable[[str], bool] = lambda name: True,
    mentioning: str = "",
) -> tuple[Function, ...]:
    """The function definitions of ``source`` whose name is ``wanted``, parsed.

    ``mentioning`` keeps only those in which this identifier stands.

    ``skipped`` are the spans that the preprocessor leaves out.  Names that are
    defined twice (in exclusive branches, none skipped) appear twice.
    """
    tokens = lexed(source).active(skipped)
    return tuple(
        parse_function(tokens, found, path)
        for found in outline(tokens)
        if wanted(found.name)
        and (not mentioning or mentioning in tokens.texts[found.first : found.last])
    )


def parse_function(tokens: Tokens, found: Outline, path: str) -> Function:
    """The statement tree of one outlined function; made once."""
    known: Function | None = tokens.made.get((path, found))
    if known is None:
        known = tokens.made[path, found] = _parsed(tokens, found, path)
    return known


def _parsed(tokens: Tokens, found: Outline, path: str) -> Function:
    if sys.getrecursionlimit() < 20000:
        # Trees nest to NESTING_LIMIT; Python frames here do not use the C stack (3.11+).
        sys.setrecursionlimit(20000)
    end = found.last + 1
    parser = Statements(tokens, found.body_at, end)
    try:
        body = parser.block()
    except NotUnderstood as error:
        whole = span_between(tokens, found.body_at, found.last)
        line = tokens.line(whole.start)
        body = Block(whole, line, (Unknown(whole, line, error.reason),))
    words = tokens.texts[found.first : found.name_at]
    drop = ("static", "inline", "__always_inline", "noinline", "__init", "__exit", "__weak")
    params: tuple[Param, ...] = parameters(tokens, found.open_at, found.body_at)
    return Function(
        name=found.name,
        path=path,
        line=tokens.line(tokens.starts[found.name_at]),
        span=span_between(tokens, found.first, found.last),
        name_span=span_between(tokens, found.name_at, found.name_at),
        result=join([word for word in words if word not in drop]),
        static="static" in words,
        params=params,
        body=body,
        end_line=tokens.line(tokens.starts[found.last]),
        conditions=_conditions(tokens, tokens.starts[found.name_at]),
    )


def _conditions(tokens: Tokens, offset: int) -> tuple[str, ...]:
    """The preprocessor conditions around ``offset``, outermost first."""
    stack: list[str] = []
    for directive in tokens.directives:
        if directive.span.start > offset:
            break
        text = directive.text.strip()[1:].lstrip()
        if text.startswith("if"):
            stack.append(text)
        elif text.startswith(("elif", "else")) and stack:
            stack[-1] = f"else of {stack[-1]}" if text.startswith("else") else text
        elif text.startswith("endif") and stack:
            stack.pop()
    return tuple(stack)


class Statements(Expressions):
    """Statement parser over one file's tokens."""

    __slots__ = ("nesting",)

    def __init__(self, tokens: Tokens, at: int, end: int, nesting: int = 0) -> None:
        super().__init__(tokens, at, end)
        self.nesting = nesting

    def block(self) -> Block:
        """``{ statements }`` with the opening brace next."""
        first = self.at
        self.expect("{")
        body: list[Stmt] = []
        while self.at < self.end and self.text() != "}":
            body.append(self.statement())
        self.expect("}")
        return Block(self.span_from(first), self._line(first), tuple(body))

    def statement(self) -> Stmt:
        """One statement; on anything not understood, ``Unknown`` up to its end."""
        first = self.at
        self.depth = 0
        self.nesting += 1
        try:
            if self.nesting > NESTING_LIMIT:
                raise NotUnderstood(f"statements nested deeper than {NESTING_LIMIT}", first)
            return self._statement(first)
        except NotUnderstood as error:
            self._recover(first)
            line = self._line(min(error.at, self.end - 1))
            return Unknown(self.span_from(first), self._line(first), f"line {line}: {error.reason}")
        finally:
            self.nesting -= 1

    def _line(self, index: int) -> int:
        return self.tokens.line(self.tokens.starts[index])

    def _recover(self, first: int) -> None:
        """Go on after the next ``;`` or balanced block at this level."""
        texts = self.tokens.texts
        self.at = first
        while self.at < self.end:
            text = texts[self.at]
            if text == "}":
                break
            if text in ("(", "[", "{"):
                close = matching(self.tokens, self.at)
                self.at = close if 0 <= close < self.end else self.end - 1
                if text == "{" and self.text(1) not in ("else", "while", ")", ";", ","):
                    self.at += 1
                    break
            self.at += 1
            if text == ";":
                break
        if self.at == first:
            self.at += 1

    def _statement(self, first: int) -> Stmt:
        text, kind = self.text(), self.kind()
        if text == "{":
            return self.block()
        if text == ";":
            self.at += 1
            return Empty(self.span_from(first), self._line(first))
        if kind == "name":
            handler = getattr(self, f"_{text}", None) if text in _KEYWORD_START else None
            if handler:
                result: Stmt = handler(first)
                return result
            if self.text(1) == ":" and self.text(2) != ":":
                self.at += 2
                return Label(self.span_from(first), self._line(first), text)
            if text == "__label__":
                self._recover(first)
                return Empty(self.span_from(first), self._line(first))
            if text == "static" and self.kind(1) == "name" and self.text(2) == "(":
                self.at += 1  # static DEFINE_MUTEX(name);
            elif self._starts_declaration():
                return self._declaration(first)
            elif self.text(1) == "(":
                loop = self._macro_loop(first)
                if loop:
                    return loop
        expr = self.expression()
        self.expect(";")
        return ExprStmt(self.span_from(first), self._line(first), expr)

    # -- keyword statements -------------------------------------------------
    def _parenthesised(self) -> Expr:
        self.expect("(")
        expr = self.expression()
        self.expect(")")
        return expr

    def _if(self, first: int) -> Stmt:
        self.at += 1
        test = self._parenthesised()
        then = self.statement()
        orelse = None
        if self.text() == "else":
            self.at += 1
            orelse = self.statement()
        return If(self.span_from(first), self._line(first), test, then, orelse)

    def _while(self, first: int) -> Stmt:
        self.at += 1
        test = self._parenthesised()
        body = self.statement()
        return While(self.span_from(first), self._line(first), test, body)

    def _do(self, first: int) -> Stmt:
        self.at += 1
        body = self.statement()
        self.expect("while")
        test = self._parenthesised()
        self.expect(";")
        return DoWhile(self.span_from(first), self._line(first), body, test)

    def _for(self, first: int) -> Stmt:
        self.at += 1
        self.expect("(")
        init: Decl | ExprStmt | None = None
        start = self.at
        if self.text() == ";":
            self.at += 1
        elif self._starts_declaration():
            init = self._declaration(start)
        else:
            expr = self.expression()
            self.expect(";")
            init = ExprStmt(self.span_from(start), self._line(start), expr)
        test = None if self.text() == ";" else self.expression()
        self.expect(";")
        step = None if self.text() == ")" else self.expression()
        self.expect(")")
        body = self.statement()
        return For(self.span_from(first), self._line(first), init, test, step, body)

    def _switch(self, first: int) -> Stmt:
        self.at += 1
        value = self._parenthesised()
        body = self.statement()
        return Switch(self.span_from(first), self._line(first), value, body)

    def _case(self, first: int) -> Stmt:
        self.at += 1
        value = self.conditional()
        if self.text() == "...":  # GNU range; the lower bound stands for it
            self.at += 1
            value = self.joined("binary", "...", (value, self.conditional()), value)
        self.expect(":")
        return Case(self.span_from(first), self._line(first), value)

    def _default(self, first: int) -> Stmt:
        self.at += 1
        self.expect(":")
        return Case(self.span_from(first), self._line(first), None)

    def _return(self, first: int) -> Stmt:
        self.at += 1
        value = None if self.text() == ";" else self.expression()
        self.expect(";")
        return Return(self.span_from(first), self._line(first), value)

    def _goto(self, first: int) -> Stmt:
        if self.kind(1) != "name":
            raise NotUnderstood("computed goto", first)
        name = self.text(1)
        self.at += 2
        self.expect(";")
        return Goto(self.span_from(first), self._line(first), name)

    def _break(self, first: int) -> Stmt:
        self.at += 1
        self.expect(";")
        return Break(self.span_from(first), self._line(first))

    def _continue(self, first: int) -> Stmt:
        self.at += 1
        self.expect(";")
        return Continue(self.span_from(first), self._line(first))

    def _asm(self, first: int) -> Stmt:
        self._recover(first)
        return Asm(self.span_from(first), self._line(first))

    ___asm__ = _asm

    def _macro_loop(self, first: int) -> Stmt | None:
        close = matching(self.tokens, self.at + 1)
        if close < 0 or close + 1 >= self.end:
            raise NotUnderstood("unbalanced '('", self.at + 1)
        following, kind = self.tokens.texts[close + 1], self.tokens.kinds[close + 1]
        # A statement indented below a call without ";" is the body of a macro loop.
        starts = self.tokens.starts
        column = self.tokens.column
        if following != "{" and not (
            kind == "name" and column(starts[close + 1]) > column(starts[first])
        ):
            return None
        callee = self.primary()
        call = self.joined("call", callee.name, (callee, *self.arguments()), callee)
        body = self.statement()
        return MacroLoop(self.span_from(first), self._line(first), call, body)

    # -- declarations -------------------------------------------------------
    def _starts_declaration(self) -> bool:
        text = self.text()
        if text in TYPE_WORDS or text in _ATTRIBUTE_WORDS:
            return True
        if self.kind() != "name":
            return False
        if self.kind(1) == "name" and self.text(1) not in ("if", "else", "while", "do"):
            return True
        ahead = 1
        while self.text(ahead) == "*" or self.text(ahead) in ("const", "__user", "__iomem"):
            ahead += 1
        return (
            ahead > 1
            and self.kind(ahead) == "name"
            and self.text(ahead + 1) in ("=", ";", ",", "[")
        )

    def _declaration(self, first: int) -> Decl:
        base = self._specifiers()
        variables: list[Declarator] = []
        while self.text() != ";":
            variables.append(self._declarator(base))
            if self.text() == ",":
                self.at += 1
            elif self.text() != ";":
                raise NotUnderstood(f"unexpected '{self.text()}' in a declaration", self.at)
        self.at += 1
        return Decl(self.span_from(first), self._line(first), tuple(variables))

    def _specifiers(self) -> list[str]:
        """The tokens of the type, up to the first declarator."""
        start = self.at
        texts = self.tokens.texts
        while self.at < self.end:
            text = self.text()
            if text in ("struct", "union", "enum"):
                self.at += 1
                if self.kind() == "name":
                    self.at += 1
                if self.text() == "{":
                    self.at = matching(self.tokens, self.at) + 1
                if self.kind() != "name":
                    break
                continue
            if self.kind() != "name":
                break
            if self.text(1) == "(" and text in (
                "typeof",
                "__typeof__",
                "typeof_unqual",
                "__attribute__",
                "__aligned",
            ):
                self.at = matching(self.tokens, self.at + 1) + 1
                continue
            if self.text(1) in ("=", ";", ",", "[") or (
                self.kind(1) == "name"
                and self.text(1).startswith("__")
                and self.at > start
                and self.text(2) in ("=", ";", ",", "(", "[")
                and text not in TYPE_WORDS
            ):
                break  # this name is the declarator
            self.at += 1
        if self.at == start:
            raise NotUnderstood(f"unexpected '{self.text()}' in a declaration", start)
        return texts[start : self.at]

    def _declarator(self, base: list[str]) -> Declarator:
        first = self.at
        prefix: list[str] = []
        while self.text() == "*" or (
            self.text() in ("const", "volatile", "__user", "__iomem", "__percpu", "__restrict")
        ):
            prefix.append(self.text())
            self.at += 1
        suffix: list[str] = []
        if self.text() == "(" and self.text(1) == "*":  # pointer to a function
            close = matching(self.tokens, self.at)
            name = self.text(2)
            suffix.append("(*)")
            self.at = close + 1
            if self.text() == "(":
                close = matching(self.tokens, self.at)
                suffix.append(join(self.tokens.texts[self.at : close + 1]))
                self.at = close + 1
        else:
            if self.kind() != "name":
                raise NotUnderstood(f"no name in a declaration before '{self.text()}'", self.at)
            name = self.text()
            self.at += 1
        while self.text() == "[":
            close = matching(self.tokens, self.at)
            suffix.append(join(self.tokens.texts[self.at : close + 1]))
            self.at = close + 1
        cleanup = self._attributes()
        init: Expr | None = None
        if self.text() == "=":
            self.at += 1
            init = self.initialiser() if self.text() == "{" else self.assignment()
            if "static" in base and "const" not in base and init.kind != "init":
                init = None  # set once, before all calls
        words = [word for word in base if word not in ("static", "register", "extern")]
        return Declarator(
            name, join(words + prefix + suffix), init, self.span_from(first), self._line(first),
            cleanup,
        )  # fmt: skip

    def _attributes(self) -> str:
        """Skip attributes after a declarator; the argument of ``__free()`` or ""."""
        cleanup = ""
        while self.kind() == "name":
            word = self.text()
            self.at += 1
            if self.text() == "(":
                close = matching(self.tokens, self.at)
                if word in ("__free", "__cleanup"):
                    cleanup = join(self.tokens.texts[self.at + 1 : close])
                self.at = close + 1
        return cleanup
