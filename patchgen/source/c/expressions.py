# SPDX-License-Identifier: GPL-2.0-only
"""C expressions from tokens, by precedence climbing; macro calls stay calls.

What does not parse raises :class:`NotUnderstood`; the statement parser turns that
into an ``Unknown`` statement with the reason, never into silence.
"""

from __future__ import annotations

import msgspec

from patchgen.model.base import Span
from patchgen.model.code import Expr, ExprKind, Stmt
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import join, matching

#: Nesting of one expression beyond which it is not looked into.
DEPTH_LIMIT = 150

_BINARY = {
    "*": 10, "/": 10, "%": 10, "+": 9, "-": 9, "<<": 8, ">>": 8,
    "<": 7, ">": 7, "<=": 7, ">=": 7, "==": 6, "!=": 6,
    "&": 5, "^": 4, "|": 3, "&&": 2, "||": 1,
}  # fmt: skip
_ASSIGN = frozenset("= += -= *= /= %= &= |= ^= <<= >>=".split())
_PREFIX = frozenset("! ~ - + * & ++ --".split())
TYPE_WORDS = frozenset(
    "void char short int long float double signed unsigned _Bool bool struct union enum const"
    " volatile typeof __typeof__ typeof_unqual __auto_type static extern register auto inline"
    " __inline __restrict restrict u8 u16 u32 u64 s8 s16 s32 s64 __u8 __u16 __u32 __u64 uint"
    " ulong __be16 __be32 __be64 __le16 __le32 __le64 __force __user __iomem __rcu __percpu".split()
)
_TYPE_QUALIFIERS = frozenset("const volatile __user __iomem __rcu __force __percpu *".split())


