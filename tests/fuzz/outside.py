# SPDX-License-Identifier: GPL-2.0-only
"""Which files a run opened, by strace: none of the outside.  ``python -m tests.fuzz.outside``.

Hostile trees as in ``make fuzz``, each run traced with its workers and what they start.  A file
beside the tree, and any of the machine's that the program has no need of, counts as outside.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import patchgen
from tests.fuzz import trees

#: What a call that opened something answered: a descriptor, and the file that it is of.
_OPENED = re.compile(r"\) = \d+<((?:[^\\>]|\\.)*)>$")
#: Folders of what is installed that a run may need on one occasion and not on another.
_SYSTEM = (
    "/usr/lib/git-core/", "/usr/libexec/git-core/", "/usr/share/locale/", "/usr/lib/locale/",
    "/usr/share/git-core/", "/dev/null", "/proc/",
)  # fmt: skip


def opened(words: list[str], place: Path) -> tuple[int, list[str]]:
    """The exit status of a traced run, and the paths that were opened."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(place), "TMPDIR": str(place / "tmp"),
        "PATCHGEN_CACHE": str(place / "cache"), "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    (place / "tmp").mkdir()
    log = place / "trace"
    command = ["strace", "-f", "-qq", "-y", "-s", "0", "-e", "trace=/^open", "-o", str(log)]
    command += [sys.executable, "-m", "patchgen", *words]
    root = Path(patchgen.__file__).parents[1]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, check=False, timeout=600
    )
    found = []
    for line in log.read_text(errors="surrogateescape").splitlines():
        match = _OPENED.search(line)
        if match:
            found.append(match[1])
    return done.returncode, found


def outside(path: str, place: Path, usual: frozenset[str]) -> bool:
    """Whether a file that was opened is none that the program has a need of."""
    ours = (*(str(place / name) for name in ("tree", "tmp", "cache")), _CHECKOUT, *_PYTHON)
    within = any(path == one or path.startswith(f"{one}/") for one in ours)
    return not (within or path in usual or path.startswith(_SYSTEM))


_CHECKOUT = str(Path(patchgen.__file__).parents[1])
_PYTHON = tuple(os.path.realpath(p) for p in (sysconfig.get_path("stdlib"), sys.prefix))


def usual_files() -> frozenset[str]:
    """What runs open on the sound tree: the machine's libraries, and settings of them."""
    found: set[str] = set()
    for words in (["lint"], ["inspect"], ["api", "check"], ["lint", "nowhere.c"]):
        with tempfile.TemporaryDirectory(prefix="patchgen-outside-") as folder:
            place = Path(folder)
            shutil.copytree(trees.MINI, place / "tree")
            subprocess.run(["git", "init", "-q"], cwd=place / "tree", check=True)
            found.update(opened([*words, "--tree", str(place / "tree")], place)[1])
    return frozenset(found)


def main() -> None:
    """Print each path outside, and the count; exit status 1 where there is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.outside")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.nice(5)
    told, files, usual = 0, 0, usual_files()
    for number in range(asked.count):
        place = Path(tempfile.mkdtemp(prefix="patchgen-outside-"))
        chance = random.Random(f"{asked.seed}/outside/{number}")
        world, odd = trees.hostile(place, chance)
        named = str(world.tree / chance.choice(trees.SOURCES))
        words = list(
            chance.choice((("lint",), ("lint", named), ("inspect", named), ("api", "check")))
        )
        _, paths = opened([*words, "--tree", str(world.tree)], place)
        files += len(paths)
        for path in sorted({path for path in paths if outside(path, place, usual)}):
            told += 1
            print(
                f"{number} (seed {asked.seed}): {' '.join(odd)}: {words[0]}: {path!a}", flush=True
            )
        shutil.rmtree(place, ignore_errors=True)
    print(f"{asked.count} trees, {files} files opened, {told} of them outside (seed {asked.seed})")
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
