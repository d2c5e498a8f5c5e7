# SPDX-License-Identifier: GPL-2.0-only
"""The cache keeps to its limits, loses the longest unused first, and nothing that is not its."""

import fcntl
import json
import os
import time

import pytest

from patchgen import memo, upkeep
from patchgen.model.outcome import UserError
from patchgen.upkeep import MIB, Limits

DAY = 86400


@pytest.fixture
def folder(monkeypatch, tmp_path):
    place = tmp_path / "cache"
    monkeypatch.setenv("PATCHGEN_CACHE", str(place))
    monkeypatch.setattr(memo, "_held", None)
    place.mkdir(mode=0o700)
    return place


def store(folder, number, days=0.0, size=100_000, kind="facts"):
    """An entry that was last used some days ago."""
    key = memo.digest(str(number))
    memo.write(kind, key, b"x" * size)
    file = folder / kind / key[:2] / key
    then = time.time() - days * DAY
    os.utime(file, (then, then))
    return file


def headers(folder, number, days=0.0):
    place = folder / "overlay" / memo.digest(f"overlay {number}")
    (place / "deep").mkdir(parents=True)
    (place / "deep/x.h").write_bytes(b"x" * 100_000)
    then = time.time() - days * DAY
    os.utime(place, (then, then))
    return place


def test_what_is_unused_for_too_long_goes(folder):
    old, new = store(folder, 1, days=31), store(folder, 2, days=29)
    gone, kept = headers(folder, 1, days=31), headers(folder, 2, days=1)
    assert upkeep.prune(Limits(MIB * 100, 30))[0] == 2
    assert [one.exists() for one in (old, new, gone, kept)] == [False, True, False, True]


def test_above_the_size_the_longest_unused_goes_first(folder):
    files = [store(folder, number, days=number) for number in range(10)]
    assert upkeep.prune(Limits(500_000, 30)) == (6, 6 * 100_020)
    assert [file.exists() for file in files] == [True] * 4 + [False] * 6
    assert upkeep.prune(Limits(500_000, 30)) == (0, 0)


def test_what_was_read_is_used(folder):
    first, second = store(folder, 1, days=3), store(folder, 2, days=2)
    assert memo.read("facts", first.name)
    upkeep.prune(Limits(150_000, 30))
    assert first.exists() and not second.exists()


def test_what_only_lies_there_is_let_be(folder, tmp_path):
    """A cache folder that somebody put other things into, or named by mistake."""
    (tmp_path / "elsewhere").mkdir()
    names = (
        "notes.txt",
        "facts/readme",
        "facts/ab/notes",
        "facts/abc/x",
        "overlay/mine/x",
        "trees/x",
    )
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
        os.utime(folder / name, (0, 0))
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/ab").mkdir()
    key = "ab" + "0" * 38
    (tmp_path / "elsewhere/ab" / key).write_text("theirs")
    (folder / "facts/ab" / key).symlink_to(tmp_path / "elsewhere/ab" / key)
    store(folder, 1, days=99)
    assert upkeep.prune(Limits(0, 0))[0] == 1
    assert upkeep.clear() == (0, 0)
    assert all((folder / name).read_text() == "mine" for name in names)
    assert (tmp_path / "elsewhere/ab" / key).read_text() == "theirs"


