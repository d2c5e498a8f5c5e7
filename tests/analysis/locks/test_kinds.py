# SPDX-License-Identifier: GPL-2.0-only
"""Every kind that may be held: balanced, left held, taken twice, slept under."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from patchgen.kernel import locks
from tests.analysis.locks.callback import verdict

TABLE = Path(locks.__file__).with_suffix(".toml")

#: By name: what takes, what drops.
PAIRS = {
    "raw irqsave": ("raw_spin_lock_irqsave(&d->l, f)", "raw_spin_unlock_irqrestore(&d->l, f)"),
    "bh": ("spin_lock_bh(&d->l)", "spin_unlock_bh(&d->l)"),
    "nested": ("spin_lock_nested(&d->l, 1)", "spin_unlock(&d->l)"),
    "read": ("read_lock(&d->rw)", "read_unlock(&d->rw)"),
    "write irq": ("write_lock_irq(&d->rw)", "write_unlock_irq(&d->rw)"),
    "io": ("mutex_lock_io(&d->m)", "mutex_unlock(&d->m)"),
    "rwsem": ("down_read_nested(&d->sem, 1)", "up_read(&d->sem)"),
    "mmap": ("mmap_read_lock(d->mm)", "up_read(&d->mm->mmap_lock)"),
    "rcu": ("rcu_read_lock()", "rcu_read_unlock()"),
    "srcu": ("int i = srcu_read_lock(&d->srcu)", "srcu_read_unlock(&d->srcu, i)"),
    "irq": ("local_irq_save(flags)", "local_irq_restore(flags)"),
    "irq off": ("local_irq_disable()", "local_irq_enable()"),
    "bottom halves": ("local_bh_disable()", "local_bh_enable()"),
    "preemption": ("preempt_disable()", "preempt_enable()"),
    "lock, then irq": ("spin_lock_irqsave(&d->l, f)", "spin_unlock(&d->l); local_irq_restore(f)"),
    "either": ("KVM_MMU_LOCK(d)", "write_unlock(&d->mmu_lock)"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(PAIRS))
def test_what_is_taken_is_dropped(name: str) -> None:
    take, drop = PAIRS[name]
    assert verdict(f"{take}; work(d); {drop};") == ""
    assert verdict(f"{take}; if (d->gone) return 0; {drop};") == "fault"
    assert verdict(f"{drop};") == "fault"


#: Conditional ones: what takes, when the call says so, what drops.
TRIES = {
    "trylock": ("spin_trylock(&d->l)", "spin_unlock(&d->l)"),
    "raw irq": ("raw_spin_trylock_irq(&d->l)", "raw_spin_unlock_irq(&d->l)"),
    "irqsave": ("spin_trylock_irqsave(&d->l, f)", "spin_unlock_irqrestore(&d->l, f)"),
    "write irqsave": ("write_trylock_irqsave(&d->rw, f)", "write_unlock_irqrestore(&d->rw, f)"),
    "interruptible": ("!mutex_lock_interruptible(&d->m)", "mutex_unlock(&d->m)"),
    "killable": ("!down_write_killable(&d->sem)", "up_write(&d->sem)"),
    "dec": ("atomic_dec_and_lock(&d->n, &d->l)", "spin_unlock(&d->l)"),
    "dec irqsave": ("atomic_dec_and_lock_irqsave(&d->n, &d->l, f)",
                    "spin_unlock_irqrestore(&d->l, f)"),
    "dec mutex": ("atomic_dec_and_mutex_lock(&d->n, &d->m)", "mutex_unlock(&d->m)"),
    "refcount": ("refcount_dec_and_mutex_lock(&d->n, &d->m)", "mutex_unlock(&d->m)"),
    "recursive": ("mutex_trylock_recursive(&d->m) == MUTEX_TRYLOCK_SUCCESS",
                  "mutex_unlock(&d->m)"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TRIES))
def test_what_may_be_taken_is_dropped_where_it_was(name: str) -> None:
    take, drop = TRIES[name]
    assert verdict(f"if ({take}) {{ work(d); {drop}; }}") == ""
    assert verdict(f"if ({take}) work(d);") == "fault"
    assert verdict(f"if ({take}) work(d); {drop};") == "fault"


def test_a_lock_for_writing_becomes_one_for_reading() -> None:
    assert verdict("down_write(&d->sem); downgrade_write(&d->sem); up_read(&d->sem);") == ""
    assert verdict("down_write(&d->sem); downgrade_write(&d->sem); up_write(&d->sem);") == "fault"


def test_interrupts_stay_off_after_a_plain_unlock() -> None:
    assert verdict("spin_lock_irqsave(&d->l, f); spin_unlock(&d->l);") == "fault"
    body = "if (!spin_trylock_irqsave(&d->l, f)) return 0; spin_unlock(&d->l);"
    assert verdict(body) == "fault"


def test_sections_nest_to_any_depth() -> None:
    for depth in (2, 4, 9):
        body = "rcu_read_lock();" * depth + "work(d);" + "rcu_read_unlock();" * depth
        assert verdict(body) == ""
        assert verdict(body + "rcu_read_unlock();") == "fault"


GUARDS = {
    "goto": "{ guard(mutex)(&d->m); if (foo()) goto out; } work(d); out:",
    "scoped": "scoped_guard(spinlock_irqsave, &d->l) { if (foo()) break; work(d); }",
    "conditional": "scoped_cond_guard(mutex_intr, return -EINTR, &d->m) { work(d); }",
    "conditional, goto": "scoped_cond_guard(mutex_try, goto out, &d->m) { work(d); } work(d); out:",
    "conditional, then": "scoped_cond_guard(rwsem_read_try, work(d), &d->sem) work(d);",
    "two": "guard(mutex)(&d->m); guard(spinlock)(&d->l); if (foo()) return 0;",
}


@pytest.mark.parametrize("body", GUARDS.values(), ids=list(GUARDS))
def test_guards_end_with_their_scope(body: str) -> None:
    assert verdict(body + ";") == ""


def test_nothing_sleeps_where_it_must_not() -> None:
    for guard in ("preempt", "irqsave", "bh", "rcu", "raw_spinlock_irq"):
        lock = "" if guard in ("preempt", "irqsave", "bh", "rcu") else "&d->l"
        assert verdict(f"guard({guard})({lock}); mutex_lock(&d->m); mutex_unlock(&d->m);"), guard
    assert verdict("guard(srcu)(&d->srcu); mutex_lock(&d->m); mutex_unlock(&d->m);") == ""


def test_locks_of_a_loop_are_told_apart_or_undecided() -> None:
    each = "int i; for (i = 0; i < d->n; i++) %s(&d->a[i].m);"
    assert verdict(each % "mutex_lock" + each[6:] % "mutex_unlock") == "undecided"
    body = "struct node *p; list_for_each_entry(p, &d->all, l) {"
    assert verdict(body + " mutex_lock(&p->m); mutex_unlock(&p->m); }") == ""


def test_a_reference_may_be_handed_on() -> None:
    take = "if (!mmget_not_zero(d->mm)) return 0;"
    drop = "if (d->busy) { mmput_async(d->mm); return 0; }"
    assert verdict(f"{take} {drop} queue_work(d->wq, &d->work);") == "undecided"
    assert verdict(f"{take} {drop} d->w->mm = d->mm;") == "undecided"
    assert verdict(f"{take} {drop} if (d->x) return 0; mmput_async(d->mm);") == "fault"


def test_a_function_that_calls_itself_comes_to_rest() -> None:
    rec = "static void rec(struct dev *x, int n)\n{ %s }\n"
    closes = rec % "if (n) { rec(x, n - 1); return; } mutex_unlock(&x->m);"
    assert verdict("mutex_lock(&d->m); rec(d, foo());", closes) == ""
    assert verdict("rec(d, foo());", closes) == "fault"
    takes = rec % "mutex_lock(&x->m); if (n) rec(x, n - 1); mutex_unlock(&x->m);"
    assert verdict("rec(d, foo());", takes) == "fault"
    grows = rec % "mutex_lock(&x->m); if (n) rec(x, n - 1);"
    assert verdict("rec(d, foo());", grows) == "fault"


def test_a_misspelt_table_does_not_load() -> None:
    good = TABLE.read_bytes()
    locks.parse(good)
    for old, new in (
        (b'spin_lock = "take"', b'spin_lock = "takes"'),
        (b'spin_lock = "take"', b'spin_lock = "take sleps"'),
        (b'spin_lock = "take"', b'mutex_lock = "take"'),
        (b"exclusive = true", b"exclusiv = true"),
        (b"mutex = \"mutex_lock mutex_unlock\"", b"mutex = \"mutex_lok mutex_unlock\""),
        (b"becomes:rwsem_read", b"becomes:rwsem_reader"),
        (b"kref_put = { function = 1 }", b"kref_put = { funktion = 1 }"),
    ):  # fmt: skip
        assert old in good
        with pytest.raises((locks.TableError, msgspec.ValidationError)):
            locks.parse(good.replace(old, new, 1))


@pytest.mark.parametrize("value", ["-EINTR", "(-EINTR)", "-4", "d->st"])
@pytest.mark.parametrize("kind", ["mutex_intr", "mutex_try", "mutex_kill"])
def test_a_conditional_guard_that_is_missed_leaves(value: str, kind: str) -> None:
    other = f"mutex_lock(&d->n); scoped_cond_guard({kind}, return {value}, &d->m) {{ work(d); }}"
    assert verdict(f"{other} mutex_unlock(&d->n);") == "fault"
    jump = f"mutex_lock(&d->n); scoped_cond_guard({kind}, goto out, &d->m) {{ work(d); }} out:"
    assert verdict(f"{jump} mutex_unlock(&d->n);") == ""
