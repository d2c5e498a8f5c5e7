# SPDX-License-Identifier: GPL-2.0-only
"""Whether an allocation in a callback may wait: constants, variables, choices, parameters."""

from __future__ import annotations

import pytest

from patchgen.model.findings import Undecided
from patchgen.rules.callbacks import blockable_test_inverted, sleep_when_not_blockable
from tests.rules.harness import context

HELPERS = """
static void *inner(int n, gfp_t gfp) { return kmalloc(n, gfp | __GFP_ZERO); }
static void *get(struct d *d, gfp_t gfp) { return inner(8, gfp); }
#define TAKE(g) kmalloc(8, g)
"""
CALLBACK = """
static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct d *d = container_of(mn, struct d, mn);
	%s
	return 0;
}
static const struct mmu_notifier_ops ops = { .invalidate_range_start = start };
"""
BLOCKABLE = "mmu_notifier_range_blockable(range)"


def said(body: str) -> list[str]:
    tree = context((HELPERS + CALLBACK % body).encode(), "drivers/x.c", "6.12")
    found = (*sleep_when_not_blockable.check(tree), *blockable_test_inverted.check(tree))
    return ["undecided" if isinstance(one, Undecided) else "waits" for one in found]


@pytest.mark.parametrize(
    "body",
    [
        "kmalloc(8, GFP_KERNEL);",
        "get(d, GFP_KERNEL);",
        "get(d, GFP_KERNEL | __GFP_NOWARN);",
        "get(d, GFP_KERNEL & ~__GFP_FS);",
        "gfp_t gfp = GFP_KERNEL; kmalloc(8, gfp);",
        "gfp_t gfp = GFP_ATOMIC; if (d->slow) gfp = GFP_KERNEL; get(d, gfp);",
        f"kmalloc(8, {BLOCKABLE} ? GFP_ATOMIC : GFP_KERNEL);",
        f"gfp_t gfp = {BLOCKABLE} ? GFP_NOWAIT : GFP_KERNEL; get(d, gfp);",
        f"spin_lock(&d->s); kmalloc(8, {BLOCKABLE} ? GFP_KERNEL : GFP_NOWAIT); spin_unlock(&d->s);",
        "TAKE(GFP_KERNEL);",
    ],
)
def test_what_waits_is_found(body: str) -> None:
    assert said(body) == ["waits"]


@pytest.mark.parametrize(
    "body",
    [
        "kmalloc(8, GFP_NOWAIT);",
        "get(d, GFP_ATOMIC | __GFP_NOWARN);",
        "get(d, GFP_KERNEL & ~__GFP_DIRECT_RECLAIM);",
        "get(d, GFP_KERNEL & ~(__GFP_RECLAIM | __GFP_FS));",
        f"kmalloc(8, {BLOCKABLE} ? GFP_KERNEL : GFP_NOWAIT);",
        f"gfp_t gfp = {BLOCKABLE} ? GFP_KERNEL : GFP_NOWAIT; kmalloc(8, gfp);",
        f"get(d, {BLOCKABLE} ? GFP_KERNEL : GFP_NOWAIT);",
        f"get(d, !{BLOCKABLE} ? GFP_NOWAIT : GFP_KERNEL);",
        f"bool may = {BLOCKABLE}; gfp_t gfp = may ? GFP_KERNEL : GFP_ATOMIC; get(d, gfp);",
        f"gfp_t gfp = GFP_NOWAIT; if ({BLOCKABLE}) gfp = GFP_KERNEL; get(d, gfp);",
        f"gfp_t gfp; if ({BLOCKABLE}) gfp = GFP_KERNEL; else gfp = GFP_NOWAIT; kmalloc(8, gfp);",
        f"if (!{BLOCKABLE}) return -EAGAIN; get(d, GFP_KERNEL);",
    ],
)
def test_what_does_not_wait_where_it_must_not_is_left_alone(body: str) -> None:
    assert said(body) == []


@pytest.mark.parametrize(
    "body",
    ["kmalloc(8, (gfp_t)d->gfp | GFP_NOWAIT);", "gfp_t gfp = d->gfp; kmalloc(8, gfp);",
     "gfp_t gfp = d->slow ? GFP_KERNEL : GFP_NOWAIT; gfp |= d->more; kmalloc(8, gfp);"],
)  # fmt: skip
def test_what_cannot_be_told_is_undecided(body: str) -> None:
    assert said(body) == ["undecided"]
