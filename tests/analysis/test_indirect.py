# SPDX-License-Identifier: GPL-2.0-only
"""A call through a member enters what that member of that structure is set to."""

from __future__ import annotations

import pytest

from patchgen.analysis.engine.program import Program
from patchgen.source.c.body import functions_in
from patchgen.source.c.lexer import Tokens
from patchgen.source.facts.ops import tables

#: Another driver, whose interval callback has the member's name and as many parameters.
OTHER = """
static bool other(struct mmu_interval_notifier *m, const struct range *r, unsigned long s)
{ return true; }
static const struct mmu_interval_notifier_ops o = { .invalidate = other };
"""
HEADER = """
struct node;
struct cache_ops { int (*invalidate)(void *a, struct node *n, int x); };
typedef struct cache_ops ops_t;
struct cache { struct mutex a, b; const struct cache_ops *ops; ops_t *typed;
	struct { struct cache_ops *in; } inner; struct cache_ops own[2]; };
"""
CALLEE = "static int mine(void *a, struct node *n, int x) { return 0; }\n"
TABLE = "static const struct cache_ops table = { .invalidate = mine };\n"
CALL = "static void call(struct cache *c)\n{ %s; }\n"


def entered(text: str, header: str = HEADER, **more: str) -> list[str]:
    """Names of what the calls in call() enter; unsure ones end in "?"."""
    files = {"a/x.c": '#include "x.h"\n' + text, "b/y.c": OTHER, "a/x.h": header, **more}
    data = {path: content.encode() for path, content in files.items()}
    sources = {path: content for path, content in data.items() if path.endswith(".c")}
    program = Program(
        [one for path, content in sources.items() for one in functions_in(content, path)],
        [one for path, content in sources.items() for one in tables(Tokens(content), path)],
        read=data.get,
    )
    (caller,) = program.named("call")
    return [
        target.name + ("" if program.is_sure(call, caller) else "?")
        for call in program.calls(caller)
        for target in program.targets(call, caller)
    ]


@pytest.mark.parametrize(
    "called",
    [
        "c->ops->invalidate(c, 0, 1)",
        "(*c->ops->invalidate)(c, 0, 1)",
        "c->typed->invalidate(c, 0, 1)",
        "c->inner.in->invalidate(c, 0, 1)",
        "c->own[1].invalidate(c, 0, 1)",
        "(&c->own[1])->invalidate(c, 0, 1)",
        "const struct cache_ops *o = c->ops; o->invalidate(c, 0, 1)",
        "((struct cache_ops *)c)->invalidate(c, 0, 1)",
        "container_of(c, struct cache, a)->ops->invalidate(c, 0, 1)",
        "table.invalidate(c, 0, 1)",
        "(c ? c->ops : c->typed)->invalidate(c, 0, 1)",
    ],
)
def test_a_base_of_every_shape_has_a_structure(called: str) -> None:
    assert entered(CALLEE + TABLE + CALL % called) == ["mine"]


@pytest.mark.parametrize(
    "filled",
    [
        TABLE,
        "#define T(f) { .invalidate = f }\nstatic struct cache_ops table = T(mine);\n",
        "#define M(x) .x\nstatic struct cache_ops table = { M(invalidate) = mine };\n",
        "static void fill(struct cache *c) { c->own[0].invalidate = mine; }\n",
        "static void fill(struct cache *c) { c->inner.in->invalidate = &mine; }\n",
        "static void fill(struct cache_ops *p)\n"
        "{ *p = (struct cache_ops){ .invalidate = mine }; }\n",
        "static void fill(struct cache *c) { struct cache_ops o = { .invalidate = mine }; "
        "c->ops = &o; }\n",
        "static void fill(struct cache *c)\n"
        "{ struct cache o = { .own = { { .invalidate = mine } } }; *c = o; }\n",
    ],
)
def test_a_member_is_set_by_tables_macros_and_assignments(filled: str) -> None:
    assert entered(CALLEE + filled + CALL % "c->ops->invalidate(c, 0, 1)") == ["mine"]


def test_another_structures_member_is_not_entered() -> None:
    assert entered(CALL % "c->ops->invalidate(c, 0, 1)") == []


def test_a_private_structure_of_the_same_tag_is_another_one() -> None:
    private = HEADER + CALLEE.replace("mine", "theirs") + TABLE.replace("mine", "theirs")
    call = CALL % "c->ops->invalidate(c, 0, 1)"
    assert entered(HEADER + CALLEE + TABLE + call, "", **{"b/z.c": private}) == ["mine"]


def test_where_the_structure_is_not_known_it_is_unsure() -> None:
    call = CALL % "opaque(c)->invalidate(c, 0, 1)"
    assert entered(CALLEE + TABLE + call) == ["other?"]


def test_the_number_of_arguments_speaks_against_one() -> None:
    assert entered(CALL % "opaque(c)->invalidate(c)") == []
    assert entered(CALLEE + TABLE + CALL % "c->ops->invalidate(c, 0)") == []


def test_an_inner_variable_hides_the_parameter() -> None:
    text = "{ struct mmu_interval_notifier_ops *c = x; c->invalidate(c, 0, 1); }"
    assert entered(CALLEE + TABLE + CALL % text) == ["other"]
