# SPDX-License-Identifier: GPL-2.0-only
"""The fault path, the retry test, the flush and the core's call are read, not assumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.model.base import Place
from patchgen.proof.prove import Look, look
from patchgen.proof.system.retry import retry_fault
from patchgen.source.c.body import functions_in
from tests.proof.variants import MAIN, reader

MMU = "arch/x86/kvm/mmu/mmu.c"
TEMPLATE = "arch/x86/kvm/mmu/paging_tmpl.h"
HOST = "include/linux/kvm_host.h"
API = "include/linux/mmu_notifier.h"
CACHE = "virt/kvm/pfncache.c"
CORE = "mm/mmu_notifier.c"

RETRY = "if (mmu_notifier_retry(kvm, mmu_seq))\n\t\tgoto out_unlock;"
STALE = "if (is_page_fault_stale(vcpu, fault)) {\n\t\tr = RET_PF_RETRY;\n\t\tgoto out_unlock;\n\t}"
SAMPLE = "mmu_seq = kvm->mmu_notifier_seq;"
LOCK = "spin_lock(&kvm->mmu_lock);\n\tif (mmu_notifier_retry"
AGAIN = "spin_unlock(&kvm->mmu_lock);\n\tspin_lock(&kvm->mmu_lock);"


def changed(tree: Path, path: str, old: str, new: str) -> Look:
    text = (tree / path).read_text()
    assert text.count(old) >= 1, (path, old)
    at = text.rindex(old) if path == TEMPLATE else text.index(old)
    return look(reader(tree, {path: (text[:at] + new + text[at + len(old) :]).encode()}))


FAULTS = [
    ("the test inverted", RETRY, RETRY.replace("if (", "if (!")),
    ("no test", RETRY, ""),
    ("its answer dropped", RETRY, "mmu_notifier_retry(kvm, mmu_seq);"),
    ("its answer kept for later", RETRY, "gfn = mmu_notifier_retry(kvm, mmu_seq);\n\tif (gfn)\n"
     "\t\tgoto out_unlock;"),
    ("asked for some", RETRY, RETRY.replace("if (", "if (write && ")),
    ("asked where it makes no difference", RETRY, RETRY.replace("goto out_unlock", "write = 1")),
    ("of another sequence", RETRY, RETRY.replace("mmu_seq)", "kvm->mmu_notifier_seq)")),
    ("of another variable", RETRY, RETRY.replace("mmu_seq)", "gfn)")),
    ("the lock given away behind it", RETRY, f"{RETRY}\n\t{AGAIN}"),
    ("the lock given away by a helper", RETRY, f"{RETRY}\n\tkvm_breathe(kvm);"),
    ("the lock given away for some", RETRY, f"{RETRY}\n\tif (write) {{\n\t{AGAIN}\n\t}}"),
    ("sampled again", RETRY, f"{SAMPLE}\n\t{RETRY}"),
    ("sampled again for some", RETRY, f"if (write)\n\t\t{SAMPLE}\n\t{RETRY}"),
    ("before the lock", LOCK, "if (mmu_notifier_retry(kvm, mmu_seq))\n\t\treturn 0;\n\t"
     "spin_lock(&kvm->mmu_lock);\n\tif (is_error_pfn"),
    ("sampled too late", SAMPLE, ""),
    ("a jump over it", RETRY, f"if (write)\n\t\tgoto map;\n\t{RETRY}\nmap:"),
    ("a loop around it", RETRY, f"while (write) {{\n\t\t{RETRY}\n\t}}"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "old", "new"), FAULTS, ids=[what for what, *_ in FAULTS])
def test_a_fault_path_that_may_map_without_the_test_is_undecided(
    mini: Path, what: str, old: str, new: str
) -> None:
    text = (mini / MMU).read_text()
    assert text.count(old) == 1
    helper = (
        "static void kvm_breathe(struct kvm *kvm)\n{\n\tcond_resched_lock(&kvm->mmu_lock);\n}\n\n"
    )
    start = text.index("static int direct_page_fault(")
    text = text[:start] + helper + text[start:]
    found = look(reader(mini, {MMU: text.replace(old, new).encode()}))
    assert found.found is None
    assert {e.place.path for e in found.unknown} == {MMU}
    assert all(e.place.line > 1 for e in found.unknown)


RIGHT = [
    (RETRY, RETRY.replace("if (mmu_notifier_retry(kvm, mmu_seq))",
                          "if (unlikely(mmu_notifier_retry(kvm, mmu_seq)))")),
    (RETRY, "if (!mmu_notifier_retry(kvm, mmu_seq))\n\t\tgoto map;\n\tgoto out_unlock;\nmap:"),
    (RETRY, RETRY.replace("if (", "if (write > 1 || ")),
    (RETRY, RETRY.replace("goto out_unlock;", "{\n\t\tspin_unlock(&kvm->mmu_lock);\n"
                          "\t\treturn 0;\n\t}")),
    (SAMPLE, "mmu_seq = READ_ONCE(kvm->mmu_notifier_seq);"),
    (RETRY, f"if (write) {{\n\t{AGAIN}\n\t}}\n\t{RETRY}"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), RIGHT)
def test_a_fault_path_in_another_spelling_is_understood(mini: Path, old: str, new: str) -> None:
    found = changed(mini, MMU, old, new)
    assert found.found is not None, found.unknown


NO_SLOT = (
    "static inline bool is_noslot_pfn(kvm_pfn_t pfn)\n{\n\treturn pfn == KVM_PFN_NOSLOT;\n}\n\n"
)
UNLESS = RETRY.replace("if (", "if (!is_noslot_pfn(pfn) && ")


def without_a_slot(mini: Path, retry: str, test: str = NO_SLOT) -> Look:
    """The fault path with another retry test, and a test whether a pfn is no page."""
    main, host = (mini / MMU).read_text(), (mini / HOST).read_text()
    before = "static inline bool is_error_pfn("
    assert main.count(RETRY) == host.count(before) == 1
    return look(
        reader(
            mini,
            {
                MMU: main.replace(RETRY, retry).encode(),
                HOST: host.replace(before, test + before).encode(),
            },
        )
    )


@pytest.mark.parametrize(
    "retry",
    [UNLESS, f"if (is_noslot_pfn(pfn))\n\t\tgoto map;\n\t{RETRY}\nmap:"],
)
def test_what_is_no_page_of_a_memslot_needs_no_retry(mini: Path, retry: str) -> None:
    found = without_a_slot(mini, retry)
    assert found.found is not None, found.unknown


@pytest.mark.parametrize(
    ("what", "retry", "test"),
    [
        ("inverted", UNLESS.replace("!is", "is"), NO_SLOT),
        ("of another pfn", UNLESS.replace("(pfn)", "(gfn)"), NO_SLOT),
        ("written behind it", f"{UNLESS}\n\tpfn = gfn;", NO_SLOT),
        ("written in a loop behind it", f"{UNLESS}\n\twhile (write)\n\t\tpfn = gfn;", NO_SLOT),
        ("written by a call behind it", f"{UNLESS}\n\tkvm_breathe(&pfn);", NO_SLOT),
        ("its address is kept", f"rmap_head = &pfn;\n\t{UNLESS}\n\t*rmap_head = gfn;", NO_SLOT),
        ("counted up behind it", f"{UNLESS}\n\tpfn++;", NO_SLOT),
        ("another test", UNLESS, NO_SLOT.replace("==", "!=")),
        ("a test of more", UNLESS, NO_SLOT.replace("return ", "return pfn ||")),
        ("no such test", UNLESS, ""),
    ],
)
def test_a_page_that_may_be_one_needs_the_retry(
    mini: Path, what: str, retry: str, test: str
) -> None:
    found = without_a_slot(mini, retry, test)
    assert found.found is None
    assert {e.place.path for e in found.unknown} == {MMU}


COUNT = "if (unlikely(kvm->mmu_notifier_count))\n\t\treturn 1;"
MOVED = "if (kvm->mmu_notifier_seq != mmu_seq)\n\t\treturn 1;"
TESTS = [
    ("always no", MOVED, "return 0;\n\t" + MOVED),
    ("no count", COUNT, ""),
    ("no sequence", MOVED, ""),
    ("count inverted", COUNT, COUNT.replace("unlikely(", "!(")),
    ("sequence inverted", MOVED, MOVED.replace("!=", "==")),
    ("both at once", f"{MOVED}", f"{MOVED.replace('if (', 'if (mmu_seq && ')}"),
    ("the sequence by its own", MOVED, MOVED.replace("!= mmu_seq", "!= kvm->mmu_notifier_seq")),
    ("no for some", COUNT, "if (kvm->odd)\n\t\treturn 0;\n\t" + COUNT),
    ("yes and no swapped", MOVED, MOVED.replace("return 1", "return 0")),
]


@pytest.mark.parametrize(("what", "old", "new"), TESTS, ids=[what for what, *_ in TESTS])
def test_a_retry_test_that_may_wrongly_say_no_is_undecided(
    mini: Path, what: str, old: str, new: str
) -> None:
    found = changed(mini, HOST, old, new)
    assert {e.place.path for e in found.unknown} == {HOST}
    assert "mmu_notifier_retry()" in found.unknown[0].text


def test_a_retry_test_in_another_spelling_is_understood(mini: Path) -> None:
    text = (mini / HOST).read_text()
    start = text.index(COUNT)
    end = text.index("return 0;", start)
    for body in (
        "return kvm->mmu_notifier_count || kvm->mmu_notifier_seq != mmu_seq;\n\t",
        "return !(!kvm->mmu_notifier_count && READ_ONCE(kvm->mmu_notifier_seq) == mmu_seq);\n\t",
    ):
        found = look(reader(mini, {HOST: (text[:start] + body + text[end:]).encode()}))
        assert found.found is not None, found.unknown


HVA_TEST = """static inline int mmu_notifier_retry_hva(struct kvm *kvm,
		unsigned long mmu_seq, unsigned long hva)
{
	if (unlikely(kvm->mmu_notifier_count) && %s)
		return 1;
	if (kvm->mmu_notifier_seq != mmu_seq)
		return 1;
	return 0;
}
"""
FIRST, LAST = "kvm->mmu_notifier_range_start", "kvm->mmu_notifier_range_end"


def of_pages(test: str) -> tuple[Place, str] | None:
    """What is wrong with a retry test for one page."""
    found = {f.name: f for f in functions_in((HVA_TEST % test).encode(), HOST)}
    return retry_fault(found.get, "mmu_notifier_retry_hva")


@pytest.mark.parametrize(
    "test",
    [
        f"hva >= {FIRST} && hva < {LAST}",
        f"{FIRST} <= hva && hva < {LAST}",
        f"{FIRST} <= hva && {LAST} > hva",
        f"!(hva < {FIRST} || {LAST} <= hva)",
    ],
)
def test_the_bounds_of_a_retry_test_may_stand_on_either_side(test: str) -> None:
    assert of_pages(test) is None


@pytest.mark.parametrize(
    "test",
    [
        f"hva > {FIRST} && hva < {LAST}",
        f"{FIRST} < hva && hva < {LAST}",
        f"{FIRST} >= hva && hva < {LAST}",
        f"{LAST} <= hva && hva < {LAST}",
        f"!(hva < {FIRST} || {LAST} > hva)",
        f"{FIRST} <= mmu_seq && hva < {LAST}",
    ],
)
def test_a_retry_test_that_leaves_pages_out_is_undecided(test: str) -> None:
    found = of_pages(test)
    assert found is not None and "may say no" in found[1]


REQUEST = "kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (REQUEST, ""),
        (REQUEST, f"return;\n\t{REQUEST}"),
        (REQUEST, f"if (dirty_count)\n\t\t{REQUEST}"),
        (REQUEST, REQUEST.replace("TLB_FLUSH", "RELOAD")),
        (REQUEST, f"if (kvm_arch_flush_remote_tlb(kvm))\n\t\treturn;\n\t{REQUEST}"),
    ],
)
def test_a_flush_that_may_reach_nobody_is_undecided(mini: Path, old: str, new: str) -> None:
    found = changed(mini, MAIN, old, new)
    assert {e.place.path for e in found.unknown} == {MAIN}
    assert "kvm_flush_remote_tlbs() may return without a flush" in {e.text for e in found.unknown}


def test_a_flush_by_the_architecture_is_one(mini: Path) -> None:
    new = REQUEST.replace("kvm_make", "if (kvm_arch_flush_remote_tlb(kvm))\n\t\tkvm_make")
    assert changed(mini, MAIN, REQUEST, new).found is not None


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (API, "\tmmu_notifier_change_pte(__m, __a, __new);\t\t\t\\\n", ""),
        (API, "\t\t__mmu_notifier_change_pte(mm, address, pte);", "\t\t;"),
        (CORE, "mn->ops->change_pte(mn, mm, address, pte);", ";"),
        (CORE, "if (mn->ops->change_pte)", "if (mn->odd)"),
        (CORE, "mn->ops->change_pte(mn, mm, address, pte);",
         "{\n\t\t\tmn->ops->change_pte(mn, mm, address, pte);\n\t\t\tbreak;\n\t\t}"),
    ],
)  # fmt: skip
def test_a_core_that_may_tell_somebody_nothing_is_undecided(
    mini: Path, path: str, old: str, new: str
) -> None:
    found = changed(mini, path, old, new)
    assert {e.place.path for e in found.unknown} == {path}


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("version", "path", "old", "new"),
    [
        ("5.10", MMU, "if (mmu_notifier_retry(vcpu->kvm", "if (!mmu_notifier_retry(vcpu->kvm"),
        ("5.10", TEMPLATE, "if (mmu_notifier_retry(vcpu->kvm, mmu_seq))\n\t\tgoto out_unlock;", ""),
        ("6.1", MMU, f"\t{STALE}", ""),
        ("6.1", TEMPLATE, STALE, STALE.replace("if (", "if (!")),
        ("6.1", MMU, "if (!is_page_fault_stale(vcpu,", "if (is_page_fault_stale(vcpu,"),
        ("6.1", MMU, "return fault->slot &&\n", "return fault->slot && fault->odd &&\n"),
        ("6.1", HOST, "hva < kvm->mmu_invalidate_range", "hva >= kvm->mmu_invalidate_range"),
        ("7.2", TEMPLATE, STALE, ""),
        ("6.1", CACHE, "} while (mmu_notifier_retry_cache(kvm, mmu_seq));", "} while (0);"),
        ("6.1", CACHE, "} while (mmu_notifier_retry", "} while (!mmu_notifier_retry"),
        ("6.1", CACHE, "return kvm->mmu_invalidate_seq != mmu_seq;", "return false;"),
        ("6.1", CACHE, "if (kvm->mn_active_invalidate_count)\n\t\treturn true;", ""),
        ("6.1", MAIN, "while (kvm->mn_active_invalidate_count)", "if (kvm->mn_odd)"),
        ("6.1", MAIN, "while (kvm->mn_active_invalidate_count)",
         "while (!kvm->mn_active_invalidate_count)"),
    ],
)  # fmt: skip
def test_real_fault_paths(
    kernel_tree: Callable[[str], Path], version: str, path: str, old: str, new: str
) -> None:
    tree = kernel_tree(version)
    assert look(reader(tree)).found is not None
    found = changed(tree, path, old, new)
    assert found.found is None
    assert {e.place.path for e in found.unknown} == {path}


@pytest.mark.parametrize("moved", ["range->start + PAGE_SIZE", "range->start & HPAGE_MASK"])
def test_a_handler_that_takes_part_of_its_range_is_undecided(mini: Path, moved: str) -> None:
    old = "kvm_unmap_hva_range(kvm, range->start,"
    found = changed(mini, MAIN, old, old.replace("range->start", moved))
    assert found.found is None
    assert any(moved in e.text and e.place.path == MAIN for e in found.unknown)


def test_the_length_of_a_range_moves_none_of_its_bounds(mini: Path) -> None:
    trace = "trace_kvm_length(range->end - range->start);\n\tkvm->mmu_notifier_count++;"
    assert changed(mini, MAIN, "kvm->mmu_notifier_count++;", trace).found is not None


def test_what_only_gives_lines_is_no_part_of_an_undecided_protocol(mini: Path) -> None:
    """A change of the core's unmapping leaves a protocol as undecided as it was."""
    main, memory = (mini / MAIN).read_text(), (mini / "mm/memory.c").read_text()
    before = "\tif (kvm_set_spte_hva("
    odd = {MAIN: main.replace(before, f"\tkvm_note_change(kvm);\n{before}", 1).encode()}
    start = "\tmmu_notifier_invalidate_range_start(&range);"
    at = memory.index(start, memory.index("void zap_page_range("))
    more = memory[:at] + "\tcond_resched();\n" + memory[at:]
    plain = look(reader(mini, odd))
    assert plain.found is None
    assert look(reader(mini, {**odd, "mm/memory.c": more.encode()})).reads == plain.reads
    fault = (mini / MMU).read_text().replace(RETRY, f"cond_resched();\n\t{RETRY}", 1)
    assert look(reader(mini, {**odd, MMU: fault.encode()})).reads != plain.reads
