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
