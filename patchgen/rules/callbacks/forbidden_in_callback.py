# SPDX-License-Identifier: GPL-2.0-only
"""A callback waits for itself, or ignores that its wait was interrupted.

Unregistering a notifier, removing an interval notifier and the last mmput()
wait until no callback runs: called from one, they wait for ever.  A wait that a
signal can end must not be taken as done.

Bad::

    mmput(d->mm);                           /* may be the last reference */
    mmu_interval_notifier_remove(mni);
    wait_event_killable(d->wq, d->idle);    /* result ignored */

Good::

    mmput_async(d->mm);
    queue_work(d->wq, &d->remove_work);
    wait_event(d->wq, d->idle);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sleeping.interrupted import interruptible, unheeded
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import Expr, ExprStmt, Function
from patchgen.model.findings import Finding, Step, Undecided
from patchgen.rules.base import ERROR, INTERVAL, Context, Handler, Rule
from patchgen.source.c.text import statements

RULE = Rule(
    "MN034",
    "forbidden-in-callback",
    ERROR,
    "a callback waits for itself, or ignores an interrupted wait",
)

_DEPTH = 8


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Calls that callbacks reach, with the chain that leads there."""
    for handler in tree.callbacks():
        # The alloc and free callbacks run outside any notification.
        if handler.entry.member not in ("alloc_notifier", "free_notifier"):
            yield from _calls(tree, handler)
    for handler in tree.invalidations():
        yield from _unheeded(tree, handler)


def _calls(tree: Context, handler: Handler) -> Iterator[Finding]:
    seen = {id(handler.function)}
    layer: list[tuple[Function, tuple[Step, ...]]] = [(handler.function, ())]
    for _ in range(_DEPTH):
        following: list[tuple[Function, tuple[Step, ...]]] = []
        for function, chain in layer:
            yield from _ignored(tree, function, chain, handler)
            for call in tree.program.calls(function):
                if not call.name:
                    continue
                step = Step(Place(function.path, call.line), f"{call.name}()")
                if call.name in names("sleep", "waits_for_callbacks", "functions"):
                    message = f"{call.name}() waits for callbacks, and {_who(handler)} is one"
                    yield tree.finding(RULE, call, message, (*chain, step),
                                       path=function.path, function=function.name)  # fmt: skip
                for callee in tree.program.named(call.name, function.path):
                    if id(callee) not in seen:
                        seen.add(id(callee))
                        following.append((callee, (*chain, step)))
        layer = following


def _who(handler: Handler) -> str:
    return f"{handler.function.name}()"


def _goes_on(call: str, handler: Handler) -> str:
    return f"{call}() may be interrupted, and {_who(handler)} goes on as if it were done"


def _unheeded(tree: Context, handler: Handler) -> Iterator[Finding]:
    """Interruptible waits of the callback whose result is looked at, and changes nothing."""
    for one in unheeded(handler.function, handler.table.struct == INTERVAL):
        assert one.wait.expr is not None
        message = _goes_on(one.wait.expr.name, handler)
        yield tree.finding(RULE, one.wait, message, one.steps, function=handler.function.name)


def _ignored(
    tree: Context, function: Function, chain: tuple[Step, ...], handler: Handler
) -> Iterator[Finding]:
    """Interruptible waits whose result nobody looks at."""
    for stmt in statements(function.body):
        if not isinstance(stmt, ExprStmt):
            continue
        call: Expr = stmt.expr
        while call.kind == "cast":
            call = call.args[0]
        if call.kind == "call" and interruptible(call):
            message = _goes_on(call.name, handler)
            step = Step(Place(function.path, call.line), f"{call.name}()")
            yield tree.finding(RULE, call, message, (*chain, step),
                               path=function.path, function=function.name)  # fmt: skip
