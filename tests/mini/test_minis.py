# SPDX-License-Identifier: GPL-2.0-only
"""The miniature kernels hold together: they parse, compile, link and say what they claim."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from patchgen.kernel.api.check import compare, identify
from patchgen.kernel.api.descriptor import load
from patchgen.model.facts import FileFacts
from patchgen.source.clang.surface import surface
from patchgen.source.clang.unit import parse
from patchgen.source.config.flags import parse_config
from patchgen.source.facts.extract import extract
from patchgen.source.facts.kvm import kvm_facts

ROOT = Path(__file__).resolve().parents[2] / "kernel-tree"
TREES = {"mini": "5.10", "mini-5.0": "5.0"}

HARDWARE = {
    "clear_page",
    "copy_from_user",
    "copy_page",
    "flush_tlb_range",
    "kvm_vcpu_kick",
    "printk",
    "schedule",
}
"""What a miniature leaves to the machine; everything else it defines itself."""

SITES_OF_5_0 = {
    "fs/proc/task_mmu.c": ["clear_refs_write"],
    "kernel/events/uprobes.c": ["__replace_page"],
    "mm/huge_memory.c": [
        "__split_huge_pmd",
        "__split_huge_pud",
        "do_huge_pmd_wp_page",
        "do_huge_pmd_wp_page_fallback",
    ],
    "mm/hugetlb.c": [
        "__unmap_hugepage_range",
        "copy_hugetlb_page_range",
        "hugetlb_change_protection",
        "hugetlb_cow",
    ],
    "mm/khugepaged.c": ["collapse_huge_page"],
    "mm/ksm.c": ["replace_page", "write_protect_page"],
    "mm/madvise.c": ["madvise_free_single_vma"],
    "mm/memory.c": [
        "__follow_pte_pmd",
        "__follow_pte_pmd",
        "copy_page_range",
        "unmap_vmas",
        "wp_page_copy",
        "zap_page_range",
        "zap_page_range_single",
    ],
    "mm/migrate.c": ["migrate_vma_collect", "migrate_vma_pages"],
    "mm/mprotect.c": ["change_pmd_range"],
    "mm/mremap.c": ["move_page_tables"],
    "mm/oom_kill.c": ["__oom_reap_task_mm"],
    "mm/rmap.c": ["page_mkclean_one", "try_to_unmap_one"],
}
"""The 28 calls of mmu_notifier_range_init() in Linux 5.0, by file and function."""


def sources(tree: Path) -> list[str]:
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*.c"))


def selecting(tree: Path, symbol: str) -> set[str]:
    """The options of the tree's Kconfig that cannot be on without ``symbol``."""
    found = {symbol}
    option = ""
    for line in (tree / "Kconfig").read_text().splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "config":
            option = rest
        elif word == "select" and rest == symbol:
            found.add(option)
    return found


def built_with(tree: Path, options: set[str]) -> Iterator[str]:
    """The files that the tree's Makefiles build for one of ``options`` only."""
    for makefile in tree.rglob("Makefile"):
        rules = re.findall(r"^obj-\$\(CONFIG_(\w+)\) \+= (.*)$", makefile.read_text(), re.M)
        for option, objects in rules:
            if option in options:
                for name in objects.split():
                    file = makefile.parent / name.replace(".o", ".c")
                    if file.is_file():
                        yield str(file.relative_to(tree))


def facts_of(tree: Path, path: str) -> FileFacts:
    names = frozenset(item.name for item in load(TREES[tree.name]).items)
    unit = parse(tree, path, parse_config(tree, path, "x86"))
    return extract((tree / path).read_bytes(), unit, names)


@pytest.fixture(params=sorted(TREES))
def tree(request: pytest.FixtureRequest) -> Path:
    return ROOT / str(request.param)


def test_it_has_the_api_of_its_version_and_nothing_else(tree: Path) -> None:
    found = surface(tree)
    assert str(identify(found)) == TREES[tree.name]
    assert compare(found, load(TREES[tree.name]), whole=True).conforms
    assert not found.diagnostics


def test_every_file_parses(tree: Path) -> None:
    for path in sources(tree):
        unit = parse(tree, path, parse_config(tree, path, "x86"))
        assert unit.diagnostics == ()


def test_every_file_that_can_do_without_notifiers_parses_without(tree: Path) -> None:
    gone = selecting(tree, "MMU_NOTIFIER")
    rest = sorted(set(sources(tree)) - set(built_with(tree, gone)))
    assert "mm/memory.c" in rest
    assert "mm/mmu_notifier.c" not in rest
    for path in rest:
        config = parse_config(tree, path, "x86", off=frozenset(gone))
        assert parse(tree, path, config).diagnostics == ()


def test_kvm_is_of_the_direct_idiom(tree: Path) -> None:
    kvm = kvm_facts(facts_of(tree, "virt/kvm/kvm_main.c"))
    assert kvm is not None
    assert (kvm.idiom, kvm.count, kvm.sequence) == (
        "direct",
        "mmu_notifier_count",
        "mmu_notifier_seq",
    )


