# SPDX-License-Identifier: GPL-2.0-only
"""Trees that change while they are read: nothing is stored that was not read."""

import os
import random
import time

import pytest

from patchgen.model.outcome import Done, Failed, UserError
from patchgen.source.clang import unit
from patchgen.source.facts import store
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve

PATH = "mm/x.c"
SOURCE = """\
%s
#include <linux/mmu_notifier.h>
#include <linux/mm.h>
#if BAD
void hostile(struct mm_struct *mm, unsigned long addr)
{
	set_pte_at_notify(mm, addr, NULL, __pte(0));
}
#endif
"""


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def parsed(monkeypatch):
    """The paths that were parsed, which a worker tells by a file."""
    paths = []
    stored = store._stored

    def telling(answer, task, *more):
        paths.append(task.path)
        return stored(answer, task, *more)

    monkeypatch.setattr(store, "_stored", telling)
    return paths


def look(root, path=PATH, files=None):
    """What a run of its own says of a file: its functions and errors, or why not."""
    state = TreeState(resolve(str(root)))
    if files is not None:
        state = state.after(files)
    (answer,) = state.facts_of([path], "x86")
    if isinstance(answer, Failed):
        return answer.error
    facts = answer.value
    return [f.name for f in facts.functions], [str(d) for d in facts.diagnostics]


def afresh(root, monkeypatch, tmp_path, path=PATH):
    """The same with an empty cache."""
    cache = tmp_path / f"cache-{random.random()}"
    with monkeypatch.context() as patch:
        patch.setenv("PATCHGEN_CACHE", str(cache))
        return look(root, path)


def during(monkeypatch, act, when):
    """Have ``act`` happen in the worker, before clang reads or after it."""
    monkeypatch.setattr(store, "confine", lambda places: True)  # it could not write
    translate = unit._translate

    def changing(*arguments):
        if when == "before":
            act()
        found = translate(*arguments)
        if when == "after":
            act()
        return found

    monkeypatch.setattr(unit, "_translate", changing)
    return lambda: monkeypatch.setattr(unit, "_translate", translate)


def written(tree):
    (tree / "mm/sw.h").write_text("#define BAD 1\n")


def renamed(tree):
    (tree / "mm/new.h").write_text("#define BAD 1\n")
    (tree / "mm/new.h").replace(tree / "mm/sw.h")


def written_with_its_old_time(tree):
    before = (tree / "mm/sw.h").stat()
    (tree / "mm/sw.h").write_text("#define BAD 1\n")
    os.utime(tree / "mm/sw.h", ns=(before.st_atime_ns, before.st_mtime_ns))


def linked(tree):
    (tree / "mm/other.h").write_text("#define BAD 1\n")
    (tree / "mm/sw.h").unlink()
    (tree / "mm/sw.h").symlink_to("other.h")


def removed(tree):
    (tree / "mm/sw.h").unlink()


def overtaken(tree):
    """A header of the same name appears where it is looked for first."""
    folder = tree / "arch/x86/include/linux"
    folder.mkdir(parents=True, exist_ok=True)
    header = tree / "include/linux/mm.h"
    (folder / "mm.h").write_text(header.read_text() + "#undef BAD\n#define BAD 1\n")


def source_changed(tree):
    (tree / PATH).write_text((tree / PATH).read_text().replace("if BAD", "if !BAD"))


def appended(tree):
    with (tree / PATH).open("a") as file:
        file.write("void late(struct mm_struct *mm)\n{\n\tmmu_notifier_synchronize();\n}\n")


