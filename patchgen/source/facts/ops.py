# SPDX-License-Identifier: GPL-2.0-only
"""Tables of callbacks: initialised at file scope, in arrays, or filled at run time."""

from __future__ import annotations

from collections.abc import Iterable

from patchgen.model.base import Span
from patchgen.model.code import Decl, Function
from patchgen.model.facts import OpsEntry, OpsTable
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.tables import initialised
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
    return tuple(table for table, _ in initialised(tokens, path, _is_wanted))


def unread(tokens: Tokens, path: str) -> tuple[OpsTable, ...]:
    """Those of them whose initialiser is not understood: their callbacks are not known."""
    return tuple(table for table, read in initialised(tokens, path, _is_wanted) if not read)


def _is_wanted(struct: str) -> bool:
    return struct in OPS_STRUCTS or struct == WALK_OPS


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
