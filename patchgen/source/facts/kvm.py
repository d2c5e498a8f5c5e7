# SPDX-License-Identifier: GPL-2.0-only
"""KVM's idiom, found from its code: direct, hva-range or none.

"direct" (5.0 to 5.11): the callbacks take mmu_lock themselves and change_pte() bumps
the invalidation sequence.  "hva-range" (5.13 to 6.9): callbacks fill a range struct
with a handler for a common walker, and change_pte() relies on range_start() having
run.  "none" (6.10 and later): there is no change_pte callback.  Names in use (the
counters, the lock, the struct) are read from the callbacks, not assumed.
"""

from __future__ import annotations

from collections.abc import Iterable

from patchgen.model.base import Evidence, Place, Value
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.facts import FileFacts, OpsTable
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls, expressions, walk

KVM_MAIN = "virt/kvm/kvm_main.c"


class KvmFacts(Value, frozen=True):
    """What KVM's notifier callbacks look like in this tree.

    ``start``, ``end`` and ``change_pte`` are function names, "" where the table
    does not have them.  ``count`` and ``sequence`` are the struct kvm members that
    start raises and end bumps; ``active`` the count taken outside mmu_lock;
    ``range_struct`` the struct that carries the handler; ``lock`` the call that
    takes mmu_lock.  "" means: there is none.
    """

    path: str
    idiom: str
    table: OpsTable
    start: str
    end: str
    change_pte: str
    count: str = ""
    sequence: str = ""
    active: str = ""
    lock: str = ""
    range_struct: str = ""
    handler: str = ""
    on_lock: str = ""
    pfn_cache: str = ""
    evidence: tuple[Evidence, ...] = ()


def kvm_facts(facts: FileFacts) -> KvmFacts | None:
    """KVM's callbacks in ``facts`` of its main file; None if no table is there."""
    table = next((t for t in facts.ops if t.struct == "mmu_notifier_ops"), None)
    if table is None:
        return None
    start = facts.function(table.function("invalidate_range_start"))
    end = facts.function(table.function("invalidate_range_end"))
    change = facts.function(table.function("change_pte"))
    reach = {f.name: f for f in facts.functions}
    started = _reached(start, reach)
    ended = _reached(end, reach)
    active, active_at = _stepped(started, "++", ("active_invalidate_count",))
    count, count_at = _stepped(started, "++", ("count", "in_progress"), active)
    sequence, sequence_at = _stepped(ended, "++", ("seq",))
    lock = next((call for f in started for call in calls(f.body) if _takes_mmu_lock(call)), None)
    struct, handler, on_lock = _range_struct(start)
    caches = next(
        (c for f in started for c in calls(f.body) if "pfn_cache" in c.name and "inval" in c.name),
        None,
    )
    evidence = [_at(facts.path, table.line, f"struct mmu_notifier_ops {table.name}")]
    if change is None:
        idiom = "none"
        evidence.append(_at(facts.path, table.line, "the table has no change_pte"))
    elif active or struct:
        idiom = "hva-range"
        if active_at:
            evidence.append(_at(facts.path, active_at, f"{active} is raised before any lock"))
        if handler and start:
            evidence.append(_at(facts.path, start.line, f"struct {struct} carries {handler}()"))
    else:
        bump, bump_at = _stepped(_reached(change, reach), "++", ("seq",))
        idiom = "direct" if bump else "unknown"
        evidence.append(
            _at(facts.path, bump_at, f"change_pte() bumps {bump}")
            if bump
            else _at(facts.path, change.line, "change_pte() bumps no sequence")
        )
    if idiom == "none":
        return KvmFacts(
            facts.path, idiom, table, start.name if start else "", end.name if end else "", "",
            count, sequence, active, lock.name if lock is not None else "", struct, handler,
            on_lock, caches.name if caches is not None else "", tuple(evidence),
        )  # fmt: skip
    if count_at:
        evidence.append(_at(facts.path, count_at, f"range_start() raises {count}"))
    if sequence_at:
        evidence.append(_at(facts.path, sequence_at, f"range_end() bumps {sequence}"))
    if caches is not None:
        evidence.append(_at(facts.path, caches.line, f"{caches.name}() invalidates pfn caches"))
    return KvmFacts(
        path=facts.path,
        idiom=idiom,
        table=table,
        start=start.name if start else "",
        end=end.name if end else "",
        change_pte=change.name if change else "",
        count=count,
        sequence=sequence,
        active=active,
        lock=lock.name if lock is not None else "",
        range_struct=struct,
        handler=handler,
        on_lock=on_lock,
        pfn_cache=caches.name if caches is not None else "",
        evidence=tuple(sorted(evidence)),
    )


