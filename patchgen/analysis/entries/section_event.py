# SPDX-License-Identifier: GPL-2.0-only
"""Which event a section is, from what it does to the page table entries.

The order of inference is FACTS' one: soft-dirty bits only; driven by a new
protection; write protection of the same pages; addresses moved or the mapping
torn down; entries cleared or replaced while the mapping stays.  What cannot be
told is MMU_NOTIFY_UNMAP, which promises nothing.
"""

from __future__ import annotations

from patchgen.analysis.entries.effects import Effect
from patchgen.analysis.entries.section_code import Code, Site, reached, teardown
from patchgen.model.base import Evidence, Place, Value

UNMAP = "MMU_NOTIFY_UNMAP"
CLEAR = "MMU_NOTIFY_CLEAR"
PROTECTION_VMA = "MMU_NOTIFY_PROTECTION_VMA"
PROTECTION_PAGE = "MMU_NOTIFY_PROTECTION_PAGE"
SOFT_DIRTY = "MMU_NOTIFY_SOFT_DIRTY"


class Inferred(Value, frozen=True):
    """The event of a site, why, and the lines that show it."""

    event: str
    reason: str
    evidence: tuple[Evidence, ...]
    unsure: bool = False


def infer(site: Site, code: Code) -> Inferred:
    """The event of the section that ``site`` opens."""
    found = reached(site, code)
    kinds = {effect.kind for effect in found}
    if "unknown" in kinds:
        reason = "code that was not understood, so the safe default"
        return Inferred(UNMAP, reason, _evidence(found, "unknown"), unsure=True)
    telling = kinds - {"kept", "cleaned"}
    if telling == {"soft-dirty"}:
        return _because(SOFT_DIRTY, "only soft-dirty bits are cleared", found, "soft-dirty")
    if "pgprot" in kinds and not kinds & {"replaced", "moved"}:
        return _because(PROTECTION_VMA, "the entries get a new protection", found, "pgprot")
    if telling == {"protect"}:
        return _because(PROTECTION_PAGE, "the same pages are write-protected", found, "protect")
    if "moved" in kinds:
        return _because(UNMAP, "entries move to another address", found, "moved")
    if "removed" in kinds:
        freed = teardown(site, code)
        if freed is not None:
            return Inferred(
                UNMAP,
                "entries go, and their mapping goes with the caller's batch",
                (*_evidence(found, "removed"), freed),
            )
    for kind, reason in (
        ("replaced", "entries are replaced"),
        ("removed", "entries are cleared while the mapping stays"),
        ("cleaned", "entries are cleared and written again"),
        ("kept", "entries are cleared and written again"),
    ):
        if kind in kinds:
            return _because(CLEAR, reason, found, kind)
    return Inferred(UNMAP, "no change of an entry was found, so the safe default", (), unsure=True)


def _because(event: str, reason: str, found: tuple[Effect, ...], kind: str) -> Inferred:
    return Inferred(event, reason, _evidence(found, kind))


def _evidence(found: tuple[Effect, ...], kind: str) -> tuple[Evidence, ...]:
    places: dict[Place, str] = {e.place: e.text for e in found if e.kind == kind}
    return tuple(Evidence(place, what) for place, what in sorted(places.items()))[:3]
