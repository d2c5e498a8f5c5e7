# SPDX-License-Identifier: GPL-2.0-only
"""States of a tree with its handlers changed by hand, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from patchgen.model.code import Decl, Function
from patchgen.proof.extract.vocabulary import STATE
from patchgen.source.c.body import functions_in

MAIN = "virt/kvm/kvm_main.c"
START = "kvm_mmu_notifier_invalidate_range_start"
END = "kvm_mmu_notifier_invalidate_range_end"
CHANGE = "kvm_mmu_notifier_change_pte"

Read = Callable[[str], bytes | None]
Change = Callable[[bytes], bytes]


def reader(tree: Path, changed: Mapping[str, bytes] | None = None) -> Read:
    """Reads a tree's files, with some of them replaced."""

    def read(path: str) -> bytes | None:
        if changed and path in changed:
            return changed[path]
        file = tree / path
        return file.read_bytes() if file.is_file() else None

    return read


def function(source: bytes, name: str) -> Function:
    return next(f for f in functions_in(source, MAIN) if f.name == name)


def insert(source: bytes, name: str, code: bytes) -> bytes:
    """``code`` as the first statement of ``name``, behind its declarations."""
    body = function(source, name).body.body
    at = next(s for s in body if not isinstance(s, Decl)).span.start
    return source[:at] + code + source[at:]


def guard(source: bytes, *names: str) -> bytes:
    """The posted guard in the callbacks."""
    for name in names:
        value = b" 0" if name == START else b""
        code = b"if (mmu_notifier_range_use_change_pte(range))\n\t\treturn%s;\n\n\t" % value
        source = insert(source, name, code)
    return source


def honour_deferred(source: bytes) -> bytes:
    """change_pte() flushes where a flush was deferred, too."""
    old = b"if (kvm_set_spte_hva(kvm, address, pte))"
    assert source.count(old) == 1
    return source.replace(old, old[:-1] + b" || kvm->tlbs_dirty)")


def without_bump(source: bytes) -> bytes:
    """change_pte() without its bump of the sequence."""
    found = function(source, CHANGE)
    body = source[found.span.start : found.span.end]
    name = next(n for n in STATE if n.encode() + b"++" in body)
    line = b"kvm->%s++;" % name.encode()
    assert body.count(line) == 1
    changed = body.replace(line, b"")
    return source[: found.span.start] + changed + source[found.span.end :]


def guard_both(source: bytes) -> bytes:
    """The posted guard in start and end, and nothing else."""
    return guard(source, START, END)


def guard_start(source: bytes) -> bytes:
    """The guard in start alone."""
    return guard(source, START)


def guard_end(source: bytes) -> bytes:
    """The guard in end alone."""
    return guard(source, END)


def series(source: bytes) -> bytes:
    """What the series makes of the direct handlers."""
    return honour_deferred(guard_both(source))


def guard_behind(taken: str) -> Change:
    """The series, but start asks for the flag behind the call that takes ``taken``."""

    def late(source: bytes) -> bytes:
        source = guard_end(honour_deferred(source))
        start = source.index(b"static int " + START.encode())
        at = source.index(b";", source.index(taken.encode() + b"(", start)) + 1
        test = b"\n\tif (mmu_notifier_range_use_change_pte(range))\n\t\treturn 0;\n"
        return source[:at] + test + source[at:]

    return late


def leak_lock(source: bytes) -> bytes:
    """start() returns with the MMU lock held."""
    start = source.index(b"static int " + START.encode())
    unlock = source.index(b"spin_unlock(&kvm->mmu_lock);", start)
    return source[:unlock] + source[unlock:].replace(b"spin_unlock(&kvm->mmu_lock);", b"", 1)


def without_rollback(source: bytes) -> bytes:
    """The core (mm/mmu_notifier.c) forgets those whose non-blocking start succeeded."""
    old = b"subscription->ops->invalidate_range_end(subscription,"
    assert source.count(old) >= 1
    return source.replace(old, b"ignore(subscription,", 1)


def change_before_clear(source: bytes) -> bytes:
    """replace_page() (mm/ksm.c) calls change_pte() before it clears the primary PTE."""
    at = source.index(b"replace_page(struct vm_area_struct")
    head, body = source[:at], source[at:]
    clear = body.index(b"ptep_clear_flush(")
    line = body[clear : body.index(b"\n", clear)]
    notify = body.index(b"set_pte_at_notify(")
    call = body[notify : body.index(b";", notify) + 1]
    early = b"mmu_notifier_change_pte" + call[call.index(b"(") :].replace(b"ptep, ", b"")
    late = b"set_pte_at" + call[call.index(b"(") :]
    return head + body.replace(call, late, 1).replace(line, early + b"\n\t" + line, 1)


def without_early_return(source: bytes) -> bytes:
    """change_pte() (6.1) does its work whether or not an invalidation is in progress."""
    old = b"if (!READ_ONCE(kvm->mmu_invalidate_in_progress))\n\t\treturn;"
    assert source.count(old) == 1
    return source.replace(old, b"")


def keep_mapped(source: bytes) -> bytes:
    """start (6.1) keeps everything but the zap for flagged ranges, as the recipe does."""
    stub = (
        b"static bool kvm_keep_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)\n"
        b"{\n\treturn false;\n}\n\n"
    )
    at = source.index(b"static int " + START.encode())
    head, body = source[:at], source[at:]
    flag = b"mmu_notifier_range_use_change_pte(range)"
    handler = b"\t\t.handler	= kvm_unmap_gfn_range,"
    assert body.count(handler) == 1
    body = body.replace(
        handler,
        b"\t\t.handler	= " + flag + b" ?\n\t\t\tkvm_keep_gfn_range : kvm_unmap_gfn_range,",
    )
    return head + stub + body


def keep_series(source: bytes) -> bytes:
    """start (6.1) keeps all but the zap, and zaps memslots that are being removed: the series."""
    source = keep_mapped(source)
    at = source.index(b"static bool kvm_keep_gfn_range(")
    test = b"{\n\tif (range->slot->flags & KVM_MEMSLOT_INVALID)\n"
    zap = b"\t\treturn kvm_unmap_gfn_range(kvm, range);\n\n"
    return source[:at] + source[at:].replace(b"{\n", test + zap, 1)


def replaced(old: bytes, new: bytes, behind: bytes = b"") -> Change:
    """The first ``old`` behind ``behind`` becomes ``new``."""

    def change(source: bytes) -> bytes:
        at = source.index(old, source.index(behind))
        return source[:at] + new + source[at + len(old) :]

    return change


def unmap_invalid(source: bytes) -> bytes:
    """change_pte() (6.1) unmaps what lies in a memslot that is being removed."""
    old = b"if (range->slot->flags & KVM_MEMSLOT_INVALID)\n\t\treturn false;"
    assert source.count(old) == 1
    return source.replace(old, old.replace(b"false", b"kvm_unmap_gfn_range(kvm, range)"))


def variant(tree: Path, *changes: Change, path: str = MAIN) -> Read:
    """The tree with ``changes`` made to one file, in order."""
    source = (tree / path).read_bytes()
    for change in changes:
        source = change(source)
    return reader(tree, {path: source})
