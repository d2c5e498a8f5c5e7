# SPDX-License-Identifier: GPL-2.0-only
"""Commits made in a scratch repository are those that git itself would make."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from patchgen.commits.build import commit_patches, parse_date
from patchgen.commits.identity import Identity
from patchgen.commits.source import describe
from patchgen.model.outcome import UserError
from patchgen.model.plan import Patch

AUTHOR = Identity("A U Thor", "author@example.org")
OLD = b"int first(void)\n{\n\tint a;\n\tint b;\n\tint c;\n\tint d;\n\n\treturn 0;\n}\n"
MID = OLD.replace(b"int b", b"long b")
NEW = MID.replace(b"return 0", b"return 1")
PATCHES = (
    Patch("one", "mm: widen b", "mm: widen b\n\nBecause.", {"mm/a.c": MID}),
    Patch("two", "mm: say so", "mm: say so\n\nWhy not.", {"mm/a.c": NEW, "mm/new.h": b"x"}),
)


def git(root: Path, *arguments: str, **more: object) -> bytes:
    names = ("AUTHOR", "COMMITTER")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {f"GIT_{name}_NAME": AUTHOR.name for name in names}
    env |= {f"GIT_{name}_EMAIL": AUTHOR.email for name in names}
    return subprocess.run(
        ["git", "-C", root, *arguments], check=True, capture_output=True, env=env, **more
    ).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "linux"
    (root / "mm").mkdir(parents=True)
    (root / "mm/a.c").write_bytes(OLD)
    (root / "Makefile").write_text("VERSION = 5\n")
    return root


def checkout(folder: Path, *options: str) -> Path:
    git(folder, "init", "-q", *options)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "base")
    return folder


def commit(root: Path, **more: object):
    def read(path: str) -> bytes | None:
        file = root / path
        return file.read_bytes() if file.exists() else None

    return commit_patches(PATCHES, root, read, AUTHOR, **more)


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_diff_and_stat_are_format_patchs(folder: Path, form: str) -> None:
    checkout(folder, f"--object-format={form}")
    (folder / ".git/info/attributes").write_text("*.c diff=cpp\n*.h diff=cpp\n")
    ours = commit(folder)
    for patch, made in zip(PATCHES, ours.commits, strict=True):
        for path, data in patch.files.items():
            (folder / path).write_bytes(data)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", patch.message)
        theirs = git(folder, "format-patch", "--stdout", "--abbrev=12", "-1")
        body = theirs.split(b"\n---\n", 1)[1].rsplit(b"-- \n", 1)[0]
        assert made.stat + b"\n" + made.diff == body
    assert git(folder, "rev-parse", "HEAD~2").decode().strip() == ours.base
    assert len(ours.base) == (40 if form == "sha1" else 64)


def test_plain_folder_and_checkout_give_the_same_diffs(folder: Path) -> None:
    plain = commit(folder)
    assert plain.base == "" and not plain.source.is_git
    repository = commit(checkout(folder))
    for one, other in zip(plain.commits, repository.commits, strict=True):
        assert (one.stat, one.diff) == (other.stat, other.diff)


def test_two_runs_are_equal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = commit(folder)
    assert first == commit(folder)
    assert [made.date for made in first.commits] == [1700000000, 1700000001]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000", 1700000000),
        ("2023-11-14T22:13:20", 1700000000),
        ("2023-11-14T23:13:20+01:00", 1700000000),
    ],
)
def test_dates(text: str, seconds: int) -> None:
    assert parse_date(text) == seconds


@pytest.mark.parametrize("text", ["yesterday", "-1", "1969-01-01", "9" * 12, "\u0661"])
def test_no_dates(text: str) -> None:
    with pytest.raises(UserError, match="not a date"):
        parse_date(text)


def test_tree_is_untouched(folder: Path) -> None:
    checkout(folder)

    def state() -> dict[Path, tuple[bytes, int]]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = state()
    commit(folder)
    assert state() == before


def test_dirty_file_is_the_ground_and_leaves_no_base(folder: Path) -> None:
    checkout(folder)
    (folder / "mm/a.c").write_bytes(OLD.replace(b"int d;\n", b"int d;\n\tint e;\n"))
    series = commit(folder)
    assert series.base == ""
    assert series.modified == ("mm/a.c",)
    assert b"-\tint e;" in series.commits[0].diff


@pytest.mark.parametrize("kind", ["shallow", "worktree", "bare-objects"])
def test_borrowed_objects(folder: Path, tmp_path: Path, kind: str) -> None:
    checkout(folder)
    (folder / "Makefile").write_text("VERSION = 6\n")
    git(folder, "commit", "-qam", "second")
    other = tmp_path / "other"
    if kind == "shallow":
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{folder}", str(other))
    elif kind == "worktree":
        git(folder, "worktree", "add", "-q", str(other))
    else:
        git(tmp_path, "clone", "-q", "--shared", str(folder), str(other))
    assert commit(other).commits == commit(folder).commits


def test_repository_around_the_folder_does_not_count(folder: Path) -> None:
    git(folder.parent, "init", "-q")
    assert not describe(folder).is_git


def test_environment_of_the_caller_does_not_count(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = commit(checkout(folder))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u1")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "diff.context")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "1")
    assert commit(folder) == expected


def test_trailers_join_the_ones_there(folder: Path) -> None:
    signed = f"Signed-off-by: {AUTHOR}"
    message = commit(folder, trailers=[signed]).commits[0].message
    assert message.endswith(f"Because.\n\n{signed}")
    tagged = Patch(
        "x", "mm: x", f"mm: x\n\nY.\n\nLink: https://example.org/\n{signed}", {"n": b"1"}
    )
    made = commit_patches([tagged], folder, lambda _: None, AUTHOR, trailers=[signed])
    assert made.commits[0].message.count(signed) == 1


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", ".git/config", "a/.GIT/x", "git~1/x", "a//b", "a\nb", "C:x", "a\\b"]
)
def test_paths_out_of_the_tree_are_refused(folder: Path, path: str) -> None:
    with pytest.raises(UserError, match="is refused"):
        commit_patches([Patch("x", "s", "s", {path: b"1"})], folder, lambda _: None, AUTHOR)
