# SPDX-License-Identifier: GPL-2.0-only
"""The cache: the user's own or unused, and a damaged entry is none, whatever the damage."""

import os
import random
import shutil
from pathlib import Path

import pytest

from patchgen import memo
from patchgen.model.outcome import UserError


@pytest.fixture
def folder(monkeypatch, tmp_path):
    place = tmp_path / "cache"
    monkeypatch.setenv("PATCHGEN_CACHE", str(place))
    return place


@pytest.fixture
def entry(folder):
    memo.remember("kind", "abcdef", {"one": [1, 2, 3], "two": ["x" * 100]})
    return folder / "kind/ab/abcdef"


def recalled():
    return memo.recall("kind", "abcdef", dict[str, list[int | str]])


def test_what_was_stored_comes_back(entry):
    assert recalled() == {"one": [1, 2, 3], "two": ["x" * 100]}
    assert memo.recall("kind", "abcdef", dict[str, int]) is None
    assert memo.recall("kind", "abcdee", dict[str, list[int]]) is None


def test_every_damaged_byte_makes_it_a_miss(entry):
    good = entry.read_bytes()
    for at in range(len(good)):
        for change in (good[at] ^ 1, 0xFF, 0):
            if change != good[at]:
                entry.write_bytes(good[:at] + bytes([change]) + good[at + 1 :])
                assert recalled() is None, at
    for size in range(len(good)):
        entry.write_bytes(good[:size])
        assert recalled() is None, size
    entry.write_bytes(good + b"\0")
    assert recalled() is None


def test_an_entry_under_another_name_is_none(entry):
    for other in ("kind/ab/abcdee", "other/ab/abcdef"):
        target = entry.parents[2] / other
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(entry, target)
        kind, _, key = other.split("/")
        assert memo.read(kind, key) is None


def test_an_entry_of_another_version_is_none(entry, monkeypatch):
    monkeypatch.setattr(memo, "VERSION", memo.VERSION + 1)
    assert recalled() is None


def fifo(entry):
    entry.unlink()
    os.mkfifo(entry)


def link(entry):
    entry.rename(entry.with_name("elsewhere"))
    entry.symlink_to("elsewhere")


def link_to_zeroes(entry):
    entry.unlink()
    entry.symlink_to("/dev/zero")


def directory(entry):
    entry.unlink()
    entry.mkdir()


def writable(entry):
    entry.chmod(0o622)


def unreadable_folder(entry):
    shutil.rmtree(entry.parent)
    entry.parent.write_text("")


@pytest.mark.parametrize(
    "change", [fifo, link, link_to_zeroes, directory, writable, unreadable_folder]
)
def test_what_is_no_file_of_ours_is_none(entry, change):
    change(entry)
    assert recalled() is None
    memo.remember("kind", "abcdef", {"one": []})  # may fail in silence, must not hang


@pytest.mark.needs("root")  # to give a file away
def test_an_entry_of_another_user_is_none(entry):
    os.chown(entry, 12345, 12345)
    assert recalled() is None


def others_may_write(folder):
    folder.chmod(0o777)


def group_may_write(folder):
    folder.chmod(0o770)


def of_another_user(folder):
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize(
    "change",
    [
        others_may_write,
        group_may_write,
        pytest.param(of_another_user, marks=pytest.mark.needs("root")),
    ],
)
def test_a_folder_that_is_not_ours_alone_is_not_used(patchgen, tmp_path, mini, change):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    change(cache)
    before = set(Path("/tmp").glob("patchgen-cache-*"))
    env = {**os.environ, "PATCHGEN_CACHE": str(cache), "TMPDIR": str(tmp_path)}
    done = patchgen("lint", "mm/ksm.c", "--tree", mini, env=env)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "the cache is not used" in line]
    assert len(lines) == 1 and str(cache) in lines[0]
    assert list(cache.iterdir()) == []
    assert [p.name for p in tmp_path.glob("patchgen-cache-*")] == []
    assert set(Path("/tmp").glob("patchgen-cache-*")) == before


def test_a_new_folder_is_for_the_user_alone_whatever_the_umask(folder):
    old = os.umask(0)
    try:
        memo.write("kind", "abcdef", b"x")
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert memo.read("kind", "abcdef") == b"x"


