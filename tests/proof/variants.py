# SPDX-License-Identifier: GPL-2.0-only
"""States of a tree with its handlers changed by hand, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from patchgen.facts.body import functions_in
from patchgen.model import Decl, Function
from patchgen.proof.vocabulary import STATE

MAIN = "virt/kvm/kvm_main.c"
START = "kvm_mmu_notifier_invalidate_range_start"
END = "kvm_mmu_notifier_invalidate_range_end"
CHANGE = "kvm_mmu_notifier_change_pte"

Read = Callable[[str], bytes | None]


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


def series(source: bytes) -> bytes:
    """What the series makes of the direct handlers."""
    return honour_deferred(guard(source, START, END))


def variant(tree: Path, *changes: Callable[[bytes], bytes], path: str = MAIN) -> Read:
    """The tree with ``changes`` made to one file, in order."""
    source = (tree / path).read_bytes()
    for change in changes:
        source = change(source)
    return reader(tree, {path: source})
