# SPDX-License-Identifier: GPL-2.0-only
"""Names of trees, and where they are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen import memo
from patchgen.model.outcome import UserError
from patchgen.source.tree import registry
from tests.source.tree.test_describe import kernel


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty kernel-tree folder and an empty store, with the project's list."""
    for name in ("5.10", "6.1", "6.12", "7.2"):
        monkeypatch.delenv(registry.environment_name(name), raising=False)
    monkeypatch.setenv("PATCHGEN_KERNEL_TREE", str(tmp_path / "kernel-tree"))
    monkeypatch.setenv("PATCHGEN_TREES", str(tmp_path / "trees"))
    (tmp_path / "kernel-tree").mkdir()
    return tmp_path / "kernel-tree"


def test_the_list_has_the_trees_of_the_readme() -> None:
    trees = registry.load().tree
    assert list(trees) == ["5.0", "5.10", "6.1", "6.12", "7.2", "mini", "mini-5.0"]
    for name in ("5.10", "6.1", "6.12", "7.2"):
        entry = trees[name]
        assert entry.tag.startswith(f"v{name}.")
        assert entry.debian is not None and entry.debian.package == f"linux-source-{name}"


def test_name_that_is_not_fetched_says_how_to_get_it(base: Path) -> None:
    with pytest.raises(UserError, match=r"patchgen tree add 6\.12"):
        registry.resolve("6.12")


def test_unknown_name_is_no_such_tree(base: Path) -> None:
    with pytest.raises(UserError, match="no such kernel tree"):
        registry.resolve("4.19")


def test_name_is_found_in_the_folder(base: Path) -> None:
    kernel(base / "5.10")
    tree = registry.resolve("5.10")
    assert (tree.root, tree.name) == (str(base / "5.10"), "5.10")
    assert registry.resolve("5.10", base) == tree


def test_unlisted_folder_has_a_name_too(base: Path) -> None:
    kernel(base / "mine")
    assert registry.resolve("mine").version == "5.10.262"


def test_fetched_tree_is_found_without_a_link(base: Path) -> None:
    root = kernel(registry.fetched("5.10", "debian"))
    assert registry.resolve("5.10").root == str(root)


def test_link_to_a_removed_cache_is_as_not_fetched(base: Path) -> None:
    (base / "5.10").symlink_to("/nonexistent/tree")
    with pytest.raises(UserError, match=r"patchgen tree add 5\.10"):
        registry.resolve("5.10")


def test_environment_overrides(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(base / "5.10")
    monkeypatch.setenv("PATCHGEN_TREE_5_10", str(kernel(tmp_path / "own")))
    assert registry.resolve("5.10").root == str(tmp_path / "own")
    monkeypatch.setenv("PATCHGEN_TREE_5_10", str(tmp_path / "gone"))
    with pytest.raises(UserError, match="gone: no such kernel tree"):
        registry.resolve("5.10")


def test_path_of_any_checkout(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(tmp_path / "checkouts" / "linux")
    monkeypatch.chdir(tmp_path / "checkouts")
    for spec in (".", "../checkouts/linux/", "./linux", "linux", str(tmp_path / "checkouts/linux")):
        if spec == ".":
            with pytest.raises(UserError, match="no kernel tree here"):
                registry.resolve(spec)
        else:
            assert registry.resolve(spec).root == str(tmp_path / "checkouts" / "linux")


def test_bundled_trees_need_no_fetching(base: Path, mini: Path) -> None:
    assert registry.resolve("mini").root == str(mini)


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "git = 1\n[tree.a]\ntag = 'v1'\n",
        "git = 'u'\n[tree.a]\n",
        "git = 'u'\n[tree.a]\ntags = 'v1'\n",
        "git = 'u'\n[tree.'../a']\ntag = 'v1'\n",
    ],
)
def test_faulty_list_is_named(base: Path, text: str) -> None:
    (base / "trees.toml").write_text(text)
    with pytest.raises(UserError) as error:
        registry.load()
    assert str(error.value).startswith(str(base / "trees.toml"))
    assert "\n" not in str(error.value)


def test_checkout_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATCHGEN_KERNEL_TREE", raising=False)
    (tmp_path / "kernel-tree").mkdir()
    (tmp_path / "kernel-tree" / "trees.toml").write_text("git = 'u'\n[tree.a]\ntag = 'v1'\n")
    monkeypatch.chdir(tmp_path)
    assert registry.kernel_tree_dir() == tmp_path / "kernel-tree"
    assert list(registry.load().tree) == ["a"]


def test_the_cache_and_the_trees_move_each_by_its_own_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATCHGEN_CACHE", "PATCHGEN_TREES", "XDG_CACHE_HOME", "PATCHGEN_TREE_5_10"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATCHGEN_KERNEL_TREE", str(tmp_path / "none"))
    fetched = tmp_path / "home/.cache/patchgen/trees/5.10-debian/linux"
    kernel(fetched)
    assert registry.location("5.10") == fetched
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "fast-disk"))
    assert registry.location("5.10") == fetched
    assert memo.cache_dir() == tmp_path / "fast-disk"
    monkeypatch.setenv("PATCHGEN_TREES", str(tmp_path / "big-disk"))
    assert registry.location("5.10") is None
    assert memo.cache_dir() == tmp_path / "fast-disk"
    monkeypatch.delenv("PATCHGEN_CACHE")
    assert memo.cache_dir() == tmp_path / "home/.cache/patchgen"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("PATCHGEN_TREES")
    assert (memo.cache_dir(), registry.trees_dir()) == (
        tmp_path / "xdg/patchgen", tmp_path / "xdg/patchgen/trees",
    )  # fmt: skip
