# SPDX-License-Identifier: GPL-2.0-only
"""Findings before and behind a change: introduced, fixed, inherited; and what was not looked at.

A finding is the same in both states where its place is: lines are followed through the change,
also into other files.  No text of a message counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

import msgspec

from patchgen.model.base import Place, Value
from patchgen.model.facts import Mention
from patchgen.model.findings import Finding
from patchgen.rules.run import LintResult, lint
from patchgen.source.c.lexer import lexed
from patchgen.source.c.outline import outline
from patchgen.source.facts.state import TreeState
from patchgen.verify.lines import Changed

_LOOKED_AT = ("analysed", "macro", "declaration")


class LintDelta(Value, frozen=True):
    """What a change does to the findings in the files it concerns.

    ``unchanged`` counts inherited findings.  ``analysed`` is how many files were looked at
    behind the change, ``lost`` those that were not, and why: the numbers say nothing of
    them.  ``hidden`` are introduced findings that a comment of the same change suppresses.
    ``off`` are mentions of the API in changed code that no configuration made active, of
    ``mentions`` there.
    """

    introduced: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    unchanged: int
    inherited: tuple[Finding, ...] = ()
    analysed: int = 0
    lost: tuple[tuple[str, str], ...] = ()
    hidden: tuple[Finding, ...] = ()
    off: tuple[Mention, ...] = ()
    mentions: int = 0


def lint_delta(
    before: TreeState,
    after: TreeState,
    paths: Sequence[str],
    changed: Changed,
    ground: TreeState | None = None,
) -> LintDelta:
    """Compare the findings in ``paths``, which are files of either state.

    ``ground`` is the tree before the whole series: a comment that an earlier patch of it
    brought suppresses nothing, either.
    """
    sources = list(dict.fromkeys(paths))
    old_paths = [path for path in sources if before.read(path) is not None]
    old_paths += [p for p in changed.sources_before if p not in old_paths and before.read(p)]
    new_paths = [path for path in sources if after.read(path) is not None]
    old = lint(before, old_paths) if old_paths else None
    new = lint(after, new_paths) if new_paths else None
    lost = dict(_lost(new, new_paths))
    was = () if old is None else (*old.findings, *(s.finding for s in old.suppressed))
    kept = [f for f in was if _now(f.place, changed).path not in lost]
    now = () if new is None else (*new.findings, *(s.finding for s in new.suppressed))
    found = delta(kept, now, changed)
    given = {id(s.finding) for s in new.suppressed} if new is not None else set()
    brought = [f for f in found.introduced if id(f) in given]
    seen = [f for f in brought if not _stood_before(f, ground or before, after, changed)]
    introduced = [f for f in found.introduced if id(f) not in given]
    introduced += [_with_comment(f) for f in seen]
    off, mentions = _changed_mentions(new, after, changed)
    return msgspec.structs.replace(
        found, introduced=tuple(introduced), analysed=len(new_paths) - len(lost),
        lost=tuple(lost.items()), hidden=tuple(seen), off=off, mentions=mentions,
    )  # fmt: skip


def _now(place: Place, changed: Changed) -> Place:
    return changed.to_new(place) or place


def _lost(result: LintResult | None, paths: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Files that the findings do not speak for, and why."""
    if result is None:
        return
    reasons = dict(result.failed)
    for diagnostic in result.unparsed:
        reasons.setdefault(diagnostic.place.path, str(diagnostic))
    first = next((str(d) for d in result.unparsed), "it has errors")
    for path in paths:
        if path not in result.analysed:
            yield path, reasons.get(path, first)


def _stood_before(finding: Finding, ground: TreeState, after: TreeState, changed: Changed) -> bool:
    """Whether the comment that suppresses a finding is older than the series."""
    path = finding.place.path
    file = changed.files.get(path)
    lines = (after.read(path) or b"").split(b"\n")
    for line in (finding.place.line, finding.place.line - 1):
        if 1 <= line <= len(lines) and b"patchgen:" in lines[line - 1]:
            text = lines[line - 1].strip()
            new = file is not None and line in file.added
            paths = {path, *after.snapshot.overrides}
            now, was = (
                sum((state.read(one) or b"").count(text) for one in paths)
                for state in (after, ground)
            )
            return not new and now <= was
    return True


def _with_comment(finding: Finding) -> Finding:
    said = f"{finding.message} (the series brings the comment that suppresses it)"
    return msgspec.structs.replace(finding, message=said)


