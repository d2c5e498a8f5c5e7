# SPDX-License-Identifier: GPL-2.0-only
"""The states that mutants are made of: a tree as it is, and with the change_pte() flag.

Where KVM's idiom allows it the flagged state is the one behind the whole series, with the
guards in KVM's callbacks; elsewhere it has the flag and the flagged sections only.
"""

from __future__ import annotations

from patchgen.model.base import Value
from patchgen.model.facts import FileFacts
from patchgen.model.outcome import Failed, UserError
from patchgen.pipeline.inspect import kvm_of
from patchgen.pipeline.plan import make_plan
from patchgen.recipes.planned import SeriesPlan
from patchgen.source.facts.state import TreeState
from patchgen.source.tree import registry
from tests.mutants.subject import Subject

_NEEDLES = (
    b"mmu_notifier_invalidate_range_start",
    b"mmu_notifier_invalidate_range_end",
    b"struct mmu_notifier_ops ",
    b"struct mmu_interval_notifier_ops ",
    b"set_pte_at_notify",
)


class Base(Value, frozen=True):
    """A state to mutate; ``series`` are the recipes that made it of the tree."""

    tree: str
    version: str
    series: tuple[str, ...]
    state: TreeState
    subjects: tuple[Subject, ...]

    @property
    def name(self) -> str:
        """``5.10``, or ``5.10+flag``."""
        return f"{self.tree}+flag" if self.series else self.tree


def bases(tree: str) -> list[Base]:
    """The plain state of a tree, and the flagged one.

    UserError: the tree is not here, or a recipe refuses it.
    """
    described = registry.resolve(tree)
    state = TreeState(described)
    found = kvm_of(state)
    idiom = found.idiom if found is not None else "none"
    plain = Base(tree, described.version, (), state, _subjects(state, idiom, flagged=False))
    plan = _flagged(state)
    series = tuple(patch.recipe for patch in plan.patches)
    flagged = _subjects(plan.last, idiom, flagged=True)
    return [plain, Base(tree, described.version, series, plan.last, flagged)]


def _flagged(state: TreeState) -> SeriesPlan:
    for names in (["kvm-change-pte"], ["use-change-pte-flag"]):
        plan = make_plan(state, names)
        if plan.patches:
            return plan
    raise UserError("no recipe brings the change_pte() flag to this tree", state.tree.name)


def _subjects(state: TreeState, idiom: str, flagged: bool) -> tuple[Subject, ...]:
    paths = [path for path in state.candidates() if path.endswith(".c") and _fits(state, path)]
    found = []
    for path, outcome in zip(paths, state.facts_of(paths), strict=True):
        if isinstance(outcome, Failed):
            raise UserError(outcome.error, path)
        source = state.read(path) or b""
        found.append(Subject(source, outcome.value, idiom, flagged))
    return tuple(found)


def _fits(state: TreeState, path: str) -> bool:
    source = state.read(path) or b""
    return any(needle in source for needle in _NEEDLES)


def errors(facts: FileFacts) -> list[str]:
    """What clang calls errors, without places: lines move when a file is edited."""
    return sorted(d.text for d in facts.diagnostics if d.severity != "warning")
