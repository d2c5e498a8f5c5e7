# SPDX-License-Identifier: GPL-2.0-only
"""The flag MMU_NOTIFIER_USE_CHANGE_PTE, its helper, and the flag at the right sites.

A site gets the flag where analysis shows a single-page section whose every PTE
change reaches set_pte_at_notify() with a transition that change_pte() can follow
(:mod:`patchgen.analysis.entries.covered`).  Every other user of set_pte_at_notify() is left
alone, and the plan says why.

Before:

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, addr,
                            addr + PAGE_SIZE);

After:

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR,
                            MMU_NOTIFIER_USE_CHANGE_PTE, vma, mm, addr,
                            addr + PAGE_SIZE);
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from patchgen.analysis.entries.covered import Coverage, Section, coverage_of, section_of
from patchgen.analysis.entries.locked import unlocked
from patchgen.analysis.entries.objection import NO_PAGE, Objection
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood
from patchgen.analysis.told.dispatch import CONFIGURED, dispatch, notification
from patchgen.analysis.told.flags import Values, polarity, taken
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Expr, Function
from patchgen.model.plan import AlreadyThere, Change, LeftAlone, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult, sound_facts
from patchgen.recipes.remembered import Listed, Read, remembered
from patchgen.recipes.wrapping import argument_texts, line_prefix, wrap_arguments
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import name as name_of
from patchgen.source.c.text import text
from patchgen.source.c.walk import calls

NAME = "use-change-pte-flag"
HEADER = "include/linux/mmu_notifier.h"
FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
HELPER = "mmu_notifier_range_use_change_pte"
BLOCKABLE = "MMU_NOTIFIER_RANGE_BLOCKABLE"
INIT = "mmu_notifier_range_init"
#: What a section is made of; a macro of that name in its own file is something else.
_NAMES = (INIT, "set_pte_at_notify", "mmu_notifier_invalidate_range_start",
          "mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end",
          "ptep_clear_flush", "ptep_clear_flush_notify")  # fmt: skip
#: Where BIT() is declared, which checkpatch wants instead of (1 << n).
BITS = "include/linux/bits.h"


def range_carries_event(state: State) -> bool:
    """Whether ranges carry an event and flags (5.2 and later, or the v05 series)."""
    return BLOCKABLE.encode() in (state.read(HEADER) or b"")


def plan(state: State, options: Options) -> StepResult:
    """The flag's definition and its sites, or why not."""
    header = state.read(HEADER)
    if header is None:
        return _refusal("the tree has no mmu notifier header", HEADER, 1, "not there")
    if not range_carries_event(state):
        return _refusal("ranges carry no flags in this tree", HEADER, 1, "needs mmu-notifier-v05")
    users = [path for path in state.paths_mentioning("set_pte_at_notify") if path.endswith(".c")]
    if not any(f"define {word}".encode() in header for word in ("set_pte_at_notify",)):
        return _refusal("there is no set_pte_at_notify() in this tree", HEADER, 1, "no such macro")
    refusal = _unread(state)
    if refusal is not None:
        return refusal
    changes: list[Change] = []
    left: list[LeftAlone] = []
    flagged: list[tuple[str, Coverage]] = []
    present = 0
    state.facts_of(users)  # side by side; below they are asked for one by one
    for path in users:
        for site in _sites_of(state, path):
            if isinstance(site, LeftAlone):
                left.append(site)
            elif isinstance(site, Change):
                changes.append(site)
            elif isinstance(site, Coverage):
                flagged.append((path, site))
            else:
                present += 1
    definitions = _definitions(state, header)
    if isinstance(definitions, Refusal):
        return definitions
    if not definitions and not changes:
        return AlreadyThere(NAME, _present_evidence(header, present))
    if not changes and not present:
        return Refusal(
            NAME, "absent", "no section is covered by change_pte() alone",
            tuple(Evidence(alone.place, alone.reason) for alone in left),
        )  # fmt: skip
    files = {change.path for change in changes} | ({HEADER} if definitions else set())
    total = len(changes) + len(left) + present
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: flag ranges that change_pte() covers",
        message=f"{NAME}/message.j2",
        context={
            "sites": [
                {
                    "path": path,
                    "function": found.section.function.name,
                    "how": " or ".join(found.transitions),
                }
                for path, found in flagged
            ],
            "left": [{"where": str(alone.place), "why": alone.reason} for alone in left],
            "defines": bool(definitions),
            "unused": not any(p.endswith(".c") for p in state.paths_mentioning(HELPER)),
        },
        changes=(*definitions, *changes),
        note=f"{len(files)} file{'s' if len(files) > 1 else ''}, {len(changes)} of {total} sites",
        left_alone=tuple(left),
    )


