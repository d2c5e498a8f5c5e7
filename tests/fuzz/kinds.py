# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of cases: what is given to which command, and what is wrong about what it did."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from patchgen import cli
from tests.fuzz import trees
from tests.fuzz.damage import damaged, nearly, odd_json
from tests.fuzz.runs import Run, faults, run
from tests.series.odd_mails import make_mail

#: Benchmark runs as mmtests and will-it-scale print them, more or less.
_BENCH = b"tasks,processes,processes_idle\n0,0,100\n1,205.5,50\n2,400,0\nfaults/sec 12.5\n"
RECIPE = "kvm-change-pte"


class Case(NamedTuple):
    """What was tried: what is odd, the command, how it ended, and its faults."""

    odd: list[str]
    words: list[str | bytes]
    run: Run
    faults: list[str]


Kind = Callable[["Base", Path, random.Random], Case]


class Base:
    """What all cases begin with: a series, findings and a filled cache of the sound tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree = folder / "mini"
        self.cache = folder / "cache"
        shutil.copytree(trees.MINI, self.tree)
        self._sound("generate", RECIPE, "--tree", str(self.tree), "-o", str(folder / "series"))
        self.clean = self._sound("lint", "--tree", str(self.tree), "--format", "json")
        self.flawed = folder / "flawed"
        shutil.copytree(trees.MINI, self.flawed)
        source = self.flawed / "mm/ksm.c"
        end = b"mmu_notifier_invalidate_range_end(&range);"
        source.write_bytes(source.read_bytes().replace(end, b"", 1))
        self.whole = ("lint", "--tree", str(self.flawed), "--format", "json")
        self.findings = self._sound(*self.whole, ok=(1,))
        self.baseline = folder / "baseline"
        self._sound(*self.whole[:3], "--write-baseline", str(self.baseline))
        self.mails = [one.read_bytes() for one in sorted((folder / "series").glob("*.patch"))]

    def _sound(self, *words: str, ok: tuple[int, ...] = (0,)) -> Run:
        done = run(words, self.folder, cache=self.cache)
        assert done.status in ok, done
        return done


def tree(base: Base, place: Path, chance: random.Random) -> Case:
    """A hostile tree, and any command."""
    world, odd = trees.hostile(place, chance)
    (place / "mail.patch").write_bytes(chance.choice(base.mails))
    named = [str(world.tree / chance.choice(trees.SOURCES)) for _ in range(chance.choice((1, 2)))]
    words: list[str | bytes] = list(
        chance.choice(
            (
                ("lint", *named),
                ("lint", *named),
                ("lint",),
                ("lint", "--format", "sarif"),
                ("lint", "--format", "github"),
                ("lint", "--fix", str(place / "fix")),
                ("inspect",),
                ("inspect", *named),
                ("plan", RECIPE),
                ("api", "check"),
                ("lint", "--diff", "HEAD"),
                ("generate", RECIPE, "-o", str(place / "out")),
                ("verify", str(place / "mail.patch")),
                ("am", str(place / "mail.patch"), "--branch", "x"),
                ("lint", "--arch", "arm64"),
                ("generate", RECIPE, "-o", str(place / "out"), "--maintainers"),
            )
        )
    )
    before, outside = trees.look_of(world.tree), trees.look_of(world.outside)
    done = run([*words, "--tree", str(world.tree)], place)
    found = faults(done)
    if words[0] != "am" and trees.look_of(world.tree) != before:
        found.append("the tree was changed")
    if trees.look_of(world.outside) != outside:
        found.append("a program of the tree ran, or wrote outside")
    return Case(odd, words, done, found)


def mail(base: Base, place: Path, chance: random.Random) -> Case:
    """A damaged mail of a series, or an odd one, alone, in a folder, in an mbox or from stdin."""
    if chance.random() < 0.7:
        change = chance.choice((damaged, nearly, nearly))
        data, odd = change(chance, chance.choice(base.mails)), [f"{change.__name__} mail"]
    else:
        data, odd = make_mail(chance.randrange(1 << 30), 0)
    given = b""
    file = place / "x.patch"
    file.write_bytes(data)
    way = chance.randrange(5)
    where = str(file)
    if way == 0:
        where, given = "-", data
    elif way == 1:
        (place / "folder").mkdir()
        for number, one in enumerate((*base.mails[:2], data)):
            (place / f"folder/{number:04}.patch").write_bytes(one)
        where = str(place / "folder")
    elif way == 2:
        (place / "folder").mkdir()
        (place / "folder/series").write_bytes(damaged(chance, b"x.patch\n# y\n../x.patch -p1\n"))
        (place / "folder/x.patch").write_bytes(data)
        where = str(place / "folder")
    elif way == 3:
        file.write_bytes(b"From x Mon Sep 17 00:00:00 2001\n" + data + b"\nFrom 1:11 11\n" + data)
    words: list[str | bytes] = ["verify", where, "--tree", str(base.tree)]
    words += chance.choice(([], [], ["--json"], ["--engine", "git-am"]))
    done = run(words, place, cache=base.cache, given=given)
    return Case(odd, words, done, faults(done))


def file(base: Base, place: Path, chance: random.Random) -> Case:
    """A damaged file that the user names: a baseline, a build's configuration, benchmark runs."""
    way = chance.choice(("baseline", "build", "stats", "config", "trees"))
    given = place / "given"
    more: dict[str, str] = {}
    words: list[str | bytes] = ["lint", "mm/ksm.c", "--tree", str(base.flawed)]
    if way == "baseline":
        given.write_bytes(chance.choice((damaged, odd_json))(chance, base.baseline.read_bytes()))
        words += ["--baseline", str(given)]
    elif way == "build":
        (place / "build/include/generated").mkdir(parents=True)
        text = b"#define CONFIG_MMU_NOTIFIER 1\n#define CONFIG_HZ 250\n"
        for name in ("include/generated/autoconf.h", ".config"):
            (place / "build" / name).write_bytes(damaged(chance, text))
        words += ["--build-dir", str(place / "build")]
    elif way == "stats":
        text = chance.choice((b'{"faults": [1, 2, 3], "seconds": 4.5, "mode": "write"}\n', _BENCH))
        for one in (given, place / "other"):
            one.write_bytes(chance.choice((damaged, odd_json))(chance, text))
        words = ["stats", str(given), str(place / "other")]
    elif way == "config":
        given.write_bytes(damaged(chance, b"[user]\n\tname = A\n\temail = a@b.c\n"))
        more = {"GIT_CONFIG_GLOBAL": str(given)}
        words = [
            "generate",
            RECIPE,
            "--tree",
            str(base.tree),
            "-o",
            str(place / "out"),
            "--signoff",
        ]
    else:
        (place / "kt").mkdir()
        listed = trees.MINI.parent / "trees.toml"
        (place / "kt/trees.toml").write_bytes(damaged(chance, listed.read_bytes()))
        more = {"PATCHGEN_KERNEL_TREE": str(place / "kt")}
        words = [["tree", "list"], ["lint", "--tree", "6.1x"]][chance.randrange(2)]
    done = run(words, place, cache=base.cache, more=more)
    return Case([way], words, done, faults(done))


