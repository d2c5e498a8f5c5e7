# SPDX-License-Identifier: GPL-2.0-only
"""Locks and sleeps behind macros and headers are followed, or said not to be."""

from __future__ import annotations

import pytest

from tests.analysis.locks.callback import verdict
from tests.rules.harness import context

TAKE = "#define TAKE(d) do { mutex_lock(&(d)->m); } while (0)\n"
DROP = "#define DROP(d) mutex_unlock(&(d)->m)\n"

#: (definitions, body): faults.
FAULTS = {
    "statement": (TAKE + DROP, "TAKE(d); if (d->x) return 0; DROP(d);"),
    "alias": ("#define x spin_lock\n", "x(&d->l); if (d->a) return 0; spin_unlock(&d->l);"),
    "alias with arguments": ("#define x(l) spin_lock(l)\n", "x(&d->l);"),
    "alias of an alias": ("#define y x\n#define x spin_lock\n", "y(&d->l);"),
    "return": ("#define CHECK(d) do { if ((d)->bad) return 0; } while (0)\n",
               "mutex_lock(&d->m); CHECK(d); mutex_unlock(&d->m);"),
    "sleep": ("#define WAIT(x) msleep(x)\n", "spin_lock(&d->l); WAIT(1); spin_unlock(&d->l);"),
    "pasted": ("#define TAKE(d, n) mutex_lock(&(d)->n##_lock)\n", "TAKE(d, map);"),
    "made function": ("#define TAKER(n) static void take_##n(struct dev *d)\\\n"
                      "{ mutex_lock(&d->n); }\nTAKER(m)\n", "take_m(d);"),
    "loop": ("#define EACH(i, n) for (i = 0; i < (n); i++)\n",
             "int i; EACH(i, 4) { mutex_lock(&d->m); if (d->q) break; mutex_unlock(&d->m); }"),
    "loop of a loop": ("#define WALK(i, d) each_one(i, d) if (!(i)) {} else\n",
                       "int i; WALK(i, d) { mutex_lock(&d->m); if (d->q) break;"
                       " mutex_unlock(&d->m); }"),
    "guard": ("#define LOCKED(d) guard(mutex)(&(d)->m)\n", "LOCKED(d); mutex_lock(&d->m);"),
    "expression": ("#define TRY(d) ({ mutex_trylock(&(d)->m); })\n", "if (TRY(d)) work(d);"),
    "without arguments": ("#define LOCK_D mutex_lock(&d->m)\n", "LOCK_D; work(d);"),
    "variadic": ("#define CALL(f, ...) f(__VA_ARGS__)\n", "CALL(mutex_lock, &d->m);"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FAULTS))
def test_faults_behind_macros_are_found(name: str) -> None:
    before, body = FAULTS[name]
    assert verdict(body, before) == "fault"


RIGHT = {
    "both": (TAKE + DROP, "TAKE(d); if (d->x) { DROP(d); return 0; } DROP(d);"),
    "macro and plain": (DROP, "mutex_lock(&d->m); DROP(d);"),
    "plain and macro": (TAKE, "TAKE(d); mutex_unlock(&d->m);"),
    "condition": ("#define LOCK_IF(d, c) if (c) mutex_lock(&(d)->m)\n",
                  "int x = foo(); LOCK_IF(d, x); work(d); if (x) mutex_unlock(&d->m);"),
    "its own name": ("#define work(d) (d ? work(d) : 0)\n", "work(d);"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RIGHT))
def test_right_code_behind_macros_is_right(name: str) -> None:
    before, body = RIGHT[name]
    assert verdict(body, before) == ""


def test_a_macro_with_two_definitions_is_undecided() -> None:
    two = f"#ifdef X\n{TAKE}#else\n#define TAKE(d) spin_lock(&(d)->l)\n#endif\n"
    assert verdict("TAKE(d); mutex_unlock(&d->m);", two) == "undecided"


def test_headers_are_looked_into() -> None:
    inline = "static inline void take(struct dev *d)\n{ mutex_lock(&d->m); }\n"
    for path, include in (("drivers/dev.h", '"dev.h"'), ("include/linux/dev.h", "<linux/dev.h>")):
        headers = {path: inline}
        assert verdict("take(d);", f"#include {include}\n", headers) == "fault"
        assert verdict("take(d); mutex_unlock(&d->m);", f"#include {include}\n", headers) == ""
    macro = {"drivers/dev.h": TAKE}
    assert verdict("TAKE(d);", '#include "dev.h"\n', macro) == "fault"


def test_where_code_is_not_at_hand_is_said() -> None:
    source = (
        b"static void helper(struct dev *d)\n{\n\telsewhere(d);\n}\n"
        b"static bool cb(struct mmu_interval_notifier *mni,"
        b" const struct mmu_notifier_range *range, unsigned long seq)\n"
        b"{\n\tmutex_lock(&mni->m);\n\thelper(mni->d);\n\treturn true;\n}\n"
    )
    tree = context(source, "drivers/x.c", "6.12")
    callback = tree.program.named("cb")[0]
    assert tree.summary(callback).unseen == "elsewhere() (drivers/x.c:3)"
