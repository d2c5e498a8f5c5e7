# SPDX-License-Identifier: GPL-2.0-only
"""Hostile kernel trees: the miniature kernel with a few things in it that mean harm."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from tests.fuzz import lines
from tests.fuzz.damage import ODD, damaged, words
from tests.fuzz.runs import SECRET

MINI = Path(__file__).parents[2] / "kernel-tree/mini"
SOURCES = (
    "mm/ksm.c",
    "mm/memory.c",
    "virt/kvm/kvm_main.c",
    "drivers/misc/scratch_engine.c",
    "kernel/events/uprobes.c",
    "arch/x86/kvm/mmu/mmu.c",
    "mm/mmu_notifier.c",
)
HEADERS = (
    "include/linux/mmu_notifier.h",
    "include/linux/mm.h",
    "include/linux/kvm_host.h",
    "include/linux/compiler_types.h",
    "arch/x86/include/asm/pgtable.h",
)
BUILD = (
    "Makefile",
    "mm/Makefile",
    "virt/kvm/Makefile",
    "arch/x86/kvm/Makefile",
    "Kconfig",
    "drivers/misc/Makefile",
)
#: What git reads of a repository before it knows whose it is.
GIT = (
    "HEAD",
    "config",
    "index",
    "packed-refs",
    "commondir",
    "objects/info/alternates",
    "shallow",
    "info/grafts",
    "refs/heads/main",
    "sharedindex.x",
    "objects",
    "refs",
)


class World:
    """One tree to be made hostile, files outside of it, and the chance that makes it."""

    def __init__(self, place: Path, chance: random.Random) -> None:
        self.tree = place / "tree"
        self.outside = place / "outside"
        self.chance = chance
        shutil.copytree(MINI, self.tree)
        self.outside.mkdir()
        (self.outside / "secret.h").write_text(f"{SECRET} x;\n#error {SECRET}\n")
        (self.outside / "Makefile").write_text(f"ccflags-y += -D{SECRET}\n")

    def some(self, *names: str) -> Path:
        return self.tree / self.chance.choice(names)

    def add(self, file: Path, text: str) -> None:
        """Text at the end of a file; what stands in the way of it is let be."""
        if file.is_file() and not file.is_symlink():
            with file.open("a", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(text)


Change = Callable[[World], None]


def bytes_of_a_file(world: World) -> None:
    file = world.some(*SOURCES, *HEADERS, *BUILD)
    if file.is_file() and not file.is_symlink():
        file.write_bytes(damaged(world.chance, file.read_bytes()))


def words_of_a_source(world: World) -> None:
    file = world.some(*SOURCES, *HEADERS)
    if file.is_file() and not file.is_symlink():
        file.write_bytes(words(world.chance, file.read_bytes()))


def no_file(world: World) -> None:
    """Something else where a file is read."""
    names = (
        *SOURCES,
        *HEADERS,
        *BUILD,
        "mm/.ksm.o.cmd",
        "compile_commands.json",
        ".git",
        "mm",
        "scripts/checkpatch.pl",
        "MAINTAINERS",
        "include/linux",
        "arch/x86/include/asm",
    )
    put(world, world.some(*names))


def put(world: World, file: Path) -> None:
    """A pipe, a device, a socket, a folder, or a link that leads somewhere odd."""
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    way = world.chance.randrange(11)
    if way == 0:
        os.mkfifo(file)
    elif way == 1:
        with socket.socket(socket.AF_UNIX) as made:
            here = Path.cwd()
            os.chdir(file.parent)  # the path of a socket is short
            made.bind(file.name)
            os.chdir(here)
    elif way == 2:
        file.mkdir()
    elif way == 3:
        return
    else:
        target = (
            "/dev/zero",
            "/dev/full",
            "/dev/random",
            file.name,
            "nowhere",
            str(world.outside / "secret.h"),
            "../../../../..",
        )[way - 4]
        file.symlink_to(target)


def git_file(world: World) -> None:
    file = world.tree / ".git"
    if file.exists() or file.is_symlink():
        return
    text = world.chance.choice(
        (
            f"gitdir: {world.outside}\n",
            "gitdir: .git\n",
            "gitdir: " + "x" * 5000,
            "gitdir: \n",
            "gitdir: /dev\n",
            "gitdir: \0\n",
            "gitdir: ../tree\n",
            "gitdir: /proc/self/fd/0\n",
            f"gitdir: {world.outside}/\x1b[2J\n",
            "no gitdir\n",
            "",
        )
    )
    file.write_text(text)


def git_folder(world: World) -> None:
    """A repository with something hostile among its own files."""
    folder = world.tree / ".git"
    if folder.exists() or folder.is_symlink():
        return
    for name in ("objects/info", "objects/pack", "refs/heads", "info"):
        (folder / name).mkdir(parents=True)
    for name in ("HEAD", "config", "index"):
        (folder / name).write_bytes(b"ref: refs/heads/main\n" if name == "HEAD" else b"")
    (folder / "config").write_text(
        world.chance.choice(
            (
                f"[core]\n\tfsmonitor = touch {world.outside}/ran\n\thooksPath = {world.outside}\n",
                f"[include]\n\tpath = {world.outside}/secret.h\n",
                "[core\n",
                "[core]\n\tbare = x\n",
                f"[core]\n\tworktree = {world.outside}\n",
                "[user]\n\tname = \x1b[2J\n",
                f'[filter "x"]\n\tclean = touch {world.outside}/ran\n',
                "[extensions]\n\tobjectformat = sha512\n",
                "[alias]\n\tcat-file = !id\n",
            )
        )
    )
    for _ in range(world.chance.choice((0, 1, 2))):
        name = world.chance.choice(GIT)
        if world.chance.random() < 0.5:
            put(world, folder / name)
        elif not (folder / name).is_dir():
            target = folder / name
            target.unlink(missing_ok=True)
            target.write_bytes(damaged(world.chance, b"../objects\nref: refs/heads/main\n"))


def makefile(world: World) -> None:
    chance = world.chance
    outside = world.outside
    world.add(
        world.some(*BUILD[:4], BUILD[5]), "\n" + chance.choice(lines.makefile(outside)) + "\n"
    )


def kconfig(world: World) -> None:
    world.add(
        world.tree / "Kconfig", "\n" + world.chance.choice(lines.kconfig(world.outside)) + "\n"
    )


def build_leavings(world: World) -> None:
    """What a build leaves in a tree: saved commands, a database, headers that were made."""
    chance, outside = world.chance, world.outside
    command = chance.choice(lines.commands(outside))
    if chance.random() < 0.5:
        text = chance.choice(("savedcmd_mm/ksm.o := ", "cmd_mm/ksm.o := ", "cmd_ := ")) + command
        (world.tree / "mm/.ksm.o.cmd").write_text(text, errors="surrogateescape")
        if chance.random() < 0.2:
            os.mkfifo(world.tree / "mm/fifo")
        return
    entry = {"directory": str(world.tree), "file": "mm/ksm.c", "command": command}
    data = json.dumps([entry] * chance.choice((1, 1, 2000))).encode()
    data = chance.choice(
        (
            data,
            data[:-1],
            b"[" * 100_000,
            b"{}",
            b"[[]]",
            b"[null]",
            b"[{}]",
            b'[{"directory": 5, "file": [], "command": {}}]',
            damaged(chance, data),
        )
    )
    (world.tree / "compile_commands.json").write_bytes(data)


def includes(world: World) -> None:
    chance = world.chance
    file = world.some(*SOURCES, *HEADERS)
    if not (world.tree / "mm/fifo").exists() and (world.tree / "mm").is_dir():
        os.mkfifo(world.tree / "mm/fifo")
    word = chance.choice(("#include", "#include_next", "#import", "#if __has_include(", "#embed"))
    world.add(
        file,
        f"\n{word} {chance.choice(lines.includes(world.outside))}{')' if '(' in word else ''}\n",
    )


def code(world: World) -> None:
    """Code that is legal or nearly so, and large, deep or odd."""
    chance = world.chance
    world.add(world.some(*SOURCES, *HEADERS[:3]), "\n" + lines.code(chance) + "\n")


def names(world: World) -> None:
    """A source under a name that is hard to print, to quote or to open."""
    name = world.chance.choice(
        (
            b"\xff.c",
            b"a\nb.c",
            b"\x1b[2J.c",
            b'q".c',
            b"b\\.c",
            b"\xe2\x80\xae.c",
            b" .c",
            b"-x.c",
            b"a" * 250 + b".c",
            b"$(id).c",
            b"`id`.c",
            b"%s.c",
            b"a\tb.c",
            b"#.c",
            b"*.c",
            b"a:1:2.c",
            b"d\xff/x.c",
            b"d\n/x.c",
            b"/".join([b"deep"] * 200) + b"/x.c",
            b"::error::x.c",
            b"<b>.c",
        )
    )
    file = world.tree / "mm" / os.fsdecode(name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((MINI / "mm/ksm.c").read_bytes() + b"\nint int;\n")
    except OSError:
        return  # another change was here first


def programs(world: World) -> None:
    """The tree's own programs, that verify runs behind the fence."""
    script = world.tree / "scripts/checkpatch.pl"
    if script.exists() or script.is_symlink():
        return
    script.parent.mkdir(exist_ok=True)
    out = world.outside
    script.write_text(world.chance.choice(lines.programs(out)))


