# SPDX-License-Identifier: GPL-2.0-only
"""Helpers in another file of the run, whether that mentions the API or not."""

from __future__ import annotations

import pytest

from patchgen.model.findings import Undecided
from patchgen.rules.base import Context, by_id
from tests.rules.harness import facts_from, features

CALLBACK = """
static int cb(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	return x_drop(d, %s);
}
static const struct mmu_notifier_ops ops = { .invalidate_range_start = cb };
"""
HELPER = "int x_drop(struct dev *d, int may)\n{\n\t%s\n\treturn 0;\n}\n"
BLOCKABLE = "mmu_notifier_range_blockable(range)"


def said(given: str, body: str, path: str = "drivers/x/b.c", static: str = "") -> set[str]:
    sources = {
        "drivers/x/a.c": (CALLBACK % given).encode(),
        path: (static + HELPER % body).encode(),
    }
    facts = {one: facts_from(source, one) for one, source in sources.items()}
    # Facts of a file that does not mention the API have no functions.
    facts[path] = facts_from(b"", path)
    tree = Context(facts, features("6.12"), sources.get)
    return {
        f"{one.rule}?" if isinstance(one, Undecided) else one.rule
        for rule in ("MN024", "MN026", "MN028", "MN036")
        for one in by_id(rule).check(tree)
    }


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("mutex_lock(&d->m); mutex_unlock(&d->m);", "MN028"),
        ("kfree(kmalloc(8, GFP_KERNEL));", "MN028"),
        ("if (may) { mutex_lock(&d->m); return 0; }", "MN024"),
        ("spin_lock(&d->s); spin_lock(&d->s); spin_unlock(&d->s); spin_unlock(&d->s);", "MN036"),
    ],
)
def test_a_helper_in_another_file_is_followed(body: str, rule: str) -> None:
    assert rule in said(BLOCKABLE, body)


def test_what_a_helper_elsewhere_does_right_is_silent() -> None:
    waits = "if (!may) return -EAGAIN; mutex_lock(&d->m); mutex_unlock(&d->m);"
    assert said(BLOCKABLE, waits) == set()
    assert "MN028" in said("true", waits)
    assert said(BLOCKABLE, "spin_lock(&d->s); spin_unlock(&d->s);") == set()


def test_another_folder_s_or_a_static_function_is_another_one() -> None:
    locks = "mutex_lock(&d->m); mutex_unlock(&d->m);"
    assert "MN028" not in said(BLOCKABLE, locks, path="drivers/y/b.c")
    assert "MN028" not in said(BLOCKABLE, locks, static="static ")
