# SPDX-License-Identifier: GPL-2.0-only
"""Whether edits land where they mean what they say, as far as a file's tokens tell.

Before and after are compared: outside of the edits every token stays what it was; within
a function, under every choice of the conditionals in it, the statement trees are equal but
for whole new statements, expressions and arguments.  What macros make of the code only the
compiler knows: :class:`patchgen.model.plan.Landing` says what it is to confirm.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from patchgen.edits.shapes import Cut, Hole
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Decl, Expr, Function, If, Unknown
from patchgen.model.plan import Change, Edit, Landing, Meant
from patchgen.source.c.body import parse_function
from patchgen.source.c.branches import Group, around, groups, left_out, reaching, texts
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import Outline, matching, outline
from patchgen.source.c.walk import plain

_NOTE = re.compile(rb"/\*.*?(?:\*/|\Z)|//(?:\\\r?\n|[^\n])*", re.S)


class Misplaced(Exception):
    """An edit does not land where it means what it says: the place, and why."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(str(evidence))
        self.evidence = evidence


class Planned(NamedTuple):
    """An edit of a file: the old and the new bytes' spans, and what is meant."""

    old: Span
    new: Span
    meant: Meant

    def span(self, side: int) -> Span:
        """The old (0) or the new (1) bytes."""
        return self.new if side else self.old


class Places:
    """The places in one C file that changes name, before anything is put there.

    Misplaced: one is in a comment, within a word, in a preprocessor line that is not meant;
    or the change would lose a comment, or bytes that are no UTF-8.
    """

    def __init__(self, path: str, source: bytes, changes: Iterable[Change]) -> None:
        self.path = path
        self.tokens = lexed(source)
        self.behind_notes: set[int] = set()
        if b"\r\n" in source:
            raise self.wrong(source.index(b"\r\n"), "lines end in CRLF")
        for change in changes:
            self._check(change.span, change.meant)

    def wrong(self, offset: int, text: str) -> Misplaced:
        """What is to be raised for an edit at an offset."""
        return Misplaced(Evidence(Place(self.path, self.tokens.line(offset)), text))

    def _check(self, span: Span, meant: Meant) -> None:
        start, end = span.start, span.end
        tokens, source = self.tokens, self.tokens.source
        for directive in tokens.directives:
            touches = directive.span.start < max(end, start + 1) and start < directive.span.end
            if touches and (start, end) != (directive.span.start, directive.span.start):
                if meant.macro and directive.span.start < start and end <= directive.span.end:
                    return
                raise self.wrong(start, "in a preprocessor line or a macro's definition")
        try:
            source[start:end].decode()
        except UnicodeDecodeError:
            raise self.wrong(start, "would replace bytes that are no UTF-8") from None
        first = bisect_left(tokens.ends, start + 1)
        last = bisect_left(tokens.starts, end)
        whole = range(first, max(first + 1, last))
        for at in whole:
            if at < len(tokens.starts) and (
                tokens.starts[at] < start or tokens.starts[at] < end < tokens.ends[at]
            ):
                raise self.wrong(start, "within a word of the code")
        for note in self._notes(first, last):
            if note.start < end and start < note.end:
                raise self.wrong(note.start, "a comment is in the way of the edit")
            if note.end == start and source[note.start : note.start + 2] == b"//":
                self.behind_notes.add(start)

    def _notes(self, first: int, last: int) -> Iterator[Span]:
        """The comments between tokens ``first`` - 1 and ``last``."""
        tokens = self.tokens
        low = tokens.ends[first - 1] if first else 0
        high = tokens.starts[last] if last < len(tokens.starts) else len(tokens.source)
        fixed = [*zip(tokens.starts[first:last], tokens.ends[first:last], strict=True),
                 *((d.span.start, d.span.end) for d in tokens.directives)]  # fmt: skip
        at = low
        for begin, end in [*sorted(f for f in fixed if low <= f[0] < high), (high, high)]:
            for note in _NOTE.finditer(tokens.source, at, begin):
                yield Span(note.start(), note.end())
            at = max(at, end)


