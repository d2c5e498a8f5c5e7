# SPDX-License-Identifier: GPL-2.0-only
"""Wrong variants of the change, to show that the measurement catches them.

Each takes the patched files and spoils one thing.  A place that is not found
exactly once is refused: a variant that changes nothing would pass as caught.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from patchgen.model.base import Value
from patchgen.model.outcome import Refused

_KVM = "virt/kvm/kvm_main.c"
_START = "kvm_mmu_notifier_invalidate_range_start"
_END = "kvm_mmu_notifier_invalidate_range_end"
_GUARD = rb"\tif \(mmu_notifier_range_use_change_pte\(range\)\)\n\t\treturn\b[^;]*;\n"
_TDP = "arch/x86/kvm/mmu/tdp_mmu.c"
_CLEARED = rb"\t+/\*[^*]*\*/\n\t+iter\.old_spte = 0;\n"
_FLAG = rb"\bMMU_NOTIFIER_USE_CHANGE_PTE\b"
_NOTIFY = rb"\bset_pte_at_notify\("

# What one boot may show of a fault that breaks the kernel: which comes first varies.
_BROKEN = ("errors", "crashed", "complaint")


class Variant(Value, frozen=True):
    """Replace ``pattern`` in ``function`` of ``path`` by ``new``; once.

    ``expected`` are the causes of a refuting verdict that count as caught, ``tdp_mmu``
    what the parameter has to be for the fault to be reached (-1: anything).
    """

    name: str
    path: str
    function: str
    pattern: bytes
    new: bytes
    expected: tuple[str, ...]
    summary: str
    tdp_mmu: int = -1


VARIANTS = (
    Variant("guard-start-only", _KVM, _END, _GUARD, b"", ("crashed",), "no guard in range_end"),
    Variant("guard-end-only", _KVM, _START, _GUARD, b"", ("stuck",), "no guard in range_start"),
    Variant(
        "silent-write-protect", "mm/ksm.c", "write_protect_page", _NOTIFY, b"set_pte_at(",
        _BROKEN, "set_pte_at in write_protect_page",
    ),
    Variant(
        "silent-replace", "mm/ksm.c", "replace_page", _NOTIFY, b"set_pte_at(",
        _BROKEN, "set_pte_at in replace_page",
    ),
    Variant(
        "no-flag-write-protect", "mm/ksm.c", "write_protect_page", _FLAG, b"0",
        ("faults",), "no flag in write_protect_page",
    ),
    Variant(
        "no-flag-replace", "mm/ksm.c", "replace_page", _FLAG, b"0",
        ("faults",), "no flag in replace_page",
    ),
    Variant(
        "no-flag-copy", "mm/memory.c", "wp_page_copy", _FLAG, b"0",
        ("faults", "zaps"), "no flag in wp_page_copy",
    ),
    Variant(
        "stale-old-spte", _TDP, "set_tdp_spte", _CLEARED, b"",
        ("crashed", "complaint"), "set_tdp_spte is not mended", 1,
    ),
)  # fmt: skip


def spoil(
    variant: Variant, files: Mapping[str, bytes | None], read: Callable[[str], bytes | None]
) -> dict[str, bytes | None]:
    """``files`` with the variant's fault; ``read`` gives the tree's own files.

    Refused when the place is not there exactly once.
    """
    source = files.get(variant.path) or read(variant.path) or b""
    start, end = _body(source, variant.function)
    body, count = re.subn(variant.pattern, variant.new, source[start:end])
    if count != 1:
        raise Refused(
            f"variant {variant.name} cannot be made: {count} places instead of one",
            f"{variant.path}: {variant.function}()",
        )
    return {**files, variant.path: source[:start] + body + source[end:]}


def _body(source: bytes, function: str) -> tuple[int, int]:
    """Bytes of the function's body: from its name to the closing brace in column 1."""
    # A definition starts in column 1 and has no semicolon before its brace.
    pattern = rb"^[a-z][^;{}()]*\b" + function.encode() + rb"\([^;{]*\)\n\{.*?^\}"
    found = list(re.finditer(pattern, source, re.M | re.S))
    return found[0].span() if len(found) == 1 else (0, 0)
