# SPDX-License-Identifier: GPL-2.0-only
"""The event that a section needs, from functions at hand, beside the one it declares.

Not every caller and callee is at hand: what is found is certain, what is missing
is not.  So only a change that was found counts, and no default.

Three kinds of stores say nothing against an event that promises protection only: to
entries that mapped no page before (swap entries, markers), to another process's new
entries (fork), and the unsharing of a hugetlb table on the way to a new protection.
So a replacement counts where the same entry was flushed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.entries.effects import Effect, calls, primitives
from patchgen.analysis.entries.section_code import INIT, Code, Site, reached, teardown
from patchgen.analysis.sections.sites import RangeInit
from patchgen.kernel.knowledge import names
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, text

#: What each event admits, by the kinds of changes (analysis/entries/effects.py).
#: include/linux/mmu_notifier.h, enum mmu_notifier_event: SOFT_DIRTY is accounting,
#: PROTECTION_PAGE and PROTECTION_VMA leave the pages where they are.  Who passes over
#: SOFT_DIRTY writes on without setting the dirty bit again, if the section took that.
_ADMITS = {
    "MMU_NOTIFY_SOFT_DIRTY": frozenset({"soft-dirty", "kept", "unknown"}),
    "MMU_NOTIFY_PROTECTION_PAGE": frozenset(
        {"soft-dirty", "protect", "cleaned", "kept", "unknown"}
    ),
    "MMU_NOTIFY_PROTECTION_VMA": frozenset(
        {"soft-dirty", "protect", "pgprot", "cleaned", "kept", "unknown"}
    ),
}
_WORDS = {
    "removed": "takes entries away",
    "replaced": "replaces entries",
    "moved": "moves entries to another address",
    "protect": "write-protects entries",
    "pgprot": "gives entries another protection",
    "cleaned": "takes the dirty bit from entries",
}
_NEEDS = {"removed": "MMU_NOTIFY_CLEAR", "replaced": "MMU_NOTIFY_CLEAR",
          "moved": "MMU_NOTIFY_UNMAP", "protect": "MMU_NOTIFY_PROTECTION_PAGE",
          "pgprot": "MMU_NOTIFY_PROTECTION_VMA", "cleaned": "MMU_NOTIFY_CLEAR"}  # fmt: skip


class Weaker(msgspec.Struct, frozen=True):
    """A section whose event promises more than it keeps: the event, why, the witness."""

    event: str
    message: str
    steps: tuple[Step, ...]


class Facts:
    """The functions of a program, as :class:`.section_code.Code` wants them."""

    def __init__(
        self, program: Program, read: Callable[[str], bytes | None] = lambda path: None
    ) -> None:
        self._read = read
        self._by_path: dict[str, list[Function]] = {}
        for function in program.functions:
            self._by_path.setdefault(function.path, []).append(function)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, for walk callbacks in tables at file scope."""
        return self._read(path)

    def paths_mentioning(self, *needles: str) -> tuple[str, ...]:
        """All files that have functions here: every one mentions the API."""
        return tuple(sorted(self._by_path))

    def functions(self, path: str) -> tuple[Function, ...]:
        """The functions of a file that are at hand."""
        return tuple(self._by_path.get(path, ()))


def declared(site: RangeInit) -> str:
    """The event that the site names as a constant, or ""."""
    event = site.arguments.get("event")
    name = bare(event).name if event is not None and bare(event).kind == "name" else ""
    return name if name.startswith("MMU_NOTIFY_") else ""


def weaker(site: RangeInit, code: Code) -> Weaker | None:
    """Why the declared event is weaker than what the section does, or None."""
    event = declared(site)
    if site.call.name != INIT or not event:
        return None
    section = Site(site.function.path, site.function, site.call)
    if event in _ADMITS:
        return _too_weak(event, site, reached(section, code), code)
    if event == "MMU_NOTIFY_CLEAR":
        found = [one for one in reached(section, code) if one.kind == "removed"]
        freed = teardown(section, code) if found else None
        if freed is not None and freed.text in ("page tables are freed", "the vma is freed"):
            message = f"{event}, and the mapping itself goes: MMU_NOTIFY_UNMAP says so"
            return Weaker(event, message, _steps(site, found, freed))
    return None


def moves(site: RangeInit, code: Code) -> Place | None:
    """Where a section that declares MMU_NOTIFY_CLEAR moves entries elsewhere."""
    if site.call.name != INIT or declared(site) != "MMU_NOTIFY_CLEAR":
        return None
    found = reached(Site(site.function.path, site.function, site.call), code)
    return min((one.place for one in found if one.kind == "moved"), default=None)


def _too_weak(event: str, site: RangeInit, found: Iterable[Effect], code: Code) -> Weaker | None:
    found = tuple(found)
    protects = any(one.kind == "pgprot" for one in found)
    certain = [one for one in found if _counts(one, code, protects)]
    for kind in ("moved", "removed", "replaced", "pgprot", "protect", "cleaned"):
        shown = [one for one in certain if one.kind == kind]
        if shown and kind not in _ADMITS[event]:
            message = f"{event}, and the section {_WORDS[kind]}: that is {_NEEDS[kind]}"
            return Weaker(event, message, _steps(site, shown, None))
    return None


def _counts(one: Effect, code: Code, protects: bool) -> bool:
    """Whether an effect is certain to concern a mapped page of this section."""
    if one.kind == "removed":
        return not protects or one.text not in names("ranges", "unshares", "functions")
    return one.kind != "replaced" or _flushed_before(one, code)


def _flushed_before(one: Effect, code: Code) -> bool:
    """Whether the entry that is stored was taken away, with a flush, in the function."""
    known = primitives()
    for function in _holding(code, one.place):
        pointers = {
            text(bare(call.args[known.clear[call.name] + 1]))
            for call in calls(function)
            if call.name in names("ranges", "removes", "functions")
            and call.name in known.clear
            and len(call.args) > known.clear[call.name] + 1
        }
        for call in calls(function):
            at = {**known.store, **known.populate}.get(call.name)
            if call.line == one.place.line and call.name == one.text and at is not None:
                return text(bare(call.args[at[0] + 1])) in pointers
    return False


def _holding(code: Code, place: Place) -> Iterator[Function]:
    for function in code.defined_in(place.path):
        if function.line <= place.line <= function.end_line:
            yield function


def _steps(site: RangeInit, found: list[Effect], freed: Evidence | None) -> tuple[Step, ...]:
    first = min(found)
    steps = [Step(Place(site.function.path, site.call.line), "the range is initialised")]
    steps.append(Step(first.place, f"{first.text}()"))
    if freed is not None:
        steps.append(Step(freed.place, freed.text))
    return tuple(steps)
