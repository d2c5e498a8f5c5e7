# SPDX-License-Identifier: GPL-2.0-only
"""Arguments of a call laid out in kernel style: tabs, 80 columns, aligned.

A call keeps the alignment that its continuation lines have; a line that would
be too long is broken before an argument.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.model.base import Span
from patchgen.model.code import Expr, Function
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.text import every

WIDTH = 80
TAB = 8


def columns(text: bytes | str, start: int = 0) -> int:
    """Display columns of ``text`` that begins at column ``start``; tabs are 8 wide."""
    at = start
    for char in text if isinstance(text, str) else text.decode("utf-8", "replace"):
        at = at + TAB - at % TAB if char == "\t" else at + 1
    return at


def column(source: bytes, offset: int) -> int:
    """Display column (from 0) of a byte offset."""
    return columns(source[source.rfind(b"\n", 0, offset) + 1 : offset])


def indent(width: int) -> str:
    """White space up to a column: tabs, then spaces."""
    return "\t" * (width // TAB) + " " * (width % TAB)


class Argument:
    """An argument to lay out: its lines as written, and the column it stood at."""

    def __init__(self, lines: Sequence[str], old_column: int = 0) -> None:
        self.lines = list(lines)
        self.old_column = old_column

    def at(self, start: int) -> list[str]:
        """The lines when it begins at column ``start``; the first without indent."""
        rest = []
        for line in self.lines[1:]:
            stripped = line.lstrip("\t ")
            was = columns(line[: len(line) - len(stripped)])
            rest.append(indent(max(0, was + start - self.old_column)) + stripped)
        return [self.lines[0], *rest]


def spans(source: bytes, call: Expr) -> list[Span]:
    """The bytes of each argument, its parentheses included."""
    begin = call.args[0].span.end
    tokens = Tokens(source[begin : call.span.end])
    found: list[Span] = []
    depth, first = 0, 0
    for at, text in enumerate(tokens.texts):
        if text in ")]}" or (text == "," and depth == 1):
            depth -= text != ","
            if depth == 0 or text == ",":
                if at > first:
                    found.append(Span(begin + tokens.starts[first], begin + tokens.ends[at - 1]))
                first = at + 1
        elif text in "([{":
            depth += 1
            first = at + 1 if depth == 1 else first
    return found


def arguments(source: bytes, call: Expr) -> list[Argument]:
    """The arguments of a call as they stand in the source."""
    found: list[Argument] = []
    for span in spans(source, call):
        text = source[span.start : span.end].decode("utf-8", "replace")
        lines = [line.rstrip() for line in text.split("\n")]
        found.append(Argument(lines, column(source, span.start)))
    return found


def arguments_span(source: bytes, call: Expr) -> Span:
    """Bytes from the first argument of a call to the end of its last."""
    found = spans(source, call)
    return Span(found[0].start, found[-1].end)


def lay_out(source: bytes, call: Expr, wanted: Sequence[Argument]) -> list[str]:
    """The lines of a call's arguments, for :func:`arguments_span`.

    The first line goes on after the call's parenthesis, the others are complete.
    What follows the last argument up to the line's end still fits.
    """
    old = arguments_span(source, call)
    first = column(source, old.start)
    line_end = source.find(b"\n", call.span.end)
    tail = len(source[old.end : line_end].rstrip())
    own = _written_margin(source, call)
    best = _fill(wanted, first, own if own is not None else first, tail)
    opener = source[old.start : source.find(b"\n", old.start)].rstrip().decode("utf-8", "replace")
    if best[0] == opener and width(best, first, tail) <= WIDTH:
        return best  # the line with the parenthesis stays, so does the alignment below it
    narrow = [
        _narrowed(arg, first, tail if i + 1 == len(wanted) else 1) for i, arg in enumerate(wanted)
    ]
    for given, margin in (
        (wanted, first),
        (narrow, first),
        *((wanted, m) for m in _deeper(source, call)),
    ):
        best = _fill(given, first, margin, tail)
        if width(best, first, tail) <= WIDTH:
            return best
    return best


def _narrowed(argument: Argument, margin: int, reserve: int) -> Argument:
    """An argument that is too wide at ``margin``, broken after an operator."""
    text = argument.lines[0]
    if len(argument.lines) > 1 or margin + len(text) + reserve <= WIDTH:
        return argument
    for operator in (" ? ", " || ", " && ", " | ", " + ", " - "):
        head, found, rest = text.rpartition(operator)
        if found and head.count("(") == head.count(")"):
            return Argument([head + operator.rstrip(), indent(margin) + rest], margin)
    return argument


def width(lines: Sequence[str], first: int, tail: int) -> int:
    """The widest column that ``lines`` reach."""
    ends = [columns(line, first if i == 0 else 0) for i, line in enumerate(lines)]
    ends[-1] += tail
    return max(ends)


def _written_margin(source: bytes, call: Expr) -> int | None:
    """The column of the first argument that begins a line; None without one."""
    for span in spans(source, call):
        begin = source.rfind(b"\n", 0, span.start) + 1
        if not source[begin : span.start].strip():
            return column(source, span.start)
    return None


def _deeper(source: bytes, call: Expr) -> tuple[int, int]:
    """Columns below the statement, for arguments too wide for the alignment."""
    begin = source.rfind(b"\n", 0, call.span.start) + 1
    line = source[begin : call.span.start]
    own = columns(line[: len(line) - len(line.lstrip())])
    return own + 2 * TAB, own + TAB


def _fill(wanted: Sequence[Argument], first: int, margin: int, tail: int) -> list[str]:
    lines = [""]
    for number, argument in enumerate(wanted):
        last = number == len(wanted) - 1
        reserve = tail if last else 1
        here = columns(lines[-1], first if len(lines) == 1 else 0)
        gap = " " if lines[-1].strip() else ""
        placed = argument.at(here + len(gap))
        start_column = first if len(lines) == 1 else 0
        whole = [lines[-1] + gap + placed[0], *placed[1:]]
        fits = width(whole, start_column, reserve) <= WIDTH
        if not fits and (lines[-1].strip() or (len(lines) == 1 and number)):
            placed = argument.at(margin)
            lines.append(indent(margin) + placed[0])
        elif not lines[-1].strip() and len(lines) > 1:
            lines[-1] = indent(margin) + placed[0]
        else:
            lines[-1] += gap + placed[0]
        lines += placed[1:]
        if not last:
            lines[-1] += ","
    return lines


def enclosing_call(function: Function, inner: Expr) -> Expr | None:
    """The innermost call of ``function`` that has ``inner`` within an argument."""
    found: Expr | None = None
    for expr in every(function.body):
        if expr.kind == "call" and expr.name and expr.span != inner.span and len(expr.args) > 1:
            opened = expr.args[0].span.end
            inside = opened < inner.span.start and inner.span.end < expr.span.end
            if inside and (found is None or expr.span.start >= found.span.start):
                found = expr
    return found


def broken(source: bytes, start: int, end: int, old: Span, new: str) -> list[str] | None:
    """Bytes ``start`` .. ``end`` with ``new`` for ``old``, on two lines if need be.

    The break comes after an operator that kernel style breaks at.  None where the
    text spans lines already, or no break makes it fit.
    """
    before = source[start : old.start].decode("utf-8", "replace")
    after = source[old.end : end].decode("utf-8", "replace")
    if "\n" in before + after:
        return None
    line_end = source.find(b"\n", end)
    tail = len(source[end:line_end].rstrip())
    margin = column(source, start)
    text = before + new + after
    if margin + len(text) + tail <= WIDTH:
        return [text]
    for operator in (" ? ", " && ", " || "):
        head, found, rest = text.partition(operator)
        lines = [head + operator.rstrip(), indent(margin) + rest]
        if found and width(lines, margin, tail) <= WIDTH:
            return lines
    return None
