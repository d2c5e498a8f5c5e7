# SPDX-License-Identifier: GPL-2.0-only
import msgspec
import pytest

from patchgen.kernel.api.check import compare, identify
from patchgen.kernel.api.descriptor import load, names
from patchgen.kernel.api.surface import HEADER, Item, Surface
from patchgen.model.base import Place
from patchgen.report.api import as_lines, to_json
from patchgen.source.clang.surface import parse_branch
from tests.kernel.api.headers import header, prelude


@pytest.fixture(scope="session")
def surface_of(tmp_path_factory):
    """generation, and an edit of its header's text -> the surface clang sees."""
    root = tmp_path_factory.mktemp("tree")

    def extract(generation, edit=lambda text: text):
        text = edit(header(load(generation)).decode())
        contents = {HEADER: text.encode()}
        (root / "prelude.h").write_bytes(prelude())
        args = ("-nostdinc", "-I", str(root / "include"), "-include", str(root / "prelude.h"))
        items = []
        for branch, option in (("on", ("-DCONFIG_MMU_NOTIFIER",)), ("off", ())):
            found, problems, _ = parse_branch(root, args + option, branch, contents)
            assert problems == []
            items += found
        return Surface(tuple(sorted(items)))

    (root / "include/linux").mkdir(parents=True)
    return extract


@pytest.mark.parametrize("generation", names())
def test_every_generation_is_recognised_and_conforms_to_itself(surface_of, generation):
    found = surface_of(generation)
    identity = identify(found)
    assert str(identity) == generation
    compared = compare(found, load(generation), whole=True)
    assert compared.conforms
    assert len(compared.present) == len(load(generation).items)


def test_a_backport_is_named_by_its_feature(surface_of):
    backport = "bool mmu_notifier_trylock(struct mm_struct *mm);\n"
    found = surface_of("5.10", lambda text: text.replace("#else", backport + "#else"))
    identity = identify(found)
    assert str(identity) == "5.10 + mmu_notifier_trylock"
    assert compare(found, load("5.10")).conforms  # more than asked for is no fault


def test_missing_and_different_carry_place_and_type(surface_of):
    def edit(text):
        text = text.replace("void __mmu_notifier_release(struct mm_struct *);\n", "", 1)
        return text.replace("int mm_has_notifiers(", "long mm_has_notifiers(", 1)

    found = surface_of("5.10", edit)
    compared = compare(found, load("5.10"))
    assert [item.name for item in compared.missing] == ["__mmu_notifier_release"]
    (pair,) = compared.different
    assert (pair.wanted.text, pair.found.text) == (
        "int (struct mm_struct *)",
        "long (struct mm_struct *)",
    )
    lines = list(as_lines("5.10.1", identify(found), compared, quiet=False, verbose=False))
    assert lines[1] == "against 5.10: 151 present, 1 missing, 1 different"
    assert any(f"{pair.found.place}: mm_has_notifiers (configured)" in line for line in lines)
    assert pair.found.place.path == HEADER
    assert (
        "mm_has_notifiers"
        in edit(header(load("5.10")).decode()).splitlines()[pair.found.place.line - 1]
    )


def test_a_target_is_about_its_own_names(surface_of):
    flag = "#define MMU_NOTIFIER_USE_CHANGE_PTE (1 << 1)\n"
    helper = "bool mmu_notifier_range_use_change_pte(const struct mmu_notifier_range *r);\n"
    target = load("mmu-notifier-v05")
    before = compare(surface_of("5.10"), target)
    assert {item.name for item in before.missing} == {
        "MMU_NOTIFIER_USE_CHANGE_PTE",
        "mmu_notifier_range_use_change_pte",
    }
    after = surface_of("5.10", lambda text: text.replace("#else", flag + helper + "#else"))
    assert compare(after, target).conforms
    assert str(identify(after)) == (
        "5.10 + MMU_NOTIFIER_USE_CHANGE_PTE + mmu_notifier_range_use_change_pte"
    )


def test_a_function_that_became_a_macro_is_different():
    wanted = load("5.10")
    items = {(i.branch, i.name): i for i in wanted.items}
    key = ("on", "mmu_notifier_range_blockable")
    items[key] = Item(*key, "macro", "macro with 1 parameters", Place(HEADER, 3))
    compared = compare(Surface(tuple(items.values())), wanted)
    assert [pair.found.name for pair in compared.different] == [key[1]]


def test_json_has_every_name_once(surface_of):
    found = surface_of("5.2")
    compared = compare(found, load("5.10"))
    value = msgspec.json.decode(to_json("t", "5.2.0", identify(found), compared))
    assert value["generation"] == "5.2"
    assert value["conforms"] is False
    wanted = len(load("5.10").items)
    assert len(value["present"]) + len(value["missing"]) + len(value["different"]) == wanted
    assert {"MMU_NOTIFY_MIGRATE"} <= {row["name"] for row in value["missing"]}
