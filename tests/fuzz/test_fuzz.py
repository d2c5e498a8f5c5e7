# SPDX-License-Identifier: GPL-2.0-only
"""The searcher sees what it is to find, and a case is the same each time."""

import random
from pathlib import Path

import pytest

import patchgen
from tests.fuzz import outside, runs, trees
from tests.fuzz.runs import Run, faults

GOOD = Run(1, "1 finding\n", "", 1.0, 1.0, 100.0, (), False)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"status": 70}, "exit status 70"),
        ({"status": -11}, "exit status -11"),
        ({"err": "patchgen: internal error: KeyError: 1\n"}, "broken: internal error"),
        ({"err": "Traceback (most recent call last):\n"}, "broken: Traceback"),
        ({"late": True}, "no end within"),
        ({"cpu": runs.CPU + 1}, "s of the processor"),
        ({"memory": runs.MEMORY + 1}, "MiB of memory"),
        ({"out": f"mm/x.c: {runs.SECRET}\n"}, "a word of a file outside"),
        ({"out": "mm/\x1b[2Jx.c\n"}, "a control character"),
        ({"out": "mm/\u202ex.c\n"}, "a control character"),
        ({"status": 2}, "without a word"),
        ({"left": ("patchgen-run-x",)}, "left behind: patchgen-run-x"),
    ],
)
def test_what_no_run_may_do_is_a_fault(change, told):
    found = faults(GOOD._replace(**change))
    assert bool(found) is bool(told) and told in "".join(found)


def test_a_tree_depends_on_its_chance_alone(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    made = [trees.hostile(tmp_path / name, random.Random("7/tree/3")) for name in ("one", "other")]
    looks = [
        {path.removeprefix(str(top)): look[:2] for path, look in trees.look_of(top).items()}
        for top in (*(world.tree for world, _ in made), trees.MINI)
    ]
    assert made[0][1] == made[1][1] and looks[0].keys() == looks[1].keys()
    assert looks[0] != looks[2]


def test_every_way_to_be_hostile_makes_a_tree(tmp_path):
    for number, change in enumerate(dict.fromkeys(trees.CHANGES)):
        for turn in range(12):
            place = tmp_path / f"{number}-{turn}"
            place.mkdir()
            change(trees.World(place, random.Random(f"{number}/{turn}")))


def test_a_file_outside_is_told_from_what_a_run_needs(tmp_path):
    usual = frozenset({"/etc/ld.so.cache"})
    stdlib = Path(random.__file__).resolve()
    needed = (tmp_path / "tree/mm/x.c", tmp_path / "cache/facts/a", stdlib, "/etc/ld.so.cache",
              patchgen.__file__, "/dev/null")  # fmt: skip
    for path in needed:
        assert not outside.outside(str(path), tmp_path, usual), path
    beside = (tmp_path / "tree-beside/x", tmp_path / "outside/secret.h", "/etc/passwd", "/dev/zero")
    for path in beside:
        assert outside.outside(str(path), tmp_path, usual), path


@pytest.mark.needs("strace")
def test_a_trace_tells_what_was_opened(tmp_path):
    (tmp_path / "runs").write_text("no measurement\n")
    (tmp_path / "link").symlink_to("runs")
    _, paths = outside.opened(["stats", *[str(tmp_path / "link")] * 2], tmp_path)
    assert str(tmp_path / "runs") in paths and str(tmp_path / "link") not in paths
