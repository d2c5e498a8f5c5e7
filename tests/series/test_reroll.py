# SPDX-License-Identifier: GPL-2.0-only
"""A new version says what changed, and keeps reviews only where nothing did."""

from __future__ import annotations

from pathlib import Path

import msgspec

from patchgen.commits.build import CommittedSeries, commit_patches
from patchgen.commits.patchset import Series
from patchgen.model.plan import Patch
from patchgen.series.read.read import read_series
from patchgen.series.reroll.range_diff import range_diff
from patchgen.series.reroll.reroll import compare, split_tags
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from tests.series.conftest import AUTHOR, OLD, committed, patches

COVER = Cover("Re-enable it", (Section("", "Text."),))
REVIEW = "Reviewed-by: R E Viewer <r@example.org>"
SIGNED = f"Signed-off-by: {AUTHOR}"


def previous(tree: Path, out: Path) -> Series:
    tags = [[REVIEW], [REVIEW, "Tested-by: T <t@example.org>"], []]
    series = committed(tree, trailers=[SIGNED], tags=tags)
    write_series(series, COVER, MailOptions(), out)
    return read_series(out)


def build(tree: Path, made: list[Patch], **more: object) -> CommittedSeries:
    def read(path: str) -> bytes | None:
        return OLD if path.startswith("mm/") and path.endswith(".c") else None

    return commit_patches(made, tree, read, AUTHOR, date=1700000100, trailers=[SIGNED], **more)


def changed(made: list[Patch]) -> list[Patch]:
    """Patch 2 with another file, 3 with another message and subject."""
    second = msgspec.structs.replace(
        made[1], files=made[1].files | {"mm/new.h": b"#define NEW 2\n"}
    )
    third = msgspec.structs.replace(
        made[2], subject="mm: third", message="mm: third\n\nBecause of 3."
    )
    return [made[0], second, third]


def test_each_patch_is_told(tree: Path, tmp_path: Path) -> None:
    old = previous(tree, tmp_path / "v1")
    new = Patch("x", "mm: more", "mm: more\n\nMore.", {"mm/more.h": b"#define MORE\n"})
    reroll = compare(old, build(tree, [*changed(patches()), new]))
    assert (reroll.version, reroll.change_id) == (2, old.change_id)
    assert [entry.status for entry in reroll.entries] == ["unchanged", "changed", "changed", "new"]
    assert reroll.entries[1].what == ("mm/new.h",)
    assert reroll.entries[2].what == ('subject, was "mm: change number 3"',)
    assert reroll.dropped == ()
    assert old.cover is not None
    assert reroll.link == f"https://lore.kernel.org/r/{old.cover.message_id}"
    assert compare(old, build(tree, patches()[:1])).dropped == tuple(
        f"mm: change number {number}" for number in (2, 3)
    )


def test_reviews_carry_over_only_where_nothing_changed(tree: Path, tmp_path: Path) -> None:
    old = previous(tree, tmp_path / "v1")
    draft = build(tree, changed(patches()))
    reroll = compare(old, draft)
    final = build(tree, changed(patches()), tags=reroll.tags)
    first, second, _ = final.commits
    assert first.message.endswith(f"{SIGNED}\n{REVIEW}")
    assert "Reviewed-by" not in second.message
    cover = msgspec.structs.replace(COVER, changes=(reroll.changes,))
    options = MailOptions(version=2, change_id=reroll.change_id)
    files = write_series(final, cover, options, tmp_path / "v2", extras=reroll.extras)
    letter, _, mail, _ = files.files.values()
    assert f"- not carried over, the patch changed: {REVIEW}".encode() in mail
    assert b"Changes in v2:\n- 1: unchanged\n- 2: changed: mm/new.h; not carried" in letter
    assert files.change_id == old.change_id
    assert b"Link to v1: https://lore.kernel.org/r/" in letter
    # The new version links to the old one and does not reply to it.
    assert b"In-Reply-To" not in letter
    # A third version sees the second as it was sent.
    assert compare(read_series(tmp_path / "v2"), final).entries[0].tags == (REVIEW,)


def test_same_input_twice_is_unchanged(tree: Path, tmp_path: Path) -> None:
    old = previous(tree, tmp_path / "v1")
    reroll = compare(old, build(tree, patches()))
    assert {entry.status for entry in reroll.entries} == {"unchanged"}
    assert reroll.changes.lines == ("no patch changed",)


def test_range_diff(tree: Path, tmp_path: Path) -> None:
    old = previous(tree, tmp_path / "v1")
    write_series(build(tree, changed(patches())), COVER, MailOptions(version=2), tmp_path / "v2")
    text, note = range_diff(tree, old, read_series(tmp_path / "v2"))
    assert note == ""
    marks = [line.split()[2] for line in text.splitlines() if line[:1].isdigit()]
    assert marks == ["!", "!", "!"] or marks == ["=", "!", "!"]
    assert "#define NEW 2" in text
    (tree / "mm/a.c").unlink()
    (tree / ".git").rename(tmp_path / "away.git")
    text, note = range_diff(tree, old, read_series(tmp_path / "v2"))
    assert text == "" and "v1 does not apply: mm/a.c" in note


def test_split_tags() -> None:
    assert split_tags(f"s\n\nb\n\n{SIGNED}\n{REVIEW}") == (f"s\n\nb\n\n{SIGNED}", (REVIEW,))
    assert split_tags(f"s\n\nReviewed-by: is prose\nhere {REVIEW}")[1] == ()
