# SPDX-License-Identifier: GPL-2.0-only
"""Tables of callbacks: initialised at file scope, in arrays, or filled at run time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from patchgen.model.base import Span
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.facts import OpsEntry, OpsTable
from patchgen.source.c.expressions import Expressions, NotUnderstood
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import matching
from patchgen.source.c.walk import expressions, walk

#: The structs whose members are mmu notifier callbacks, and structs through which
#: drivers pass such a callback on (include/linux/hmm.h up to 5.4,
#: include/drm/drm_gpusvm.h from 6.15).
OPS_STRUCTS = (
    "mmu_notifier_ops",
    "mmu_interval_notifier_ops",
    "hmm_mirror_ops",
    "drm_gpusvm_ops",
)
#: The struct of a page table walk's callbacks (include/linux/pagewalk.h, from 5.4 on).
WALK_OPS = "mm_walk_ops"


def tables(tokens: Tokens, path: str) -> tuple[OpsTable, ...]:
    """The tables that are initialised in the file, in order."""
    found: list[OpsTable] = []
    texts, kinds = tokens.texts, tokens.kinds
    for at, text in enumerate(texts):
        if (text not in OPS_STRUCTS and text != WALK_OPS) or at == 0 or texts[at - 1] != "struct":
            continue
        name_at = at + 1
        while name_at < len(texts) and texts[name_at] in ("const", "__ro_after_init"):
            name_at += 1
        if name_at >= len(texts) or kinds[name_at] != "name":
            continue
        brace = name_at + 1
        while brace < len(texts) and texts[brace] not in ("{", ";", ")", ","):
            brace = matching(tokens, brace) + 1 if texts[brace] in ("[", "(") else brace + 1
        if brace >= len(texts) or texts[brace] != "{":
            continue
        found += _initialised(tokens, path, text, name_at, brace)
    return tuple(found)


def _initialised(
    tokens: Tokens, path: str, struct: str, name_at: int, brace: int
) -> Iterator[OpsTable]:
    name = tokens.texts[name_at]
    line = tokens.line(tokens.starts[name_at])
    parser = Expressions(tokens, brace, len(tokens.texts))
    try:
        init = parser.initialiser()
    except NotUnderstood:
        yield OpsTable(
            struct, name, path, line, Span(tokens.starts[name_at], tokens.ends[brace]), ()
        )
        return
    rows = [element for element in init.args if _row(element) is not None]
    if rows:
        for number, element in enumerate(rows):
            row = _row(element)
            assert row is not None
            index = element.name if element.kind == "field" else f"[{number}]"
            yield OpsTable(struct, name + index, path, element.line, row.span, _entries(row))
    else:
        yield OpsTable(struct, name, path, line, init.span, _entries(init))


def _row(element: Expr) -> Expr | None:
    """An array element that is itself a table: ``{...}`` or ``[index] = {...}``."""
    if element.kind == "init":
        return element
    if element.kind == "field" and element.name.startswith("[") and element.args[0].kind == "init":
        return element.args[0]
    return None


def _entries(init: Expr) -> tuple[OpsEntry, ...]:
    entries = []
    for field in init.args:
        if field.kind != "field":
            continue
        value = field.args[0]
        while value.kind in ("cast", "unary") and value.args:
            value = value.args[0]
        if value.name in ("NULL", "0"):
            continue  # no callback, as if the member were left out
        name = value.name if value.kind == "name" else ""
        entries.append(OpsEntry(field.name, name, field.line, field.span))
    return tuple(entries)


def filled_at_run_time(functions: Iterable[Function]) -> tuple[OpsTable, ...]:
    """Tables whose members are assigned in code: ``ops->release = fn;``."""
    found: list[OpsTable] = []
    for function in functions:
        types = {param.name: param.type for param in function.params}
        for node in walk(function.body):
            if isinstance(node, Decl):
                types.update((v.name, v.type) for v in node.variables)
        entries: dict[tuple[str, str], list[OpsEntry]] = {}
        for expr in expressions(function.body):
            if expr.kind != "assign" or expr.name != "=":
                continue
            target, value = expr.args
            if target.kind not in ("arrow", "member") or target.args[0].kind != "name":
                continue
            base = target.args[0].name
            words = types.get(base, "").replace("*", " ").split()
            struct = next((word for word in words if word in OPS_STRUCTS), "")
            if struct and value.kind == "name" and value.name != "NULL":
                entry = OpsEntry(target.name, value.name, expr.line, expr.span)
                entries.setdefault((struct, base), []).append(entry)
        for (struct, base), filled in entries.items():
            found.append(
                OpsTable(
                    struct, f"{function.name}:{base}", function.path, filled[0].line,
                    Span(filled[0].span.start, filled[-1].span.end), tuple(filled), True,
                )
            )  # fmt: skip
    return tuple(found)
