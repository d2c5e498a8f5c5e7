# SPDX-License-Identifier: GPL-2.0-only
"""What all tests share: kernel trees, golden files, and a cache of their own.

PATCHGEN_TREE_5_10 (and so on) names an unpacked tree to use; else a real tree is
fetched once a machine, and found in the user's cache by later runs.

What a machine lacks (tests/needs.py, a kernel that cannot be had) skips the tests that
need it.  With CI=true every skip is a failure; tests of a kernel that no Debian suite
has are no part of such a run, unless it is here, and the run's last lines say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from patchgen.model.outcome import UserError
from patchgen.source.tree import registry
from tests import needs

REPOSITORY = Path(__file__).resolve().parents[1]
CI = os.environ.get("CI") == "true"
_LEFT_OUT = pytest.StashKey[set[str]]()
# How long a busy machine takes is no property of what is tested.
settings.register_profile("patchgen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patchgen")
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _need(*(name for mark in item.iter_markers("needs") for name in mark.args))


@pytest.fixture(scope="session")
def need() -> Callable[..., None]:
    """``need("gcc")``: skip the test where this machine lacks it; names of tests/needs.py."""
    return _need


def _need(*names: str) -> None:
    if missing := needs.lacking(names):
        pytest.skip(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _allowed((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _allowed((yield))


def _allowed(report: Report) -> Report:
    """``report``; in CI a skip, for whatever reason, is a failure that says the reason."""
    if CI and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        reason = str(reason).removeprefix("Skipped: ")
        report.longrepr = f"in CI nothing may be skipped: {reason}"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In CI, tests of a kernel that no Debian suite has are left out where it is not here."""
    wanted = {item: _kernels_of(item) for item in items} if CI else {}
    names = {name for kernels in wanted.values() for name in kernels}
    absent = {name for name in names if _not_packaged(name) and registry.location(name) is None}
    left_out = [item for item in items if absent & wanted.get(item, set())]
    if left_out:
        config.stash[_LEFT_OUT] |= {item.nodeid for item in left_out}
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _kernels_of(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("kernel") for name in mark.args}


def _not_packaged(name: str) -> bool:
    return registry.load().tree[name].debian is None


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = sorted(session.config.stash[_LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """xdist: what a worker left out is told to the process that prints."""
    node.config.stash[_LEFT_OUT] |= set(getattr(node, "workeroutput", {}).get("left_out", ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    left_out = sorted(config.stash[_LEFT_OUT])
    if left_out:
        terminalreporter.write_line(
            f"no part of this run: {len(left_out)} tests of a kernel that is in no Debian suite"
            " and not here (patchgen tree add, or PATCHGEN_TREE_<NAME>)"
        )
        for name in left_out:
            terminalreporter.write_line(f"  {name}")


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

    Where it cannot be had the test is skipped with the reason.
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
        pytest.skip(f"needs Linux {name}: {error}")


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
