# SPDX-License-Identifier: GPL-2.0-only
"""lint on files as people name them: the same findings, and never silence for analysis."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

FAULT = """// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mmu_notifier.h>

static int fault_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return -EINVAL;
}

static const struct mmu_notifier_ops fault_ops = {
	.invalidate_range_start = fault_start,
};
"""


@pytest.fixture
def faulty(tree: Path) -> Path:
    (tree / "drivers/misc/fault.c").write_text(FAULT)
    return tree


def test_every_spelling_gives_the_same_findings(patchgen, faulty, tmp_path):
    (tmp_path / "link").symlink_to(faulty)
    plain = patchgen("lint", "--json", "drivers/misc/fault.c", cwd=faulty)
    assert plain.returncode == 1
    wanted = json.loads(plain.stdout)["findings"]
    assert wanted
    spellings = [
        (faulty, "./drivers/misc/fault.c"),
        (faulty, str(faulty / "drivers/misc/fault.c")),
        (faulty, "mm/../drivers/misc/fault.c"),
        (tmp_path / "link", str(tmp_path / "link/drivers/misc/fault.c")),
        (faulty / "drivers/misc", "fault.c"),
        (faulty / "mm", "../drivers/misc/fault.c"),
        (faulty, "drivers/misc"),
    ]
    for folder, word in spellings:
        done = patchgen("lint", "--json", word, cwd=folder)
        assert done.returncode == 1, (folder, word, done.stderr)
        assert json.loads(done.stdout)["findings"] == wanted, (folder, word)
    for spec, word in ((tmp_path / "link", "drivers/misc/fault.c"), (faulty, "link/drivers/misc")):
        done = patchgen("lint", "--json", "--tree", spec, word)
        assert json.loads(done.stdout)["findings"] == wanted, (spec, word)


def test_a_file_that_is_not_analysed_is_named_and_no_0_findings_beside_it(patchgen, faulty):
    broken = faulty / "drivers/misc/fault.c"
    broken.write_text(FAULT.replace("return -EINVAL;", "return -EINVAL"))
    off = faulty / "drivers/misc/off.c"
    off.write_text("#if 0\n" + FAULT + "#endif\n")
    for name in ("fault.c", "off.c"):
        for more in ((), ("--format", "gcc"), ("-q",)):
            done = patchgen("lint", f"drivers/misc/{name}", *more, cwd=faulty)
            assert done.returncode == 1, done.stdout
            assert f"drivers/misc/{name}" in done.stderr
            assert "0 findings" not in done.stdout
    mixed = patchgen("lint", "drivers/misc/off.c", "mm/ksm.c", cwd=faulty)
    assert mixed.returncode == 1
    assert mixed.stdout == "0 findings in 1 file; 1 file not analysed, or not in full\n"
    data = json.loads(patchgen("lint", "--json", "drivers/misc/off.c", cwd=faulty).stdout)
    assert (data["analysed"], data["failed"][0]["file"]) == ([], "drivers/misc/off.c")


def test_a_header_that_a_named_source_includes_is_analysed_too(patchgen, tree):
    header = "include/linux/mmu_notifier.h"
    data = json.loads(patchgen("lint", "--json", "mm/ksm.c", header, cwd=tree).stdout)
    assert set(data["analysed"]) == {"mm/ksm.c", header}


def test_folders(patchgen, faulty):
    (faulty / "lib/quiet").mkdir()
    done = patchgen("lint", "lib/quiet", cwd=faulty)
    assert done.returncode == 0
    assert done.stdout == "0 findings in 0 files; lib/quiet: no file in it mentions the API\n"
    (faulty / "tools/mm").mkdir(parents=True)
    done = patchgen("lint", "tools/mm", cwd=faulty)
    assert done.returncode == 2
    assert "not looked into" in done.stderr
    whole = patchgen("lint", ".", cwd=faulty)
    assert whole.stdout == patchgen("lint", cwd=faulty).stdout


def test_since_a_revision_only_the_files_that_were_named(patchgen, tree):
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], check=True)
    (tree / "drivers/misc/fault.c").write_text(FAULT)
    since = ("lint", "--diff", "HEAD")
    assert patchgen(*since, cwd=tree).returncode == 1
    assert patchgen(*since, "./drivers/misc/fault.c", cwd=tree).returncode == 1
    other = patchgen(*since, "mm/ksm.c", cwd=tree)
    assert (other.returncode, other.stderr) == (0, "")
    assert "mm/ksm.c: unchanged since HEAD" in other.stdout


def test_quiet_is_a_line_a_finding_and_nothing_for_a_clean_file(patchgen, faulty):
    done = patchgen("lint", "-q", "drivers/misc/fault.c", cwd=faulty)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    clean = patchgen("lint", "-q", "mm/ksm.c", cwd=faulty)
    assert (clean.returncode, clean.stdout, clean.stderr) == (0, "", "")


def test_outside_of_any_kernel_the_hint_is_a_way_on(patchgen, tmp_path):
    done = patchgen("lint")
    assert done.returncode == 2
    assert f"{tmp_path}: no kernel tree here or above (--tree takes" in done.stderr


def test_nothing_to_mend_and_nothing_changed_are_said(patchgen, tree, tmp_path):
    done = patchgen("lint", "mm/ksm.c", "--fix", tmp_path / "fixes", cwd=tree)
    assert (done.returncode, done.stdout) == (0, "nothing is mended: 0 findings in 1 file\n")
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], check=True)
    done = patchgen("lint", "--diff", "HEAD", cwd=tree)
    assert "the tree: no file that mentions the API differs from HEAD" in done.stdout
