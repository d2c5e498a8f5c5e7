# SPDX-License-Identifier: GPL-2.0-only
"""A range is initialised with a variant, or a number of arguments, that the tree lacks.

The initialiser has had four, seven and six arguments, and two relatives that came
and went.  The tree's own header decides.

Bad (in a tree of the 5.10 shape)::

    mmu_notifier_range_init(&range, mm, start, end);

Good::

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, start, end);

Looked for in files that do not compile, too: this may be why.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sections.sites import initialisers
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule
from patchgen.source.c.text import every

RULE = Rule(
    "MN010",
    "init-unlike-tree",
    ERROR,
    "a range initialiser or its number of arguments is not the tree's",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Initialisations that the tree's header does not allow."""
    known = dict(tree.api.init_variants)
    if not known:
        return
    for function in tree.readable():
        if function.path in CORE or function.name in initialisers():
            continue
        for call in every(function.body):
            if call.kind != "call" or call.name not in initialisers() or call.name in tree.declared:
                continue
            given = len(call.args) - 1
            if call.name not in known:
                message = f"this tree has no {call.name}(), only {' and '.join(sorted(known))}"
            elif known[call.name] != given:
                takes = f"takes {known[call.name]} arguments in this tree, not {given}"
                message = f"{call.name}() {takes}"
            else:
                continue
            yield tree.from_names(RULE, call, message, function.path, function.name)
