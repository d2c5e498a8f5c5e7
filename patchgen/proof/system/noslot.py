# SPDX-License-Identifier: GPL-2.0-only
"""What is no page of a memslot: KVM emulates the access, maps no page, and needs no retry."""

from __future__ import annotations

from collections.abc import Callable

from patchgen.model.code import Expr, Function, Return
from patchgen.source.c.text import bare, every, text

#: Says whether a pfn is no page of a memslot (include/linux/kvm_host.h).
TEST = "is_noslot_pfn"


def asked(function: Function, get: Callable[[str], Function | None]) -> frozenset[str]:
    """The variables of ``function`` that are asked whether they are no page.

    Only those that assignments and calls alone can write: not where the address is kept.
    None where the tree's own test is another one than ``pfn == KVM_PFN_NOSLOT``.
    """
    inside = list(every(function.body))
    names = {text(bare(e.args[1])) for e in inside if is_test(e)}
    test = get(TEST) if names else None
    if test is None or not _compares(test):
        return frozenset()
    given = [bare(argument) for e in inside if e.kind == "call" for argument in e.args[1:]]
    handed = {e.span for e in given if _address(e)}
    kept = {text(bare(e.args[0])) for e in inside if _address(e) and e.span not in handed}
    return frozenset(name for name in names - kept if name.isidentifier())


def is_test(expr: Expr) -> bool:
    """``is_noslot_pfn(x)``."""
    return expr.kind == "call" and expr.name == TEST and len(expr.args) == 2


def _address(expr: Expr) -> bool:
    return expr.kind == "unary" and expr.name == "&"


def _compares(test: Function) -> bool:
    """``return pfn == KVM_PFN_NOSLOT;``, and nothing else."""
    body = test.body.body
    if len(test.params) != 1 or len(body) != 1 or not isinstance(body[0], Return):
        return False
    value = body[0].value
    return value is not None and text(bare(value)) == f"{test.params[0].name} == KVM_PFN_NOSLOT"
