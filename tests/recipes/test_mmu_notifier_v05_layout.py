# SPDX-License-Identifier: GPL-2.0-only
"""Call arguments in kernel style: aligned, 80 columns, lines as they were written."""

import pytest

from patchgen.recipes.mmu_notifier.v05_layout import (
    Argument,
    arguments,
    arguments_span,
    columns,
    lay_out,
)
from patchgen.source.c.body import functions_in
from patchgen.source.c.text import every


def call_in(statement):
    source = b"void f(void)\n{\n" + statement.encode() + b"\n}\n"
    (function,) = functions_in(source, "f.c")
    return source, next(e for e in every(function.body) if e.kind == "call")


def laid_out(statement, change):
    """The statement with its arguments changed and laid out again."""
    source, call = call_in(statement)
    given = arguments(source, call)
    change(given)
    span = arguments_span(source, call)
    new = "\n".join(lay_out(source, call, given)).encode()
    whole = source[: span.start] + new + source[span.end :]
    return whole.decode().split("{\n")[1].rsplit("\n}")[0]


def insert(*words):
    def change(given):
        given[1:1] = [Argument([word]) for word in words]

    return change


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "\tinit(&range, mm, start, end);",
            "\tinit(&range, MMU_NOTIFY_UNMAP, 0, vma, mm, start, end);",
        ),
        (
            "\tmmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);",
            "\tmmu_notifier_range_init(&range, MMU_NOTIFY_UNMAP, 0, vma, mm, addr,\n"
            "\t\t\t\taddr + PAGE_SIZE);",
        ),
        (  # an argument over two lines keeps its own alignment
            "\tmmu_notifier_range_init(&range, mm, address,\n"
            "\t\t\t\tmin(vma->vm_end, address +\n"
            "\t\t\t\t    (PAGE_SIZE << compound_order(page))));",
            "\tmmu_notifier_range_init(&range, MMU_NOTIFY_UNMAP, 0, vma, mm, address,\n"
            "\t\t\t\tmin(vma->vm_end, address +\n"
            "\t\t\t\t    (PAGE_SIZE << compound_order(page))));",
        ),
        (  # too wide for the alignment: broken after an operator
            "\t\t\tmmu_notifier_range_init(range, mm, address & PMD_MASK,\n"
            "\t\t\t\t\t     (address & PMD_MASK) + PMD_SIZE);",
            "\t\t\tmmu_notifier_range_init(range, MMU_NOTIFY_UNMAP, 0, vma,\n"
            "\t\t\t\t\t\tmm, address & PMD_MASK,\n"
            "\t\t\t\t\t\t(address & PMD_MASK) +\n"
            "\t\t\t\t\t\tPMD_SIZE);",
        ),
    ],
)
def test_arguments_that_come_in_between(before, after):
    assert laid_out(before, insert("MMU_NOTIFY_UNMAP", "0", "vma")) == after
    assert all(columns(line) <= 80 for line in after.split("\n"))


def test_a_first_line_that_stays_keeps_the_alignment_below_it():
    def change(given):
        given[3] = Argument(["mmu_notifier_range_blockable(range)"])

    before = (
        "\tret = kvm_arch_mmu_notifier_invalidate_range(kvm, range->start,\n"
        "\t\t\t\t\trange->end, range->blockable);"
    )
    assert laid_out(before, change) == (
        "\tret = kvm_arch_mmu_notifier_invalidate_range(kvm, range->start,\n"
        "\t\t\t\t\trange->end,\n"
        "\t\t\t\t\tmmu_notifier_range_blockable(range));"
    )


def test_brackets_commas_and_strings_do_not_split_an_argument():
    source, call = call_in('\tf(a[1, 2], g(x, y), "b,c", (d, e));')
    assert [arg.lines for arg in arguments(source, call)] == [
        ["a[1, 2]"],
        ["g(x, y)"],
        ['"b,c"'],
        ["(d, e)"],
    ]