def damaged(file, chance):
    """One of several kinds of damage, by chance."""
    data = bytearray(file.read_bytes())
    kind = chance.randrange(7)
    if kind == 0:
        data = data[: chance.randrange(len(data) + 1)]
    elif kind == 1 and data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == 2:
        data = bytearray()
    elif kind == 3:
        file.unlink()
        return
    elif kind == 4:
        file.unlink()
        os.mkfifo(file)
        return
    elif kind == 5:
        data = bytearray(chance.randbytes(200))
    else:
        data += b"#error damaged\n"
    file.chmod(0o600)
    file.write_bytes(data)


@pytest.mark.parametrize("seed", range(6))
def test_a_run_on_a_damaged_cache_says_what_one_on_an_empty_one_says(
    patchgen, tmp_path, tree, seed
):
    """Entries of all kinds, and headers of the overlay."""
    cache = tmp_path / "cache"
    env = {**os.environ, "PATCHGEN_CACHE": str(cache), "NO_COLOR": "1"}
    words = ("lint", "mm/ksm.c", "virt/kvm/kvm_main.c", "--tree", tree)
    first = patchgen(*words, env=env)
    chance = random.Random(seed)
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    assert len(files) > 30
    for file in chance.sample(files, len(files) // 3):
        damaged(file, chance)
    # The sources look changed, so that they are parsed again with what is left.
    if seed % 2:
        for entry in (cache / "facts").rglob("*"):
            if entry.is_file() or entry.is_fifo():
                entry.unlink()
        shutil.rmtree(cache / "lint", ignore_errors=True)
    again = patchgen(*words, env=env, timeout=60)
    assert (again.returncode, again.stdout, again.stderr) == (
        first.returncode, first.stdout, first.stderr,
    )  # fmt: skip


@pytest.mark.parametrize("change", ["emptied", "removed", "added", "altered", "linked"])
def test_an_overlay_that_is_not_whole_is_made_again(patchgen, tmp_path, tree, change):
    cache = tmp_path / "cache"
    env = {**os.environ, "PATCHGEN_CACHE": str(cache), "NO_COLOR": "1"}
    words = ("lint", "mm/ksm.c", "--tree", tree)
    first = patchgen(*words, env=env)
    for header in sorted((cache / "overlay").rglob("autoconf.h")):
        if change == "emptied":
            header.write_text("")
        elif change == "removed":
            header.unlink()
        elif change == "added":
            (header.parent / "more.h").write_text("int x;\n")
        elif change == "altered":
            header.write_text(header.read_text().replace("CONFIG_MMU_NOTIFIER", "CONFIG_MMU_NOTE"))
        else:
            header.rename(header.with_name("other.h"))
            header.symlink_to("other.h")
    for kind in ("facts", "lint", "includes", "surface"):
        shutil.rmtree(cache / kind)
    again = patchgen(*words, env=env)
    assert (again.returncode, again.stdout, again.stderr) == (
        first.returncode, first.stdout, first.stderr,
    )  # fmt: skip


def test_the_home_folder_is_known_to_a_confined_worker(tree, patchgen, tmp_path):
    """Without HOME it is in passwd(5), which a worker cannot read."""
    env = {"PATH": os.environ["PATH"], "PATCHGEN_TREES": str(tmp_path)}
    done = patchgen("lint", "mm/ksm.c", "--tree", tree, env=env)
    assert done.returncode == 0, done.stderr


def test_no_place_for_a_cache_is_one_line(tree, patchgen, monkeypatch):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("PATCHGEN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr(memo.Path, "home", unknown)
    with pytest.raises(UserError, match="no home folder"):
        memo.cache_dir()
    env = {**os.environ, "PATCHGEN_CACHE": os.fsdecode(b"/tmp/\xff")}
    done = patchgen("lint", "mm/ksm.c", "--tree", tree, env=env)
    assert done.returncode == 2 and "path is no UTF-8" in done.stderr
    done = patchgen("lint", "--tree", "~no-such-user-here")
    assert done.returncode == 2 and "nobody's home folder" in done.stderr
