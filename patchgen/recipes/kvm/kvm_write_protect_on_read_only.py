# SPDX-License-Identifier: GPL-2.0-only
"""KVM keeps a range that only becomes read-only, write-protected.

mprotect() changes no page, only rights: where the notifiers say so, dropping the
guest's mapping is more than needed.  For the direct idiom, and for architectures
whose code can write-protect a range so that nothing but a fault that asks the host
makes it writable again: x86's rmap.  Others keep dropping the range.

Before:

    need_tlb_flush = kvm_unmap_hva_range(kvm, range->start, range->end);

After:

    if (mmu_notifier_range_update_to_read_only(range))
            need_tlb_flush = kvm_write_protect_hva_range(kvm, range->start,
                                                         range->end);
    else
            need_tlb_flush = kvm_unmap_hva_range(kvm, range->start, range->end);
"""

from __future__ import annotations

import re

from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Expr, ExprStmt, Function
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult
from patchgen.recipes.kvm.kvm_change_pte import guard_of
from patchgen.recipes.wrapping import indent, line_prefix, wrap_arguments
from patchgen.source.c.lexer import lexed
from patchgen.source.c.text import bare, every, statements, text
from patchgen.source.facts.kvm import KVM_MAIN, KvmFacts, kvm_facts

NAME = "kvm-write-protect-on-read-only"
HEADER = "include/linux/kvm_host.h"
API = "include/linux/mmu_notifier.h"
TEST = "mmu_notifier_range_update_to_read_only"
EVENT = "MMU_NOTIFY_PROTECTION_VMA"
UNMAP = "kvm_unmap_hva_range"
PROTECT = "kvm_write_protect_hva_range"
HANDLER = "kvm_write_protect_rmapp"
OLD_HANDLER = "kvm_unmap_rmapp"
X86 = ("arch/x86/kvm/mmu/mmu.c", "arch/x86/kvm/mmu.c")
#: What the x86 handler is made of; where each may be defined.
_NEEDED = ("for_each_rmap_spte", "mmu_spte_update", "SPTE_HOST_WRITEABLE", "PT_WRITABLE_MASK")
_HEAD = "struct kvm_rmap_head *"
_X86_HEADERS = ("arch/x86/kvm/mmu/spte.h", "arch/x86/kvm/mmu.h", "arch/x86/kvm/mmu/mmu_internal.h")


def plan(state: State, options: Options) -> StepResult:
    """The branch in range_start(), the default, and x86's write protection."""
    kvm = _kvm(state)
    if isinstance(kvm, Refusal):
        return kvm
    refused = _api(state)
    if refused is not None:
        return refused
    start = _function(state, KVM_MAIN, kvm.start)
    already = _mentions(state, KVM_MAIN, PROTECT)
    if already is not None:
        return AlreadyThere(NAME, (Evidence(already, f"{PROTECT}()"),))
    assert start is not None
    unmap = unmap_statement(start)
    if unmap is None:
        where = Evidence(Place(KVM_MAIN, start.line), f"{start.name}()")
        return Refusal(NAME, "unsafe", f"no plain call of {UNMAP}() in range_start()", (where,))
    x86 = _x86(state)
    if isinstance(x86, Refusal):
        return x86
    with_flags = len(_call(unmap).args) - 1 == 4
    retry = _function(state, HEADER, "mmu_notifier_retry")
    if retry is None:
        where = Evidence(Place(HEADER, 1), "looked for it here")
        return Refusal(NAME, "unsafe", "the header has no mmu_notifier_retry()", (where,))
    changes = (
        _prototype(state.read(HEADER) or b"", retry, with_flags),
        *_in_start(state.read(KVM_MAIN) or b"", start, unmap, with_flags),
        _x86_functions(state, x86, with_flags),
    )
    tdp = "tdp_mmu" in _body(state, x86)
    return PatchPlan(
        recipe=NAME,
        subject="KVM: write-protect ranges that only become read-only",
        message=f"{NAME}/message.j2",
        context={
            "start": start.name,
            "name": PROTECT,
            "tdp": tdp,
            "guarded": guard_of(start) is not None,
        },
        changes=changes,
        note=f"3 files, x86 ({x86.path})",
        limits=_limits(state, tdp),
    )


def applies(state: State) -> Refusal | None:
    """KVM's direct idiom, and an API that has what is needed, or can be given it."""
    kvm = _kvm(state)
    if isinstance(kvm, Refusal):
        return kvm
    return None if needs(state) else _api(state)


