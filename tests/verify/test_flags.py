# SPDX-License-Identifier: GPL-2.0-only
"""A range that gets the flag by a detour is not taken for one without it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.verify.patches import checked

FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
SITE = "kernel/events/uprobes.c"
INIT = re.compile(r"\tmmu_notifier_range_init\(&range, MMU_NOTIFY_\w+, 0,[^;]*;\n")
WAYS = {
    "stored": lambda init: init + f"\trange.flags = {FLAG};\n",
    "added": lambda init: init + f"\trange.flags |= {FLAG};\n",
    "macro": lambda init: f"#define X {FLAG}\n" + init.replace(", 0,", ", X,", 1),
    "number": lambda init: init.replace(", 0,", ", 1 << 1,", 1),
    "variable": lambda init: init.replace(", 0,", ", mm->flags,", 1),
    "address": lambda init: init + "\tx_set(&range.flags);\n",
    "incremented": lambda init: init + "\trange.flags++;\n",
    "incremented before": lambda init: init + "\t++range.flags;\n",
    "in parentheses": lambda init: init + f"\t(range).flags |= {FLAG};\n",
    "through its address": lambda init: init + f"\t(&range)->flags |= {FLAG};\n",
    "a choice": lambda init: init.replace(", 0,", f", mm ? {FLAG} : 0,", 1),
    "a pointer": lambda init: (
        "\tstruct mmu_notifier_range *r = &range;\n" + init + f"\tr->flags |= {FLAG};\n"
    ),
    "an initialiser in a macro": lambda init: (
        "#define X_INIT(r, f) mmu_notifier_range_init(r, "
        f"MMU_NOTIFY_CLEAR, f, vma, mm, 0, 1)\n\tX_INIT(&range, {FLAG});\n"
    ),
}


@pytest.fixture
def flagged(tree: Path) -> Path:
    header = tree / "include/linux/mmu_notifier.h"
    text = header.read_text()
    bit = "#define MMU_NOTIFIER_RANGE_BLOCKABLE (1 << 0)\n"
    assert bit in text
    header.write_text(text.replace(bit, bit + f"#define {FLAG} (1 << 1)\n"))
    return tree


@pytest.mark.parametrize("way", WAYS)
def test_a_flag_by_a_detour_is_undecided(flagged: Path, way: str) -> None:
    text = (flagged / SITE).read_text()
    check = checked(flagged, {SITE: INIT.sub(lambda m: WAYS[way](m.group()), text, count=1)})
    assert any("flagged is undecided" in line for line in check.undecided), check.undecided


def test_a_plain_site_is_decided(flagged: Path) -> None:
    text = (flagged / SITE).read_text()
    plain = checked(flagged, {SITE: INIT.sub(lambda m: m.group() + "\tcond_resched();\n", text)})
    assert plain.undecided == ()
    seen = checked(
        flagged, {SITE: INIT.sub(lambda m: m.group().replace(", 0,", f", {FLAG},"), text)}
    )
    assert seen.undecided == () and seen.lint.introduced


#: A file whose function is not touched: what it uses is.
ELSEWHERE = {
    "a macro": ("#define X_FLAGS 0\n", "X_FLAGS", f"#define X_FLAGS {FLAG}\n"),
    "a macro with a number": ("#define X_FLAGS 0\n", "X_FLAGS", "#define X_FLAGS (1 << 1)\n"),
    "a variable": ("static unsigned int x_flags;\n", "x_flags",
                   f"static unsigned int x_flags = {FLAG};\n"),
    "a function": ("static unsigned int x_flags(void) { return 0; }\n", "x_flags()",
                   "static unsigned int x_flags(void) { return 1 << 1; }\n"),
}  # fmt: skip


@pytest.mark.parametrize("way", ELSEWHERE)
def test_a_flag_that_comes_from_outside_of_the_function(flagged: Path, way: str) -> None:
    before, given, after = ELSEWHERE[way]
    text = (flagged / SITE).read_text()
    at = text.index("\n\n", text.rindex("#include")) + 2
    text = text[:at] + before + text[at:]
    text = INIT.sub(lambda m: m.group().replace(", 0,", f", {given},"), text, count=1)
    (flagged / SITE).write_text(text)
    check = checked(flagged, {SITE: text.replace(before, after)})
    assert any("flagged is undecided" in line for line in check.undecided), check.undecided
    other = checked(flagged, {SITE: text.replace(before, f"{before}int x_more;\n")})
    assert other.undecided == ()


def test_a_range_in_a_struct(flagged: Path) -> None:
    text = (flagged / SITE).read_text()
    at = text.index("\n\n", text.rindex("#include")) + 2
    text = (
        f"{text[:at]}struct x_arg {{ struct mmu_notifier_range range; unsigned long flags; }};\n"
        "void x_go(struct x_arg *a);\nvoid x_go(struct x_arg *a)\n{\n\tbarrier();\n}\n\n"
        f"{text[at:]}"
    )
    (flagged / SITE).write_text(text)
    stored = checked(flagged, {SITE: text.replace("barrier();", f"a->range.flags |= {FLAG};")})
    assert [line for line in stored.undecided if "range's flags are set here" in line]
    own = checked(flagged, {SITE: text.replace("barrier();", "a->flags |= 1;")})
    assert own.undecided == ()
