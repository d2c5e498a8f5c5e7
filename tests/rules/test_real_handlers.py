# SPDX-License-Identifier: GPL-2.0-only
"""KVM's own handlers are clean, and stop being so when one thing is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.model.findings import Finding
from patchgen.rules.base import Context, modules
from tests.rules.harness import facts_from, features

KVM = "virt/kvm/kvm_main.c"
MORE = ("arch/x86/kvm/mmu/mmu.c", "arch/x86/kvm/mmu/tdp_mmu.c", "arch/arm64/kvm/mmu.c")
IDIOMS = {"5.10": "direct", "6.1": "hva-range", "6.12": "none", "7.2": "none"}

#: Text of 5.10's handlers, what to put there, and the rule that must see it.
BREAKS = [
    (b"kvm->mmu_notifier_seq++;\n\tsmp_wmb();", b"kvm->mmu_notifier_seq++;", "MN023"),
    (b"kvm->mmu_notifier_seq++;\n\tsmp_wmb();", b"smp_wmb();", "MN023"),
    (b"kvm->mmu_notifier_count--;", b";", "MN023"),
    (
        b"kvm->mmu_notifier_count--;\n\tspin_unlock(&kvm->mmu_lock);",
        b"spin_unlock(&kvm->mmu_lock);\n\tkvm->mmu_notifier_count--;",
        "MN023",
    ),
    (b"spin_unlock(&kvm->mmu_lock);\n\tkvm_arch_guest", b"kvm_arch_guest", "MN024"),
    (b"kvm->mmu_notifier_count++;", b"kvm->mmu_notifier_count++; mutex_lock(&x);", "MN028"),
]


def _findings(root: Path, version: str, edit: tuple[bytes, bytes] | None = None) -> list[Finding]:
    facts = {}
    for path in (KVM, *MORE):
        source = (root / path).read_bytes()
        if edit is not None and path == KVM:
            assert edit[0] in source
            source = source.replace(*edit)
        facts[path] = facts_from(source, path)
    tree = Context(facts, features(version, IDIOMS[version]))
    return [
        result
        for module in modules().values()
        if module.RULE.id >= "MN020" and module.RULE.applies(tree.api)
        for result in module.check(tree)
        if isinstance(result, Finding)
    ]


@pytest.mark.kernel
@pytest.mark.parametrize("version", list(IDIOMS))
def test_unmodified_handlers_have_no_findings(
    version: str, kernel_tree: Callable[[str], Path]
) -> None:
    assert _findings(kernel_tree(version), version) == []


@pytest.mark.kernel
@pytest.mark.parametrize(("old", "new", "rule"), BREAKS)
def test_one_break_one_rule(
    old: bytes, new: bytes, rule: str, kernel_tree: Callable[[str], Path]
) -> None:
    found = _findings(kernel_tree("5.10"), "5.10", (old, new))
    assert rule in {finding.rule for finding in found}
