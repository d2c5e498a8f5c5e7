# SPDX-License-Identifier: GPL-2.0-only
"""What a machine lacks skips a test with the reason; in CI that is a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs
from tests.conftest import REPOSITORY

_TESTS = """\
import pytest

@pytest.mark.needs("flex", "bison")
def test_marked(): pass

def test_by_fixture(need):
    need("xz")

def test_that_skips_itself():
    pytest.skip("no reason")

@pytest.mark.kernel("5.0")
def test_unpackaged(): pass

@pytest.mark.kernel("6.1")
def test_packaged(): pass
"""


@pytest.fixture
def tried(tmp_path: Path):
    """Run the tests above where PATH has no program, with this value of $CI and more."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_it.py").write_text(_TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  needs\n  kernel\n")

    def run(ci: str, *options: str) -> subprocess.CompletedProcess[str]:
        env = {
            name: text for name, text in os.environ.items()
            if not name.startswith(("PYTEST_", "PATCHGEN_TREE"))
        }  # fmt: skip
        more = {"PATH": "", "CI": ci, "PYTHONPATH": str(REPOSITORY),
                "PATCHGEN_TREES": str(tmp_path), "COLUMNS": "200"}  # fmt: skip
        command = [sys.executable, "-m", "pytest", "-q", "-ra", *options, str(tmp_path)]
        return subprocess.run(
            command, cwd=tmp_path, env={**env, **more}, capture_output=True, text=True, check=False
        )

    return run


def test_a_missing_tool_skips_and_says_how_to_have_it(tried) -> None:
    done = tried("")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 3 skipped" in done.stdout
    assert "needs flex, bison: apt install flex bison" in done.stdout
    assert "needs xz: apt install xz-utils" in done.stdout


def test_in_ci_every_skip_fails_and_an_unpackaged_kernel_is_told(tried) -> None:
    done = tried("true", "-n", "1")
    assert done.returncode == 1
    assert "2 failed, 1 passed, 1 error" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]
    for name, reason in (
        ("test_marked", "needs flex, bison: apt install flex bison"),
        ("test_by_fixture", "needs xz: apt install xz-utils"),
        ("test_that_skips_itself", "no reason"),
    ):
        assert f"::{name} - in CI nothing may be skipped: {reason}" in done.stdout
    assert "no part of this run: 1 tests of a kernel" in done.stdout
    assert "test_it.py::test_unpackaged" in done.stdout
    assert "test_packaged" not in done.stdout


def test_a_kernel_that_is_here_is_tried_in_ci_though_nobody_packages_it(
    tried, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "5.0-git/linux").mkdir(parents=True)
    assert "2 failed, 2 passed, 1 error" in tried("true").stdout


def test_the_readme_names_every_package() -> None:
    line = "apt install " + " ".join(needs.packages())
    assert line in (REPOSITORY / "README.md").read_text().splitlines()


def test_an_unlisted_tool_is_an_error() -> None:
    with pytest.raises(KeyError):
        needs.has("flexx")


def test_what_is_missing_is_printed_before_anything_is_installed(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(REPOSITORY / "tests/needs.py")]
    done = subprocess.run(
        command, env={"PATH": f"{tmp_path}"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == needs.packages()


def test_no_test_skips_in_another_way() -> None:
    """What is skipped elsewhere is in no table: nobody would be told how to have it."""
    others = [
        f"{file.relative_to(REPOSITORY)}: {call}"
        for file in sorted((REPOSITORY / "tests").rglob("*.py"))
        if file.name != "conftest.py" and file != Path(__file__)
        for call in re.findall(r"\bskipif\b|pytest\.skip\b|\bimportorskip\b", file.read_text())
    ]
    assert others == []