CHANGES = [
    written, renamed, written_with_its_old_time, linked, removed, overtaken, source_changed,
    appended,
]  # fmt: skip


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_during_a_parse_never_poisons_the_cache(tree, monkeypatch, tmp_path, change, when):
    (tree / "mm/sw.h").write_text("#define BAD 0\n")
    (tree / PATH).write_text(SOURCE % '#include "sw.h"')
    before = afresh(tree, monkeypatch, tmp_path)
    undo = during(monkeypatch, lambda: change(tree), when)
    racing = look(tree)
    undo()
    after = afresh(tree, monkeypatch, tmp_path)
    assert before != after
    assert racing in (before, after) or "changed while it was read" in racing, racing
    assert look(tree) == after
    assert look(tree) == after


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_that_is_taken_back_leaves_the_first_state(tree, monkeypatch, tmp_path, when):
    (tree / "mm/sw.h").write_text("#define BAD 0\n")
    (tree / PATH).write_text(SOURCE % '#include "sw.h"')
    before = afresh(tree, monkeypatch, tmp_path)
    undo = during(monkeypatch, lambda: written(tree), when)
    look(tree)
    undo()
    (tree / "mm/sw.h").write_text("#define BAD 0\n")
    assert look(tree) == before


def test_two_files_of_a_run_see_one_state_of_their_header_or_it_is_said(tree, monkeypatch):
    (tree / "mm/sw.h").write_text("#define BAD 0\n")
    paths = ["mm/x.c", "mm/y.c"]
    for path in paths:
        (tree / path).write_text(SOURCE % '#include "sw.h"')
    changed = tree / "changed"

    def act():
        if not changed.exists():
            changed.touch()
        else:
            written(tree)

    undo = during(monkeypatch, act, "before")
    state = TreeState(resolve(str(tree)))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    first, second = state.facts_of(paths, "x86")
    undo()
    assert isinstance(first, Done)
    assert isinstance(second, Failed) and "mm/sw.h: changed while it was read" in second.error


def test_what_a_run_read_is_what_it_goes_on_with(tree):
    state = TreeState(resolve(str(tree)))
    assert isinstance(state.facts_of(["mm/ksm.c"], "x86")[0], Done)
    header = tree / "include/linux/mmu_notifier.h"
    header.write_text(header.read_text() + "int more;\n")
    with pytest.raises(UserError, match="changed while it was read"):
        state.read("include/linux/mmu_notifier.h")


def asked_beside(tree):
    return '#include "sw.h"', "mm/sw.h"


def asked_in_the_headers(tree):
    return "#include <linux/sw.h>", "include/linux/sw.h"


def asked_in_the_last_folder(tree):
    return "#include <linux/sw.h>", "include/uapi/linux/sw.h"


def asked_in_a_folder_that_is_not_there(tree):
    return "#include <brand/new/sw.h>", "arch/x86/include/brand/new/sw.h"


def asked_from_a_header(tree):
    (tree / "include/linux/via.h").write_text('#include "../odd/sw.h"\n')
    return "#include <linux/via.h>", "include/odd/sw.h"


def asked_by_a_test(tree):
    return '#if __has_include("sw.h")\n#include "sw.h"\n#endif', "mm/sw.h"


def asked_by_a_test_in_a_header(tree):
    lines = "#if defined(__has_include) && __has_include(<linux/sw.h>)\n#define BAD 1\n#endif\n"
    (tree / "include/linux/via.h").write_text(lines)
    return "#include <linux/via.h>", "include/linux/sw.h"


def asked_by_a_macro(tree):
    return '#define NAME "sw.h"\n#if __has_include(NAME)\n#define BAD 1\n#endif', "mm/sw.h"


def asked_by_a_makefile(tree):
    with (tree / "mm/Makefile").open("a") as file:
        file.write("CFLAGS_x.o += -include $(srctree)/mm/forced.h\n")
    return "", "mm/forced.h"


def asked_in_a_makefiles_folder(tree):
    with (tree / "mm/Makefile").open("a") as file:
        file.write("ccflags-y += -I$(srctree)/mm/own/include\n")
    return "#include <sw.h>", "mm/own/include/sw.h"


