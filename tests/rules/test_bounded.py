# SPDX-License-Identifier: GPL-2.0-only
"""A crash in a rule costs the file that it happens on: named, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from patchgen.model.findings import Finding, Undecided
from patchgen.model.outcome import UserError
from patchgen.rules import base
from patchgen.rules.asked import run
from patchgen.rules.base import Context, by_id
from tests.rules.harness import facts_from, features

OPEN = """
static void %s(struct vm_area_struct *vma, unsigned long addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
}
"""
PATHS = ("mm/a.c", "mm/b.c", "mm/c.c")


def _tree() -> Context:
    sources = {path: (OPEN % f"f_{path[3]}").encode() for path in PATHS}
    facts = {path: facts_from(source, path) for path, source in sources.items()}
    return Context(facts, features("5.10"), sources.get)


def _crashing(monkeypatch: pytest.MonkeyPatch, when: set[str], error: Exception) -> None:
    """MN001 crashes where it sees all of ``when``, behind its first answer."""
    real = by_id("MN001").check

    def check(tree: Context) -> Iterator[Finding | Undecided]:
        for result in real(tree):
            yield result
            if when <= set(tree.paths):
                raise error

    monkeypatch.setattr(base.modules()["MN001"], "check", check)


def _found(tree: Context, rule: str = "MN001") -> list[str]:
    return [one.place.path for one in run(tree).findings if one.rule == rule]


def test_without_a_crash_all_files_are_spoken_for() -> None:
    assert _found(_tree()) == list(PATHS)
    assert run(_tree()).lost == ()


@pytest.mark.parametrize("path", PATHS)
def test_a_crash_costs_its_own_file(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    _crashing(monkeypatch, {path}, KeyError("x"))
    (lost,) = run(_tree()).lost
    assert lost.path == path
    assert "MN001 (section-never-ended) failed" in lost.why
    assert "KeyError: 'x'" in lost.why
    assert _found(_tree()) == [one for one in PATHS if one != path]


def test_a_crash_on_several_files_together_costs_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    _crashing(monkeypatch, {"mm/a.c", "mm/c.c"}, RecursionError())
    assert [one.path for one in run(_tree()).lost] == list(PATHS)
    assert _found(_tree()) == []


def test_the_place_of_the_crash_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "callbacks", property(lambda self: 1 // 0))
    lost = {one.why for one in run(_tree()).lost}
    assert any("MN024 (unbalanced-lock)" in why for why in lost)
    assert all("at patchgen/rules/" in why for why in lost)


def test_what_the_user_can_mend_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    _crashing(monkeypatch, {"mm/a.c"}, UserError("this"))
    with pytest.raises(UserError):
        run(_tree())
