# SPDX-License-Identifier: GPL-2.0-only
"""Big series are cut by maintainer, and every part builds on the ones before only."""

from __future__ import annotations

import random

from patchgen.series.write.split import NOBODY, Part, entry_for, parse_maintainers, split

TEXT = """\
List of maintainers
===================

	M: a mail
	F: not an entry, indented

KVM
M:	K <k@example.org>
F:	virt/kvm/
F:	arch/*/kvm/
X:	arch/s390/kvm/

MEMORY MANAGEMENT
F:	mm/

MMU NOTIFIERS
F:	mm/mmu_notifier.c
F:	include/linux/mmu_notifier.h

THE REST
F:	*
F:	*/
"""
ENTRIES = parse_maintainers(TEXT)


def test_most_exact_entry_wins() -> None:
    names = {
        "virt/kvm/kvm_main.c": "KVM",
        "arch/x86/kvm/mmu.c": "KVM",
        "arch/s390/kvm/pv.c": "THE REST",
        "mm/ksm.c": "MEMORY MANAGEMENT",
        "mm/mmu_notifier.c": "MMU NOTIFIERS",
        "Makefile": "THE REST",
    }
    assert {path: entry_for(path, ENTRIES) for path in names} == names
    assert entry_for("x", ()) == NOBODY


def test_one_part_for_each_entry_in_dependency_order() -> None:
    patches = [["mm/ksm.c"], ["include/linux/mmu_notifier.h"], ["virt/kvm/a.c"], ["virt/kvm/b.c"]]
    assert split(patches, ENTRIES) == (
        Part("MEMORY MANAGEMENT", (1,)),
        Part("MMU NOTIFIERS", (2,)),
        Part("KVM", (3, 4), (2,)),
    )


def test_entries_that_need_each_other_stay_together() -> None:
    patches = [["mm/a.c"], ["virt/kvm/a.c", "virt/kvm/b.c", "mm/a.c"], ["mm/c.c", "mm/d.c"]]
    patches[2].append("virt/kvm/b.c")
    assert [part.patches for part in split(patches, ENTRIES)] == [(1, 2, 3)]


def test_parts_are_never_too_long_and_never_out_of_order() -> None:
    chance = random.Random(1)
    paths = [f"{folder}/{n}.c" for folder in ("mm", "virt/kvm", "fs") for n in range(12)]
    paths.append("include/linux/mmu_notifier.h")
    for _ in range(50):
        patches = [chance.sample(paths, chance.randint(1, 3)) for _ in range(40)]
        parts = split(patches, ENTRIES, 15)
        order = [number for part in parts for number in part.patches]
        assert sorted(order) == list(range(1, 41))
        assert max(len(part.patches) for part in parts) <= 15
        for place, number in enumerate(order):
            later = order[place:]
            shared = [
                other for other in later if other < number
                and set(patches[other - 1]) & set(patches[number - 1])
            ]  # fmt: skip
            assert not shared
        for here, part in enumerate(parts, 1):
            assert all(place < here for place in part.after)


def test_what_a_recipe_needs_goes_before_it() -> None:
    text = TEXT.replace("F:\tarch/*/kvm/\n", "") + "\nX86\nF:\tarch/x86/kvm/\n"
    paths = [["mm/ksm.c"], ["virt/kvm/kvm_main.c"], ["arch/x86/kvm/mmu.c"], ["virt/kvm/kvm_main.c"]]
    recipes = ["flags", "flush", "mend", "guard"]
    entries = parse_maintainers(text)
    apart = [part.patches for part in split(paths, entries)]
    assert apart == [(1,), (2, 4), (3,)]  # the guard before the mend that it needs
    parts = split(paths, entries, recipes=recipes)
    assert [(part.title, part.patches, part.after) for part in parts] == [
        ("MEMORY MANAGEMENT", (1,), ()), ("KVM and X86", (2, 3, 4), (1,)),
    ]  # fmt: skip
    for length in range(2, 5):  # in whatever way it is cut, the order of recipes is kept
        order = [
            number for part in split(paths, entries, length, recipes) for number in part.patches
        ]
        assert order == sorted(order)