def test_half_written_files_of_killed_runs_go(folder):
    store(folder, 1)
    for name, age in (("facts/ab/.new-old", 2 * 3600), ("facts/ab/.new-young", 60)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
        os.utime(folder / name, (time.time() - age,) * 2)
    upkeep.prune(Limits(MIB, 30))
    assert [one.name for one in (folder / "facts/ab").iterdir()] == [".new-young"]


def test_headers_that_another_run_may_read_and_a_build_under_way_stay(folder):
    place, file = headers(folder, 1, days=99), store(folder, 1, days=99)
    build = folder / "build/0123456789abcdef"
    build.mkdir(parents=True)
    with (build / "lock").open("w") as builder, (folder / "in-use").open("w") as other:
        fcntl.flock(builder, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_SH)
        assert upkeep.clear()[0] == 1
        assert place.is_dir() and build.is_dir() and not file.exists()
    assert upkeep.clear()[0] == 2
    assert not place.exists() and not build.exists()


def test_a_run_that_stores_keeps_to_the_limits(folder, tree, patchgen):
    for number in range(20):
        store(folder, number, days=2, size=MIB)
    env = {**os.environ, "PATCHGEN_CACHE_SIZE": "10"}
    done = patchgen("lint", "mm/ksm.c", "--tree", tree, env=env)
    assert done.returncode == 0 and not done.stderr
    assert 8 * MIB < sum(one.size for one in upkeep.holdings()) < 10 * MIB
    again = patchgen("lint", "mm/ksm.c", "--tree", tree, env=env)
    assert again.stdout == done.stdout
    (folder / "tally").write_text("damaged \xff")
    assert patchgen("lint", "mm/rmap.c", "--tree", tree, env=env).returncode == 0
    assert int((folder / "tally").read_text().split()[1]) < 10 * MIB


def test_a_run_that_stores_nothing_looks_at_nothing(folder, tree, patchgen):
    words = ("lint", "mm/ksm.c", "--tree", tree)
    for _ in range(3):  # what is too young to be believed is looked at again
        patchgen(*words)
    (folder / "tally").unlink()
    store(folder, 1, days=99)
    (folder / "tally").unlink()
    assert patchgen(*words).returncode == 0
    assert not (folder / "tally").exists()


def test_the_command_shows_clears_and_prunes(folder, patchgen):
    assert "0.0 KiB" in patchgen("cache").stdout
    store(folder, 1, days=40), store(folder, 2), store(folder, 3, kind="lint")
    headers(folder, 1)
    shown = patchgen("cache").stdout.splitlines()
    assert "390.7 KiB (limits: 5120.0 MiB, 30 days unused)" in shown[0]
    assert [line.split()[:2] for line in shown[2:]] == [
        ["facts", "2"],
        ["lint", "1"],
        ["overlay", "1"],
    ]
    assert "40 days" in shown[2]
    data = json.loads(patchgen("cache", "--json").stdout)
    assert data["limits"] == {"size": 5120 * MIB, "days": 30}
    assert {one["kind"]: one["entries"] for one in data["kinds"]} == {
        "facts": 2, "lint": 1, "overlay": 1,
    }  # fmt: skip
    assert patchgen("cache", "--prune").stdout == "1 entries removed, 97.7 KiB\n"
    assert patchgen("cache", "--clear", "lint").stdout == "1 entries removed, 97.7 KiB\n"
    assert patchgen("cache", "--clear", "-q").stdout == "200020\n"
    assert patchgen("cache", "-q").stdout == "0\n"


@pytest.mark.parametrize(
    ("words", "variable", "said"),
    [
        (("--clear", "nothing"), {}, "the cache holds no nothing"),
        (("facts",), {}, "a KIND is for --clear"),
        (("--clear", "--prune"), {}, "--clear removes what --prune would"),
        ((), {"PATCHGEN_CACHE_SIZE": "much"}, "PATCHGEN_CACHE_SIZE is no number of MiB: 'much'"),
        ((), {"PATCHGEN_CACHE_DAYS": "-1"}, "PATCHGEN_CACHE_DAYS is no number of days: '-1'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(folder, patchgen, words, variable, said):
    store(folder, 1)
    done = patchgen("cache", *words, env={**os.environ, **variable})
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_limits_that_are_none_do_not_change_what_a_run_finds(folder, tree, patchgen):
    env = {**os.environ, "PATCHGEN_CACHE_SIZE": "much"}
    done = patchgen("lint", "mm/ksm.c", "--tree", tree, env=env)
    assert done.returncode == 0 and "is no number of MiB" in done.stderr


def test_a_folder_that_cannot_be_looked_through_is_told(folder, monkeypatch):
    def refused(place):
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(upkeep.look, "names", refused)
    with pytest.raises(UserError, match="cannot be looked through: Permission denied"):
        upkeep.holdings()