def test_every_call_site_of_5_0_has_a_namesake() -> None:
    tree = ROOT / "mini-5.0"
    found: dict[str, list[str]] = {}
    for path in sources(tree):
        for site in facts_of(tree, path).sites:
            found.setdefault(path, []).append(site.function)
    assert {path: sorted(names) for path, names in found.items()} == SITES_OF_5_0


def test_blockable_is_used_in_every_way() -> None:
    used = (
        "\n".join((ROOT / "mini-5.0" / path).read_text() for path in sources(ROOT / "mini-5.0"))
        + (ROOT / "mini-5.0/include/linux/mmu_notifier.h").read_text()
    )
    for form in (
        r"if \(range->blockable\)",
        r"if \(!range->blockable\)",
        r"!range->blockable \?",
        r"\bnr->blockable \?",
        r"\(nr->blockable\) \?",
        r"!_range->blockable &&",
        r"&& _range->blockable\)",
        r"\|\|\n.*!_range->blockable",
        r"bool blockable = range->blockable;",
        r"= !range->blockable;",
        r"update\.blockable = range->blockable;",
        r"return r->blockable;",
        r"r->blockable == false",
        r"\bcut\.blockable\b",
        r"range->end, range->blockable\)",
        r"range->blockable = true;",
        r"range->blockable = false;",
        r"const struct mmu_notifier_range \*_range",
        r"[^t] struct mmu_notifier_range \*r\b",
    ):
        assert re.search(form, used), form


@pytest.fixture
def objects(tree: Path, tmp_path: Path, need: Callable[..., None]) -> list[Path]:
    """All of the tree compiled, with warnings as errors."""
    need("gcc")
    generated = tmp_path / "generated"
    generated.mkdir()
    options = re.findall(r"^config (\w+)$", (tree / "Kconfig").read_text(), re.M)
    lines = [f"#define CONFIG_{option} 1\n" for option in options]
    (generated / "autoconf.h").write_text("".join(lines))
    flags = "-c -O2 -Wall -Wmissing-prototypes -Werror -ffreestanding -nostdinc -D__KERNEL__"
    places = ["-Iarch/x86/include", "-Iinclude", f"-I{tmp_path}"]
    forced = ["-include", "include/linux/kconfig.h"]
    made = []
    for number, path in enumerate(sources(tree)):
        made.append(tmp_path / f"{number}.o")
        command = ["gcc", *flags.split(), *places, *forced, path, "-o", str(made[-1])]
        subprocess.run(command, cwd=tree, check=True)
    return made


def prototypes(header: str) -> list[str]:
    """The functions that a header declares; inline ones have a body."""
    bare = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    bare = re.sub(r"^#(?:.*\\\n)*.*$", "", bare, flags=re.M)
    bare = re.sub(r"__attribute__\(\(.*\)\)", "", bare)
    return re.findall(r"^[a-z][\w\s*]*?[\s*](\w+)\([^{};]*\);", bare, re.M)


def symbols(file: Path, option: str) -> set[str]:
    listing = subprocess.run(
        ["nm", "-g", option, str(file)], capture_output=True, text=True, check=True
    )
    return {line.split()[-1] for line in listing.stdout.splitlines()}


def test_it_links_and_declares_nothing_that_is_not_there(
    tree: Path, objects: list[Path], tmp_path: Path
) -> None:
    whole = tmp_path / "whole.o"
    subprocess.run(["ld", "-r", "-o", str(whole), *map(str, objects)], check=True)
    assert symbols(whole, "--undefined-only") <= HARDWARE

    defined = symbols(whole, "--defined-only") | HARDWARE
    declared = {
        name: header for header in tree.rglob("*.h") for name in prototypes(header.read_text())
    }
    assert {"mmu_notifier_register", "handle_mm_fault", "init_srcu_struct"} <= set(declared)
    assert {name: str(declared[name]) for name in declared.keys() - defined} == {}


def _comments(text: str) -> set[str]:
    """The comments as sentences, without what every file may say."""
    found = (re.sub(r"[\s*]+", " ", c).strip() for c in re.findall(r"/\*(.*?)\*/", text, re.S))
    return {comment for comment in found if " " in comment and not comment.startswith("SPDX")}


@pytest.mark.kernel
def test_no_comment_is_the_kernels(kernel_tree: Callable[[str], Path]) -> None:
    real = kernel_tree("5.10")
    for name in TREES:
        for path in (ROOT / name).rglob("*.[ch]"):
            other = real / path.relative_to(ROOT / name)
            if other.is_file():
                same = _comments(path.read_text()) & _comments(other.read_text(errors="replace"))
                assert {c for c in same if not re.fullmatch(r"!?\(?CONFIG_[\w ()&]*", c)} == set()
