# SPDX-License-Identifier: GPL-2.0-only
"""Which findings are shown where files are named: those that begin in them, too."""

from __future__ import annotations

from patchgen.rules.base import by_id
from patchgen.rules.run import concerns
from tests.rules.harness import context

SOURCE = (
    b'#include "dev.h"\n'
    b"static bool cb(struct mmu_interval_notifier *mni,"
    b" const struct mmu_notifier_range *range, unsigned long seq)\n"
    b"{\n wait_for_it(mni);\n return true;\n}\n"
    b"static const struct mmu_interval_notifier_ops ops = { .invalidate = cb };\n"
)
HEADER = b"static inline void wait_for_it(struct mmu_interval_notifier *m) { mutex_lock(&m->l); }"


def test_what_a_headers_inline_does_is_told_of_the_file_that_calls_it() -> None:
    tree = context(SOURCE, "drivers/x.c", "6.12")
    tree._sources = {"drivers/x.c": SOURCE, "drivers/dev.h": HEADER}.get
    (finding,) = by_id("MN028").check(tree)
    assert finding.place.path == "drivers/dev.h"
    assert concerns(finding, {"drivers/x.c"})
    assert concerns(finding, {"drivers/dev.h"})
    assert not concerns(finding, {"drivers/y.c"})