def hidden_by_a_nearer_one(tree):
    (tree / "include/linux/sw.h").write_text("#define BAD 0\n")
    return "#include <linux/sw.h>", "arch/x86/include/linux/sw.h"


def hidden_by_one_beside_the_source(tree):
    (tree / "include/linux/sw.h").write_text("#define BAD 0\n")
    return '#include "linux/sw.h"', "mm/linux/sw.h"


def hidden_by_one_beside_a_header(tree):
    (tree / "include/sw.h").write_text("#define BAD 0\n")
    (tree / "include/linux/via.h").write_text('#include "sw.h"\n')
    return "#include <sw.h>\n#include <linux/via.h>", "include/linux/sw.h"


MISSING = [
    asked_beside, asked_in_the_headers, asked_in_the_last_folder,
    asked_in_a_folder_that_is_not_there, asked_from_a_header, asked_by_a_test,
    asked_by_a_test_in_a_header, asked_by_a_macro, asked_by_a_makefile,
    asked_in_a_makefiles_folder, hidden_by_a_nearer_one, hidden_by_one_beside_the_source,
    hidden_by_one_beside_a_header,
]  # fmt: skip


@pytest.mark.parametrize("way", MISSING)
def test_a_header_that_was_not_there_is_part_of_the_key(tree, monkeypatch, tmp_path, parsed, way):
    lines, header = way(tree)
    (tree / PATH).write_text(SOURCE % lines)
    time.sleep(0.06)  # a clock of the file system may stand still for a tick
    first = look(tree)
    if way not in (asked_by_a_macro,):  # whose name only the preprocessor knows
        parsed.clear()
        assert look(tree) == first
        assert parsed == []
    file = tree / header
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#undef BAD\n#define BAD 1\n")
    with_it = afresh(tree, monkeypatch, tmp_path)
    assert with_it != first
    assert look(tree) == with_it
    file.unlink()
    assert look(tree) == first


def test_a_header_that_a_patch_adds_or_removes_is_seen(tree, monkeypatch, tmp_path):
    (tree / PATH).write_text(SOURCE % '#include "sw.h"')
    without = look(tree)
    added = look(tree, files={"mm/sw.h": b"#define BAD 1\n"})
    assert "hostile" in added[0] and "hostile" not in without[0]
    assert look(tree) == without
    (tree / "mm/sw.h").write_text("#define BAD 1\n")
    assert "hostile" in look(tree)[0]
    assert "mm/sw.h, which is removed" in look(tree, files={"mm/sw.h": None})


def test_the_api_rests_on_what_its_header_includes(tree, monkeypatch, tmp_path):
    header = tree / "include/linux/mmu_notifier.h"
    header.write_text("#include <linux/sw.h>\n" + header.read_text())

    def surface():
        return TreeState(resolve(str(tree))).surface()

    broken = surface()
    assert any("sw.h" in d.text for d in broken.diagnostics)
    (tree / "include/linux/sw.h").write_text("#define mmu_notifier_synchronize synchronised\n")
    mended = surface()
    assert not mended.diagnostics and mended.find("synchronised")
    (tree / "include/linux/sw.h").write_text("\n")
    assert surface().find("mmu_notifier_synchronize")


def test_a_header_that_begins_to_mention_the_api_behind_the_search_is_looked_at(tree):
    """The text search is older than the parse: what it did not find may be there now."""
    (tree / "mm/sw.h").write_text("int quiet;\n")
    (tree / PATH).write_text(SOURCE % '#include "sw.h"')
    state = TreeState(resolve(str(tree)))
    assert "mm/sw.h" not in state.candidates()
    time.sleep(0.06)
    (tree / "mm/sw.h").write_text("extern struct mmu_notifier_ops *loud;\n")
    (taken,) = state.taken([(PATH, "x86", frozenset(), frozenset())])
    assert isinstance(taken, Done)
    assert "mm/sw.h" in {use.path for use in taken.value.headers}
