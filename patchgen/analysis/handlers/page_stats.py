# SPDX-License-Identifier: GPL-2.0-only
"""Whether x86's setter counts a page that it maps anew as often as it counts it as gone.

mmu_spte_clear_track_bits() may count the page that an SPTE mapped as gone
(kvm_update_page_stats(), arch/x86/kvm/mmu/mmu.c).  Where the setter then writes the SPTE
anew, the page has to be counted again, or the statistics of the guest's pages run down.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.handlers.gfn_setters import SETTER_STOP
from patchgen.analysis.handlers.hva_range import SET
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Call, Event, Loop, Path
from patchgen.analysis.paths.run import paths
from patchgen.kernel.knowledge import load
from patchgen.model.base import Evidence, Place, Value
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls

MMU = "arch/x86/kvm/mmu/mmu.c"
_TABLE = load("hva_range")["page_stats"]
COUNT: str = _TABLE["count"]
_CLEARS: str = _TABLE["clears"]
_WRITES: str = _TABLE["writes"]


class Counted(Value, frozen=True):
    """The answer: "none" (nothing counts), "right", "drifts" or "undecided".

    ``at`` is the write behind which the page has to be counted, ``why`` what was not
    understood.
    """

    answer: str
    at: Place | None = None
    why: tuple[Evidence, ...] = ()


def page_stats(read: Read) -> Counted:
    """Judge x86's setter of the tree."""
    if read(MMU) is None:
        return Counted("none")
    try:
        bodies = Bodies(read, (MMU,))
        clears = bodies.functions(_CLEARS)
        counting = [c for f in clears for c in calls(f.body, COUNT)]
        if not bodies.functions(SET, MMU) or not counting:
            return Counted("none")
        down = [text(bare(c.args[3])) for c in counting if len(c.args) == 4]
        if len(clears) != 1 or down != ["-1"]:
            raise NotUnderstood(MMU, counting[0].line, f"how {_CLEARS}() counts is not understood")
        ways = paths(bodies, SET, ("$kvm", "$range"), SETTER_STOP | {COUNT})
        found = {one for way in ways for one in _rounds(way)}
    except NotUnderstood as error:
        return Counted("undecided", why=(error.evidence,))
    drifts = sorted(place for place, by in found if by == -1)
    odd = tuple(Evidence(place, f"pages are counted by {by:+d} here")
                for place, by in sorted(found) if by not in (0, -1))  # fmt: skip
    if odd or len(drifts) > 1:
        more = tuple(Evidence(place, "one of several writes") for place in drifts)
        return Counted("undecided", why=odd or more)
    return Counted("drifts", drifts[0]) if drifts else Counted("right")


def _rounds(way: Path) -> Iterator[tuple[Place, int]]:
    """Of each way on which an SPTE is written: where, and by how much pages are counted."""
    written = [e for e in way.events if _is(e, _WRITES)]
    if written:
        by = sum(-1 if _is(e, _CLEARS) else _step(e) for e in way.events)
        yield written[0].place, by
    for event in way.events:
        if isinstance(event, Loop):
            for one in event.rounds:
                yield from _rounds(one)


def _is(event: Event, name: str) -> bool:
    return isinstance(event, Call) and event.direct and event.name == name


def _step(event: Event) -> int:
    if not (isinstance(event, Call) and _is(event, COUNT)):
        return 0
    by = text(bare(event.args[2]))
    if by not in ("1", "-1"):
        raise NotUnderstood(event.place.path, event.place.line, f"pages are counted by {by}")
    return int(by)
