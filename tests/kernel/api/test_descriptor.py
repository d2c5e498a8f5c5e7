# SPDX-License-Identifier: GPL-2.0-only
import re
from pathlib import Path

import pytest

from patchgen.kernel import api
from patchgen.kernel.api.descriptor import all_descriptors, load, macro_text, names
from patchgen.model.outcome import UserError

GENERATIONS = ("5.0", "mmu-notifier-v05", "5.2", "5.10", "5.15", "6.3", "6.6", "6.10", "7.2")


def test_generations_are_listed_in_their_order_in_time():
    assert names() == GENERATIONS


def test_each_generation_differs_from_every_other():
    seen = {descriptor.items for descriptor in all_descriptors()}
    assert len(seen) == len(GENERATIONS)


@pytest.mark.parametrize(
    ("generation", "has", "lacks"),
    [
        ("5.0", {"mmu_notifier_range.blockable"}, {"mmu_notifier_range.vma", "MMU_NOTIFY_UNMAP"}),
        ("mmu-notifier-v05", {"MMU_NOTIFIER_USE_CHANGE_PTE", "mmu_notifier_range.vma"}, set()),
        ("5.2", {"mmu_notifier_range.vma"}, {"MMU_NOTIFIER_USE_CHANGE_PTE", "MMU_NOTIFY_MIGRATE"}),
        (
            "5.10",
            {"mmu_notifier_range_init_migrate", "MMU_NOTIFY_MIGRATE"},
            {"MMU_NOTIFY_EXCLUSIVE"},
        ),
        ("5.15", {"mmu_notifier_range_init_owner"}, {"mmu_notifier_range_init_migrate"}),
        ("6.3", {"mmu_notifier_ops.invalidate_range"}, {"mmu_notifier_range.vma"}),
        (
            "6.6",
            {"mmu_notifier_ops.arch_invalidate_secondary_tlbs", "mmu_notifier_ops.change_pte"},
            {"mmu_notifier_ops.invalidate_range", "mmu_notifier_invalidate_range_only_end"},
        ),
        ("6.10", {"mmu_interval_notifier_ops.invalidate"}, {"set_pte_at_notify"}),
        ("7.2", {"mmu_interval_notifier_ops.invalidate_start"}, {"mmu_notifier_ops.change_pte"}),
    ],
)
def test_what_tells_a_generation_apart(generation, has, lacks):
    found = {item.name for item in load(generation).items}
    assert has <= found
    assert not lacks & found


def test_ageing_callbacks_became_bool_in_7_2():
    def type_in(generation):
        items = {(i.branch, i.name): i.text for i in load(generation).items}
        return items["on", "mmu_notifier_ops.test_young"].split(" ")[0]

    assert [type_in(g) for g in ("5.0", "6.10", "7.2")] == ["int", "int", "bool"]


def test_unknown_generation_names_the_known_ones():
    with pytest.raises(UserError, match=re.escape("no API generation '../5.0'")) as error:
        load("../5.0")
    assert "mmu-notifier-v05" in error.value.hint


def test_a_descriptor_holds_no_place_and_is_sorted():
    folder = Path(api.__file__).parent / "generations"
    assert {path.stem for path in folder.glob("*.toml")} == set(GENERATIONS)
    for descriptor in all_descriptors():
        assert all(item.place is None for item in descriptor.items)
        assert list(descriptor.items) == sorted(descriptor.items)


@pytest.mark.parametrize("text", ["BIT(1)", "(1<<1)"])
def test_a_bit_is_one_value_in_two_spellings(text):
    assert macro_text(text) == "(1<<1)"
