# SPDX-License-Identifier: GPL-2.0-only
"""What the lock rules say of statements that are put into a callback."""

from __future__ import annotations

from patchgen.model.findings import Undecided
from patchgen.rules.base import by_id
from tests.rules.harness import context

RULES = ("MN024", "MN028", "MN036")

_HEAD = """
static int cb(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
"""
_TAIL = """
	return 0;
}
static const struct mmu_notifier_ops ops = { .invalidate_range_start = cb };
"""


def verdict(body: str, before: str = "", headers: dict[str, str] | None = None) -> str:
    """ "fault", "undecided" or "": what is said of ``body`` behind a test for "may block"."""
    source = (before + _HEAD + body + _TAIL).encode()
    tree = context(source, "drivers/x.c", "6.12")
    files = {"drivers/x.c": source}
    files |= {path: text.encode() for path, text in (headers or {}).items()}
    tree._sources = files.get
    said = [type(result) is Undecided for rule in RULES for result in by_id(rule).check(tree)]
    return "" if not said else "undecided" if all(said) else "fault"