def landings(
    places: Places, new: bytes, made: Iterable[tuple[Edit, Change]]
) -> tuple[Landing, ...]:
    """Where the edits of one C file land; ``new`` is the file with them applied.

    Misplaced: one of them does not mean there what it says.
    """
    edits: list[Planned] = []
    shift = 0
    for edit, change in sorted(made, key=lambda pair: pair[0]):
        start = edit.span.start + shift
        edits.append(Planned(edit.span, Span(start, start + len(edit.new)), change.meant))
        shift += len(edit.new) - (edit.span.end - edit.span.start)
    return _File(places, new, edits).landings()


class _File:
    """A file before and after its edits."""

    def __init__(self, places: Places, new: bytes, edits: list[Planned]) -> None:
        self.path = places.path
        self.wrong = places.wrong
        self.edits = edits
        self.old, self.new = places.tokens, lexed(new)
        for edit in edits:
            begins = new[edit.new.start : edit.new.start + 1]
            if edit.old.start in places.behind_notes and begins != b"\n":
                raise self.wrong(edit.old.start, "behind a comment that nothing ends")
        self._check_outside()
        try:
            self.old_groups, self.new_groups = groups(self.old), groups(self.new)
        except ValueError as error:
            raise self.wrong(edits[0].old.start, str(error)) from None
        self._outlines: dict[tuple[Span, ...], tuple[Outline, ...]] = {}

    def _check_outside(self) -> None:
        """Outside of the edits the new text has the old one's tokens and directives."""
        mine, theirs = self._outside(self.old, 0), self._outside(self.new, 1)
        for old, new in zip(mine, theirs, strict=False):
            if old[1] != new[1]:
                raise self.wrong(old[0], "the code beside an edit would be read otherwise")
        if len(mine) != len(theirs):
            raise self.wrong(self.edits[0].old.start, "an edit would swallow code beside it")

    def _outside(self, tokens: Tokens, side: int) -> list[tuple[int, str]]:
        spans = [edit.span(side) for edit in self.edits]
        meant = [edit.span(side) for edit in self.edits if edit.meant.macro]
        lines = tokens.directives
        words = _beside(spans, tokens.starts, tokens.ends, tokens.texts)
        words += _beside(spans, [d.span.start for d in lines], [d.span.end for d in lines],
                         [d.text for d in lines])  # fmt: skip
        words.sort()
        if not meant:
            return [(start, text) for start, _, text in words]
        return [
            (start, "" if any(start < s.start and s.end <= end for s in meant) else text)
            for start, end, text in words
        ]

    # -- functions -------------------------------------------------------------
    def landings(self) -> tuple[Landing, ...]:
        """Every edit's, those at file scope and in macros apart."""
        found: list[Landing] = []
        seen: set[int] = set()
        for edit in self.edits:
            if edit.meant.macro:
                continue
            if around(self.old_groups, edit.old.start) != around(self.old_groups, edit.old.end):
                raise self.wrong(edit.old.start, "across a preprocessor conditional")
            truth = reaching(self.old_groups, edit.old.start)
            function = self._function(self.old, self.old_groups, truth, edit.old)
            if function is None:
                if edit.meant.function or edit.meant.first or edit.meant.joined:
                    what = edit.meant.function or "a function"
                    raise self.wrong(edit.old.start, f"not within {what}()")
            elif function.first not in seen:
                seen.add(function.first)
                found += self._within(edit, function, truth)
        return tuple(found)

    def _outline(
        self, tokens: Tokens, found: tuple[Group, ...], truth: dict[str, bool]
    ) -> tuple[Tokens, tuple[Outline, ...]]:
        skipped = left_out(found, truth)
        active = tokens.active(skipped)
        key = (Span(id(tokens), 0), *skipped)
        if key not in self._outlines:
            self._outlines[key] = outline(active)
        return active, self._outlines[key]

    def _function(
        self, tokens: Tokens, found: tuple[Group, ...], truth: dict[str, bool], span: Span
    ) -> _Defined | None:
        """The function whose body a span lies in, or reaches into."""
        active, outlines = self._outline(tokens, found, truth)
        for one in outlines:
            begin, end = active.starts[one.body_at], active.ends[one.last]
            if begin < span.start < end or begin < span.end < end:
                return _Defined(active, one, active.starts[one.first], begin, end)
        return None

    def _within(self, edit: Planned, function: _Defined, truth: dict[str, bool]) -> list[Landing]:
        """The edits of one function, held against it under every choice of its branches."""
        here = [e for e in self.edits if function.body < e.old.end <= function.end]
        stack = around(self.old_groups, function.first)
        for one in here:
            for offset in (one.old.start, one.old.end, function.end):
                if around(self.old_groups, offset) != stack:
                    line = self._odd(stack, offset)
                    text = f"#if in line {line}, which {function.name}() is not wholly within"
                    raise self.wrong(one.old.start, text)
            if one.meant.function and one.meant.function != function.name:
                raise self.wrong(one.old.start, f"in {function.name}()")
        if not all(one.meant.branch for one in here):
            self._check_only(function)
        inner = [g for g in self.old_groups
                 if function.first < g.span.start and g.span.end < function.end]  # fmt: skip
        try:
            choices = list(texts(self.old_groups, edit.old.start, inner))
        except ValueError as error:
            raise self.wrong(edit.old.start, str(error)) from None
        tried = [self._compared(here, one) for one in choices]
        places = tuple(
            self._moved(b.span.start) for group in inner for b in group.branches
        )  # fmt: skip
        return [_merged(self, list(column), places) for column in zip(*tried, strict=True)]

    def _odd(self, stack: Sequence[tuple[Group, object]], offset: int) -> int:
        known = {group.span for group, _ in stack}
        here = {group.span: group.line for group, _ in around(self.old_groups, offset)}
        other = [line for span, line in here.items() if span not in known]
        gone = [group.line for group, _ in stack if group.span not in here]
        return min([*other, *gone], default=self.old.line(offset))

    def _moved(self, offset: int) -> int:
        """An offset outside of the edits, in the new text."""
        return offset + sum(
            (e.new.end - e.new.start) - (e.old.end - e.old.start)
            for e in self.edits
            if e.old.end <= offset
        )

    def _check_only(self, function: _Defined) -> None:
        """There is no other definition of the name under another choice of branches."""
        texts_, starts = self.old.texts, self.old.starts
        for at, text in enumerate(texts_[:-1]):
            other = starts[at]
            if text != function.name or texts_[at + 1] != "(" or other in function:
                continue
            close = matching(self.old, at + 1)
            if close < 0 or texts_[close + 1 : close + 2] != ["{"]:
                continue
            truth = reaching(self.old_groups, other)
            active, outlines = self._outline(self.old, self.old_groups, truth)
            if any(active.starts[one.name_at] == other for one in outlines):
                line = self.old.line(function.first)
                raise self.wrong(other, f"{text}() is defined here, too, not only in line {line}")

    # -- trees -----------------------------------------------------------------
    def _compared(self, here: list[Planned], truth: dict[str, bool]) -> list[_Landed]:
        """Old and new tree of a function under one choice; each edit's hole in the new."""
        pair = []
        for side, (tokens, found) in enumerate(
            ((self.old, self.old_groups), (self.new, self.new_groups))
        ):
            known = self._function(tokens, found, truth, here[0].span(side))
            if known is None:
                raise self.wrong(here[0].old.start, "in no function that was understood")
            tree = parse_function(known.tokens, known.outline, self.path)
            pair.append((tree, self._cut(tokens, side)))
        (before, old_cut), (after, new_cut) = pair
        if old_cut.body(before.body) != new_cut.body(after.body):
            raise self.wrong(
                here[0].old.start, f"the edit would change how {before.name}() is read around it"
            )
        return [self._hole(edit, after, new_cut.holes, old_cut.holes) for edit in here]

    def _cut(self, tokens: Tokens, side: int) -> Cut:
        spans = [edit.span(side) for edit in self.edits]
        words = _beside(spans, tokens.starts, tokens.ends, tokens.texts)
        return Cut([start for start, _, _ in words], [text for _, _, text in words])

    def _hole(
        self, edit: Planned, function: Function, holes: list[Hole], old: list[Hole]
    ) -> _Landed:
        mine = [hole for hole in holes if _overlap(hole.node.span, edit.new)]
        where = edit.old.start
        if not mine:
            raise self.wrong(where, "the edit is no statement or expression of its own")
        if any(isinstance(h.node, Unknown) or getattr(h.node, "kind", "") == "unknown"
               for h in mine):  # fmt: skip
            raise self.wrong(where, "the new code was not understood")
        if len({h.around for h in mine}) > 1:
            raise self.wrong(where, "the new code stands at several depths")
        joined = self._joined(edit, mine, old) if edit.meant.joined else None
        first = mine[0]
        statement = not isinstance(first.node, Expr)
        before: tuple[int, ...] = ()
        if edit.meant.first:
            if not statement or [name for name, _ in first.around] != ["Block"]:
                raise self.wrong(where, f"not in the block of {function.name}()")
            before = self._behind_declarations(where, first, mine)
        return _Landed(
            edit, function.name, first.node.span.start, statement, first.around, before, joined
        )

    def _behind_declarations(self, where: int, first: Hole, mine: list[Hole]) -> tuple[int, ...]:
        own = [h.node for h in mine]
        at = next(i for i, stmt in enumerate(first.block) if stmt is first.node)
        ahead, behind = first.block[:at], first.block[at + len(own) :]
        if behind and isinstance(behind[0], Decl):
            raise self.wrong(where, "a declaration would follow")
        return tuple(stmt.span.start for stmt in ahead if not isinstance(stmt, Decl))

    def _joined(self, edit: Planned, mine: list[Hole], old: list[Hole]) -> tuple[int, int]:
        """The new condition's end and its last operand's begin.

        It must be the old one, whole, or-ed with what is meant.
        """
        was = [h.node for h in old if edit.old.start <= h.node.span.start < edit.old.end]
        if len(was) != 1 or len(mine) != 1 or not (
            isinstance(was[0], Expr) and isinstance(mine[0].node, Expr)
        ):  # fmt: skip
            raise self.wrong(edit.old.start, "not one condition")
        if not mine[0].around or mine[0].around[-1][0] != If.__name__:
            raise self.wrong(edit.old.start, "not the condition of an if")
        kept = mine[0].node
        added: list[str] = []
        for _ in edit.meant.joined:
            if kept.kind != "binary" or kept.name != "||":
                break
            last = kept.args[1].span
            added.insert(0, self.new.source[last.start : last.end].decode())
            kept = kept.args[0]
        if plain(kept) != plain(was[0]) or tuple(added) != edit.meant.joined:
            raise self.wrong(edit.old.start, "the condition would mean something else")
        return mine[0].node.span.end, mine[0].node.args[1].span.start