def _sites_of(state: State, path: str) -> list[LeftAlone | Change | Coverage | None]:
    """What becomes of a file's set_pte_at_notify() users; None: flagged already."""
    found: list[LeftAlone | Change | Coverage | None] = []
    facts = sound_facts(state, path)
    known = state.definitions(path)
    source = state.read(path) or b""
    for function in facts.functions:
        notified = list(calls(function.body, "set_pte_at_notify"))
        if not notified:
            continue
        inits = [call for call in calls(function.body) if call.name.startswith(INIT)]
        place = Place(path, notified[0].line)
        if not inits:
            against = coverage_of(Section(function), known).objections
            reason = "the section is opened by a caller, which this analysis does not follow"
            if against:
                reason = _said(against[0])
            found.append(LeftAlone(place, reason))
            continue
        if len(inits) > 1 or inits[0].name != INIT or len(inits[0].args) < 8:
            found.append(LeftAlone(place, "its range is initialised in a way that is not known"))
            continue
        found += _site(function, inits[0], place, source, known)
    return found


def _site(
    function: Function, init: Expr, place: Place, source: bytes, known: Mapping[str, Function]
) -> list[LeftAlone | Change | Coverage | None]:
    arguments = init.args[1:]
    if FLAG in text(arguments[2]):
        return [None]
    coverage = coverage_of(section_of(function, init), known)
    if not coverage.covered:
        return [LeftAlone(place, _said(coverage.objections[0]))]
    other = _elsewhere(function, source, known)
    if other is not None:
        return [other]
    return [coverage, _flagged(function, init, source)]


def _elsewhere(
    function: Function, source: bytes, known: Mapping[str, Function]
) -> LeftAlone | None:
    """What speaks against a site in another configuration; None: nothing.

    Each state of the conditionals within the function is a section of its own, and what
    it calls in its file must be the same function in all of them.
    """
    path = function.path
    try:
        bodies = Bodies(lambda asked: source if asked == path else None, (path,), CONFIGURED)
        variants = bodies.functions(function.name, path)
    except NotUnderstood as error:
        return LeftAlone(error.evidence.place, error.evidence.text)
    for name in (*_NAMES, function.name):
        for macro in bodies.macros(name):
            return LeftAlone(Place(path, macro.line), f"{name} is a macro of the file")
    for variant in variants:
        inits = [call for call in calls(variant.body) if call.name == INIT]
        if len(inits) != 1:
            place = Place(path, variant.line)
            return LeftAlone(place, "its range is initialised in some configurations only")
        against = coverage_of(section_of(variant, inits[0]), known).objections
        if against:
            why = f"in another configuration: {_said(against[0])}"
            return LeftAlone(against[0].place, why)
    loose = unlocked(bodies, function)
    if loose is not None:
        return LeftAlone(loose.place, loose.text)
    called = {call.name for variant in variants for call in calls(variant.body)}
    if isinstance(known, Definitions):
        for name in sorted(called & {*known}):
            unsure = known.undetermined(name)
            if unsure is not None:
                return LeftAlone(unsure[0], f"{unsure[1]} in what {function.name}() calls")
    return None


def _said(objection: Objection) -> str:
    """An objection in the words of a mail: of entries without a page, those that there are."""
    if objection.code == NO_PAGE:
        return "the new entry may map no page (a device-private swap entry)"
    return objection.text


def _flagged(function: Function, init: Expr, source: bytes) -> Change:
    """The call with the flag, its arguments wrapped anew."""
    texts = argument_texts(source, init)
    texts[2] = FLAG if texts[2] == "0" else f"{texts[2]} | {FLAG}"
    open_at = source.index(b"(", init.args[0].span.end)
    prefix = line_prefix(source, open_at) + "("
    lines = wrap_arguments(prefix, texts, tail=");")
    # The semicolon belongs to the statement; it only counts for the width.
    lines[-1] = lines[-1].removesuffix(");")
    return Change(
        function.path, Span(open_at + 1, init.span.end - 1), f"{NAME}/arguments.c.j2",
        {"lines": lines}, Meant(function.name),
    )  # fmt: skip