def needs(state: State) -> tuple[str, ...]:
    """A tree in 5.0's shape needs the series that adds events first."""
    header = state.read(API) or b""
    old = re.search(rb"\n\s*bool blockable;", header) and b"MMU_NOTIFY_UNMAP" not in header
    return ("mmu-notifier-v05",) if old else ()


def _api(state: State) -> Refusal | None:
    """The helper, usable by a module, and someone who uses the event."""
    header = state.read(API) or b""
    if TEST.encode() not in header or b"set_pte_at_notify" not in header:
        where = (Evidence(Place(API, 1), "looked for it here"),)
        return Refusal(NAME, "absent", f"the tree has no usable {TEST}()", where)
    core = state.read("mm/mmu_notifier.c") or b""
    if not re.search(rb"EXPORT_SYMBOL\w*\(" + TEST.encode(), core):
        where = (Evidence(Place("mm/mmu_notifier.c", 1), "looked for it here"),)
        return Refusal(NAME, "absent", f"{TEST}() is not exported to modules", where)
    if not any(
        path.endswith(".c") for path in state.paths_mentioning(EVENT) if _inits(state, path)
    ):
        where = (Evidence(Place(API, 1), EVENT),)
        return Refusal(NAME, "absent", f"no range is initialised with {EVENT}", where)
    return None


def unmap_statement(start: Function) -> ExprStmt | None:
    """``x = kvm_unmap_hva_range(...);`` in range_start()."""
    for stmt in statements(start.body):
        if isinstance(stmt, ExprStmt) and stmt.expr.kind == "assign":
            value = bare(stmt.expr.args[1])
            if stmt.expr.name == "=" and value.kind == "call" and value.name == UNMAP:
                return stmt
    return None


def _kvm(state: State) -> KvmFacts | Refusal:
    if state.read(KVM_MAIN) is None:
        where = (Evidence(Place(KVM_MAIN, 1), "no such file"),)
        return Refusal(NAME, "absent", "the tree has no KVM", where)
    kvm = kvm_facts(state.facts(KVM_MAIN))
    if kvm is None:
        where = (Evidence(Place(KVM_MAIN, 1), "no struct mmu_notifier_ops"),)
        return Refusal(NAME, "absent", "KVM has no mmu notifier here", where)
    if kvm.idiom != "direct":
        return Refusal(NAME, "unsafe", "only KVM's direct idiom is handled", kvm.evidence)
    return kvm


def _inits(state: State, path: str) -> bool:
    return any(
        expr.kind == "call" and expr.name == "mmu_notifier_range_init"
        and any(text(arg) == EVENT for arg in expr.args[1:])
        for function in state.functions(path)
        for expr in every(function.body)
    )  # fmt: skip


def _function(state: State, path: str, name: str) -> Function | None:
    return next((f for f in state.functions(path) if f.name == name), None)


def _mentions(state: State, path: str, name: str) -> Place | None:
    tokens = lexed(state.read(path) or b"")
    for word, start in zip(tokens.texts, tokens.starts, strict=True):
        if word == name:
            return Place(path, tokens.line(start))
    return None


def _call(unmap: ExprStmt) -> Expr:
    return bare(unmap.expr.args[1])


def _x86(state: State) -> Function | Refusal:
    """x86's kvm_unmap_hva_range(), where its write protection can stand beside it."""
    path = next((p for p in X86 if state.read(p) is not None), "")
    if not path:
        where = (Evidence(Place(X86[0], 1), "no such file"),)
        return Refusal(NAME, "absent", "no architecture here can write-protect a range", where)
    sources = b"".join(state.read(p) or b"" for p in (path, *_X86_HEADERS))
    gone = [name for name in _NEEDED if not re.search(rb"\b%s\b" % name.encode(), sources)]
    unmap = _function(state, path, UNMAP)
    old = _function(state, path, OLD_HANDLER)
    fits = old is not None and [param.type for param in old.params].count(_HEAD) == 1
    if gone or unmap is None or not fits or OLD_HANDLER not in _body(state, unmap):
        what = f"no {', '.join(gone)}" if gone else f"{UNMAP}() does not walk the rmap"
        where = (Evidence(Place(path, unmap.line if unmap else 1), what),)
        return Refusal(NAME, "unsafe", "x86's MMU is not of the kind this recipe knows", where)
    if "/*" in _body(state, unmap) or "//" in _body(state, unmap):
        where = (Evidence(Place(path, unmap.line), f"{UNMAP}() has comments"),)
        return Refusal(NAME, "unsafe", "x86's function cannot be taken as a pattern", where)
    return unmap