def many(world: World) -> None:
    for number in range(world.chance.choice((20, 40))):
        if (world.tree / "mm").is_dir():
            text = (
                "#include <linux/mmu_notifier.h>\n/* mmu_notifier */ int x = " + "(" * number + "1;"
            )
            with (world.tree / f"mm/m{number}.c").open("w") as stream:
                stream.write(text)


def odd_lines(world: World) -> None:
    file = world.some(*SOURCES, *HEADERS, *BUILD)
    if file.is_file() and not file.is_symlink():
        found = file.read_bytes().split(b"\n")
        found.insert(world.chance.randrange(len(found) + 1), world.chance.choice(ODD))
        file.write_bytes(b"\n".join(found))


CHANGES: tuple[Change, ...] = (
    bytes_of_a_file,
    words_of_a_source,
    words_of_a_source,
    words_of_a_source,
    no_file,
    no_file,
    git_file,
    git_folder,
    makefile,
    makefile,
    kconfig,
    build_leavings,
    build_leavings,
    includes,
    includes,
    code,
    code,
    code,
    names,
    programs,
    many,
    odd_lines,
)


def hostile(place: Path, chance: random.Random) -> tuple[World, list[str]]:
    """A tree below ``place``, and the names of what is hostile in it."""
    world = World(place, chance)
    chosen = [chance.choice(CHANGES) for _ in range(chance.choice((1, 1, 2, 3)))]
    for change in chosen:
        change(world)
    return world, [change.__name__ for change in chosen]


def look_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """How everything below a folder looks: kind and mode, size, time of change in ns."""
    found = {}
    for base, folders, files in os.walk(folder):
        for path in (f"{base}/{name}" for name in (*folders, *files)):
            state = os.lstat(path)
            found[path] = (state.st_mode, state.st_size, state.st_mtime_ns)
    return found