#: Commands that fetch, or boot machines: nothing to try at random.
_LEFT_OUT = ("tree", "boot")
_VALUES = (
    "", "-", "--", ".", "..", "/", "/dev/zero", "/dev/null", "mm/ksm.c", "mm", "HEAD", "HEAD..",
    "x..y", "-1", "0", "99999999999999999999", "MN", "MN010", "json", "x86", "arm64", RECIPE,
    "\x1b[2J", "\u202e", "é", "a" * 5000, "a/" * 3000, "*", "$(id)", "mm/../mm/ksm.c",
    "./mm//ksm.c", "nowhere", "mm/ksm.c/", b"\xff", b"mm/\xff.c", "5.10", "mini", "~", "@{u}",
    ":/x", "--output=x", "\n",
)  # fmt: skip


def line(base: Base, place: Path, chance: random.Random) -> Case:
    """A command with options of its own, in a tree, and odd words where files are meant."""
    name = chance.choice([one for one in cli.COMMANDS if one not in _LEFT_OUT])
    command = cli.group.get_command(None, name)  # type: ignore[arg-type]
    words: list[str | bytes] = [name]
    if isinstance(command, click.Group):
        sub = chance.choice(list(command.commands))
        words, command = [name, sub], command.commands[sub]
    options = [one for one in command.params if isinstance(one, click.Option)]
    for option in chance.sample(options, min(len(options), chance.choice((0, 0, 1, 2)))):
        words.append(chance.choice(option.opts))
        if not option.is_flag:
            words.append(chance.choice(_VALUES))
    words += [chance.choice(_VALUES) for _ in range(chance.choice((0, 1, 1, 2)))]
    here = place / "tree"
    shutil.copytree(base.tree, here)
    done = run(words, place, cache=base.cache, cwd=here)
    return Case(["command line"], words, done, faults(done))


KINDS: dict[str, Kind] = {"tree": tree, "mail": mail, "file": file, "line": line}
