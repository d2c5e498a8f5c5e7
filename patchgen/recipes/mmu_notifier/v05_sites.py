# SPDX-License-Identifier: GPL-2.0-only
"""The steps at the sites that initialise a range: arguments, events, the flag."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from patchgen.analysis.entries.effects import VMA, argument, vma_variables
from patchgen.analysis.entries.section_code import HEADER, INIT, Code, Site, sites
from patchgen.analysis.entries.section_event import UNMAP, Inferred, infer
from patchgen.model.base import Evidence, Place, Span, Value
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.plan import Change, LeftAlone, Meant, PatchPlan
from patchgen.recipes.base import Options, State, StepResult
from patchgen.recipes.mmu_notifier.v05_api import predicate
from patchgen.recipes.mmu_notifier.v05_flag import verdict
from patchgen.recipes.mmu_notifier.v05_header import NAME, Header, already, header, refusal
from patchgen.recipes.mmu_notifier.v05_layout import (
    Argument,
    arguments,
    arguments_span,
    column,
    indent,
    lay_out,
)
from patchgen.source.c.lexer import lexed
from patchgen.source.c.text import bare, every, statements, text

FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
FLAG_HELPER = "mmu_notifier_range_use_change_pte"
OLD, NEW = 4, 7


class Override(Value, frozen=True):
    """A site whose event is chosen, not inferred, with the reason."""

    path: str
    function: str
    event: str
    reason: str


class Decided(Value, frozen=True):
    """A site's event: what the analysis says, and what is written."""

    site: Site
    inferred: Inferred
    event: str
    override: str = ""


@cache
def overrides() -> tuple[Override, ...]:
    """The data file of the exceptions."""
    file = Path(__file__).with_name("v05_overrides.toml")
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["override"]
    return msgspec.convert(rows, tuple[Override, ...])


# -- step 5: the arguments ---------------------------------------------------


def new_arguments(state: State, options: Options) -> StepResult:
    """Event, flags and vma at every site, and in the initialiser itself."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    found = sites(state)
    wrong = _unconvertible(state, found)
    if wrong:
        return refusal("unsafe", f"some calls of {INIT}() cannot be converted", wrong)
    old = [site for site in found if len(site.call.args) - 1 == OLD]
    changes = [*_signature(parts)]
    if not old and not changes:
        return already(Place(HEADER, parts.on[INIT].line), f"{INIT}() takes event, flags and vma")
    changes += [_seven(state.read(site.path) or b"", site) for site in old]
    files = {site.path for site in old}
    with_vma = sum(vma_of(site) != "NULL" for site in old)
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: give the initialiser event, flags and vma",
        message=f"{NAME}/5-new-arguments.j2",
        context={"sites": len(old), "files": len(files), "with_vma": with_vma},
        changes=tuple(changes),
        note=f"{len({change.path for change in changes})} files, {len(old)} sites",
    )


def _unconvertible(state: State, found: tuple[Site, ...]) -> tuple[Evidence, ...]:
    """Mentions of the initialiser that are no call seen here, or have other arguments."""
    wrong = [
        Evidence(site.place, f"{len(site.call.args) - 1} arguments")
        for site in found
        if len(site.call.args) - 1 not in (OLD, NEW)
    ]
    seen = {(site.path, site.call.span.start) for site in found}
    for path in state.paths_mentioning(INIT):
        if path == HEADER:
            continue
        tokens = lexed(state.read(path) or b"")
        for directive in tokens.directives:
            if INIT in directive.text:
                wrong.append(Evidence(Place(path, directive.line), "called in a macro's body"))
        for name, start in zip(tokens.texts, tokens.starts, strict=True):
            if name == INIT and (path, start) not in seen:
                place = Place(path, tokens.line(start))
                wrong.append(Evidence(place, "no call that was understood"))
    return tuple(wrong)


def _signature(parts: Header) -> list[Change]:
    """The initialiser's own parameters, as function and as macro."""
    changes: list[Change] = []
    init = parts.on[INIT]
    if len(init.params) == OLD:
        begin = parts.source.index(b"(", init.name_span.end) + 1
        end = parts.source.rindex(b")", begin, init.body.span.start)
        written_params = parts.source[begin:end].decode("utf-8", "replace").split(",")
        params = [" ".join(param.split()) for param in written_params]
        params[1:1] = ["enum mmu_notifier_event event", "unsigned int flags", f"{VMA}vma"]
        margin = indent(column(parts.source, begin))
        lines = [(margin if i else "") + p + "," for i, p in enumerate(params)]
        lines[-1] = lines[-1].rstrip(",")
        changes.append(Change(HEADER, Span(begin, end), f"{NAME}/lines.c.j2", {"lines": lines}))
    if INIT in parts.macros:
        span, body = parts.macros[INIT]
        opened = body.index("(") + 1
        closed = body.index(")", opened)
        names = [name.strip() for name in body[opened:closed].split(",")]
        if len(names) == OLD:
            names[1:1] = ["event", "flags", "vma"]
            at = Span(span.start + opened, span.start + closed)
            changes.append(
                Change(
                    HEADER,
                    at,
                    f"{NAME}/lines.c.j2",
                    {"lines": [", ".join(names)]},
                    Meant(macro=True),
                )
            )
    return changes


