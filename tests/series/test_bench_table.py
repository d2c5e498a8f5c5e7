# SPDX-License-Identifier: GPL-2.0-only
"""Benchmark tables come from measurements, and odd input is named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from patchgen.cli.stats import command
from patchgen.model.outcome import UserError
from patchgen.series.stats.runs import read_runs
from patchgen.series.stats.table import compare, table

BASH = "real\t0m10.000s\nuser\t0m1.500s\nsys\t0m2.000s\nnpages=100\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_mean_stdev_and_change(tmp_path: Path) -> None:
    before = write(tmp_path / "b", f"{BASH}\n{BASH.replace('10.000', '12.000')}")
    after = write(tmp_path / "a", "npages: 50\nreal 5.5\nuser 1.5s\nsys 1m0s\n" * 2)
    rows = compare(before, after)
    assert [row.quantity for row in rows] == ["real", "user", "sys", "npages"]
    real = rows[0]
    assert (real.before.runs, real.before.mean, real.after.mean) == (2, 11.0, 5.5)
    assert real.before.stdev == pytest.approx(2**0.5)
    assert real.change == pytest.approx(-50)
    assert rows[2].change == pytest.approx(2900)
    text = table(rows)
    assert "2 runs before, 2 after" in text
    assert "real     11.000  1.414   5.500  0.000    -50.0 %" in text
    assert max(map(len, text.splitlines())) <= 75


def test_run_sets_and_json_say_the_same(tmp_path: Path) -> None:
    text = write(tmp_path / "t", "[ksm02]\nreal 1\n--\nreal 3\n[thp01]\nreal 7 # odd\n")
    runs = {"ksm02": [{"real": 1}, {"real": 3}], "thp01": [{"real": 7}]}
    data = write(tmp_path / "t.json", json.dumps(runs))
    assert read_runs(text) == read_runs(data)
    rows = compare(text, data)
    assert [row.run_set for row in rows] == ["ksm02", "thp01"]
    assert rows[1].before.stdev is None and rows[0].change == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no measurement"),
        ("real 1\nhello world and all\n", ":2: is no measurement"),
        ("real 1\nuser x\n", ":2: is no number"),
        ("real nan\n", ":1: is no number"),
        ("real 1\n\nuser 2\n", "run 2: not measured in every run: real, user"),
        ('[{"real": "1"}]', "run 1: 'real' is no number"),
        ('[{"real": 1},\n{]', ":2: is no JSON"),
        ('{"a": 1}', "is no list of runs"),
    ],
)
def test_odd_input_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        read_runs(write(tmp_path / "f", text))
    assert reason in str(caught.value)


def test_files_that_cannot_be_compared(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", "real 1\n"), write(tmp_path / "b", "user 1\n")
    with pytest.raises(UserError, match="one of the two only: real, user"):
        compare(one, other)
    with pytest.raises(UserError, match="cannot be read"):
        compare(one, tmp_path / "absent")


def test_zero_before_has_no_percentage(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", "faults 0\n"), write(tmp_path / "b", "faults 3\n")
    assert compare(one, other)[0].change is None


def test_command(tmp_path: Path) -> None:
    file = write(tmp_path / "f", BASH)
    shown = CliRunner().invoke(command, [str(file), str(file)])
    assert shown.exit_code == 0 and "npages" in shown.stdout and "+0.0 %" in shown.stdout
    data = CliRunner().invoke(command, [str(file), str(file), "--json"])
    assert json.loads(data.stdout)[0]["before"]["mean"] == 10.0
