# SPDX-License-Identifier: GPL-2.0-only
"""What callbacks leave behind, seen through helpers, structures and files."""

from __future__ import annotations

from patchgen.analysis.engine.program import Program
from patchgen.analysis.locks.counters import paired_counters
from patchgen.analysis.locks.effects import Effects
from patchgen.analysis.locks.state import Context, Summary
from patchgen.analysis.values.value import show
from patchgen.model.code import Function
from patchgen.source.c.body import functions_in


def summary(name: str, *files: str, context: Context = Context()) -> Summary:  # noqa: B008
    functions: list[Function] = []
    for number, source in enumerate(files):
        functions += functions_in(source.encode(), f"file{number}.c")
    effects = Effects(Program(functions), paired_counters(functions, functions))
    return effects.of(next(f for f in functions if f.name == name), context)


def held(found: Summary) -> set[tuple[str, str, int]]:
    return {entry for one in found.exits for entry in one.state.held}


def test_a_lock_keeps_its_name_across_calls_and_locals() -> None:
    found = summary(
        "f",
        """static void take(struct d *x) { struct d *alias = x; spin_lock(&alias->lock); }
        void f(struct d *d) { struct d *e = d; take(e); spin_unlock(&d->lock); }""",
    )
    assert held(found) == set()


def test_helpers_of_other_files_are_entered_and_static_ones_are_not_mixed_up() -> None:
    found = summary(
        "f",
        "void take(struct d *x); static void own(struct d *d) { } "
        "void f(struct d *d) { take(d); own(d); }",
        "void take(struct d *x) { mutex_lock(&x->m); } static void own(struct d *d) { up(d); }",
    )
    assert held(found) == {("mutex", "d->m", 1)}


def test_function_pointers_in_structures_resolve_to_the_callers_own() -> None:
    source = """
    static void inc(struct k *k) { k->count++; }
    static void dec(struct k *k) { k->count--; }
    static void walk(struct k *k, const struct w *w) { if (w->yes) w->on_lock(k); }
    void start(struct k *k) { const struct w w = { .on_lock = inc, .yes = true }; walk(k, &w); }
    void end(struct k *k) { const struct w w = { .on_lock = dec, .yes = true }; walk(k, &w); }
    void off(struct k *k) { const struct w w = { .on_lock = dec, .yes = false }; walk(k, &w); }
    """
    for name, counts in (("start", {1}), ("end", {-1}), ("off", set())):
        found = summary(name, source)
        assert {n for one in found.exits for _, _, n in one.state.counts} == counts, name


def test_error_returns_say_whether_the_lock_is_held() -> None:
    found = summary(
        "f",
        """static int get(struct d *d) { if (mutex_lock_killable(&d->m)) return -EINTR;
            if (d->dead) { mutex_unlock(&d->m); return -EIO; } return 0; }
        int f(struct d *d) { int ret = get(d); if (ret) return ret; mutex_unlock(&d->m); return 0; }
        """,
    )
    assert held(found) == set()
    assert {show(one.value) for one in found.exits} == {"-4", "-5", "0"}


def test_blockable_is_followed_through_arguments_members_and_bits() -> None:
    helper = "void h(struct d *d, bool wait) { if (wait) mutex_lock(&d->m); }"
    for argument in (
        "mmu_notifier_range_blockable(range)",
        "range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE",
        "may",
        "o.may",
    ):
        found = summary(
            "f",
            helper,
            f"""void f(struct d *d, const struct mmu_notifier_range *range) {{
                bool may = mmu_notifier_range_blockable(range);
                struct opt o = {{ .may = may }};
                h(d, {argument}); }}""",
        )
        assert [sleep.blockable for sleep in found.sleeps] == [True], argument


def test_sleeping_allocations_by_their_flags() -> None:
    source = "void f(void) { a = kmalloc(1, %s); }"
    assert not summary("f", source % "GFP_ATOMIC").sleeps
    assert summary("f", source % "GFP_KERNEL | __GFP_ZERO").sleeps


def test_locks_of_the_caller_forbid_sleeping_in_the_callee() -> None:
    source = """static void h(struct d *d) { mutex_lock(&d->m); mutex_unlock(&d->m); }
    void f(struct d *d) { spin_lock(&d->s); h(d); spin_unlock(&d->s); }
    void g(struct d *d) { spin_lock(&d->s); spin_unlock(&d->s); h(d); }"""
    assert [sleep.held for sleep in summary("f", source).sleeps] == [("d->s",)]
    assert [sleep.held for sleep in summary("g", source).sleeps] == [()]


def test_a_witness_runs_through_the_callee_in_execution_order() -> None:
    source = "void h(struct d *d)\n{\n\tspin_lock(&d->s);\n}\nvoid f(struct d *d)\n{\n\th(d);\n}"
    (one,) = summary("f", source).exits
    assert [step.place.line for step in one.steps] == [7, 3, 4, 8]