class NotUnderstood(Exception):
    """The tokens at index ``at`` are not C that this parser knows."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class Expressions:
    """Expression parser over one file's tokens; ``at`` is the next token."""

    __slots__ = ("at", "depth", "end", "tokens")

    def __init__(self, tokens: Tokens, at: int, end: int) -> None:
        self.tokens = tokens
        self.at = at
        self.end = end  # index after the last token that may be used
        self.depth = 0

    # -- tokens ------------------------------------------------------------
    def text(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.tokens.texts[index] if index < self.end else ""

    def kind(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.tokens.kinds[index] if index < self.end else ""

    def expect(self, text: str) -> None:
        if self.text() != text:
            raise NotUnderstood(f"expected '{text}' before '{self.text()}'", self.at)
        self.at += 1

    def span_from(self, first: int) -> Span:
        return Span(self.tokens.starts[first], self.tokens.ends[max(first, self.at - 1)])

    def node(
        self,
        kind: ExprKind,
        name: str,
        args: tuple[Expr, ...],
        first: int,
        body: tuple[Stmt, ...] = (),
    ) -> Expr:
        span = self.span_from(first)
        return Expr(kind, name, args, span, self.tokens.line(span.start), body)

    def joined(self, kind: ExprKind, name: str, args: tuple[Expr, ...], first: Expr) -> Expr:
        span = Span(first.span.start, self.tokens.ends[self.at - 1])
        return Expr(kind, name, args, span, first.line)

    # -- grammar -----------------------------------------------------------
    def expression(self) -> Expr:
        """assignment { , assignment }"""
        left = self.assignment()
        while self.text() == ",":
            self.at += 1
            left = self.joined("comma", "", (left, self.assignment()), left)
        return left

    def assignment(self) -> Expr:
        """conditional [ assign-op assignment ]"""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise NotUnderstood(f"expression nested deeper than {DEPTH_LIMIT}", self.at)
        left = self.conditional()
        if self.text() in _ASSIGN:
            operator = self.text()
            self.at += 1
            # DECLARE_BITMAP(map, n) = { 0 }; is the one brace after "=" in an expression
            right = self.initialiser() if self.text() == "{" else self.assignment()
            left = self.joined("assign", operator, (left, right), left)
        self.depth -= 1
        return left

    def conditional(self) -> Expr:
        test = self.binary(0)
        if self.text() != "?":
            return test
        self.at += 1
        then = test if self.text() == ":" else self.expression()
        self.expect(":")
        return self.joined("cond", "", (test, then, self.conditional()), test)

    def binary(self, minimum: int) -> Expr:
        left = self.unary()
        while True:
            operator = self.text()
            power = _BINARY.get(operator, 0)
            if power <= minimum or self.kind() != "punct":
                return left
            self.at += 1
            left = self.joined("binary", operator, (left, self.binary(power)), left)

    def unary(self) -> Expr:
        first = self.at
        text = self.text()
        if text in _PREFIX:
            self.at += 1
            self._deeper()
            node = self.node("unary", text, (self.unary(),), first)
            self.depth -= 1
            return node
        if text in ("sizeof", "__alignof__", "_Alignof", "typeof", "__typeof__"):
            return self._sizeof(first, text)
        if text == "(" and self._is_cast():
            return self._cast(first)
        if text == "&&" and self.kind(1) == "name":  # address of a label
            self.at += 2
            return self.node("const", self.text(-1), (), first)
        if text in ("__extension__", "__real__"):
            self.at += 1
            return self.unary()
        return self.postfix(self.primary())

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise NotUnderstood(f"expression nested deeper than {DEPTH_LIMIT}", self.at)

    def primary(self) -> Expr:
        first, kind, text = self.at, self.kind(), self.text()
        if kind == "name":
            self.at += 1
            return self.node("name", text, (), first)
        if kind in ("number", "char"):
            self.at += 1
            return self.node("const", text, (), first)
        if kind == "string":
            # A name beside a string is a macro for a part of it.
            while self.kind() == "string" or (
                self.kind() == "name" and (self.kind(1) == "string" or self.at > first)
            ):
                self.at += 1
            return self.node("string", " ".join(self.tokens.texts[first : self.at]), (), first)
        if text == "(":
            if self.text(1) == "{":
                return self._statement_expression(first)
            self.at += 1
            self._deeper()
            inner = self.expression()
            self.depth -= 1
            self.expect(")")
            # The parentheses are part of the text, and of nothing else.
            return msgspec.structs.replace(inner, span=self.span_from(first))
        raise NotUnderstood(f"unexpected '{text}'", first)

    def postfix(self, left: Expr) -> Expr:
        while True:
            text = self.text()
            if text == "(":
                name = left.name if left.kind == "name" else ""
                arguments = self.arguments()
                left = self.joined("call", name, (left, *arguments), left)
            elif text == "[":
                self.at += 1
                subscript = self.expression()
                self.expect("]")
                left = self.joined("index", "", (left, subscript), left)
            elif text in ("->", "."):
                if self.kind(1) != "name":
                    raise NotUnderstood(f"no member name after '{text}'", self.at)
                member = self.text(1)
                self.at += 2
                kind: ExprKind = "arrow" if text == "->" else "member"
                left = self.joined(kind, member, (left,), left)
            elif text in ("++", "--"):
                self.at += 1
                left = self.joined("postfix", text, (left,), left)
            elif text == "{" and left.kind == "call" and left.name in ("__free", "__cleanup"):
                return left
            elif self.kind() == "string" and left.kind == "name":
                # MACRO "text": a string literal with a macro in front
                self.at += 1
            else:
                return left

    def arguments(self) -> tuple[Expr, ...]:
        """``( argument, ... )``; an argument that is a type is kind "type"."""
        close = matching(self.tokens, self.at)
        if close < 0 or close >= self.end:
            raise NotUnderstood("unbalanced '('", self.at)
        self.at += 1
        args: list[Expr] = []
        while self.at < close:
            args.append(self._argument(close))
            if self.at < close:
                self.expect(",")
        self.at = close + 1
        return tuple(args)

    def _argument(self, close: int) -> Expr:
        first, depth = self.at, self.depth
        if self.text() not in ("struct", "union", "enum", "const", "unsigned"):
            try:
                argument = self.assignment()
                if self.at == close or self.text() == ",":
                    return argument
            except NotUnderstood as error:
                if "nested deeper" in error.reason:
                    raise
        self.depth, self.at = depth, first
        texts = self.tokens.texts
        while self.at < close and texts[self.at] != ",":
            self.at = matching(self.tokens, self.at) if texts[self.at] in "([{" else self.at
            if self.at < 0:
                raise NotUnderstood("unbalanced bracket", first)
            self.at += 1
        words = texts[first : self.at]
        if not words:
            return self._empty(first)
        is_type = all(
            kind == "name" or text in "*[]()"
            for kind, text in zip(self.tokens.kinds[first : self.at], words, strict=True)
        )
        return self.node("type" if is_type else "unknown", join(words), (), first)

    def _empty(self, first: int) -> Expr:
        start = self.tokens.starts[first]
        return Expr("type", "", (), Span(start, start), self.tokens.line(start))

    # -- types -------------------------------------------------------------
    def _looks_like_type(self, open_at: int, close: int) -> bool:
        texts, kinds = self.tokens.texts, self.tokens.kinds
        inner = range(open_at + 1, close)
        if not inner:
            return False
        if texts[open_at + 1] in TYPE_WORDS:
            return True
        if kinds[open_at + 1] != "name" or texts[open_at + 1] in ("sizeof",):
            return False
        stars = 0
        for at in inner:
            if texts[at] == "*":
                stars += 1
            elif (
                kinds[at] != "name"
                or stars
                or (at > open_at + 1 and texts[at] not in _TYPE_QUALIFIERS)
            ):
                return False
        return stars > 0 or texts[open_at + 1].endswith("_t") or close - open_at > 2

    def _is_cast(self) -> bool:
        close = matching(self.tokens, self.at)
        if close < 0 or close + 1 >= self.end:
            return False
        texts, kinds = self.tokens.texts, self.tokens.kinds
        following, kind = texts[close + 1], kinds[close + 1]
        if self._looks_like_type(self.at, close):
            return kind != "punct" or following in (
                "(",
                "{",
                "!",
                "~",
                "-",
                "+",
                "*",
                "&",
                "++",
                "--",
            )
        # (name) operand: only a cast can be followed by an operand directly
        return (
            close == self.at + 2
            and kinds[self.at + 1] == "name"
            and kind in ("name", "number", "string", "char")
        )

    def _cast(self, first: int) -> Expr:
        close = matching(self.tokens, first)
        type_text = join(self.tokens.texts[first + 1 : close])
        self.at = close + 1
        if self.text() == "{":
            init = self.initialiser()
            return self.postfix(self.node("compound", type_text, (init,), first))
        self._deeper()
        node = self.node("cast", type_text, (self.unary(),), first)
        self.depth -= 1
        return node

    def _sizeof(self, first: int, operator: str) -> Expr:
        self.at += 1
        if self.text() != "(":
            return self.node("unary", operator, (self.unary(),), first)
        close = matching(self.tokens, self.at)
        if close < 0:
            raise NotUnderstood("unbalanced '('", self.at)
        if self._looks_like_type(self.at, close):
            inner = self.at + 1
            self.at = close
            operand = self.node("type", join(self.tokens.texts[inner:close]), (), inner)
            self.at = close + 1
        else:
            operand = self.unary()
        return self.node("unary", operator, (operand,), first)

    # -- braces ------------------------------------------------------------
    def initialiser(self) -> Expr:
        """``{ element, .field = element, [i] = element }``"""
        first = self.at
        self._deeper()
        self.expect("{")
        elements: list[Expr] = []
        while self.text() != "}":
            elements.append(self._element())
            if self.text() == ",":
                self.at += 1
            elif self.text() != "}":
                raise NotUnderstood(f"unexpected '{self.text()}' in an initialiser", self.at)
        self.at += 1
        self.depth -= 1
        return self.node("init", "", tuple(elements), first)

    def _element(self) -> Expr:
        first = self.at
        name = ""
        while self.text() in (".", "["):
            if self.text() == ".":
                name = f"{name}.{self.text(1)}" if name else self.text(1)
                self.at += 2
            else:
                close = matching(self.tokens, self.at)
                name += join(self.tokens.texts[self.at : close + 1])
                self.at = close + 1
        if self.kind() == "name" and self.text(1) == ":":  # old GNU form: name: value
            name = self.text()
            self.at += 1
        if name:
            self.at += 1
        value = self.initialiser() if self.text() == "{" else self.assignment()
        return self.node("field", name, (value,), first) if name else value

    def _statement_expression(self, first: int) -> Expr:
        # Statements and expressions contain each other; imported here to break the circle.
        from patchgen.source.c.body import Statements

        inner = Statements(self.tokens, self.at + 1, self.end, self.depth)
        block = inner.block()
        self.at = inner.at
        self.expect(")")
        return self.node("stmtexpr", "", (), first, block.body)
