# SPDX-License-Identifier: GPL-2.0-only
"""What a tree is, in a line: version, KVM's idiom, API generation."""

from __future__ import annotations

from patchgen.pipeline.named import Named
from patchgen.source.facts.inspection import Inspection, inspect
from patchgen.source.facts.kvm import KVM_MAIN, KvmFacts, kvm_facts
from patchgen.source.facts.state import TreeState


def inspect_named(state: TreeState, chosen: Named) -> Inspection:
    """The picture of what was chosen; a chosen folder without a mention adds nothing."""
    if chosen.whole:
        return inspect(state)
    if not chosen.files:
        return Inspection((), chosen.refused)
    return inspect(state, chosen.files, chosen.refused)


def kvm_of(state: TreeState) -> KvmFacts | None:
    """KVM's callbacks, or None where the tree has no KVM or no table."""
    if state.read(KVM_MAIN) is None:
        return None
    return kvm_facts(state.facts(KVM_MAIN))


def tree_headline(state: TreeState) -> str:
    """``Linux 5.10.262 · KVM idiom: direct · API 5.10``."""
    from patchgen.report.headline import headline

    kvm = kvm_of(state)
    idiom = kvm.idiom if kvm else "no KVM"
    return headline(state.tree.version, idiom, state.generation())
