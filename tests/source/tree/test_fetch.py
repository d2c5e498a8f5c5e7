# SPDX-License-Identifier: GPL-2.0-only
"""Bringing trees in: whole or not at all, once, and with clear reasons."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from patchgen import memo
from patchgen.model.outcome import UserError
from patchgen.source.tree import fetch, registry, search
from tests.source.tree.sources import LIST, children_of, make_git, make_kernel, run, snapshot

KILLS = 6


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel-tree folder, a store, and no source that leaves this machine."""
    monkeypatch.delenv("PATCHGEN_TREE_5_10", raising=False)
    monkeypatch.delenv("PATCHGEN_STABLE_GIT", raising=False)
    monkeypatch.setenv("PATCHGEN_DEBIAN_MIRROR", f"file:{tmp_path}/no-archive")
    monkeypatch.setenv("PATCHGEN_KERNEL_TREE", str(tmp_path / "kernel-tree"))
    monkeypatch.setenv("PATCHGEN_TREES", str(tmp_path / "trees"))
    (tmp_path / "kernel-tree").mkdir()
    use_git(tmp_path, f"file://{tmp_path}/no-repository")
    return tmp_path


def use_git(place: Path, url: str) -> None:
    (place / "kernel-tree" / "trees.toml").write_text(LIST.format(git=url))


def parts(place: Path) -> list[Path]:
    return list((place / "trees").glob(".part-*"))


def test_git_tag_is_fetched_shallow_linked_and_found(place: Path) -> None:
    kernel = make_kernel(place / "kernel")
    use_git(place, make_git(place / "git", kernel))
    stages: set[str] = set()
    tree = fetch.add("5.10", report=lambda stage, done, total: stages.add(stage))
    assert (tree.name, tree.version, tree.is_git) == ("5.10", "5.10.262", True)
    assert snapshot(tree.path) == snapshot(kernel)
    assert run("git", "-C", tree.root, "rev-list", "--count", "HEAD").stdout == b"1\n"
    assert run("git", "-C", tree.root, "status", "--porcelain").stdout == b""
    assert (place / "kernel-tree" / "5.10").resolve() == tree.path
    assert registry.resolve("5.10") == tree
    assert "downloading" in stages
    origin = fetch.origin(tree.path)
    assert origin is not None and origin.source == "git" and "v5.10.262" in origin.detail
    assert not parts(place)


def test_what_was_fetched_is_searched_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = make_kernel(place / "kernel")
    (kernel / "mm").mkdir(exist_ok=True)
    (kernel / "mm/told.c").write_text("void f(void) { mmu_notifier_get(0); }\n")
    (kernel / "mm/plain.c").write_text("int nothing;\n")
    use_git(place, make_git(place / "git", kernel))
    tree = fetch.add("5.10")
    asked: list[list[str]] = []
    grep = search.grep
    monkeypatch.setattr(
        search, "grep", lambda r, paths, n: asked.append(paths) or grep(r, paths, n)
    )
    monkeypatch.setenv("PATCHGEN_CACHE", str(place / "empty"))
    assert "mm/told.c" in search.candidates(tree.path)
    assert asked == [], "the memory beside the tree was not used"
    (tree.path / "mm/plain.c").write_text("int no; /* mmu_notifier */\n")
    assert {"mm/told.c", "mm/plain.c"} <= set(search.candidates(tree.path))
    assert asked == [["mm/plain.c"]]


def test_a_memory_beside_somebody_elses_tree_is_not_believed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHGEN_CACHE", str(place / "empty"))
    kernel = make_kernel(place / "theirs" / "linux")
    (kernel / "told.c").write_text("void f(void) { mmu_notifier_get(0); }\n")
    search.index(kernel)
    memory = next(kernel.parent.glob("search-*"))
    whole = memo.read_sealed(memory, memory.name)
    assert whole is not None
    found = msgspec.msgpack.encode({**msgspec.msgpack.decode(whole), "hits": []})
    memo.write_sealed(memory, memory.name, found)
    assert "told.c" in search.candidates(kernel)


def test_second_clone_does_not_download_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_git(place, make_git(place / "git", make_kernel(place / "kernel")))
    first = fetch.add("5.10")
    shutil.rmtree(place / "git")
    second = place / "second" / "kernel-tree"
    monkeypatch.setenv("PATCHGEN_KERNEL_TREE", str(second))
    assert fetch.add("5.10") == first
    assert (second / "5.10").resolve() == first.path


def test_tree_that_is_there_stays(place: Path) -> None:
    own = make_kernel(place / "own")
    assert fetch.add("5.10", str(own)).root == str(own)
    assert fetch.add("5.10").root == str(own)
    assert not (place / "trees").exists()


