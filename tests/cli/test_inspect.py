# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen inspect``: what it prints, and that no tree can lead it astray."""

import json
import os
import time
from pathlib import Path

import pytest

from patchgen.report.inspection import STATES
from patchgen.terminal import printable
from tests.fingerprint import fingerprint
from tests.pipeline.test_generate import one_line

USE = "#include <linux/mmu_notifier.h>\nvoid odd(void)\n{\n\tmmu_notifier_synchronize();\n}\n"
CANARY = "CANARY_OF_THE_TEST"


def inspect(patchgen, tree, *more):
    return patchgen("inspect", "--tree", tree, *more)


def test_text_of_the_miniature_kernel(patchgen, mini, golden):
    done = inspect(patchgen, mini, "-v")
    assert (done.returncode, done.stderr) == (0, "")
    golden("golden/inspect-mini.txt", done.stdout)


def test_json_of_the_miniature_kernel(patchgen, mini, golden):
    done = inspect(patchgen, mini, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    ledger = data["ledger"]
    assert tuple(ledger["totals"]) == STATES
    for state in STATES:
        listed = [m for m in ledger["mentions"] if m["state"] == state]
        assert len(listed) == ledger["totals"][state]
    assert (data["failed"], data["diagnostics"]) == ([], [])
    # The ledger alone is hundreds of lines; of each thing the first two are shown.
    shape = {key: value[:2] if isinstance(value, list) else value for key, value in data.items()}
    shape["ledger"] = {"totals": ledger["totals"], "mentions": ledger["mentions"][:2]}
    golden("golden/inspect-mini.json", json.dumps(shape, indent=2) + "\n")


def test_some_files_only(patchgen, tree):
    names = ["mm/ksm.c", "./mm/../mm/rmap.c", str(tree / "mm/ksm.c")]
    data = json.loads(inspect(patchgen, tree, "--json", *names).stdout)
    assert {m["file"] for m in data["ledger"]["mentions"]} == {"mm/ksm.c", "mm/rmap.c"}
    assert len(data["sites"]) == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mm/none.c", "no such file"),
        ("Makefile", "no C source"),
        ("../outside.c", "outside the tree"),
        ("mm/../../outside.c", "outside the tree"),
        ("/etc/passwd.c", "outside the tree"),
        ("mm/link.c", "leads out of the tree"),
        ("mm/pipe.c", "not a regular file"),
        (os.fsdecode(b"mm/\xff.c"), "no UTF-8"),
    ],
)
def test_a_file_that_cannot_be_inspected_is_one_line(patchgen, tree, tmp_path, name, said):
    (tmp_path / "outside.c").write_text(CANARY)
    (tree / "mm/link.c").symlink_to(tmp_path / "outside.c")
    os.mkfifo(tree / "mm/pipe.c")
    done = inspect(patchgen, tree, name)
    one_line(done, 2, said)
    assert done.stdout == ""


def test_an_unknown_architecture_is_one_line(patchgen, tree):
    one_line(inspect(patchgen, tree, "--arch", "vax", "mm/ksm.c"), 2, "vax")


@pytest.fixture
def hostile(tree, tmp_path):
    """A tree with one of everything that a stranger might put into it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary.c").write_text(f"{CANARY} mmu_notifier_synchronize();\n")
    odd = tree / "drivers/odd"
    odd.mkdir()
    (odd / "link.c").symlink_to(outside / "canary.c")
    (odd / "folder").symlink_to(outside)
    (odd / "absolute.c").write_text(f'#include "{outside}/canary.c"\n{USE}')
    (odd / "upwards.c").write_text(f'#include "../../../outside/canary.c"\n{USE}')
    (odd / "through.c").write_text(f'#include "folder/canary.c"\n{USE}')
    with (odd / "huge.c").open("wb") as file:
        file.write(USE.encode())
        file.truncate(100_000_000)
    (odd / "nul.c").write_bytes(USE.encode() + bytes(1_000_000))
    (odd / "new\nline.c").write_text(USE)
    (odd / "loop.c").write_text(f'#include "loop.h"\n{USE}')
    (odd / "loop.h").write_text('#include "loop.h"\n#include "loop.h"\n')
    os.mkfifo(odd / "pipe.c")
    Path(os.fsdecode(os.fsencode(odd) + b"/\xff.c")).write_text(USE)
    return tree


EXPECTED = {
    "drivers/odd/link.c": "symbolic link leads out of the tree",
    "drivers/odd/folder": "symbolic link leads out of the tree",
    "drivers/odd/absolute.c": "outside the tree",
    "drivers/odd/upwards.c": "outside the tree",
    "drivers/odd/through.c": "symbolic link leads out of the tree",
    "drivers/odd/huge.c": "larger than",
    "drivers/odd/nul.c": "NUL bytes",
    "drivers/odd/pipe.c": "not a regular file",
    "drivers/odd/\\xff.c": "no UTF-8",
}


def test_a_hostile_tree_costs_a_line_each_and_no_more(patchgen, hostile, mini):
    began = time.monotonic()
    done = inspect(patchgen, hostile, "--json")
    assert time.monotonic() - began < 100
    assert done.returncode == 1
    assert CANARY not in done.stdout + done.stderr
    data = json.loads(done.stdout)
    failed = {entry["file"]: entry["error"] for entry in data["failed"]}
    assert set(failed) == set(EXPECTED)
    for path, said in EXPECTED.items():
        assert said in failed[path]
    unparsed = {m["file"]: m for m in data["ledger"]["mentions"] if m["state"] == "unparsed"}
    names = ("absolute", "upwards", "through", "nul", "loop")
    assert set(unparsed) == {f"drivers/odd/{name}.c" for name in names}
    assert "nested too deeply" in unparsed["drivers/odd/loop.c"]["detail"]
    # The rest of the tree is seen as ever, and a line break in a name is no obstacle.
    plain = json.loads(inspect(patchgen, mini, "--json").stdout)
    assert data["tables"] == plain["tables"]
    assert data["sites"] == plain["sites"]
    more = data["ledger"]["totals"]["analysed"] - plain["ledger"]["totals"]["analysed"]
    assert more == 1
    assert "drivers/odd/new\nline.c" in {m["file"] for m in data["ledger"]["mentions"]}


def test_a_hostile_tree_in_text(patchgen, hostile, tmp_path):
    (hostile / "drivers/odd/new\nline.c").write_text(USE.replace("synchronize()", "synchronize("))
    before = fingerprint(tmp_path / "outside")
    done = inspect(patchgen, hostile)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for path, said in EXPECTED.items():
        assert any("not read" in line and path in line and said in line for line in lines), path
    assert any("unparsed" in line and "drivers/odd/new\\nline.c:4" in line for line in lines)
    assert all(line.startswith("patchgen: ") for line in done.stderr.splitlines())
    assert fingerprint(tmp_path / "outside") == before


def test_printable():
    assert printable("a\nb\x1b[31m·é\udcff") == "a\\nb\\x1b[31m·é\\xff"
