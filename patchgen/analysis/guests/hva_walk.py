# SPDX-License-Identifier: GPL-2.0-only
"""Whether KVM's own walk over memslots hands every frame of a range to its handler.

From 5.12 on the walk is common (virt/kvm/kvm_main.c), and x86 goes on by frames
(kvm_unmap_gfn_range(), arch/x86/kvm/mmu/mmu.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.analysis.guests.base import HOST, KVM_MAIN, judged, last_line
from patchgen.analysis.paths.bodies import Bodies, Read
from patchgen.analysis.paths.events import Call, Loop, Path, every
from patchgen.analysis.paths.reach import Reach
from patchgen.analysis.paths.run import paths
from patchgen.analysis.told.dispatch import Reading
from patchgen.kernel.knowledge import load
from patchgen.model.base import Evidence, Place
from patchgen.source.c.text import bare, text

_EACH = "kvm_for_each_memslot_in_hva_range"
_FRAMES = "for_each_slot_rmap_range"
_TABLE = load("paths")["hva_walk"]
_COMES_BY = re.compile(_TABLE["comes_by"])
_SPACES = re.compile(_TABLE["spaces"])
_HANDED = {name: re.compile(value) for name, value in _TABLE["handed"].items()}
_NO_HANDLER = re.compile(_TABLE["no_handler"])
_X86 = tuple(_TABLE["x86"])
_X86_FRAMES = re.compile(_TABLE["frames"])
_COUNTED = re.compile(_TABLE["counted"])
_UNMAPS: str = _TABLE["unmaps"]


def hva_walk(read: Read) -> Reading:
    """Which frame of a range may be left out by the common walk, or by x86's part of it."""
    common = judged(read, (KVM_MAIN, HOST), _common)
    arch = judged(read, (*_X86, HOST), _frames)
    return Reading((*common.faults, *arch.faults), (*common.rests_on, *arch.rests_on))


def _common(bodies: Bodies, read: Read) -> Iterator[Evidence]:
    reach = Reach(bodies)
    walkers = [name for (_, name), called in reach.called.items() if _EACH in called]
    for macro in bodies.macros(_EACH):
        if not _COMES_BY.fullmatch(" ".join(macro.tokens.texts)):
            place = Place(macro.path, macro.line)
            yield Evidence(place, f"{_EACH}() is not seen to come by every memslot of a range")
    stop = frozenset(_TABLE["stop"]) | {_EACH}
    for name in walkers:
        params = [param.name for param in bodies.functions(name)[0].params]
        if params != ["kvm", "range"]:
            continue
        for way in paths(bodies, name, ("$kvm", "$range"), stop):
            for loop in (e for e in way.events if isinstance(e, Loop)):
                yield from _over_spaces(loop)


def _over_spaces(loop: Loop) -> Iterator[Evidence]:
    """The loop over address spaces around that over memslots."""
    inner = [e for one in loop.rounds for e in one.events if isinstance(e, Loop)]
    if not any(e.macro == _EACH for e in inner):
        return
    shown = "; ".join(text(arg) for arg in loop.args)
    if not _SPACES.fullmatch(shown):
        yield Evidence(loop.place, f"what the loop comes by is not understood: {shown}")
    for one in loop.rounds:
        slots = [e for e in one.events if isinstance(e, Loop) and e.macro == _EACH]
        if len(slots) != 1:
            place = last_line(one, loop.place.path, loop.place.line)
            yield Evidence(place, "an address space may be left out")
        if one.exit in ("break", "return", "goto") and not _nothing_to_do(one):
            yield Evidence(loop.place, f"the loop may end before the last one ({one.exit})")
        for each in slots:
            yield from _over_slots(each)


def _over_slots(loop: Loop) -> Iterator[Evidence]:
    given = [text(bare(arg)) for arg in loop.args[2:]]
    if given != ["$range->start", "$range->end - 1"]:
        yield Evidence(loop.place, f"the loop comes by other memslots: {', '.join(given)}")
    for one in loop.rounds:
        calls = [e for e in one.events if isinstance(e, Call) and not e.direct
                 and text(e.callee) == "$range->handler"]  # fmt: skip
        if _nothing_to_do(one) and not calls:
            continue
        place = last_line(one, loop.place.path, loop.place.line)
        if one.exit in ("break", "return", "goto"):
            yield Evidence(loop.place, f"the loop may end before the last memslot ({one.exit})")
        if len(calls) != 1:
            yield Evidence(place, "the handler is not called once for a memslot")
        for call in calls:
            yield from _handed(call)


def _nothing_to_do(one: Path) -> bool:
    return any(c.holds and _NO_HANDLER.fullmatch(c.text) for c in one.conditions)


def _handed(call: Call) -> Iterator[Evidence]:
    """What of the frames that a handler gets is not the part of the range in the memslot."""
    if len(call.args) != 2 or text(bare(call.args[0])) != "$kvm":
        yield Evidence(call.place, "the handler is called with something else")
        return
    for member, wanted in _HANDED.items():
        found = text(bare(call.holds(call.args[1], member)))
        if not wanted.fullmatch(found):
            yield Evidence(call.place, f"the handler's {member} is {found}")


def _frames(bodies: Bodies, read: Read) -> Iterator[Evidence]:
    """x86's loop over the frames that it is handed, at every level."""
    if not bodies.functions(_UNMAPS):
        return
    reach = Reach(bodies)
    inside = reach.to((_FRAMES,))
    if _UNMAPS not in inside:
        # With one entry for each frame a counting loop is enough.
        inside = frozenset().union(*(c for (_, n), c in reach.called.items() if n == _UNMAPS))
    stop = (reach.defined - inside - {_UNMAPS}) | frozenset(_TABLE["stop"])
    found = False
    for way in paths(bodies, _UNMAPS, ("$kvm", "$range"), stop):
        for loop in (e for e in every(way.events) if isinstance(e, Loop)):
            if loop.macro not in ("", _FRAMES):
                continue
            found = True
            shown = (", " if loop.macro else "; ").join(text(arg) for arg in loop.args)
            known = _X86_FRAMES if loop.macro else _COUNTED
            if not known.fullmatch(shown):
                yield Evidence(loop.place, f"what the loop comes by is not understood: {shown}")
            for one in loop.rounds:
                if one.exit in ("break", "return", "goto"):
                    yield Evidence(loop.place, f"the loop may end early ({one.exit})")
    if not found:
        function = bodies.functions(_UNMAPS)[0]
        place = Place(function.path, function.line)
        yield Evidence(place, f"{_UNMAPS}() is not seen to come by the frames of its range")