def test_environment_gives_the_path(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make_kernel(place / "own")
    monkeypatch.setenv("PATCHGEN_TREE_5_10", str(own))
    assert fetch.add("5.10").root == str(own)


def test_path_of_another_series_needs_a_name(place: Path) -> None:
    own = make_kernel(place / "own", "6.1.7")
    with pytest.raises(UserError, match=r"Linux 6\.1\.7, not 5\.10"):
        fetch.add("5.10", str(own))
    assert fetch.add("5.10", str(own), "mine").name == "mine"
    assert registry.resolve("mine").root == str(own)
    assert fetch.add("vendor", str(own)).version == "6.1.7"


def test_every_source_is_named_with_its_reason(place: Path) -> None:
    with pytest.raises(UserError) as error:
        fetch.add("5.10")
    line = str(error.value)
    assert "git: " in line and "no-repository" in line
    assert "debian: bullseye: " in line
    assert "--from PATH" in line and "\n" not in line
    assert not parts(place) and not (place / "kernel-tree" / "5.10").exists()


def test_missing_tag_is_said(place: Path) -> None:
    use_git(place, make_git(place / "git", make_kernel(place / "kernel"), "v5.10.1"))
    with pytest.raises(UserError, match=r"has no tag v5\.10\.262"):
        fetch.add("5.10", "git")


def test_repository_that_does_not_answer_is_given_up(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patchgen.source.tree import fetch_git

    slow = place / "git"
    slow.write_text("#!/bin/sh\nsleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setattr(fetch_git, "PROBE_SECONDS", 0.3)
    begin = time.monotonic()
    with pytest.raises(UserError, match="no answer within"):
        fetch.add("5.10", "git")
    assert time.monotonic() - begin < 5


def test_wrong_series_and_no_kernel_are_not_kept(place: Path) -> None:
    use_git(place, make_git(place / "git", make_kernel(place / "kernel", "5.4.1")))
    with pytest.raises(UserError, match=r"Linux 5\.4\.1, not 5\.10"):
        fetch.add("5.10", "git")
    (place / "empty").mkdir()
    (place / "empty" / "README").write_text("x")
    use_git(place, make_git(place / "git2", place / "empty"))
    with pytest.raises(UserError, match="not a kernel tree"):
        fetch.add("5.10", "git")
    assert not parts(place) and registry.location("5.10") is None


def test_repository_with_a_link_out_is_not_kept(place: Path) -> None:
    kernel = make_kernel(place / "kernel")
    (kernel / "mm" / "passwd").symlink_to("/etc/passwd")
    use_git(place, make_git(place / "git", kernel))
    with pytest.raises(UserError, match="mm/passwd: a link leads out of the tree"):
        fetch.add("5.10", "git")
    assert not parts(place) and registry.location("5.10") is None


def test_users_git_hooks_do_not_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = place / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {place}/ran\n")
    (hooks / "post-checkout").chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(place / "template"))
    use_git(place, make_git(place / "git", make_kernel(place / "kernel")))
    (place / "ran").unlink(missing_ok=True)
    tree = fetch.add("5.10", "git")
    assert not (place / "ran").exists() and not (tree.path / ".git" / "hooks").exists()


def test_full_disk_is_said_before_anything_is_fetched(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_git(place, make_git(place / "git", make_kernel(place / "kernel")))
    monkeypatch.setattr(fetch, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(UserError, match="GB free, a kernel tree needs"):
        fetch.add("5.10", "git")
    assert not parts(place)


def test_folder_in_the_way_of_the_link_is_left_alone(place: Path) -> None:
    own = make_kernel(place / "own")
    (place / "kernel-tree" / "mine").mkdir()
    (place / "kernel-tree" / "mine" / "work").write_text("x")
    with pytest.raises(UserError, match="in the way"):
        fetch.add("5.10", str(own), "mine")
    assert (place / "kernel-tree" / "mine" / "work").read_text() == "x"


@pytest.mark.parametrize("name", ["../x", "", ".hidden", "a/b", "x\n"])
def test_names_are_no_paths(place: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot name a tree"):
        fetch.add(name, str(make_kernel(place / "own")))


def test_unknown_name_lists_the_known(place: Path) -> None:
    with pytest.raises(UserError, match=r"unknown kernel tree 4\.4.*known: 5\.10"):
        fetch.add("4.4")


def start(place: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "patchgen", "tree", "add", "5.10", "--from", "git"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=place)


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))


def test_concurrent_runs_fetch_once(place: Path, importable: None) -> None:
    use_git(place, make_git(place / "git", make_kernel(place / "kernel", files=400)))
    runs = [start(place) for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in runs]
    assert [process.returncode for process in runs] == [0, 0, 0], outputs
    downloads = [err.count(b"downloading") for _, err in outputs]
    assert sum(downloads) == 1, outputs
    assert not parts(place)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_run_leaves_nothing_that_looks_like_a_tree(
    place: Path, importable: None, how: signal.Signals
) -> None:
    kernel = make_kernel(place / "kernel", files=400)
    use_git(place, make_git(place / "git", kernel))
    whole = snapshot(kernel)
    begin = time.monotonic()
    assert start(place).wait(60) == 0
    duration = time.monotonic() - begin
    moments = random.Random(510)
    interrupted = 0
    for _ in range(KILLS):
        shutil.rmtree(place / "trees")
        (place / "kernel-tree" / "5.10").unlink(missing_ok=True)
        process = start(place)
        time.sleep(moments.uniform(0.2, 1.0) * duration)
        process.send_signal(how)
        process.communicate(timeout=60)
        interrupted += process.returncode != 0
        assert not children_of(place)
        found = registry.location("5.10")
        assert found is None or snapshot(found) == whole
        assert how == signal.SIGKILL or not parts(place)
        (place / "trees").mkdir(exist_ok=True)
    assert interrupted, "no run was interrupted: the moments were all too late"
    assert snapshot(fetch.add("5.10").path) == whole
    assert not parts(place)
