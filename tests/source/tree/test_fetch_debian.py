# SPDX-License-Identifier: GPL-2.0-only
"""The Debian way, with the real apt-get against a signed archive on disk."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.tree import fetch, fetch_debian, registry, search
from tests.source.tree.sources import (
    LIST,
    children_of,
    make_archive,
    make_deb,
    make_kernel,
    pack,
    snapshot,
)

pytestmark = pytest.mark.needs("apt", "gpg")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the kernel and, in archive/, a signed Debian archive of it."""
    root = tmp_path_factory.mktemp("debian")
    kernel = make_kernel(root / "kernel", files=50)
    deb = make_deb(root / "a.deb", pack(kernel, root / "a.tar.xz"))
    make_archive(root / "archive", deb)
    return root


@pytest.fixture
def place(tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose Debian mirror is the archive in the place."""
    shutil.copytree(origin, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.delenv("PATCHGEN_TREE_5_10", raising=False)
    monkeypatch.setenv("PATCHGEN_DEBIAN_MIRROR", f"file:{tmp_path}/archive")
    monkeypatch.setenv("PATCHGEN_KERNEL_TREE", str(tmp_path / "kernel-tree"))
    monkeypatch.setenv("PATCHGEN_TREES", str(tmp_path / "trees"))
    monkeypatch.setattr(fetch_debian, "KEYRINGS", (tmp_path / "archive" / "keyring.gpg",))
    (tmp_path / "kernel-tree").mkdir()
    (tmp_path / "kernel-tree" / "trees.toml").write_text(LIST.format(git="file:///nonexistent"))
    return tmp_path


def nothing_is_left(place: Path) -> bool:
    return registry.location("5.10") is None and not list((place / "trees").glob(".part-*"))


def test_package_of_a_signed_archive_becomes_the_tree(place: Path) -> None:
    tree = fetch.add("5.10")
    assert (tree.version, tree.is_git) == ("5.10.262", False)
    assert snapshot(tree.path) == snapshot(place / "kernel")
    origin = fetch.origin(tree.path)
    assert origin is not None
    assert origin.detail == "linux-source-5.10 5.10.262-1 of Debian bullseye"
    assert search.is_indexed(tree.path)
    names = sorted(p.name for p in tree.path.parent.iterdir())
    assert [name.partition("-")[0] for name in names] == ["linux", "origin.json", "search"]


def test_archive_signed_by_another_key_is_refused(place: Path) -> None:
    keyring = make_archive(place / "other", place / "a.deb")
    shutil.copy(keyring, place / "archive" / "keyring.gpg")
    with pytest.raises(UserError, match="is not signed"):
        fetch.add("5.10", "debian")
    assert nothing_is_left(place)


def test_unsigned_archive_is_refused(place: Path) -> None:
    signed = place / "archive" / "dists" / "bullseye" / "InRelease"
    text = signed.read_text()
    body = text.partition("\n\n")[2].partition("-----BEGIN PGP SIGNATURE")[0]
    signed.with_name("Release").write_text(body)
    signed.unlink()
    with pytest.raises(UserError, match="not signed"):
        fetch.add("5.10", "debian")
    assert nothing_is_left(place)


def test_machine_that_allows_unsigned_archives_is_not_listened_to(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = place / "apt.conf"
    settings.write_text(
        'Acquire::AllowInsecureRepositories "true";\nAPT::Get::AllowUnauthenticated "true";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(settings))
    test_unsigned_archive_is_refused(place)


def test_changed_package_is_refused(place: Path) -> None:
    deb = next((place / "archive" / "pool").glob("*.deb"))
    data = bytearray(deb.read_bytes())
    data[len(data) // 2] ^= 1
    deb.write_bytes(data)
    with pytest.raises(
        UserError,
        match=r"debian: bullseye: .*unexpected size|debian: bullseye: .*Hash Sum mismatch",
    ):
        fetch.add("5.10", "debian")
    assert nothing_is_left(place)


def test_suite_without_the_package_is_said(place: Path) -> None:
    listed = place / "kernel-tree" / "trees.toml"
    listed.write_text(listed.read_text().replace("bullseye", "bookworm"))
    with pytest.raises(UserError, match="debian: bookworm: "):
        fetch.add("5.10", "debian")
    assert nothing_is_left(place)


def test_missing_keyring_is_said(place: Path) -> None:
    (place / "archive" / "keyring.gpg").unlink()
    with pytest.raises(UserError, match="install debian-archive-keyring"):
        fetch.add("5.10", "debian")


def test_machine_without_apt_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place / "empty"))
    with pytest.raises(UserError, match="debian: bullseye: this machine has no program"):
        fetch.add("5.10", "debian")
    assert nothing_is_left(place)


DRIVER = """
import sys
from pathlib import Path
from patchgen.source.tree import fetch, fetch_debian
fetch_debian.KEYRINGS = (Path(sys.argv[1]),)
fetch.add("5.10", "debian")
"""


def test_killed_run_leaves_nothing_that_looks_like_a_tree(place: Path) -> None:
    whole = snapshot(place / "kernel")
    argv = [sys.executable, "-c", DRIVER, str(place / "archive" / "keyring.gpg")]
    root = Path(__file__).resolve().parents[3]
    begin = time.monotonic()
    subprocess.run(argv, check=True, cwd=root)
    duration = time.monotonic() - begin
    moments = random.Random(262)
    killed = 0
    for _ in range(6):
        shutil.rmtree(place / "trees")
        (place / "kernel-tree" / "5.10").unlink(missing_ok=True)
        process = subprocess.Popen(argv, cwd=root)
        time.sleep(moments.uniform(0.2, 1.0) * duration)
        process.kill()
        killed += process.wait() != 0
        assert not children_of(place)
        found = registry.location("5.10")
        assert found is None or snapshot(found) == whole
        (place / "trees").mkdir(exist_ok=True)
    assert killed, "no run was killed: the moments were all too late"
    assert snapshot(fetch.add("5.10", "debian").path) == whole
    assert not list((place / "trees").glob(".part-*"))
