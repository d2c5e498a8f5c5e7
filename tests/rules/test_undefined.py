# SPDX-License-Identifier: GPL-2.0-only
"""A callback whose definition is not read is said, not passed over."""

from __future__ import annotations

from patchgen.rules.run import _undefined
from tests.rules.harness import context

TABLE = "static const struct mmu_notifier_ops ops = { .release = gone };\n"


def test_a_callback_that_macros_begin_and_end_is_said() -> None:
    source = "#define BEGIN(f) static void f(void *x) {\n#define END }\nBEGIN(gone)\n\tg();\nEND\n"
    found = list(_undefined(context((source + TABLE).encode(), "drivers/x.c", "6.12")))
    assert [(one.place.line, f"{one.function}() {one.leaves}") for one in found] == [
        (6, "gone() is set here, and its definition is not seen")
    ]


def test_one_that_is_there_is_not() -> None:
    source = "static void gone(void *x) { g(); }\n"
    assert not list(_undefined(context((source + TABLE).encode(), "drivers/x.c", "6.12")))
