# SPDX-License-Identifier: GPL-2.0-only
"""The rules run over a tree or some of its files, with suppressions applied."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from patchgen import memo
from patchgen.kernel.api.features import ApiFeatures, features_of
from patchgen.model.base import Place, Value
from patchgen.model.facts import Diagnostic, FileFacts, Mention
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.asked import run
from patchgen.rules.base import CORE, INTERVAL, NOTIFIER, RETRY, Context, Rule, modules
from patchgen.rules.bounded import Lost, bounded
from patchgen.rules.suppress import Suppressed, suppress
from patchgen.source.facts.extract import NOT_ANALYSED
from patchgen.source.facts.inspection import Inspection, inspect
from patchgen.source.facts.kvm import KVM_MAIN, kvm_facts
from patchgen.source.facts.reads import Reads
from patchgen.source.facts.state import TreeState
from patchgen.source.facts.store import program


class Account(Value, frozen=True):
    """A callback, ``function`` of a table's ``member``, and how far it was followed.

    ``leaves`` is the first call in it, or in what it calls, whose code was not at hand, or
    what was not understood; "" where it was followed completely.
    """

    place: Place
    function: str
    member: str
    leaves: str = ""


class LintResult(Value, frozen=True):
    """What lint has to say.

    ``unparsed`` are the first errors of files that clang could not parse, ``failed``
    files with no facts at all, none of one of their architectures, or none of a function or
    table that they have, or on which a rule crashed, and why: in neither of them silence
    means anything.  ``analysed``
    are the files that the findings speak for; ``unasked`` what was named and needed no
    analysis, and why.  ``inactive`` are the mentions in named files that no configuration
    makes active, of how many; ``mentions`` all of the files that were named, of unparsed
    ones too.
    ``unfollowed`` are callbacks that call code which is not at hand, and the first such
    call, or whose own is not; ``callbacks`` are all of them.
    """

    findings: tuple[Finding, ...]
    undecided: tuple[Undecided, ...]
    suppressed: tuple[Suppressed, ...]
    files: tuple[str, ...]
    unparsed: tuple[Diagnostic, ...]
    failed: tuple[tuple[str, str], ...]
    analysed: tuple[str, ...] = ()
    unasked: tuple[tuple[str, str], ...] = ()
    inactive: tuple[int, int] = (0, 0)
    unfollowed: tuple[tuple[Place, str], ...] = ()
    callbacks: tuple[Account, ...] = ()
    mentions: tuple[Mention, ...] = ()


@functools.cache
def listed() -> tuple[Rule, ...]:
    """What the rules are called, in order; where each applies its module alone says.

    Known from an earlier run of the same code: then no rule is imported.
    """
    key = memo.digest("rules", program("analysis", "rules"))
    known: _Names | None = memo.recall("lint", key, _Names)
    if known is None:
        rules = (module.RULE for module in modules().values())
        known = tuple((one.id, one.name, one.severity, one.summary) for one in rules)
        memo.remember("lint", key, known)
    return tuple(Rule(*names) for names in known)


def lint(
    state: TreeState,
    paths: Sequence[str] = (),
    select: Callable[[Rule], bool] = lambda rule: True,
    refused: tuple[tuple[str, str], ...] | None = None,
) -> LintResult:
    """Run the rules on ``paths`` of the tree, or on every file that mentions the API.

    ``refused`` as for `inspect`.  A file that was asked for and whose every mention of the
    API is left out by each configuration that was tried is ``failed``.
    """
    paths = sorted(dict.fromkeys(paths))  # whatever the order in which they were named
    return judged(state, inspect(state, paths, refused), paths, select)


def judged(
    state: TreeState, found: Inspection, paths: Sequence[str], select: Callable[[Rule], bool]
) -> LintResult:
    """The rules on what was found in ``state``; ``paths`` are the files that were asked for."""
    facts = {one.path: one for one in found.files}
    sound = {path: one for path, one in facts.items() if _error(one) is None}
    broken = {path: one for path, one in facts.items() if path not in sound}
    features = api_features(state)
    beside = _beside(state, sound)
    chosen = ",".join(rule.id for rule in listed() if select(rule))
    key = memo.digest(
        program("analysis", "rules"), chosen, repr(features),
        *sorted(f"{path} {one.digest} {path in sound}" for path, one in facts.items()),
        *(part for path, source in beside.items() for part in (path, source)),
    )  # fmt: skip
    reads = Reads("lint", key, state.seen, facts)
    answer: _Answer | None = reads.recall(_Answer)
    if answer is None:
        tree = Context(sound, features, reads.read, broken, beside, state.folders, state.owns)
        ran = run(tree, select)
        asked = "the account of callbacks"
        callbacks, crashed = bounded(tree, lambda one: _accounts(one, select), asked)
        answer = (ran.findings, ran.undecided, callbacks, (*ran.lost, *crashed))
        if not answer[3]:  # else it is tried again
            reads.remember(answer)
    findings, undecided, callbacks, crashed = answer
    unfollowed = tuple((a.place, f"{a.function}() {a.leaves}") for a in callbacks if a.leaves)
    findings = tuple(f for f in findings if concerns(f, facts))
    kept, suppressed = suppress(findings, state.read)
    errors = [error for one in found.files if (error := _error(one)) is not None]
    silent = tuple((p, why) for p in paths if p in sound and (why := _left_out(sound[p])))
    failed = (*found.failed, *found.partly, *silent, *_blind(sound),
              *((one.path, one.why) for one in crashed))  # fmt: skip
    lost = {path for path, _ in (*found.failed, *silent, *crashed)}
    analysed = tuple(path for path in sound if path not in lost)
    states = [
        mention.state for path in paths if path in analysed for mention in facts[path].mentions
    ]
    return LintResult(
        kept, undecided, suppressed, tuple(facts), tuple(errors), failed, analysed,
        inactive=(states.count("inactive"), len(states)), unfollowed=unfollowed,
        callbacks=callbacks,
        mentions=tuple(m for path in paths if path in facts for m in facts[path].mentions),
    )  # fmt: skip


def _beside(state: TreeState, facts: Mapping[str, FileFacts]) -> dict[str, bytes]:
    """Files outside ``facts`` with the other half of what its interval callbacks rely on."""
    if not any(table.struct == INTERVAL for one in facts.values() for table in one.ops):
        return {}
    paths = [p for p in state.paths_mentioning(RETRY) if p.endswith(".c") and p not in CORE]
    return {path: state.read(path) or b"" for path in paths if path not in facts}


def concerns(finding: Finding, files: Container[str]) -> bool:
    """Whether a finding is of one of the files: it lies there, or its path begins there.

    What a callback does in an inline of a header is its own file's affair.
    """
    first = finding.path_steps[0].place.path if finding.path_steps else ""
    return finding.place.path in files or first in files


def _blind(facts: Mapping[str, FileFacts]) -> tuple[tuple[str, str], ...]:
    """What of a file was not looked at though clang compiles it, with the line."""
    return tuple(
        (path, f"line {found.place.line}: {found.text}")
        for path, one in facts.items()
        for found in one.diagnostics
        if found.text.endswith(NOT_ANALYSED) and found.place.path == path
    )


def _accounts(tree: Context, select: Callable[[Rule], bool]) -> tuple[Account, ...]:
    """How far callbacks were followed; none where no rule asks for their locks and sleeps."""
    if not any(select(modules()[rule].RULE) for rule in ("MN024", "MN028", "MN036")):
        return ()
    found = []
    for handler in tree.callbacks():
        summary = tree.summary(handler.function)
        leaves = f"leaves at {summary.unseen}: not seen" if summary.unseen else summary.incomplete
        member = handler.entry.member
        found.append(Account(handler.function_place, handler.function.name, member, leaves))
    return tuple(dict.fromkeys((*found, *_undefined(tree))))


def _undefined(tree: Context) -> Iterator[Account]:
    """Callbacks of tables whose definition is not among the functions that were read."""
    for struct in (NOTIFIER, INTERVAL):
        for table in tree.tables(struct):
            for entry in table.entries:
                if entry.function and not tree.program.named(entry.function, table.path):
                    what = "is set here, and its definition is not seen"
                    place = Place(table.path, entry.line)
                    yield Account(place, entry.function, entry.member, what)


_Names = tuple[tuple[str, str, str, str], ...]
_Answer = tuple[tuple[Finding, ...], tuple[Undecided, ...], tuple[Account, ...], tuple[Lost, ...]]


def api_features(state: TreeState) -> ApiFeatures:
    """The tree's API and KVM's idiom as features."""
    idiom = ""
    if state.read(KVM_MAIN) is not None:
        kvm = kvm_facts(state.facts(KVM_MAIN))
        idiom = kvm.idiom if kvm else ""
    return features_of(state.surface().items, idiom)


def _left_out(facts: FileFacts) -> str:
    """Why nothing of a file was looked at: all of its mentions are inactive; else ""."""
    states = [mention.state for mention in facts.mentions]
    if not states or set(states) != {"inactive"}:
        return ""
    first = facts.mentions[0]
    tried = f" (tried: {first.detail})" if first.detail else ""
    count = f"all {len(states)} mentions of the API are" if len(states) > 1 else "its mention is"
    return f"not analysed: {count} inactive, as in line {first.line}{tried}"


def _error(facts: FileFacts) -> Diagnostic | None:
    return next((d for d in facts.diagnostics if d.severity != "warning"), None)
