# SPDX-License-Identifier: GPL-2.0-only
"""The test for "may block" is inverted, or the refusal is lost: success is reported.

Bad::

    if (mmu_notifier_range_blockable(range))
            return -EAGAIN;
    mutex_lock(&d->lock);           /* sleeps where it must not */

Bad (the inner variable hides the one that is returned)::

    int ret = 0;
    list_for_each_entry(node, &d->nodes, list) {
            int ret = unmap(node, mmu_notifier_range_blockable(range));
            if (ret)
                    break;
    }
    return ret;

Bad (nothing is invalidated, and the caller frees the pages)::

    if (!mmu_notifier_range_blockable(range))
            return 0;
    unmap(d);
    return 0;

Bad (the helper refuses, and nobody looks)::

    unmap_unless_blocking(d, range);        /* false where it must not block */
    return true;

Good: ``if (!mmu_notifier_range_blockable(range)) return -EAGAIN;``, and one
variable for the result.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sleeping.blocking import idle_successes, inverted_exits, inverted_sleeps
from patchgen.analysis.values.subjects import constant_of
from patchgen.model.code import Block, Decl, Declarator, Expr, Function, Return, Stmt
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Rule
from patchgen.source.c.text import every, statements

RULE = Rule(
    "MN029",
    "blockable-test-inverted",
    ERROR,
    "the test for blockable is inverted, or where it fails success is reported",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Refusals and sleeps on the wrong side, refusals that are lost, shadowed results."""
    for handler in tree.invalidations():
        function = handler.function
        summary = tree.summary(function)
        if handler.entry.member != END:
            interval = handler.entry.member != START
            for leaving in inverted_exits(summary, interval):
                message = f"{function.name}() refuses where it may block, and nowhere else"
                yield tree.finding(
                    RULE, leaving.event, message, leaving.steps, function=function.name
                )
            for idle in idle_successes(function, interval, tree.program.targets):
                message = f"where it must not block, {function.name}() does nothing and says it did"
                yield tree.finding(RULE, idle.event, message, idle.steps, function=function.name)
        for sleep in inverted_sleeps(summary):
            message = f"{sleep.call}() is reached only where the range is not blockable"
            yield tree.finding(RULE, sleep.event, message, sleep.steps, function=sleep.function)
    starts = [handler.function for handler in tree.handlers(START)]
    for function in tree.program.reachable(starts, 3):
        yield from _shadowed(tree, function)


def _shadowed(tree: Context, function: Function) -> Iterator[Finding]:
    returned = {
        stmt.value.name
        for stmt in statements(function.body)
        if isinstance(stmt, Return) and stmt.value is not None and stmt.value.kind == "name"
    }
    outer = {
        variable.name
        for stmt in function.body.body
        if isinstance(stmt, Decl)
        for variable in stmt.variables
    }
    for block in statements(function.body):
        if not isinstance(block, Block) or block is function.body:
            continue
        for stmt in block.body:
            for variable in stmt.variables if isinstance(stmt, Decl) else ():
                if variable.name in returned & outer and _is_result(variable, block):
                    message = (
                        f"this {variable.name} hides the one that {function.name}() returns: "
                        "an error set here is lost"
                    )
                    yield tree.finding(
                        RULE, variable, message, path=function.path,
                        function=function.name,
                    )  # fmt: skip


def _is_result(variable: Declarator, block: Block) -> bool:
    """An int that gets values in the block and is not returned from it."""
    if variable.type.split()[-1:] != ["int"]:
        return False
    inner: list[Stmt] = list(statements(block))
    if any(
        isinstance(stmt, Return) and stmt.value is not None and stmt.value.name == variable.name
        for stmt in inner
    ):
        return False
    assigned = any(
        part.kind == "assign" and part.args[0].kind == "name" and part.args[0].name == variable.name
        for part in every(block)
    )
    return assigned or (variable.init is not None and _is_failure(variable.init))


def _is_failure(value: Expr) -> bool:
    """What a call returned, or an error number."""
    known = constant_of(value)
    negative = known.startswith("-") if isinstance(known, str) else known is not None and known < 0
    return value.kind == "call" or negative
