# SPDX-License-Identifier: GPL-2.0-only
"""MN035 pairs an interval callback with readers in files that are not linted themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from patchgen.model.findings import Finding
from patchgen.rules.base import Context, by_id
from patchgen.rules.run import lint
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve
from tests.rules.harness import facts_from, features

CALLBACK = b"""
static bool invalidate(struct mmu_interval_notifier *mni, const struct range *range, long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	mutex_lock(&o->lock);
	unmap(o);
	mutex_unlock(&o->lock);
	return true;
}
static const struct mmu_interval_notifier_ops ops = { .invalidate = invalidate, };
"""
EMBEDDED = b"""
int fault(struct obj *o, unsigned long seq)
{
	return mmu_interval_read_retry(&o->notifier, seq);
}
"""
LEFT = b"""
int range_done(struct hmm_range *range)
{
	return mmu_interval_read_retry(range->notifier, range->notifier_seq);
}
"""
CALLER = b"""
int validate(struct obj *o)
{
	return range_done(&o->range);
}
"""


def _lines(callback: bytes, beside: dict[str, bytes]) -> list[int]:
    path = "drivers/a/callback.c"
    tree = Context(
        {path: facts_from(callback, path)}, features("6.1"), {path: callback}.get, beside=beside
    )
    found = by_id("MN035").check(tree)
    return [result.place.line for result in found if isinstance(result, Finding)]


@pytest.mark.parametrize(
    ("callback", "path", "reader"),
    [
        (CALLBACK, "drivers/a/reader.c", EMBEDDED),
        (CALLBACK, "drivers/a/reader.c", LEFT),
        (CALLBACK, "drivers/b/reader.c", EMBEDDED),
        (CALLBACK + CALLER, "drivers/b/reader.c", LEFT),
    ],
)
def test_a_reader_in_another_file_counts(callback: bytes, path: str, reader: bytes) -> None:
    assert _lines(callback, {path: reader}) == [9]


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        ("drivers/b/reader.c", LEFT),
        ("drivers/b/reader.c", EMBEDDED.replace(b"struct obj", b"struct other")),
        ("drivers/a/reader.c", b"/* mmu_interval_read_retry(), one day */"),
    ],
)
def test_a_reader_of_something_else_does_not(path: str, reader: bytes) -> None:
    assert _lines(CALLBACK, {path: reader}) == []


def test_lint_of_one_file_follows_its_readers(tree: Path) -> None:
    """Taking the reader into another file hides nothing; taking it away does."""
    path, other = (tree / f"drivers/gpu/drm/tiny/tiny_{name}.c" for name in ("userptr", "reader"))
    head, validate, rest = re.split(
        rb"(?ms)^(int tiny_userptr_validate.*?^})", path.read_bytes(), maxsplit=1
    )
    path.write_bytes(head.replace(b"\tmmu_interval_set_seq(mni, cur_seq);\n", b"") + rest)
    includes = b"#include <linux/mm.h>\n#include <linux/mmu_notifier.h>\n"
    for reader, rules in ((includes + validate, ["MN035"]), (includes, [])):
        other.write_bytes(reader)
        state = TreeState(resolve(str(tree)))
        found = lint(state, [str(path.relative_to(tree))]).findings
        assert [finding.rule for finding in found] == rules
