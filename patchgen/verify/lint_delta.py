# SPDX-License-Identifier: GPL-2.0-only
"""Findings before and after a change: introduced, fixed, unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from patchgen.model.base import Value
from patchgen.model.findings import Finding
from patchgen.rules.run import lint
from patchgen.source.facts.state import TreeState


class LintDelta(Value, frozen=True):
    """What a change does to the findings in the files it concerns."""

    introduced: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    unchanged: int


def lint_delta(before: TreeState, after: TreeState, paths: Sequence[str]) -> LintDelta:
    """Compare the findings in ``paths``; a finding is the same wherever its line moved."""
    sources = [path for path in paths if path.endswith(".c")]
    old_paths = [path for path in sources if before.read(path) is not None]
    new_paths = [path for path in sources if after.read(path) is not None]
    old = lint(before, old_paths).findings if old_paths else ()
    new = lint(after, new_paths).findings if new_paths else ()
    return delta(old, new)


def delta(old: Sequence[Finding], new: Sequence[Finding]) -> LintDelta:
    """The difference of two sets of findings."""
    left = Counter(_key(finding) for finding in old)
    introduced = []
    for finding in new:
        if left[_key(finding)] > 0:
            left[_key(finding)] -= 1
        else:
            introduced.append(finding)
    fixed = []
    for finding in old:
        if left[_key(finding)] > 0:
            left[_key(finding)] -= 1
            fixed.append(finding)
    return LintDelta(tuple(introduced), tuple(fixed), len(new) - len(introduced))


def _key(finding: Finding) -> tuple[str, str, str, str]:
    return (finding.rule, finding.place.path, finding.function, finding.message)
