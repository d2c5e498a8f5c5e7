# SPDX-License-Identifier: GPL-2.0-only
"""What is followed, and what is not guessed: small handlers, written here."""

from __future__ import annotations

import pytest

from patchgen.proof.extract.extract import Extractor
from patchgen.proof.extract.program import Program
from patchgen.source.c.body import functions_in


def program(code: str, name: str = "start") -> Program:
    functions = {f.name: f for f in functions_in(code.encode(), "virt/kvm/kvm_main.c")}
    return Extractor(functions).program(functions[name])


def path(found: Program, answers: dict[str, bool] | None = None) -> list[str]:
    """The operations on the way on which tests are answered so (no by default)."""
    node = found.nodes[found.entry]
    done = []
    while node.kind in ("do", "test"):
        if node.kind == "do":
            done.append(f"{node.what} {node.arg}".strip())
            node = found.nodes[node.yes]
        else:
            node = found.nodes[node.yes if (answers or {}).get(node.what) else node.no]
    return [*done, f"{node.kind} {node.what}".strip()]


def reasons(found: Program) -> list[tuple[int, str]]:
    return [(node.place.line, node.what) for node in found.unknown()]


def test_a_flag_in_a_variable_decides_later() -> None:
    found = program(
        """int start(struct kvm *kvm, const struct mmu_notifier_range *range)
{
	bool skip = range->flags & MMU_NOTIFIER_USE_CHANGE_PTE;

	spin_lock(&kvm->mmu_lock);
	if (!skip)
		kvm->mmu_notifier_count++;
	spin_unlock(&kvm->mmu_lock);
	return 0;
}
"""
    )
    assert path(found) == ["lock mmu", "raise_count", "unlock mmu", "end 0"]
    assert path(found, {"flagged": True}) == ["lock mmu", "unlock mmu", "end 0"]


def test_a_function_chosen_by_the_flag_is_followed() -> None:
    found = program(
        """static bool zap(struct kvm *kvm) { return kvm_zap_all_rmap_sptes(kvm); }
static bool keep(struct kvm *kvm) { return false; }
static void walk(struct kvm *kvm, const struct kvm_hva_range *r)
{
	if (r->handler(kvm) && r->flush_on_ret)
		kvm_flush_remote_tlbs(kvm);
}
int start(struct kvm *kvm, const struct mmu_notifier_range *range)
{
	const struct kvm_hva_range hva_range = {
		.handler = mmu_notifier_range_use_change_pte(range) ? keep : zap,
		.flush_on_ret = true,
	};

	walk(kvm, &hva_range);
	return 0;
}
"""
    )
    assert path(found, {"flagged": True, "present": True}) == ["end 0"]
    assert path(found, {"present": True}) == ["drop_spte", "flush", "end 0"]
    assert path(found) == ["end 0"]


def test_goto_and_early_returns_keep_what_they_hold() -> None:
    found = program(
        """int start(struct kvm *kvm)
{
	spin_lock(&kvm->mmu_lock);
	if (kvm->tlbs_dirty)
		goto out;
	if (kvm->mmu_notifier_count)
		return -EAGAIN;
	kvm->mmu_notifier_seq++;
out:
	spin_unlock(&kvm->mmu_lock);
	return 0;
}
"""
    )
    assert path(found, {"deferred": True}) == ["lock mmu", "unlock mmu", "end 0"]
    assert path(found, {"in_progress": True}) == ["lock mmu", "end -EAGAIN"]
    assert path(found) == ["lock mmu", "bump_seq", "unlock mmu", "end 0"]


def test_an_spte_is_protected_in_place_and_flushed_only_if_it_was_writable() -> None:
    found = program(
        """static int protect(struct kvm_rmap_head *rmap_head)
{
	u64 mask = PT_WRITABLE_MASK | SPTE_HOST_WRITEABLE;
	struct rmap_iterator iter;
	u64 *sptep;
	int flush = 0;

	for_each_rmap_spte(rmap_head, &iter, sptep)
		flush |= mmu_spte_update(sptep, *sptep & ~mask);
	return flush;
}
int start(struct kvm *kvm, struct kvm_rmap_head *rmap_head)
{
	if (protect(rmap_head))
		kvm_flush_remote_tlbs(kvm);
	return 0;
}
"""
    )
    assert path(found, {"present": True, "writable": True}) == ["protect_spte", "flush", "end 0"]
    assert path(found, {"present": True}) == ["end 0"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("kvm_do_something(kvm);", "kvm_do_something() is not known"),
        ("if (kvm->strange) kvm->mmu_notifier_seq++;", "a condition that is not understood"),
        ("spin_lock(&kvm->other_lock);", "a lock that is not known"),
        ("kvm->something = 1;", "an assignment that is not understood"),
        ("while (kvm->busy) kvm->mmu_notifier_seq++;", "not"),
        ("for (i = 0; i < n; i++) kvm_flush_remote_tlbs(kvm);", "a loop whose rounds"),
        ("list_for_each_entry(a, b, c) kvm_flush_remote_tlbs(kvm);", "a loop that is not known"),
        ('asm volatile("" ::: "memory");', "a statement that is not understood"),
        ("ops->hook(kvm);", "a call of an unknown function"),
        ("again: goto again;", "the program does not end"),
        ("mmu_spte_set(sptep, value);", "what is written is not known"),
        ("start(kvm);", "calls nest too deep"),
    ],
)
def test_what_is_not_understood_is_unknown_with_its_line(statement: str, reason: str) -> None:
    found = program(f"int start(struct kvm *kvm)\n{{\n\tint i;\n\t{statement}\n\treturn 0;\n}}\n")
    said = reasons(found)
    assert said and all(line == 4 for line, _ in said)
    assert any(reason in text for _, text in said)


def test_a_condition_that_makes_no_difference_need_not_be_understood() -> None:
    found = program(
        "int start(struct kvm *kvm)\n{\n\tif (kvm->strange)\n\t\ttrace_it(kvm);\n"
        "\tWARN_ON(kvm->odd > 3);\n\treturn 0;\n}\n"
    )
    assert path(found) == ["end 0"]


def test_many_conditions_do_not_take_for_ever() -> None:
    lines = "\n".join(f"\tif (kvm->a{n})\n\t\tx = {n};" for n in range(60))
    found = program(f"int start(struct kvm *kvm)\n{{\n\tint x = 0;\n{lines}\n\treturn x;\n}}\n")
    assert reasons(found)
