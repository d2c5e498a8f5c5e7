# SPDX-License-Identifier: GPL-2.0-only
"""The steps that convert ``range->blockable``: to the helper, then to a flag."""

from __future__ import annotations

import re

import msgspec

from patchgen.analysis.entries.section_code import HEADER, INIT
from patchgen.model.base import Evidence, Span
from patchgen.model.code import ExprStmt
from patchgen.model.plan import Change, Meant, PatchPlan
from patchgen.recipes.base import Options, State, StepResult
from patchgen.recipes.mmu_notifier.v05_api import BLOCKABLE
from patchgen.recipes.mmu_notifier.v05_blockable import HELPER, MEMBER, Use, find
from patchgen.recipes.mmu_notifier.v05_header import NAME, Header, already, header, refusal
from patchgen.recipes.mmu_notifier.v05_layout import (
    WIDTH,
    Argument,
    arguments,
    arguments_span,
    broken,
    column,
    columns,
    enclosing_call,
    indent,
    lay_out,
    spans,
)
from patchgen.source.c.text import statements


def use_helper(state: State, options: Options) -> StepResult:
    """Every read of ``range->blockable`` becomes a call of the helper."""
    found = find(state)
    if found.unclear:
        return refusal("unsafe", "some uses of blockable cannot be converted", found.unclear)
    reads = [use for use in found.uses if use.kind == "read"]
    if not reads:
        parts = header(state)
        if not isinstance(parts, Header):
            return parts
        return already(parts.place(parts.struct_at), f"nothing reads {MEMBER} directly")
    changes = tuple(_read(state.read(use.path) or b"", use) for use in reads)
    files = sorted({use.path for use in reads})
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: use the helper instead of range->blockable",
        message=f"{NAME}/2-use-helper.j2",
        context={"uses": len(reads), "files": files},
        changes=changes,
        note=f"{len(files)} files, {len(reads)} uses",
    )


def _read(source: bytes, use: Use) -> Change:
    new = f"{HELPER}({use.pointer})"
    line_end = source.find(b"\n", use.span.end)
    tail = len(source[use.span.end : line_end].rstrip())
    outer = enclosing_call(use.function, use.expr)
    meant = Meant(use.function.name, branch=True, value=True)
    context: dict[str, str | int | bool | list[str]] = {"helper": HELPER, "pointer": use.pointer}
    plain = Change(use.path, use.span, f"{NAME}/call.c.j2", context, meant)
    if column(source, use.span.start) + len(new) + tail <= WIDTH:
        return plain
    for number, span in enumerate(spans(source, outer) if outer is not None else []):
        assert outer is not None
        if span == use.span:
            given = arguments(source, outer)
            given[number] = Argument([new])
            lines = lay_out(source, outer, given)
            span = arguments_span(source, outer)
            return Change(use.path, span, f"{NAME}/lines.c.j2", {"lines": lines}, meant)
        if span.start <= use.span.start < span.end:
            two = broken(source, span.start, span.end, use.span, new)
            if two is not None:
                return Change(use.path, span, f"{NAME}/lines.c.j2", {"lines": two}, meant)
    moved = _new_line(source, use, new)
    return plain if moved is None else msgspec.structs.replace(moved, meant=meant)


def _new_line(source: bytes, use: Use, new: str) -> Change | None:
    """An operand on a line of its own, or what comes behind it, below the expression."""
    line_start = source.rfind(b"\n", 0, use.span.start) + 1
    before = source[line_start : use.span.start]
    sign = before[len(before.rstrip(b"!(")) :]
    head = before[: len(before) - len(sign)].rstrip()
    opened = _opened(head)
    if head.endswith((b"&&", b"||")) and opened >= 0:
        margin = column(source, line_start + opened) + 1
        span = Span(line_start + len(head), use.span.end)
        lines = ["", indent(margin) + sign.decode() + new]
        return Change(use.path, span, f"{NAME}/lines.c.j2", {"lines": lines})
    line_end = source.find(b"\n", use.span.end)
    behind = re.match(rb"([^\n]*?) (\?|&&|\|\|) ", source[use.span.end : line_end])
    begins = re.search(rb"(?:= |return )(?=[!(]*\Z)", before)
    if behind is None or not (begins or opened >= 0):
        return None
    margin = columns(before[: begins.end() if begins else opened + 1])
    span = Span(use.span.start, use.span.end + behind.end())
    first = f"{new}{behind[1].decode('utf-8', 'replace')} {behind[2].decode()}"
    lines = [first, indent(margin)]
    return Change(use.path, span, f"{NAME}/lines.c.j2", {"lines": lines})


