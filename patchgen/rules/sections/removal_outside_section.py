# SPDX-License-Identifier: GPL-2.0-only
"""A page table entry is taken away while no section is open.

Secondary MMUs keep their copy of it, and the page is freed or reused under them.

Bad::

    mmu_notifier_invalidate_range_end(&range);
    ptep_clear_flush(vma, address, ptep);

Good::

    mmu_notifier_invalidate_range_start(&range);
    ptep_clear_flush(vma, address, ptep);
    mmu_notifier_invalidate_range_end(&range);

The section may be open in every caller instead.  Where the callers are not known,
the rule does not decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from patchgen.analysis.engine.program import Program
from patchgen.analysis.entries.clears import put_back, removes
from patchgen.analysis.extent.outside import outside
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.sites import role
from patchgen.kernel.knowledge import names
from patchgen.model.code import Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided

RULE = Rule(
    "MN007",
    "removal-outside-section",
    ERROR,
    "an entry is taken away outside any section",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Removals that no open section covers."""
    yield from _outside(tree, tree.program, tuple(tree.functions()))
    for path, facts in tree.facts.items():
        # The file's other functions: one that never heard of sections may need one.
        known = {function.name for function in facts.functions}
        source = tree.read(path) or b""
        if path.endswith(".c") and any(name.encode() in source for name in _removals()):
            whole = tree.program.whole(path)
            # Of a function with several definitions it is not known which one is active.
            count = Counter(function.name for function in whole) + Counter(known)
            others = tuple(function for function in whole if count[function.name] == 1)
            if any(removes(call) for f in others for call in tree.program.calls(f)):
                file = Program(whole, facts.ops, read=tree.read)
                for result in _outside(tree, file, others):
                    if not isinstance(result, Undecided):
                        yield result


def _removals() -> frozenset[str]:
    return names("ranges", "removes", "functions")


def _outside(
    tree: Context, program: Program, functions: tuple[Function, ...]
) -> Iterator[Finding | Undecided]:
    """Removals of some functions of a program."""
    ranges = ranges_of(program)
    for function in functions:
        if function.path in CORE or function.path.startswith("arch/"):
            continue
        if not any(removes(call) for call in program.calls(function)):
            continue
        for one in outside(ranges, function, removes):
            assert one.event.expr is not None
            name, why = one.event.expr.name, one.unsure
            sections = any(role(call) for call in program.calls(function))
            if not sections and put_back(program, function, one.event.expr):
                why = why or "the entry may be put back as it was"
            if why:
                yield undecided(RULE, one.event.place, f"{name}(): {why}")
            else:
                message = f"{name}() takes an entry away, and no section is open on this path"
                yield tree.finding(RULE, one.event, message, one.steps, function=function.name)
