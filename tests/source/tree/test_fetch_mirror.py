# SPDX-License-Identifier: GPL-2.0-only
"""The machine's Debian mirror, from both formats of apt's sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.tree.debian_mirror import Mirror, mirrors, sources


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PATCHGEN_DEBIAN_MIRROR", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
# in the middle
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main non-free
"""
ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] \
http://mirror.example/debian bookworm main contrib # ours
deb http://mirror.example/debian-security bookworm-security main
"""
WANTED = [Mirror("http://mirror.example/debian", "http://mirror.example/debian-security")]


def test_deb822(etc: Path) -> None:
    (etc / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert mirrors(etc) == WANTED


def test_one_line(etc: Path) -> None:
    (etc / "sources.list").write_text(ONE_LINE)
    assert mirrors(etc) == WANTED


def test_disabled_and_backup_files_are_passed_over(etc: Path) -> None:
    (etc / "sources.list.d" / "a.sources").write_text("Enabled: no\n" + DEB822.partition("\n\n")[0])
    (etc / "sources.list.d" / "b.list.save").write_text(ONE_LINE)
    (etc / "sources.list.d" / "c.sources").write_text(
        "Types: deb\nURIs:\n http://folded.example/debian\nSuites:\n sid\nComponents:\n main\n"
    )
    assert mirrors(etc) == [Mirror("http://folded.example/debian", "")]


@pytest.mark.parametrize(
    "line",
    [
        "deb http://tools.example/apt tools-bookworm main",
        "deb http://docker.example/linux/debian bookworm stable",
        "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.example bookworm main",
        "deb http://ubuntu.example/ubuntu noble main universe",
        "deb cdrom:[Debian_12]/ bookworm main",
        "deb http://flat.example ./",
        "deb",
    ],
)
def test_third_parties_and_ubuntu_are_no_debian_mirror(etc: Path, line: str) -> None:
    (etc / "sources.list").write_text(line + "\n")
    with pytest.raises(UserError, match="name no Debian mirror") as error:
        mirrors(etc)
    assert "PATCHGEN_DEBIAN_MIRROR" in str(error.value)


def test_debians_own_key_goes_first(etc: Path) -> None:
    (etc / "sources.list").write_text("deb http://unknown.example/repo bookworm main\n" + ONE_LINE)
    assert [m.main for m in mirrors(etc)] == [
        "http://mirror.example/debian",
        "http://unknown.example/repo",
    ]


def test_environment_wins(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHGEN_DEBIAN_MIRROR", "http://a.example/debian http://b.example/sec")
    assert mirrors(etc) == [Mirror("http://a.example/debian", "http://b.example/sec")]


def test_nothing_can_be_smuggled_into_the_private_list(etc: Path) -> None:
    (etc / "sources.list").write_text("deb http://x.example/[trusted=yes] sid main\n")
    assert sources(etc) == []
