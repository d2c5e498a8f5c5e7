# SPDX-License-Identifier: GPL-2.0-only
"""A hostile tree asks the parser for files of the machine: no word of them comes out."""

import json
import os
import subprocess
import sys

import pytest

WORD = "a_word_nobody_may_see"
#: The same program on a kernel without Landlock.
BARE = (
    "import sys; from patchgen.sandbox import landlock; landlock.version = lambda: 0;"
    "from patchgen.__main__ import main; sys.exit(main())"
)


def by_include(tree, outside):
    return f'#include "{outside}"\n'


def by_climbing(tree, outside):
    return f'#include "{os.path.relpath(outside, tree / "mm")}"\n'


def by_root_as_include_folder(tree, outside):
    (tree / "include/uapi").symlink_to("/")
    return f"#include <{str(outside)[1:]}>\n"


def by_define(tree, outside):
    makefile(tree, f"ccflags-y += -DX={outside.parent}")
    return by_include(tree, outside)


def by_define_of_the_file(tree, outside):
    makefile(tree, f"CFLAGS_x.o += '-DX=\"{outside}\"'")
    return "#include X\n"


def by_include_path(tree, outside):
    makefile(tree, f"ccflags-y += -I{outside.parent} -I {outside.parent}")
    return f"#include <{outside.name}>\n"


def by_forced_include(tree, outside):
    makefile(tree, f"CFLAGS_x.o += -include {outside}")
    return ""


def by_forced_include_through_a_link(tree, outside):
    (tree / "mm/link").symlink_to(outside.parent)
    makefile(tree, f"CFLAGS_x.o += -include $(srctree)/mm/link/{outside.name}")
    return ""


def by_link(tree, outside):
    (tree / "mm/x.h").symlink_to(outside)
    return '#include "x.h"\n'


def by_linked_folder(tree, outside):
    (tree / "mm/links").mkdir()
    (tree / "mm/links/there").symlink_to(outside.parent)
    return f'#include "links/there/{outside.name}"\n'


def by_absolute_name_that_begins_like_the_tree(tree, outside):
    beside = tree.with_name(tree.name + "-beside")
    beside.mkdir()
    (beside / "x.h").write_text(outside.read_text())
    return f'#include "{beside}/x.h"\n'


def by_saved_command(tree, outside):
    (tree / "mm/.x.o.cmd").write_text(
        f"savedcmd_mm/x.o := gcc -I{outside.parent} -DX={outside} -include {outside} mm/x.c\n"
    )
    return f"#include <{outside.name}>\n#include X\n"


def by_database(tree, outside):
    words = ["cc", "-I", str(outside.parent), f"-DX={outside}", "-include", str(outside)]
    entry = {"directory": str(tree), "file": "mm/x.c", "arguments": words}
    (tree / "compile_commands.json").write_text(json.dumps([entry]))
    return f"#include <{outside.name}>\n"


def by_saved_command_that_is_a_link(tree, outside):
    outside.write_text(f"savedcmd_mm/x.o := gcc -D{WORD}={WORD}_too mm/x.c\n")
    (tree / "mm/.x.o.cmd").symlink_to(outside)
    return f"#ifdef {WORD}\n{WORD} x;\n#endif\n"


WAYS = [
    by_include, by_climbing, by_root_as_include_folder, by_define, by_define_of_the_file,
    by_include_path, by_forced_include, by_forced_include_through_a_link, by_link,
    by_linked_folder, by_absolute_name_that_begins_like_the_tree, by_saved_command, by_database,
    by_saved_command_that_is_a_link,
]  # fmt: skip


def makefile(tree, line):
    with (tree / "mm/Makefile").open("a") as file:
        file.write(line + "\n")


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "home").mkdir()
    file = tmp_path / "home/outside.h"
    file.write_text(f"{WORD} x;\n#error {WORD}\n")
    return file


def without_landlock(*args):
    command = [sys.executable, "-c", BARE, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("fenced", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_no_word_of_a_file_outside_is_shown(tree, patchgen, outside, way, fenced):
    lines = way(tree, outside)
    (tree / "mm/x.c").write_text(f"#include <linux/mmu_notifier.h>\n{lines}")
    run = patchgen if fenced else without_landlock
    done = run("lint", "mm/x.c", "--tree", tree)
    assert WORD not in done.stdout + done.stderr
    assert done.returncode in (0, 1, 2), done.stderr
    assert "internal error" not in done.stdout + done.stderr


@pytest.mark.parametrize("fenced", [True, False])
@pytest.mark.parametrize("way", [by_include, by_climbing, by_define_of_the_file])
def test_nor_by_the_header_of_the_api(tree, patchgen, outside, way, fenced):
    header = tree / "include/linux/mmu_notifier.h"
    lines = (
        way(tree, outside).replace("../", "../../", 1).replace("include X", f'include "{outside}"')
    )
    header.write_text(lines + header.read_text())
    run = patchgen if fenced else without_landlock
    for words in (["lint", "mm/ksm.c"], ["api", "check"]):
        done = run(*words, "--tree", tree)
        assert WORD not in done.stdout + done.stderr
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert "internal error" not in done.stdout + done.stderr


def test_the_program_and_its_cache_are_outside_too(tree, patchgen, tmp_path):
    cache = tmp_path / "cache"
    (cache / "facts").mkdir(parents=True)
    (cache / "facts/secret").write_text(f"#error {WORD}\n")
    (tree / "mm/x.c").write_text(
        f'#include <linux/mmu_notifier.h>\n#include "{cache}/facts/secret"\n'
    )
    env = {**os.environ, "PATCHGEN_CACHE": str(cache)}
    done = patchgen("lint", "mm/x.c", "--tree", tree, env=env)
    assert WORD not in done.stdout + done.stderr
    assert done.returncode == 1
    import patchgen as package

    (tree / "mm/x.c").write_text(
        f'#include <linux/mmu_notifier.h>\n#include "{package.__file__}"\n'
    )
    done = patchgen("lint", "mm/x.c", "--tree", tree, env=env)
    assert "__version__" not in done.stdout + done.stderr
    assert "outside the tree" in done.stdout + done.stderr


def test_a_confined_parse_needs_nothing_but_tree_and_overlay(tree, patchgen):
    """A worker has all that it needs when it is confined, for what goes wrong, too."""
    odd = {
        "good": "int x;\n",
        "unknown": "(((\n",
        "deep": "int x = " + "(" * 3000 + "1" + ")" * 3000 + ";\n",
        "latin": "int \xe9;\n",
        "missing": "#include <not/there.h>\n",
        "control": "int \x01\x02;\n",
    }
    for name, text in odd.items():
        (tree / f"mm/{name}.c").write_text("#include <linux/mmu_notifier.h>\n" + text, "latin-1")
    done = patchgen("lint", *(f"mm/{name}.c" for name in odd), "--tree", tree)
    assert "internal error" not in done.stdout + done.stderr
    assert "Permission denied" not in done.stdout + done.stderr
    for name in ("unknown", "deep", "latin", "missing", "control"):
        assert f"mm/{name}.c:2:" in done.stderr
