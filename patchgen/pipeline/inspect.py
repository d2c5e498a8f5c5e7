# SPDX-License-Identifier: GPL-2.0-only
"""tree → facts, for people: version, API generation, KVM's idiom, callbacks, sites."""

from __future__ import annotations

from patchgen.facts.kvm import KVM_MAIN, KvmFacts, kvm_facts
from patchgen.facts.state import TreeState


def kvm_of(state: TreeState) -> KvmFacts | None:
    """KVM's callbacks, or None where the tree has no KVM or no table."""
    if state.read(KVM_MAIN) is None:
        return None
    return kvm_facts(state.facts(KVM_MAIN))


def tree_headline(state: TreeState) -> str:
    """``Linux 5.10.262 · KVM idiom: direct · API 5.10``."""
    from patchgen.api.check import identify
    from patchgen.parse.surface import surface
    from patchgen.report.plan import headline

    kvm = kvm_of(state)
    generation = str(identify(surface(state.root)))
    return headline(state.tree.version, kvm.idiom if kvm else "no KVM", generation)
