# SPDX-License-Identifier: GPL-2.0-only
"""What all tests share: kernel trees, golden files, and a cache of their own.

PATCHGEN_TREE_5_10 (and so on) names an unpacked tree to use; else a real tree is
fetched once a machine, and found in the user's cache by later runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.tree import registry

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests share a cache of their own; fetched kernel trees stay the user's."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    trees = str(registry.trees_dir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATCHGEN_CACHE", str(shared / "patchgen-cache"))
        patch.setenv("PATCHGEN_TREES", trees)
        patch.setenv("PATCHGEN_KERNEL_TREE", str(REPOSITORY / "kernel-tree"))
        yield


@pytest.fixture(scope="session")
def kernel_tree(_own_cache: None) -> Callable[[str], Path]:
    """``kernel_tree("5.10")``: the folder of a real kernel tree, fetched if need be.

    Where it cannot be had the test is skipped with the reason; in CI it fails.
    """
    found: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in found:
            found[name] = _tree(name)
        return found[name]

    return get


def _tree(name: str) -> Path:
    place = registry.location(name)
    try:
        if place is None:
            from patchgen.source.tree import fetch

            place = fetch.add(name).path
        return registry.resolve(str(place.resolve())).path
    except UserError as error:
        # CI has Debian's packages; 5.0, which Debian does not have, runs where kernel.org
        # can be reached or PATCHGEN_TREE_5_0 names a tree.
        if os.environ.get("CI") == "true" and registry.load().tree[name].debian is not None:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def mini() -> Path:
    """The self-written miniature kernel in the 5.10 shape."""
    return REPOSITORY / "kernel-tree" / "mini"


@pytest.fixture(scope="session")
def mini50() -> Path:
    """The self-written miniature kernel in the 5.0 shape."""
    return REPOSITORY / "kernel-tree" / "mini-5.0"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str | Path, str | bytes], None]:
    """``golden(path, text)``: the text must be what the file at ``path`` holds.

    ``path`` is relative to the test's folder.  ``pytest --update`` writes it
    instead, to be reviewed as a diff.
    """

    def check(path: str | Path, text: str | bytes) -> None:
        file = request.path.parent / path
        new = text.encode() if isinstance(text, str) else text
        if request.config.getoption("--update"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(new)
        assert file.is_file(), f"{file}: no such golden file; pytest --update writes it"
        old = file.read_bytes()
        assert new.decode(errors="replace") == old.decode(errors="replace")
        assert new == old

    return check


@pytest.fixture
def tree(mini: Path, tmp_path: Path) -> Path:
    """A copy of mini that a test may damage."""
    copy = tmp_path / "tree"
    shutil.copytree(mini, copy)
    return copy


@pytest.fixture
def patchgen(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run patchgen as a user does; the result's stdout and stderr are text."""

    def run(*args: object, **more: Any) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "patchgen", *map(str, args)],
            capture_output=True, text=True, check=False, **{"env": env, "cwd": tmp_path, **more},
        )  # fmt: skip

    return run
