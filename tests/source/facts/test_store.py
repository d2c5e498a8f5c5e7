# SPDX-License-Identifier: GPL-2.0-only
"""The cache of facts: what is parsed again after a change, and what is not."""

import os

import pytest

from patchgen.source.clang import pool
from patchgen.source.facts.inspection import inspect
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve


@pytest.fixture
def parsed(monkeypatch, tmp_path):
    """The paths that workers were asked to parse, in a cache of the test's own."""
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    paths = []
    run = pool.run

    def counting(function, tasks, *more, **named):
        def counted():
            for task in tasks:
                paths.append(task.path)
                yield task

        return run(function, counted(), *more, **named)

    monkeypatch.setattr(pool, "run", counting)
    return paths


def look(root, *paths):
    return inspect(TreeState(resolve(str(root))), paths)


def test_a_second_run_parses_nothing_and_says_the_same(tree, parsed):
    first = look(tree)
    assert "virt/kvm/kvm_main.c" in parsed
    parsed.clear()
    assert look(tree) == first
    assert parsed == []


def test_a_touched_file_with_the_same_bytes_is_not_parsed_again(tree, parsed):
    look(tree)
    parsed.clear()
    os.utime(tree / "mm/ksm.c", (1, 1))
    look(tree)
    assert parsed == []


def test_a_changed_source_alone_is_parsed_again(tree, parsed):
    look(tree)
    parsed.clear()
    with (tree / "mm/ksm.c").open("a") as file:
        file.write("void more(void)\n{\n\tmmu_notifier_synchronize();\n}\n")
    after = look(tree)
    assert parsed == ["mm/ksm.c"]
    ksm = next(facts for facts in after.files if facts.path == "mm/ksm.c")
    assert ksm.function("more") is not None


def test_a_changed_header_reparses_only_what_includes_it(tree, parsed):
    look(tree)
    parsed.clear()
    header = tree / "drivers/misc/scratch_engine.h"
    header.write_text(header.read_text() + "\nint one_more;\n")
    look(tree)
    assert set(parsed) == {"drivers/misc/scratch_engine.c"}
    parsed.clear()
    header.write_text(header.read_text().removesuffix("\nint one_more;\n"))
    look(tree)
    assert parsed == [], "the state before the change is still known"


def test_a_header_that_breaks_a_file_is_noticed_and_its_repair_too(tree, parsed):
    before = look(tree)
    header = tree / "drivers/misc/scratch_engine.h"
    good = header.read_text()
    header.write_text(good + "#error broken\n")
    broken = look(tree)
    lost = {m.path for m in broken.mentions if m.state == "unparsed"}
    assert lost == {"drivers/misc/scratch_engine.c", "drivers/misc/scratch_engine.h"}
    header.write_text(good)
    assert look(tree) == before


def test_a_header_that_becomes_a_link_out_of_the_tree_is_not_taken(tree, tmp_path, parsed):
    look(tree)
    header = tree / "drivers/misc/scratch_engine.h"
    header.rename(tmp_path / "elsewhere.h")
    header.symlink_to(tmp_path / "elsewhere.h")
    found = look(tree)
    failed = dict(found.failed)
    assert "leads out of the tree" in failed["drivers/misc/scratch_engine.c"]
    assert "leads out of the tree" in failed["drivers/misc/scratch_engine.h"]


def test_a_header_that_begins_to_mention_the_api_is_looked_at(tree, parsed):
    header = tree / "include/linux/mutex.h"
    assert "include/linux/mutex.h" not in {facts.path for facts in look(tree).files}
    parsed.clear()
    header.write_text(header.read_text() + "\nextern struct mmu_notifier_ops *more;\n")
    found = look(tree)
    listed = [m for m in found.mentions if m.path == "include/linux/mutex.h"]
    assert [(m.name, m.state) for m in listed] == [("mmu_notifier_ops", "declaration")]
    assert "drivers/misc/scratch_engine.c" in parsed
    assert "include/linux/mutex.h" not in parsed, "seen by the files that include it"


@pytest.mark.parametrize("depth", [4000, 20_000])
def test_deep_nesting_costs_its_file_alone(tree, depth):
    body = "{" * depth + "mmu_notifier_synchronize();" + "}" * depth
    (tree / "mm/x.c").write_text(f"#include <linux/mmu_notifier.h>\nvoid f(void)\n{body}\n")
    found = look(tree, "mm/x.c", "mm/ksm.c")
    assert "mm/ksm.c" not in dict(found.failed)
    deep = next(facts for facts in found.files if facts.path == "mm/x.c")
    broken = any("nesting level" in d.text for d in deep.diagnostics)
    assert broken or "mm/x.c" in dict(found.failed)