def _seven(source: bytes, site: Site) -> Change:
    args = arguments(source, site.call)
    args[1:1] = [Argument([word]) for word in (UNMAP, "0", vma_of(site))]
    lines = lay_out(source, site.call, args)
    return Change(
        site.path, arguments_span(source, site.call), f"{NAME}/lines.c.j2", {"lines": lines},
        Meant(site.function.name, branch=True),
    )  # fmt: skip


def vma_of(site: Site) -> str:
    """The vma argument of a site: a variable's name, or "NULL".

    X where the mm is written X->vm_mm or is a variable initialised so; the
    function's only vma parameter; X where the bounds are X's own; else NULL.
    """
    args = site.call.args[1:]
    mm, bounds = bare(args[-3]), [bare(arg) for arg in args[-2:]]
    variables = vma_variables(site.function)
    owner = _base(mm, "vm_mm") or _base(_initialiser(site.function, mm), "vm_mm")
    if owner in variables:
        return owner
    params = [param.name for param in site.function.params if param.type == VMA]
    if len(params) == 1:
        return params[0]
    ends = {_base(bounds[0], "vm_start"), _base(bounds[1], "vm_end")}
    if len(ends) == 1 and ends <= variables:
        return ends.pop()
    return "NULL"


def _base(expr: Expr | None, member: str) -> str:
    """``x`` for ``x->member``, else ""."""
    if expr is not None and expr.kind == "arrow" and expr.name == member:
        return expr.args[0].name if expr.args[0].kind == "name" else ""
    return ""


def _initialiser(function: Function, expr: Expr) -> Expr | None:
    """What a local variable is declared with, if it is never assigned again."""
    if expr.kind != "name":
        return None
    for other in every(function.body):
        if other.kind == "assign" and text(other.args[0]) == expr.name:
            return None
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.name == expr.name and variable.init is not None:
                return bare(variable.init)
    return None


# -- step 6: the events ------------------------------------------------------


def right_events(state: State, options: Options) -> StepResult:
    """At every site that still has the default, the event that its section is."""
    found = [site for site in sites(state) if len(site.call.args) - 1 == NEW]
    decided = decide(state, tuple(found), options)
    changed = [
        one for one in decided if one.event != UNMAP and text(bare(one.site.call.args[2])) == UNMAP
    ]
    if not changed:
        where = found[0].place if found else Place(HEADER, 1)
        return already(where, "every site has an event other than the default, or needs none")
    changes = tuple(
        _replace(state.read(one.site.path) or b"", one.site, 1, one.event) for one in changed
    )
    own = [one for one in decided if one.override]
    shown = list(dict.fromkeys(_shown(one) for one in own))
    files = {change.path for change in changes}
    by_analysis = len(decided) - len(own)
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: use the right event for each invalidation",
        message=f"{NAME}/6-right-events.j2",
        context={"groups": _groups(decided), "overrides": shown},
        changes=changes,
        note=f"{len(files)} files, {len(decided)} sites: {by_analysis} by analysis, "
        f"{len(own)} overrides",
        left_alone=tuple(
            LeftAlone(one.site.place, f"{UNMAP}: {one.inferred.reason}")
            for one in decided
            if one.event == UNMAP and one.inferred.unsure
        ),
        limits=tuple(f"override at {one.site.place}: {_shown(one)}" for one in own),
    )


