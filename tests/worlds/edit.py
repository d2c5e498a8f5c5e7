# SPDX-License-Identifier: GPL-2.0-only
"""An edit of a tree, and what it makes of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from patchgen.model.outcome import UserError
from patchgen.pipeline.plan import make_plan
from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import look, prove
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

HEADER = "include/linux/mmu_notifier.h"
CORE = "mm/mmu_notifier.c"
KVM = "virt/kvm/kvm_main.c"
KSM = "mm/ksm.c"
MEMORY = "mm/memory.c"
MMU = "arch/x86/kvm/mmu/mmu.c"
SERIES = "kvm-change-pte"
#: Enough for what one edit breaks.
NARROW = Bounds(1, 1)


class Edit(NamedTuple):
    """``old`` becomes ``new`` in ``path``, once, behind ``after``; ``why`` is its reason.

    ``also`` are further edits of the same kind: path, old, new.  ``site`` is the function
    whose flag may be lost instead of the series; ``told_in`` the file of the line that is
    named where that is another one.
    """

    why: str
    path: str
    old: str
    new: str
    after: str = ""
    also: tuple[tuple[str, str, str], ...] = ()
    site: str = ""
    told_in: str = ""


class Answer(NamedTuple):
    """``planned``, and otherwise the refusal; ``left`` are sites without the flag."""

    planned: bool
    text: str
    left: tuple[str, ...]


def edited(root: Path, edit: Edit) -> TreeState:
    """The tree's state with the edit; ValueError: it does not fit here."""
    state = TreeState(describe(root))
    files: dict[str, bytes | None] = {}
    for number, (path, old, new) in enumerate(((edit.path, edit.old, edit.new), *edit.also)):
        data = files.get(path) or state.read(path)
        if data is None:
            raise ValueError(f"{path}: not there")
        text = data.decode()
        begin = text.find(edit.after) if not number else 0
        at = text.find(old, begin) if begin >= 0 else -1
        if at < 0:
            raise ValueError(f"{path}: not found behind {edit.after!r}: {old!r}")
        files[path] = (text[:at] + new + text[at + len(old) :]).encode()
    return state.after(files)


def answer(root: Path, edit: Edit) -> Answer:
    """What the series makes of the tree with the edit."""
    try:
        plan = make_plan(edited(root, edit), [SERIES], confirmed=False)
    except UserError as error:
        return Answer(False, str(error), ())
    if plan.refusals:
        lines = [
            f"{one.recipe}: {one.reason}: " + "; ".join(f"{e.place} {e.text}" for e in one.evidence)
            for one in plan.refusals
        ]
        return Answer(False, " / ".join(lines), ())
    left = [f"{one.place} {one.reason}" for made in plan.planned for one in made.plan.left_alone]
    # A series whose protocol is not understood is not written either.
    unknown = look(plan.last.read).unknown
    text = "; ".join(f"{one.place} {one.text}" for one in unknown)
    return Answer(not unknown, text, () if unknown else tuple(left))


def proved(root: Path, edit: Edit) -> Answer:
    """What the proof says of the tree with the edit: "planned" where every property holds."""
    state = edited(root, edit)
    looked = look(state.read)
    if looked.found is None:
        return Answer(False, "; ".join(f"{one.place} {one.text}" for one in looked.unknown), ())
    result = prove(state.read, NARROW)
    lines = [f"{step.place} {step.text}" for v in result.violated for run in v.runs
             for step in run.steps]  # fmt: skip
    lines += [f"{one.place} {one.text}" for one in result.unknown]
    return Answer(not result.violated and not result.unknown, "; ".join(lines), ())


def stopped(edit: Edit, found: Answer) -> str:
    """Why an edit that makes the series wrong is not stopped as it should be, or ""."""
    places = (edit.path, *(path for path, _, _ in edit.also), edit.told_in or edit.path)
    if not found.planned and "does not parse" in found.text:
        return f"the edit does not compile: {found.text}"
    if not found.planned:
        named = any(f"{path}:" in found.text for path in places)
        return "" if named else f"refused, but no line of {edit.path} is named: {found.text}"
    if edit.site and any(line.startswith(edit.path) for line in found.left):
        return ""
    return "the series was planned"
