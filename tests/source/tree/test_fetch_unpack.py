# SPDX-License-Identifier: GPL-2.0-only
"""Archives of strangers: whole ones unpack, hostile ones write nothing outside."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.tree import unpack
from tests.source.tree.sources import PACKAGE, make_deb, make_kernel, pack, snapshot


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"") -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info, data


def archive(path: Path, members: list[tuple]) -> Path:
    with tarfile.open(path, "w:xz", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(member("linux", tarfile.DIRTYPE)[0])
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return path


def unpacked(path: Path, into: Path) -> int:
    with path.open("rb") as file:
        unpack.unpack_stream(file, path.stat().st_size, into)
    return unpack.survey(into)


@pytest.mark.parametrize("with_xz", [pytest.param(True, marks=pytest.mark.needs("xz")), False])
def test_package_unpacks_whole(tmp_path: Path, with_xz: bool, monkeypatch) -> None:
    kernel = make_kernel(tmp_path / "kernel", files=300)
    deb = make_deb(tmp_path / "a.deb", pack(kernel, tmp_path / "a.tar.xz"))
    if not with_xz:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    seen: list[tuple[int, int]] = []
    into = tmp_path / "out" / "linux"
    into.parent.mkdir()
    unpack.unpack_deb(
        deb, f"{PACKAGE}.tar.xz", into, lambda s, done, all_: seen.append((done, all_))
    )
    assert snapshot(into) == snapshot(kernel)
    assert list(into.parent.iterdir()) == [into]
    assert seen[-1][0] == seen[-1][1] == (tmp_path / "a.tar.xz").stat().st_size
    assert unpack.survey(into) == sum(
        p.stat().st_size for p in kernel.rglob("*") if p.is_file() and not p.is_symlink()
    )


HOSTILE = {
    "dotdot": [member("linux/../../evil", data=b"x")],
    "dotdot first": [member("../evil", data=b"x")],
    "absolute link": [member("linux/a", tarfile.SYMTYPE, "/etc/passwd")],
    "link out": [member("linux/a", tarfile.SYMTYPE, "../../evil")],
    "link out by a link": [
        member("linux/mm", tarfile.DIRTYPE),
        member("linux/mm/up", tarfile.SYMTYPE, ".."),
        member("linux/mm/a", tarfile.SYMTYPE, "up/../evil"),
    ],
    "write through a link": [
        member("linux/a", tarfile.SYMTYPE, "../.."),
        member("linux/a/evil", data=b"x"),
    ],
    "hard link out": [member("linux/a", tarfile.LNKTYPE, "../../secret")],
    "pipe": [member("linux/a", tarfile.FIFOTYPE)],
    "second folder": [member("other/a", data=b"x")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archive_is_refused_and_stays_inside(tmp_path: Path, name: str) -> None:
    packed = archive(tmp_path / "a.tar.xz", HOSTILE[name])
    (tmp_path / "secret").write_text("s")
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(UserError) as error:
        unpacked(packed, work / "linux")
    assert "\n" not in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.xz", "secret", "work"]
    assert (tmp_path / "secret").stat().st_nlink == 1
    assert not list(work.glob("evil"))


def test_absolute_member_is_not_written_where_it_says(tmp_path: Path) -> None:
    target = tmp_path / "evil"
    packed = archive(tmp_path / "a.tar.xz", [member(str(target), data=b"x")])
    with pytest.raises(UserError, match="one folder"):
        unpacked(packed, tmp_path / "linux")
    assert not target.exists()


def test_truncated_archive_is_an_error(tmp_path: Path) -> None:
    packed = pack(make_kernel(tmp_path / "kernel"), tmp_path / "a.tar.xz")
    packed.write_bytes(packed.read_bytes()[:-2000])
    with pytest.raises(UserError, match="source archive"):
        unpacked(packed, tmp_path / "linux")
    assert not (tmp_path / "linux").exists()


def test_damaged_package_is_named(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path / "a.deb", pack(make_kernel(tmp_path / "kernel"), tmp_path / "a.tar.xz")
    )
    with pytest.raises(UserError, match=r"a\.deb: the package has no other\.tar\.xz"):
        unpack.unpack_deb(deb, "other.tar.xz", tmp_path / "linux")
    for data in (b"", b"no package", deb.read_bytes()[:3000]):
        deb.write_bytes(data)
        with pytest.raises(UserError) as error:
            unpack.unpack_deb(deb, f"{PACKAGE}.tar.xz", tmp_path / "linux")
        assert "\n" not in str(error.value)
        unpack.remove(tmp_path / "linux.unpacking")


def test_unreadable_folders_are_removed_too(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    (tmp_path / "a" / "b").chmod(0)
    unpack.remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()
