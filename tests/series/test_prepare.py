# SPDX-License-Identifier: GPL-2.0-only
"""From commits to mails: versions, resends, recipients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from patchgen.commits.build import CommittedSeries
from patchgen.model.outcome import UserError
from patchgen.series.read.read import read_series
from patchgen.series.reroll.prepare import Prepared, prepare
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from tests.series.conftest import committed

COVER = Cover("Re-enable it", (Section("", "Text."),))


def written(prepared: Prepared, out: Path) -> dict[str, bytes]:
    cover = prepared.completed(COVER)
    more = {"extras": prepared.extras, "cover_people": prepared.cover_people}
    return write_series(prepared.series, cover, prepared.options, out, **more).files


def test_three_versions(tree: Path, tmp_path: Path) -> None:
    def commit(count: int):
        def call(tags: Sequence[Sequence[str]]) -> CommittedSeries:
            return committed(tree, count, tags=tags)

        return call

    written(prepare(commit(2), tree, MailOptions()), tmp_path / "v1")
    first = read_series(tmp_path / "v1")
    second = prepare(commit(3), tree, MailOptions(), previous=first)
    written(second, tmp_path / "v2")
    assert "3: new" in second.changes[0].lines and second.range_diff
    third = prepare(commit(1), tree, MailOptions(), previous=read_series(tmp_path / "v2"))
    files = written(third, tmp_path / "v3")
    letter = files["v3-0000-cover-letter.patch"].decode()
    assert letter.index("Changes in v3:") < letter.index("Changes in v2:")
    assert letter.count("Link to v1:") == letter.count("Link to v2:") == 1
    assert 'dropped: "mm: change number 3"' in letter
    assert len({read_series(tmp_path / f"v{n}").change_id for n in (1, 2, 3)}) == 1
    with pytest.raises(UserError, match="version 2 is not above"):
        prepare(commit(1), tree, MailOptions(version=2), previous=read_series(tmp_path / "v3"))


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_a_version_that_is_not_above_the_one_before_is_refused(tree, tmp_path, asked):
    first = prepare(lambda tags: committed(tree, 2), tree, MailOptions(), version=3)
    assert "v3-0000-cover-letter.patch" in written(first, tmp_path / "v3")
    old = read_series(tmp_path / "v3")

    def again(version: int | None, *, resend: bool = False):
        options = MailOptions(resend=resend)
        return prepare(
            lambda tags: committed(tree, 2), tree, options, previous=old, version=version
        )

    with pytest.raises(UserError, match=f"version {asked} is not above the previous series' v3"):
        again(asked)
    if asked != 3:
        with pytest.raises(UserError, match=f"a RESEND is of the same version: v3, not v{asked}"):
            again(asked, resend=True)
    else:
        assert again(3, resend=True).options.version == 3
    assert again(None).options.version == 4


def test_a_version_that_leaves_some_out_links_to_the_one_it_was_compared_with(tree, tmp_path):
    written(prepare(lambda tags: committed(tree, 2), tree, MailOptions()), tmp_path / "v1")
    old = read_series(tmp_path / "v1")
    fifth = prepare(lambda tags: committed(tree, 2), tree, MailOptions(), previous=old, version=5)
    letter = written(fifth, tmp_path / "v5")["v5-0000-cover-letter.patch"].decode()
    assert "Changes in v5:" in letter and "Link to v1: " in letter and "Link to v4" not in letter
    old = read_series(tmp_path / "v5")
    sixth = prepare(lambda tags: committed(tree, 2), tree, MailOptions(), previous=old)
    letter = written(sixth, tmp_path / "v6")["v6-0000-cover-letter.patch"].decode()
    assert "Link to v5: " in letter and "Link to v1: " in letter


def test_resend_is_for_what_did_not_change(tree: Path, tmp_path: Path) -> None:
    written(prepare(lambda tags: committed(tree, 2), tree, MailOptions()), tmp_path / "v1")
    old = read_series(tmp_path / "v1")
    again = prepare(
        lambda tags: committed(tree, 2, tags=tags), tree, MailOptions(resend=True), previous=old
    )
    files = written(again, tmp_path / "again")
    assert b"Subject: [PATCH RESEND 1/2]" in list(files.values())[1]
    assert read_series(tmp_path / "again").patches[0].message_id != old.patches[0].message_id
    with pytest.raises(UserError, match="nothing changed, and patch 3 is new"):
        prepare(lambda tags: committed(tree, 3), tree, MailOptions(resend=True), previous=old)


def test_a_new_version_does_not_reply_to_the_one_before(tree: Path, tmp_path: Path) -> None:
    written(prepare(lambda tags: committed(tree, 2), tree, MailOptions()), tmp_path / "v1")
    old = read_series(tmp_path / "v1")
    assert old.cover is not None
    for message_id in (old.cover.message_id, old.patches[1].message_id):
        reply = MailOptions(in_reply_to=message_id)
        with pytest.raises(UserError, match="does not reply to the one before, it links to it"):
            prepare(lambda tags: committed(tree, 2), tree, reply, previous=old)
    other = MailOptions(in_reply_to="discussion@example.org")
    prepare(lambda tags: committed(tree, 2), tree, other, previous=old)


def test_recipients_per_patch_and_for_the_cover(tree: Path, tmp_path: Path) -> None:
    (tree / "scripts").mkdir()
    (tree / "scripts/get_maintainer.pl").write_text(
        'local $/; open(my $f, "<", $ARGV[-1]); my $mail = <$f>;\n'
        'print "A A <a\\@example.org> (maintainer:A)\\n";\n'
        'print "b\\@example.org (open list:B)\\n" if $mail =~ m{mm/b.c};\n'
    )
    options = msgspec.structs.replace(MailOptions(), cc=("c@example.org",))
    prepared = prepare(lambda tags: committed(tree, 2), tree, options, maintainers=True)
    letter, first, second = written(prepared, tmp_path / "out").values()
    assert b"\nTo: A A <a@example.org>\nCc: c@example.org,\n b@example.org\n" in letter
    assert b"\nCc: c@example.org,\n b@example.org\n" in first
    assert b"\nTo: A A <a@example.org>\nCc: c@example.org\nX-" in second
