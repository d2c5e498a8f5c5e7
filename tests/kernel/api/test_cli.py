# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen api``: what it prints, and its exit statuses."""

import msgspec
import pytest

from patchgen.cli import main


@pytest.fixture
def run(capsys):
    """Arguments -> (exit status, stdout, stderr)."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["api", *map(str, arguments)])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


@pytest.mark.parametrize(("tree", "generation"), [("mini", "5.10"), ("mini-5.0", "5.0")])
def test_a_tree_conforms_to_its_own_generation(run, tree, generation):
    status, out, err = run("check", "--tree", tree)
    assert (status, err) == (0, "")
    assert out.splitlines()[0].endswith(f"API {generation}")
    assert "0 missing, 0 different" in out


def test_missing_and_different_names_are_findings(run):
    status, out, _ = run("check", "--tree", "mini-5.0", "--api", "mmu-notifier-v05")
    assert status == 1
    lines = out.splitlines()
    assert any(line.startswith("missing ") and "MMU_NOTIFY_CLEAR" in line for line in lines)
    assert any(
        line.startswith("different  include/linux/mmu_notifier.h:")
        and "mmu_notifier_range_init (configured)" in line
        for line in lines
    )


def test_json_tells_each_name_with_file_and_line(run):
    status, out, _ = run("check", "--tree", "mini", "--api", "5.10", "--json")
    assert status == 0
    value = msgspec.json.decode(out)
    assert (value["generation"], value["conforms"]) == ("5.10", True)
    rows = {(row["branch"], row["name"]): row for row in value["present"]}
    row = rows["on", "mmu_notifier_range.event"]
    assert (row["kind"], row["text"]) == ("member", "enum mmu_notifier_event")
    assert row["path"] == "include/linux/mmu_notifier.h"
    assert row["line"] > 1


def test_quiet_is_the_verdict_and_verbose_the_whole_list(run):
    _, quiet, _ = run("check", "--tree", "mini", "-q")
    _, verbose, _ = run("check", "--tree", "mini", "-v")
    assert len(quiet.splitlines()) == 2
    assert len(verbose.splitlines()) > 100


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--tree", "mini", "--api", "4.2"), "no API generation '4.2'"),
        (("--tree", "no/such/tree"), "no such kernel tree"),
    ],
)
def test_unusable_input_is_one_line(run, arguments, complaint):
    status, out, err = run("check", *arguments)
    assert (status, out) == (2, "")
    assert complaint in err
    assert len(err.splitlines()) == 1


def test_a_tree_without_the_header_is_named(run, tmp_path):
    (tmp_path / "Makefile").write_text("VERSION = 5\nPATCHLEVEL = 0\nSUBLEVEL = 0\n")
    status, _, err = run("check", "--tree", tmp_path)
    assert status == 2
    assert "include/linux/mmu_notifier.h: the tree has no mmu notifier header" in err


def test_list_shows_every_generation(run):
    status, out, _ = run("list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "5.0", "mmu-notifier-v05", "5.2", "5.10", "5.15", "6.3", "6.6", "6.10", "7.2",
    ]  # fmt: skip
