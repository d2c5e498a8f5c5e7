# SPDX-License-Identifier: GPL-2.0-only
"""Commands that a build left: used while they are newer than what they were made from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from patchgen.source.module.kbuild import module_at
from tests.source.module.test_kbuild import written

KBUILD = "obj-m := demo.o\nccflags-y := -DMAKEFILES -DX=$(shell ./conf)\n"


@pytest.fixture
def module(tmp_path, mini):
    """``module(files, **ages)``: a module whose files are so many seconds old (default 100)."""

    def make(files, **ages):
        folder = written(tmp_path / "m", {"Kbuild": KBUILD, "demo.c": "", **files})
        for path in folder.rglob("*"):
            if path.is_file():
                when = 1_700_000_000 - ages.get(path.name.strip(".").split(".")[0], 100)
                os.utime(path, (when, when))
        return module_at(folder, mini, {})

    return make


def saved(*words):
    return f"savedcmd_demo.o := gcc {' '.join(words)} -c -o demo.o demo.c ; ./objtool demo.o\n"


def test_a_fresh_command_wins_and_nothing_lacks(module, tmp_path):
    (tmp_path / "m/made").mkdir(parents=True)
    [source] = module(
        {".demo.o.cmd": saved(f"-I{tmp_path}/m/made", "-DCMD", "-DX=1")}, demo=5
    ).sources
    assert source.after == ("-I", f"{tmp_path}/m/made", "-DCMD", "-DX=1")
    assert source.command == ".demo.o.cmd" and not source.lacks


@pytest.mark.parametrize("newer", ["Kbuild", "demo.c"])
def test_a_stale_command_is_not_used_and_that_is_said(module, newer, tmp_path):
    made = module({".demo.o.cmd": saved("-DCMD")})
    folder = tmp_path / "m"
    os.utime(folder / newer, (1_700_000_000, 1_700_000_000))
    made = module_at(folder, Path(made.kernel.given), {})
    [source] = made.sources
    assert source.after == ("-DMAKEFILES",) and source.lacks
    assert [str(n.place.path) for n in made.notes] == [".demo.o.cmd"]
    assert f"older than {newer}" in made.notes[0].text


def test_a_command_for_another_kernel_is_not_used(module):
    made = module({".demo.o.cmd": saved("-I/usr/src/linux-1.0/include", "-DCMD")}, demo=5)
    assert made.sources[0].after == ("-DMAKEFILES",)
    assert "another kernel" in made.notes[0].text


def test_a_compilation_database(module, tmp_path):
    entry = {"directory": str(tmp_path / "m"), "file": "demo.c", "arguments": ["cc", "-DDB", "-c"]}
    made = module({"compile_commands.json": json.dumps([entry])}, compile_commands=5)
    assert made.sources[0].after == ("-DDB",)
    for text in ("{", "[1]", '[{"file": 3}]', "[" * 9000):
        made = module({"compile_commands.json": text}, compile_commands=5)
        assert made.sources[0].after == ("-DMAKEFILES",)
        assert "no compilation database" in made.notes[0].text