def _at(path: str, line: int, text: str) -> Evidence:
    return Evidence(Place(path, line), text)


def _reached(function: Function | None, known: dict[str, Function]) -> list[Function]:
    """``function`` and what it calls or names, two levels deep, in order."""
    if function is None:
        return []
    found = [function]
    for _ in range(2):
        for current in list(found):
            for expr in expressions(current.body):
                target = known.get(expr.name) if expr.kind == "name" else None
                if target is not None and target not in found:
                    found.append(target)
    return found


def _stepped(
    functions: Iterable[Function], operator: str, endings: tuple[str, ...], but: str = ""
) -> tuple[str, int]:
    """The struct member with one of the name endings that is stepped, and its line."""
    for function in functions:
        for expr in expressions(function.body):
            target = _by_one(expr, operator)
            if target is not None:
                named = target.kind in ("arrow", "member") and target.name.endswith(endings)
                if named and target.name != but:
                    return target.name, expr.line
    return "", 0


def _by_one(expr: Expr, operator: str) -> Expr | None:
    """What an expression steps by one, in whatever form it is written; None for others."""
    if expr.kind in ("postfix", "unary") and expr.name == operator:
        return expr.args[0]
    written = expr.kind == "call" and expr.name == "WRITE_ONCE" and len(expr.args) == 3
    if not written and expr.kind != "assign":
        return None
    target, value = expr.args[-2:]
    if not written and expr.name == f"{operator[0]}=":
        return target if value.name == "1" else None
    if (not written and expr.name != "=") or value.kind != "binary" or value.name != operator[0]:
        return None
    sides = [_read(side) for side in value.args]
    same = [side for side in sides if text(side) == text(target)]
    one = [side for side in sides if side.kind == "const" and side.name.rstrip("uUlL") == "1"]
    return target if same and one else None


def _read(expr: Expr) -> Expr:
    """``expr`` without casts and READ_ONCE()."""
    expr = bare(expr)
    plain = expr.kind == "call" and expr.name == "READ_ONCE" and len(expr.args) == 2
    return _read(expr.args[1]) if plain else expr


def _takes_mmu_lock(call: Expr) -> bool:
    if call.name == "KVM_MMU_LOCK":
        return True
    return (
        "lock" in call.name
        and not call.name.startswith("lockdep")
        and any(
            expr.kind in ("arrow", "member") and expr.name == "mmu_lock"
            for argument in call.args[1:]
            for expr in expressions(argument)
        )
    )


def _range_struct(function: Function | None) -> tuple[str, str, str]:
    """Struct, handler and on_lock of a range struct that the function fills."""
    if function is None:
        return "", "", ""
    for node in walk(function.body):
        if not isinstance(node, Decl):
            continue
        for variable in node.variables:
            if variable.init is None or variable.init.kind != "init":
                continue
            fields = {
                field.name: field.args[0].name
                for field in variable.init.args
                if field.kind == "field"
            }
            if "handler" in fields:
                words = variable.type.replace("const ", "").split()
                return words[-1], fields["handler"], fields.get("on_lock", "")
    return "", "", ""