# -- what the flag rests on ---------------------------------------------------


def _unread(state: State) -> Refusal | None:
    """The refusal where the API's own code does not do what the flag rests on."""
    told = remembered(state, "told", lambda read, _: notification(read).faults)
    if told:
        reason = "set_pte_at_notify() is not seen to tell every subscriber of the new entry"
        return Refusal(NAME, "unsafe", reason, told)
    handed = remembered(state, "handed", lambda read, _: dispatch(read).faults)
    if handed:
        reason = "a range's flags are not seen to reach every subscriber, at start and end alike"
        return Refusal(NAME, "unsafe", reason, handed)
    return None


# -- the header -------------------------------------------------------------


def _definitions(state: State, header: bytes) -> list[Change] | Refusal:
    """The flag's and the helper's definitions, as far as the header lacks them."""
    changes: list[Change] = []
    values = Values(state.read)
    has_bits = state.read(BITS) is not None
    if not any(name == FLAG for name, _ in values.names()):
        flag = re.search(rb"^#[ \t]*define[ \t]+%s\b[^\n]*\n" % BLOCKABLE.encode(), header, re.M)
        if not flag or values.number(name_of(BLOCKABLE)) != 1 or flag[0].endswith(b"\\\n"):
            at = header.find(BLOCKABLE.encode())
            line = header.count(b"\n", 0, max(at, 0)) + 1
            return _refusal(f"{BLOCKABLE} is not (1 << 0)", HEADER, line, "no bit to choose")
        used = _bit_taken(state)
        if used:
            return Refusal(NAME, "unsafe", "bit 1 of the flags is taken", used)
        changes.append(
            Change(
                HEADER,
                Span(flag.end(), flag.end()),
                f"{NAME}/flag.h.j2",
                {"flag": FLAG, "value": "BIT(1)" if has_bits else "(1 << 1)"},
            )
        )
    elif HELPER.encode() in header:
        wrong = polarity(state.read, HELPER, FLAG, values)
        if wrong is not None:
            return Refusal(NAME, "unsafe", f"{HELPER}() does not test {FLAG}", (wrong,))
    if HELPER.encode() not in header:
        from patchgen.source.c.body import functions_in

        blockable = "mmu_notifier_range_blockable"
        bodies = functions_in(header, HEADER, wanted=lambda name: name == blockable)
        if len(bodies) != 2:
            return _refusal(
                f"{blockable}() is not defined once in each CONFIG branch", HEADER, 1,
                f"{len(bodies)} definitions",
            )  # fmt: skip
        for number, body in enumerate(bodies):
            at = header.index(b"\n", body.span.end) + 1
            context: dict[str, str | int | bool | list[str]] = {
                "helper": HELPER,
                "value": f"range->flags & {FLAG}" if number == 0 else "false",
            }
            changes.append(Change(HEADER, Span(at, at), f"{NAME}/helper.h.j2", context))
    return changes


def _bit_taken(state: State) -> tuple[Evidence, ...]:
    """Where the flag's bit means something else already; () for nowhere."""
    mentioned = state.paths_mentioning("mmu_notifier_range", INIT)

    def judge(read: Read, listed: Listed) -> tuple[Evidence, ...]:
        used = taken(_users(read, mentioned), 1 << 1, FLAG, Values(read))
        return () if used is None else (used,)

    return remembered(state, " ".join((FLAG, *mentioned)), judge)


def _users(read: Read, paths: Sequence[str]) -> Iterator[Function]:
    """The functions that have to do with a range, in some files."""
    for path in paths:
        known = Definitions({path: read(path) or b""})
        for word in ("mmu_notifier_range", INIT, f"{INIT}_migrate", f"{INIT}_owner"):
            yield from known.mentioning(word)


def _present_evidence(header: bytes, sites: int) -> tuple[Evidence, ...]:
    at = header.index(FLAG.encode())
    line = header[:at].count(b"\n") + 1
    return (Evidence(Place(HEADER, line), f"{FLAG} is there, {sites} sites have it"),)


def _refusal(reason: str, path: str, line: int, text: str) -> Refusal:
    return Refusal(NAME, "unsafe", reason, (Evidence(Place(path, line), text),))


RECIPE = Recipe(
    name=NAME,
    summary="flag notifier ranges whose every change reaches change_pte()",
    steps=(plan,),
    needs=lambda state: () if range_carries_event(state) else ("mmu-notifier-v05",),
)