def _beside(
    spans: Sequence[Span], starts: Sequence[int], ends: Sequence[int], texts: Sequence[str]
) -> list[tuple[int, int, str]]:
    """Start, end and text of what is not wholly within one of ``spans``; both are sorted."""
    found: list[tuple[int, int, str]] = []
    at = 0
    for number, span in enumerate(spans):
        first = bisect_left(starts, span.start)
        until = span.end if number + 1 == len(spans) else min(span.end, spans[number + 1].start)
        last = max(first, bisect_left(starts, until))
        found += zip(starts[at:first], ends[at:first], texts[at:first], strict=True)
        found += ((starts[i], ends[i], texts[i]) for i in range(first, last) if ends[i] > span.end)
        at = last
    found += zip(starts[at:], ends[at:], texts[at:], strict=True)
    return found


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


class _Defined(NamedTuple):
    """A function's outline among the tokens of one choice, and its bytes."""

    tokens: Tokens
    outline: Outline
    first: int
    body: int
    end: int

    @property
    def name(self) -> str:
        return self.outline.name

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.first <= offset < self.end


class _Landed(NamedTuple):
    """An edit's place under one choice of branches."""

    edit: Planned
    function: str
    offset: int
    statement: bool
    around: tuple[tuple[str, int], ...]
    before: tuple[int, ...]
    joined: tuple[int, int] | None


def _merged(file: _File, column: list[_Landed], inner: tuple[int, ...]) -> Landing:
    """One edit's place under all choices: it must be the same."""
    first = column[0]
    if any((one.offset, one.around) != (first.offset, first.around) for one in column):
        raise file.wrong(first.edit.old.start, "at another depth in another configuration")
    before = sorted({offset for one in column for offset in one.before})
    return Landing(
        file.path, first.function, first.offset, first.statement, first.around,
        tuple(before), first.edit.meant.first, first.edit.meant.value, inner,
        first.joined,
    )  # fmt: skip
