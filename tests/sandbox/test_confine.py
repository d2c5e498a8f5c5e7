# SPDX-License-Identifier: GPL-2.0-only
"""A confined worker reads its folders and nothing else of the machine."""

from pathlib import Path

import pytest

from patchgen.model.outcome import Done, Failed
from patchgen.sandbox.confine import confine
from patchgen.source.clang import pool

pytestmark = pytest.mark.needs("Landlock")


def read(path: str) -> str:
    return Path(path).read_text()


def test_what_lies_outside_cannot_be_read(tmp_path):
    inside, outside = tmp_path / "tree", tmp_path / "canary"
    inside.mkdir()
    (inside / "a.c").write_text("int a;\n")
    outside.write_text("secret")
    (inside / "link.h").symlink_to(outside)
    tasks = [str(inside / "a.c"), str(outside), str(inside / "link.h"), "/etc/passwd"]
    found = dict(pool.run(read, tasks, 1, prepare=lambda: confine([inside])))
    assert found[0] == Done("int a;\n")
    for number in (1, 2, 3):
        answer = found[number]
        assert isinstance(answer, Failed), answer
        assert "Permission denied" in answer.error


def test_an_include_of_a_file_outside_is_an_error_of_the_parse(tree, patchgen, tmp_path):
    canary = tmp_path / "canary.h"
    canary.write_text("int taken_from_outside = 1;\n")
    file = tree / "mm/ksm.c"
    file.write_text(f'#include "{canary}"\n' + file.read_text())
    done = patchgen("inspect", "mm/ksm.c", "--tree", tree)
    assert done.returncode == 1
    assert "taken_from_outside" not in done.stdout + done.stderr
    assert "canary.h" in done.stdout + done.stderr