def decide(state: State, found: tuple[Site, ...], options: Options) -> tuple[Decided, ...]:
    """The event of each site, by analysis and, unless turned off, by override."""
    code = Code(state)
    decided: list[Decided] = []
    for site in found:
        inferred = infer(site, code)
        event, reason = inferred.event, ""
        for one in overrides() if options.overrides else ():
            here = (one.path, one.function) == (site.path, site.function.name)
            if here and one.event != inferred.event:
                event, reason = one.event, one.reason
        decided.append(Decided(site, inferred, event, reason))
    return tuple(decided)


def _shown(one: Decided) -> str:
    return (
        f"{one.site.function.name}() is {one.event} instead of {one.inferred.event}, {one.override}"
    )


def _groups(decided: tuple[Decided, ...]) -> list[dict[str, object]]:
    groups: dict[str, list[str]] = {}
    for one in decided:
        groups.setdefault(one.event, []).append(f"{one.site.function.name}()")
    return [
        {"event": event, "functions": sorted(set(names))} for event, names in sorted(groups.items())
    ]


def _replace(source: bytes, site: Site, index: int, new: str) -> Change:
    args = arguments(source, site.call)
    args[index] = Argument([new])
    lines = lay_out(source, site.call, args)
    return Change(
        site.path, arguments_span(source, site.call), f"{NAME}/lines.c.j2", {"lines": lines},
        Meant(site.function.name, branch=True),
    )  # fmt: skip


# -- step 9: the flag --------------------------------------------------------


def change_pte_flag(state: State, options: Options) -> StepResult:
    """The flag, its helper, and the sites whose changes change_pte() covers."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    if parts.member("flags") is None:
        where = (Evidence(parts.place(parts.struct_at), "struct mmu_notifier_range"),)
        return refusal("absent", "the range has no flags", where)
    code = Code(state)
    found = [site for site in sites(state) if len(site.call.args) - 1 == NEW]
    verdicts = [(site, verdict(site, code, state)) for site in found]
    flagged = [site for site, good in verdicts if good is True]
    bare_sites = [site for site in flagged if FLAG not in text(site.call.args[3])]
    changes = [*_flag_in_header(parts)]
    if not changes and not bare_sites:
        return already(parts.place(parts.macros[FLAG][0].start), FLAG)
    for site in bare_sites:
        flags = argument(site.call, 2)
        assert flags is not None
        new = FLAG if text(flags) == "0" else f"{text(flags)} | {FLAG}"
        changes.append(_replace(state.read(site.path) or b"", site, 2, new))
    files = {change.path for change in changes}
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: flag ranges that change_pte() covers",
        message=f"{NAME}/9-change-pte-flag.j2",
        context={"functions": sorted(f"{site.function.name}()" for site in flagged)},
        changes=tuple(changes),
        note=f"{len(files)} files, {len(bare_sites)} of {_notified(verdicts)} sites",
        left_alone=tuple(reason for _, reason in verdicts if isinstance(reason, LeftAlone)),
    )


def _notified(verdicts: list[tuple[Site, bool | LeftAlone]]) -> int:
    return sum(reason is not False for _, reason in verdicts)


def _flag_in_header(parts: Header) -> list[Change]:
    changes: list[Change] = []
    if FLAG not in parts.macros:
        blockable = parts.macros.get("MMU_NOTIFIER_RANGE_BLOCKABLE")
        at = parts.struct_at
        if blockable is not None:
            at = parts.source.index(b"\n", blockable[0].start) + 1
        lines = [f"#define {FLAG} {parts.bit(1)}"] + ([] if blockable else [""])
        changes.append(Change(HEADER, Span(at, at), f"{NAME}/block.c.j2", {"lines": lines}))
    changes += predicate(parts, FLAG_HELPER, f"range->flags & {FLAG}", "false")
    return changes
