# SPDX-License-Identifier: GPL-2.0-only
"""All rules asked of one tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from patchgen.model.base import Place
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import Context, Rule, modules
from patchgen.rules.bounded import Lost, bounded


class Ran(NamedTuple):
    """Findings and undecided places, and the files that a rule says nothing of."""

    findings: tuple[Finding, ...]
    undecided: tuple[Undecided, ...]
    lost: tuple[Lost, ...] = ()


def run(tree: Context, select: Callable[[Rule], bool] = lambda rule: True) -> Ran:
    """What the rules that apply say, without repeats; a crash costs its file and rule."""
    findings: dict[Finding, None] = {}
    open_: dict[Undecided, None] = {}
    lost: list[Lost] = []
    for module in modules().values():
        rule = module.RULE
        if not select(rule) or not rule.applies(tree.api):
            continue
        seen: set[tuple[Place, str]] = set()
        results, crashed = bounded(tree, module.check, f"{rule.id} ({rule.name})")
        lost += crashed
        for result in results:
            if isinstance(result, Undecided):
                open_[result] = None
            elif (result.place, result.message) not in seen:
                seen.add((result.place, result.message))
                findings[result] = None
    ordered = sorted(findings, key=lambda f: (f.place, f.column, f.rule, f.message))
    undecided = sorted(open_, key=lambda u: (u.rule, u.place, u.reason))
    return Ran(tuple(ordered), tuple(undecided), tuple(lost))