def _opened(head: bytes) -> int:
    """Index of the last parenthesis that ``head`` opens and does not close; else -1."""
    depth = 0
    for at in range(len(head) - 1, -1, -1):
        char = head[at : at + 1]
        if char == b"(" and depth == 0:
            return at
        depth += {b")": 1, b"(": -1}.get(char, 0)
    return -1


def to_flag(state: State, options: Options) -> StepResult:
    """The blockable member becomes MMU_NOTIFIER_RANGE_BLOCKABLE in flags."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    member = parts.member(MEMBER)
    if member is None:
        if BLOCKABLE in parts.macros and parts.member("flags") is not None:
            return already(parts.place(parts.macros[BLOCKABLE][0].start), BLOCKABLE)
        where = (Evidence(parts.place(parts.struct_at), "struct mmu_notifier_range"),)
        return refusal("absent", "the range has no blockable member", where)
    found = find(state)
    reads = tuple(Evidence(use.place, "still read") for use in found.uses if use.kind == "read")
    if found.unclear or reads:
        return refusal(
            "unsafe", "blockable is used other than by the helper", found.unclear + reads
        )
    writes = [use for use in found.uses if use.kind != "read"]
    nested = [use for use in writes if use.kind == "write" and not _is_statement(use)]
    if nested:
        evidence = tuple(Evidence(use.place, "written within an expression") for use in nested)
        return refusal("unsafe", "some writes of blockable cannot be converted", evidence)
    changes = [_write(state.read(use.path) or b"", use) for use in writes]
    files = sorted({use.path for use in writes} | {HEADER})
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: turn range->blockable into a flag",
        message=f"{NAME}/3-to-flag.j2",
        context={"writes": len(writes)},
        changes=(*_header_changes(parts), *changes),
        note=f"{len(files)} file{'s' if len(files) > 1 else ''}, {len(writes)} writes",
    )


def _header_changes(parts: Header) -> tuple[Change, ...]:
    member = parts.member(MEMBER)
    helper, init = parts.on[HELPER], parts.on[INIT]
    assert member is not None
    define = [f"#define {BLOCKABLE} {parts.bit(0)}", ""]
    at = Span(parts.struct_at, parts.struct_at)
    returned = helper.body.body[-1].span
    last = init.body.body[-1].span.end
    name = helper.params[0].name
    return (
        *parts.bits_included(),
        Change(HEADER, at, f"{NAME}/block.c.j2", {"lines": define}),
        Change(HEADER, member.span, f"{NAME}/block.c.j2", {"lines": ["\tunsigned int flags;"]}),
        Change(
            HEADER,
            returned,
            f"{NAME}/lines.c.j2",
            {"lines": [f"return {name}->flags & {BLOCKABLE};"]},
            Meant(HELPER, branch=True),
        ),
        Change(
            HEADER,
            Span(last, last),
            f"{NAME}/lines.c.j2",
            {"lines": ["", f"\t{init.params[0].name}->flags = 0;"]},
            Meant(INIT, branch=True),
        ),
    )


def _is_statement(use: Use) -> bool:
    return any(
        isinstance(stmt, ExprStmt) and stmt.expr.span == use.span
        for stmt in statements(use.function.body)
    )


def _write(source: bytes, use: Use) -> Change:
    assert use.value is not None
    meant = Meant(use.function.name, branch=True)
    value = source[use.value.span.start : use.value.span.end].decode("utf-8", "replace")
    constant = {"true": True, "1": True, "false": False, "0": False}.get(value)
    if use.kind == "field":
        chosen = f"({value}) ? {BLOCKABLE} : 0"
        new = chosen if constant is None else BLOCKABLE if constant else "0"
        return Change(
            use.path, use.span, f"{NAME}/lines.c.j2", {"lines": [f".flags = {new}"]}, meant
        )
    lvalue = f"{use.pointer[1:]}.flags" if use.pointer[0] == "&" else f"{use.pointer}->flags"
    if constant is not None:
        new = f"{lvalue} |= {BLOCKABLE}" if constant else f"{lvalue} &= ~{BLOCKABLE}"
        return Change(use.path, use.span, f"{NAME}/lines.c.j2", {"lines": [new]}, meant)
    begin = source.rfind(b"\n", 0, use.span.start) + 1
    own = columns(source[begin : use.span.start])
    lines = [
        f"if ({value})",
        f"{indent(own + 8)}{lvalue} |= {BLOCKABLE};",
        f"{indent(own)}else",
        f"{indent(own + 8)}{lvalue} &= ~{BLOCKABLE}",
    ]
    return Change(use.path, use.span, f"{NAME}/lines.c.j2", {"lines": lines}, meant)