def _body(state: State, function: Function) -> str:
    source = state.read(function.path) or b""
    return source[function.body.span.start : function.body.span.end].decode("utf-8", "replace")


def _definition(prefix: str, with_flags: bool) -> list[str]:
    """The parameter lines of a definition, without the closing parenthesis."""
    lines = wrap_arguments(prefix, _words(with_flags), ")")
    return [*lines[:-1], lines[-1].removesuffix(")")]


def _prototype(source: bytes, retry: Function, with_flags: bool) -> Change:
    """Beside mmu_notifier_retry(), under the same condition."""
    at = source.rfind(b"\n", 0, retry.span.start) + 1
    prefix = f"int {PROTECT}("
    lines = wrap_arguments(prefix, _words(with_flags))
    new = [prefix + lines[0], *lines[1:], "", ""]
    return Change(HEADER, Span(at, at), f"{NAME}/lines.c.j2", {"lines": new})


def _words(with_flags: bool) -> list[str]:
    words = ["struct kvm *kvm", "unsigned long start", "unsigned long end"]
    return words + ["unsigned int flags"] * with_flags


def _in_start(
    source: bytes, start: Function, unmap: ExprStmt, with_flags: bool
) -> tuple[Change, Change]:
    """The default in front of range_start(), and the branch inside."""
    at = source.rfind(b"\n", 0, start.span.start) + 1
    context: dict[str, str | int | bool | list[str]] = {
        "name": PROTECT,
        "unmap": UNMAP,
        "params": _definition(f"int __weak {PROTECT}(", with_flags),
        "args": ", ".join(word.split()[-1].lstrip("*") for word in _words(with_flags)),
    }
    default = Change(KVM_MAIN, Span(at, at), f"{NAME}/weak.c.j2", context)
    pad = indent(len(line_prefix(source, unmap.span.start).expandtabs(8)))
    call = _call(unmap)
    range_name = start.params[-1].name
    target = text(unmap.expr.args[0])
    args = [" ".join(text(arg).split()) for arg in call.args[1:]]
    lines = [f"if ({TEST}({range_name}))"]
    for name in (PROTECT, UNMAP):
        prefix = f"{pad}\t{target} = {name}("
        wrapped = wrap_arguments(prefix, args)
        lines += [prefix + wrapped[0], *wrapped[1:]]
        lines += [f"{pad}else"] if name == PROTECT else []
    meant = Meant(start.name)
    return default, Change(KVM_MAIN, unmap.span, f"{NAME}/lines.c.j2", {"lines": lines}, meant)


def _x86_functions(state: State, unmap: Function, with_flags: bool) -> Change:
    """The rmap handler and the function, behind x86's kvm_unmap_hva_range()."""
    source = state.read(unmap.path) or b""
    at = source.index(b"\n", unmap.span.end) + 1
    at += source[at : at + 1] == b"\n"
    body = _body(state, unmap).replace(OLD_HANDLER, HANDLER).split("\n")
    old = _function(state, unmap.path, OLD_HANDLER)
    assert old is not None
    declared = [param.type + " " * (param.type[-1] != "*") + param.name for param in old.params]
    lines = wrap_arguments(f"static int {HANDLER}(", declared, ")")
    context: dict[str, str | int | bool | list[str]] = {
        "handler": HANDLER,
        "handler_params": [*lines[:-1], lines[-1].removesuffix(")")],
        "head": next(param.name for param in old.params if param.type == _HEAD),
        "name": PROTECT,
        "params": _definition(f"int {PROTECT}(", with_flags),
        "body": body,
    }
    return Change(unmap.path, Span(at, at), f"{NAME}/x86.c.j2", context)


def _limits(state: State, tdp: bool) -> tuple[str, ...]:
    limits = [
        "automatic NUMA balancing marks entries by a change of protection, too: the guest's "
        "reads of pages that stay mapped are no longer seen by it",
        "architectures other than x86 drop the range as before",
    ]
    if tdp:
        limits.append("mappings of x86's TDP MMU are dropped as before")
    return tuple(limits)


RECIPE = Recipe(
    name=NAME,
    summary="KVM write-protects a range that only becomes read-only, and keeps it mapped",
    steps=(plan,),
    needs=needs,
    applies=applies,
    changes_kvm=True,
)