def _changed_mentions(
    result: LintResult | None, after: TreeState, changed: Changed
) -> tuple[tuple[Mention, ...], int]:
    """The mentions in changed lines and functions: those not looked at, and how many all are."""
    if result is None:
        return (), 0
    within: dict[str, Callable[[int], bool]] = {}
    off: list[Mention] = []
    many = 0
    for mention in result.mentions:
        file = changed.files.get(mention.path)
        if file is None:
            continue
        if mention.path not in within:
            within[mention.path] = _touched(after.read(mention.path) or b"", file.touched)
        if within[mention.path](mention.line):
            many += 1
            if mention.state not in _LOOKED_AT:
                off.append(mention)
    return tuple(off), many


def _touched(source: bytes, lines: frozenset[int]) -> Callable[[int], bool]:
    """Whether a line is a changed one, or in a function with a changed line."""
    tokens = lexed(source)
    spans = [
        (tokens.line(tokens.starts[f.first]), tokens.line(tokens.starts[f.last]))
        for f in outline(tokens)
    ]
    touched = [(one, last) for one, last in spans if any(one <= line <= last for line in lines)]
    return lambda line: line in lines or any(one <= line <= last for one, last in touched)


def delta(old: Sequence[Finding], new: Sequence[Finding], changed: Changed) -> LintDelta:
    """The difference of two sets of findings; the same ones are paired, each once."""
    left = list(old)
    introduced = []
    inherited = []
    rest = list(new)
    for same in (_same_path, _same_place, _same_decisions, _same_stretch):
        unpaired = []
        for finding in rest:
            twin = next((one for one in left if same(one, finding, changed)), None)
            if twin is None:
                unpaired.append(finding)
            else:
                left.remove(twin)
                inherited.append(finding)
        rest = unpaired
    introduced = rest
    return LintDelta(tuple(introduced), tuple(left), len(inherited), inherited=tuple(inherited))


def _same_path(old: Finding, new: Finding, changed: Changed) -> bool:
    """The same rule and place, and the way there is the same."""
    return (
        old.rule == new.rule
        and changed.to_new(old.place) == new.place
        and [changed.to_new(step.place) for step in old.path_steps]
        == [step.place for step in new.path_steps]
    )


def _same_place(old: Finding, new: Finding, changed: Changed) -> bool:
    """The same rule and place; what is left of the old way is on the new one."""
    if old.rule != new.rule or changed.to_new(old.place) != new.place:
        return False
    kept = [now for step in old.path_steps if (now := changed.to_new(step.place))]
    steps = {step.place for step in new.path_steps}
    return all(place in steps for place in kept) and _grows(old, new, changed)


def _grows(old: Finding, new: Finding, changed: Changed) -> bool:
    """Whether the new way is the old one with lines of the change in it, at most."""
    kept = {changed.to_new(step.place) for step in old.path_steps}
    for step in new.path_steps:
        file = changed.files.get(step.place.path)
        if step.place not in kept and (file is None or step.place.line not in file.added):
            return False
    return True


def _same_decisions(old: Finding, new: Finding, changed: Changed) -> bool:
    """The same rule and place, and the same way through the function that it is in.

    What the way goes through in callees may be told in more or fewer steps: a value that comes
    from a changed line is followed into them.
    """
    file = changed.files.get(new.place.path)
    if old.rule != new.rule or file is None or changed.to_new(old.place) != new.place:
        return False
    within = _extent(b"\n".join(file.new), new.place.line)
    before = _extent(b"\n".join(file.old), old.place.line)
    mine = [s.place for s in old.path_steps if s.place.path == old.place.path]
    kept = [changed.to_new(place) for place in mine if place.line in before]
    if any(place and place.line not in within for place in kept):
        return False
    was = {place.line for place in kept if place}
    steps = [(step.place, step.place.path == new.place.path) for step in new.path_steps]
    own = {place.line for place, here in steps if here and place.line in within}
    if not was <= own:
        return False
    for number, (place, here) in enumerate(steps):
        if not here or place.line not in within or place.line in was | file.added:
            continue
        called = takewhile(lambda one: not (one[1] and one[0].line in within), steps[number + 1 :])
        if not any(_is_added(one, changed) for one, _ in called):
            return False
    return True


def _is_added(place: Place, changed: Changed) -> bool:
    file = changed.files.get(place.path)
    return file is not None and place.line in file.added


def _extent(source: bytes, line: int) -> range:
    """The lines of the function that a line is in; none where it is in none."""
    tokens = lexed(source)
    for found in outline(tokens):
        first, last = (tokens.line(tokens.starts[at]) for at in (found.first, found.last))
        if first <= line <= last:
            return range(first, last + 1)
    return range(0)


def _same_stretch(old: Finding, new: Finding, changed: Changed) -> bool:
    """The same rule, where a line was replaced by another."""
    return old.rule == new.rule and changed.same_stretch(old.place, new.place)
