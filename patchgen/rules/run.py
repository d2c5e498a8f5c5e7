# SPDX-License-Identifier: GPL-2.0-only
"""The rules run over a tree or some of its files, with suppressions applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from patchgen import memo
from patchgen.kernel.api.features import ApiFeatures, features_of
from patchgen.model.base import Value
from patchgen.model.facts import Diagnostic, FileFacts
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, INTERVAL, RETRY, Context, Rule, modules, run
from patchgen.rules.suppress import Suppressed, suppress
from patchgen.source.facts.inspection import inspect
from patchgen.source.facts.kvm import KVM_MAIN, kvm_facts
from patchgen.source.facts.state import TreeState
from patchgen.source.facts.store import program


class LintResult(Value, frozen=True):
    """What lint has to say.

    ``unparsed`` are the first errors of files that clang could not parse, ``failed``
    files with no facts at all, or none of one of their architectures, and why: in
    neither of them silence means anything.
    """

    findings: tuple[Finding, ...]
    undecided: tuple[Undecided, ...]
    suppressed: tuple[Suppressed, ...]
    files: tuple[str, ...]
    unparsed: tuple[Diagnostic, ...]
    failed: tuple[tuple[str, str], ...]


def lint(
    state: TreeState,
    paths: Sequence[str] = (),
    select: Callable[[Rule], bool] = lambda rule: True,
) -> LintResult:
    """Run the rules on ``paths``, or on every file that mentions the API."""
    found = inspect(state, paths)
    facts = {one.path: one for one in found.files}
    sound = {path: one for path, one in facts.items() if _error(one) is None}
    broken = {path: one for path, one in facts.items() if path not in sound}
    features = api_features(state)
    beside = _beside(state, sound)
    chosen = ",".join(rule for rule, module in modules().items() if select(module.RULE))
    key = memo.digest(
        program("analysis", "rules"), chosen, repr(features),
        *sorted(f"{path} {one.digest} {path in sound}" for path, one in facts.items()),
        *(part for path, source in beside.items() for part in (path, source)),
    )  # fmt: skip
    answer = _remembered(key)
    if answer is None:
        answer = run(Context(sound, features, state.read, broken, beside), select)
        memo.write("lint", key, msgspec.msgpack.encode(answer))
    findings, undecided = answer
    wanted = set(paths) or set(facts)
    findings = tuple(f for f in findings if f.place.path in wanted)
    kept, suppressed = suppress(findings, state.read)
    errors = [error for one in found.files if (error := _error(one)) is not None]
    failed = (*found.failed, *found.partly)
    return LintResult(kept, undecided, suppressed, tuple(facts), tuple(errors), failed)


def _beside(state: TreeState, facts: Mapping[str, FileFacts]) -> dict[str, bytes]:
    """Files outside ``facts`` with the other half of what its interval callbacks rely on."""
    if not any(table.struct == INTERVAL for one in facts.values() for table in one.ops):
        return {}
    paths = [p for p in state.paths_mentioning(RETRY) if p.endswith(".c") and p not in CORE]
    return {path: state.read(path) or b"" for path in paths if path not in facts}


_Answer = tuple[tuple[Finding, ...], tuple[Undecided, ...]]


def _remembered(key: str) -> _Answer | None:
    """What the same rules said of the same facts."""
    try:
        found: _Answer = msgspec.msgpack.decode(memo.read("lint", key) or b"", type=_Answer)
        return found
    except msgspec.DecodeError:
        return None


def api_features(state: TreeState) -> ApiFeatures:
    """The tree's API and KVM's idiom as features."""
    idiom = ""
    if state.read(KVM_MAIN) is not None:
        kvm = kvm_facts(state.facts(KVM_MAIN))
        idiom = kvm.idiom if kvm else ""
    return features_of(state.surface().items, idiom)


def _error(facts: FileFacts) -> Diagnostic | None:
    return next((d for d in facts.diagnostics if d.severity != "warning"), None)
