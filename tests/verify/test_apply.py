# SPDX-License-Identifier: GPL-2.0-only
"""Applying in isolation gives what real git am gives, and says why when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from patchgen.verify.apply import apply_series
from patchgen.verify.apply_reason import _both
from tests.series.conftest import AUTHOR, OLD, committed, plain_git, tree

__all__ = ["tree"]
COVER = Cover("Re-enable it", (Section("", "Text."),))


@pytest.fixture
def mails(tree: Path, tmp_path: Path) -> Path:
    trailers = [f"Signed-off-by: {AUTHOR}"]
    write_series(committed(tree, trailers=trailers), COVER, MailOptions(), tmp_path / "mails")
    return tmp_path / "mails"


def am(root: Path, mails: Path) -> list[str]:
    """Real git am; ``tree author date message`` of each commit."""
    plain_git(root, "am", "-q", *(str(file) for file in sorted(mails.glob("*000[1-9]-*"))))
    log = plain_git(
        root, "log", "-3", "--reverse", "--format=%T|%an <%ae>|%ad|%B%x00", "--date=raw"
    )
    return [entry.strip() for entry in log.split("\0")[:-1]]


def test_parity_with_git_am(tree: Path, mails: Path) -> None:
    ours = apply_series(tree, read_series(mails))
    assert ours.ok
    assert am(tree, mails) == [
        f"{one.tree}|{one.patch.author}|{one.patch.date} {one.patch.zone}|{one.patch.message}"
        for one in ours.patches
    ]
    for path, data in ours.contents(3).items():
        assert (tree / path).read_bytes() == data
    assert ours.contents(0) == {"mm/a.c": OLD, "mm/b.c": OLD, "mm/new.h": None}


@pytest.mark.parametrize("kind", ["git", "plain"])
def test_engines_agree(tree: Path, mails: Path, kind: str) -> None:
    if kind == "plain":
        (tree / ".git").rename(tree.parent / "away.git")
    series = read_series(mails)
    ours, theirs = apply_series(tree, series), apply_series(tree, series, engine="git-am")
    assert ours.ok and theirs.ok
    for one, other in zip(ours.patches, theirs.patches, strict=True):
        assert (one.tree, one.files) == (other.tree, other.files)
    assert ours.before == theirs.before


@pytest.mark.parametrize("kind", ["shallow", "worktree", "partial", "sha256"])
def test_every_kind_of_checkout(tree: Path, mails: Path, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    (tree / "mm/c.c").write_bytes(b"more\n")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "more")
    if kind == "shallow":
        plain_git(tmp_path, "clone", "-q", "--depth=1", f"file://{tree}", str(other))
    elif kind == "worktree":
        plain_git(tree, "worktree", "add", "-q", str(other))
    elif kind == "partial":
        plain_git(tree, "config", "uploadpack.allowFilter", "true")
        plain_git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{tree}", str(other))
    else:
        other.mkdir()
        plain_git(other, "init", "-q", "--object-format=sha256")
        plain_git(tree, "checkout-index", "-a", f"--prefix={other}/")
        plain_git(other, "add", ".")
        plain_git(other, "commit", "-qm", "base")
    ours = apply_series(other, read_series(mails))
    assert ours.ok
    assert [entry.split("|")[0] for entry in am(other, mails)] == [p.tree for p in ours.patches]


def test_missing_blob_is_named_with_its_base(tree: Path, mails: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    plain_git(tree, "config", "uploadpack.allowFilter", "true")
    clone = ("clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{tree}", str(other))
    plain_git(tmp_path, *clone)
    blob = plain_git(tree, "rev-parse", "HEAD:mm/a.c")
    base = plain_git(tree, "rev-parse", "HEAD")
    with pytest.raises(UserError, match=rf"blob {blob} is missing .*base {base[:12]}"):
        apply_series(other, read_series(mails))
    # Nothing was fetched behind the user's back.
    listed = plain_git(other, "rev-list", "--objects", "--missing=print", "HEAD")
    assert f"?{blob}" in listed


def test_dirty_tree_and_am_in_progress_do_not_matter(tree: Path, mails: Path) -> None:
    expected = apply_series(tree, read_series(mails))
    (tree / "mm/a.c").write_bytes(b"broken\n")
    plain_git(tree, "am", str(mails / "0002-mm-change-number-2.patch"), status=None)
    (tree / ".git/index.lock").write_bytes(b"")
    plain_git(tree, "update-ref", "--no-deref", "HEAD", "HEAD")
    assert apply_series(tree, read_series(mails)) == expected


def misfits(tree: Path, mails: Path) -> list[tuple[str, str]]:
    plain_git(tree, "commit", "-qam", "drift")
    result = apply_series(tree, read_series(mails))
    failed = [patch for patch in result.patches if not patch.ok]
    assert [patch.tried for patch in failed] == [True] + [False] * (len(failed) - 1)
    return [(misfit.kind, str(misfit)) for misfit in failed[0].misfits]


def test_already_applied(tree: Path, mails: Path) -> None:
    plain_git(tree, "am", "-q", str(mails / "0001-mm-change-number-1.patch"))
    result = apply_series(tree, read_series(mails))
    assert [misfit.kind for misfit in result.patches[0].misfits] == ["applied"]


def test_moved_context_applies_as_git_does(tree: Path, mails: Path) -> None:
    (tree / "mm/a.c").write_bytes(b"/* one */\n/* two */\n" + OLD)
    plain_git(tree, "commit", "-qam", "moved")
    assert apply_series(tree, read_series(mails)).ok


def test_drifted_context_says_where_it_would_fit(tree: Path, mails: Path) -> None:
    text = b"/* one */\n" + OLD.replace(b"int v0;", b"int w0;")
    (tree / "mm/a.c").write_bytes(text)
    [(kind, reason)] = misfits(tree, mails)
    assert kind == "drifted"
    assert reason == (
        'mm/a.c:4: hunk 1 would fit at line 4, but for "int v0;" the file has "int w0;"'
    )


def test_patch_made_on_another_version_names_its_blob(tree: Path, mails: Path) -> None:
    (tree / ".git").rename(tree.parent / "away.git")
    for name in ("mm/a.c", "mm/b.c"):
        (tree / name).write_bytes(OLD.replace(b"int v3;", b"short v3;"))
    misfits = apply_series(tree, read_series(mails)).patches[0].misfits
    blob = plain_git(tree.parent / "away.git", "rev-parse", "HEAD:mm/a.c")[:12]
    assert [one.kind for one in misfits] == ["drifted", "drifted", "blob", "blob"]
    assert blob in misfits[2].text


def test_changed_line_itself_is_named(tree: Path, mails: Path) -> None:
    (tree / "mm/a.c").write_bytes(OLD.replace(b"int v3;", b"short v3;"))
    kind, reason = misfits(tree, mails)[0]
    assert kind == "drifted"
    assert 'for "int v3;" the file has "short v3;"' in reason and reason.startswith("mm/a.c:6:")


def test_crlf_is_named(tree: Path, mails: Path) -> None:
    (tree / "mm/a.c").write_bytes(OLD.replace(b"\n", b"\r\n"))
    kind, reason = misfits(tree, mails)[0]
    assert kind == "crlf" and "the file has CRLF" in reason


def test_absent_and_existing_files(tree: Path, mails: Path) -> None:
    plain_git(tree, "rm", "-q", "mm/b.c")
    assert misfits(tree, mails)[0][0] == "absent"
    (tree / "mm/b.c").write_bytes(OLD)
    (tree / "mm/new.h").write_bytes(b"mine\n")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "again")
    result = apply_series(tree, read_series(mails))
    assert result.patches[0].ok
    assert [(one.kind, one.path) for one in result.patches[1].misfits] == [("exists", "mm/new.h")]


@pytest.mark.parametrize("kind", ["git", "plain"])
def test_nothing_goes_through_a_link(tree: Path, mails: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    (tree / "mm").rename(outside)
    (tree / "mm").symlink_to(outside)
    plain_git(tree, "add", "-A")
    plain_git(tree, "commit", "-qm", "link")
    if kind == "plain":
        (tree / ".git").rename(tmp_path / "away.git")
    result = apply_series(tree, read_series(mails))
    assert not result.patches[0].ok and "absent" in {m.kind for m in result.patches[0].misfits}
    assert (outside / "a.c").read_bytes() == OLD


def test_whitespace_faults_are_reported_and_kept(tree: Path, mails: Path) -> None:
    file = mails / "0002-mm-change-number-2.patch"
    file.write_bytes(file.read_bytes().replace(b"+#define NEW 1\n", b"+#define NEW 1  \n"))
    plain_git(tree, "config", "apply.whitespace", "fix")
    result = apply_series(tree, read_series(mails))
    assert result.ok and result.patches[1].files["mm/new.h"] == b"#define NEW 1  \n"
    assert any("trailing whitespace" in warning for warning in result.patches[1].warnings)


@pytest.mark.parametrize(
    ("have", "wanted", "found"),
    [
        (b"    int v0;", '"int v0;"', "'    int v0;'"),
        (b"\tint v0; ", "", "'\\tint v0; '"),
        (b"\tint" + b" x" * 60 + b" other", "", "other'"),
    ],
)
def test_two_lines_that_differ_are_never_shown_alike(have: bytes, wanted: str, found: str) -> None:
    want = b"\tint" + b" x" * 60 + b" here" if b" x" in have else b"\tint v0;"
    one, other = _both(want, have)
    assert one != other.removeprefix("the file has ") and found in other
