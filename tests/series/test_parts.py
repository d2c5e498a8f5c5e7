# SPDX-License-Identifier: GPL-2.0-only
"""A split series: folders that give, in order, what the whole series gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.plan import Patch
from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.parts import cut, write_parts
from tests.series.conftest import AUTHOR, OLD, plain_git

MAINTAINERS = "MM\nF:\tmm/\n\nHEADERS\nF:\tinclude/\n\nREST\nF:\t*\nF:\t*/\n"
COVER = Cover("All of it", (Section("", "Text."),))


def test_parts_in_order_give_the_whole(tree: Path, tmp_path: Path) -> None:
    (tree / "MAINTAINERS").write_text(MAINTAINERS)
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "maintainers")
    one, two = OLD.replace(b"v3", b"w3"), OLD.replace(b"v3", b"w3").replace(b"v60", b"w60")
    patches = [
        Patch("a", "fs: add", "fs: add\n\nX.", {"fs/x.c": b"1\n"}),
        Patch("a", "include: add", "include: add\n\nX.", {"include/x.h": b"1\n"}),
        *(Patch("a", f"mm: {n}", f"mm: {n}\n\nX.", {f"mm/n{n}.c": b"%d\n" % n}) for n in range(16)),
        Patch("a", "mm: one", "mm: one\n\nX.", {"mm/a.c": one}),
        Patch("a", "mm: two", "mm: two\n\nX.", {"mm/a.c": two}),
    ]

    def read(path: str) -> bytes | None:
        file = tree / path
        return file.read_bytes() if file.is_file() else None

    parts = cut(patches, tree, read, AUTHOR, date=1700000000)
    assert [(p.part.title, len(p.part.patches), p.part.after) for p in parts] == [
        ("REST", 1, ()),
        ("HEADERS", 1, ()),
        ("MM", 15, (2,)),
        ("MM", 3, (2,)),
    ]
    files = write_parts(parts, lambda series: COVER, MailOptions(), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1-rest", "2-headers", "3-mm", "4-mm",
    ]  # fmt: skip
    letter = files["4-mm/0000-cover-letter.patch"].decode()
    assert "Subject: [PATCH 0/3] All of it (part 4 of 4)" in letter
    assert "It builds on part 2, which must be merged first." in letter.replace("\n", " ")
    assert letter.count("prerequisite-patch-id: ") == 17
    for folder in sorted((tmp_path / "out").iterdir()):
        series = read_series(folder)
        assert series.total <= 15
        plain_git(tree, "am", "-q", *(str(one) for one in sorted(folder.glob("*[!r].patch"))))
    assert (tree / "mm/a.c").read_bytes() == two
    last = plain_git(tree, "show", "HEAD")
    ids = plain_git(tree, "patch-id", "--stable", stdin=last.encode() + b"\n").split()
    assert ids[0] not in letter and len(ids[0]) == 40
    # The same folder again, only when it is asked for.
    write_parts(parts, lambda series: COVER, MailOptions(), tmp_path / "out", force=True)


def test_prerequisites_are_gits_patch_ids(tree: Path) -> None:
    (tree / "MAINTAINERS").write_text(MAINTAINERS)
    header, source = {"include/x.h": b"1\n"}, {"mm/x.c": b"1\n"}
    patches = [Patch("a", "i: x", "i: x\n\nX.", header), Patch("b", "m: x", "m: x\n\nX.", source)]
    parts = cut(
        patches, tree, lambda path: MAINTAINERS.encode() if path[0] == "M" else None, AUTHOR
    )
    (tree / "include").mkdir()
    (tree / "include/x.h").write_bytes(b"1\n")
    plain_git(tree, "add", "include")
    diff = plain_git(tree, "diff", "--cached") + "\n"
    want = plain_git(tree, "patch-id", "--stable", stdin=diff.encode()).split()[0]
    assert parts[1].prerequisites == (want,)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("KVM", "1-kvm"),
        (
            "MEMORY MANAGEMENT AND USER MEMORY ON GRAPHICS CARDS",
            "1-memory-management-and-user-memory-on",
        ),
        ("X" * 50, "1-" + "x" * 40),
    ],
)
def test_folders_are_named_by_whole_words(
    tree: Path, tmp_path: Path, title: str, name: str
) -> None:
    text = f"{title}\nF:\tmm/\n".encode()
    patches = [Patch("a", "mm: x", "mm: x\n\nX.", {"mm/x.c": b"1\n"})]
    parts = cut(patches, tree, lambda path: text if path[0] == "M" else None, AUTHOR)
    write_parts(parts, lambda series: COVER, MailOptions(), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
