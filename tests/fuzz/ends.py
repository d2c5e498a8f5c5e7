# SPDX-License-Identifier: GPL-2.0-only
"""Runs that are disturbed, and whether the next one knows nothing of it.

    python -m tests.fuzz.ends [--kills N] [--damages N] [--edits N] [--seed S]

kills: SIGTERM and SIGKILL at random moments, of the run or of its group.  No process is left
after 2 s, nothing half is where results go, the next run is right and leaves nothing behind.
damages: entries of the cache and headers of the overlay; what is found is what an empty cache
gives.  edits: a source or header changes while a run reads it; the run after finds what an
empty cache finds.  Exit status 1 where one of these is not so.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz import runs, trees
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RECIPE, Base
from tests.fuzz.runs import run

SIGNALS = (signal.SIGTERM, signal.SIGKILL)
#: What is changed while it is read, and what by: a finding more or less, at least.
EDITS = (
    ("mm/ksm.c", b"mmu_notifier_invalidate_range_end(&range);", b"/* the end is gone */"),
    ("mm/ksm.c", b"/* the end is gone */", b"mmu_notifier_invalidate_range_end(&range);"),
    ("include/linux/mm.h", b"#define", b"#define BROKEN(\n#define"),
    ("include/linux/mm.h", b"#define BROKEN(\n", b""),
    (
        "include/linux/mmu_notifier.h",
        b"struct mmu_notifier_range {",
        b"struct mmu_notifier_rang_ {",
    ),
    (
        "include/linux/mmu_notifier.h",
        b"struct mmu_notifier_rang_ {",
        b"struct mmu_notifier_range {",
    ),
    ("mm/Makefile", b"obj-", b"ccflags-y += -DNOTHING\nobj-"),
)


def kill(base: Base, place: Path, chance: random.Random) -> tuple[str, list[str]]:
    """One killed run, and the one behind it."""
    tree = place / "tree"
    shutil.copytree(base.tree, tree)
    cache = place / "cache"
    if chance.random() < 0.5:
        shutil.copytree(base.cache, cache)
    out = place / "out"
    words = chance.choice(
        (("lint",), ("generate", RECIPE, "-o", str(out)), ("lint", "--write-baseline", str(out)),
         ("verify", str(base.folder / "series")), ("inspect",))
    )  # fmt: skip
    number, group = chance.choice(SIGNALS), chance.random() < 0.5
    wait = chance.random() ** 2 * 3.0

    def end(pid: int) -> None:
        time.sleep(wait)
        try:
            (os.killpg if group else os.kill)(pid, number)
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(pid, number)

    before = trees.look_of(tree)
    done = run([*words, "--tree", str(tree)], place, cache=cache, during=end)
    name = f"{words[0]} {signal.Signals(number).name} {'group' if group else 'run'} {wait:.2f} s"
    found = [fault for fault in runs.faults(done) if "left behind: process" in fault]
    if done.status not in (-number, 130, *((0, 1) if not found else ())):
        found.append(f"status {done.status}: {done.err[-300:]}")
    if number == signal.SIGTERM and any("patchgen-" in name for name in done.left):
        found.append(f"SIGTERM left {done.left}")
    if trees.look_of(tree) != before:
        found.append("the tree was changed")
    found += torn(out, base)
    again = run(["lint", "--tree", str(tree), "--format", "json"], place, cache=cache)
    if again.out != base.clean.out:
        found.append(f"the next run: status {again.status}, {again.err[-300:]}")
    # A folder is swept by the next run that needs one.
    run(
        ["verify", str(base.folder / "series"), "--tree", str(tree), "--no-proof"],
        place,
        cache=cache,
    )
    left = [one.name for one in (place / "tmp").iterdir()]
    return name, [*found, *(f"left in TMPDIR: {one}" for one in left)]


def torn(out: Path, base: Base) -> list[str]:
    """What is half written where results go."""
    beside = [one.name for one in out.parent.glob(".*") if one.name.startswith((".new-", ".out."))]
    if out.is_dir():
        there = {one.name: one.read_bytes() for one in out.iterdir()}
        meant = {one.name for one in (base.folder / "series").iterdir()}
        if set(there) != meant or not all(data.endswith(b"\n") for data in there.values()):
            return [f"torn: {sorted(there)}"]
    elif out.exists() and not out.read_bytes().endswith(b"}\n"):
        return ["torn: the baseline"]
    return [f"beside: {one}" for one in beside if not one.startswith((".out.patchgen-", ".new-"))]


def damage(base: Base, place: Path, chance: random.Random) -> tuple[str, list[str]]:
    """Some files of a filled cache damaged, and the run behind that."""
    cache = place / "cache"
    shutil.copytree(base.cache, cache)
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    kinds = sorted({path.relative_to(cache).parts[0] for path in files})
    kind = chance.choice(kinds)
    chosen = [path for path in files if path.relative_to(cache).parts[0] == kind]
    count = chance.choice((1, 3, len(chosen)))
    for path in chance.sample(chosen, min(count, len(chosen))):
        spoil(path, chance, chosen)
    done = run(base.whole, place, cache=cache)
    found = runs.faults(done)
    if (done.out, done.status) != (base.findings.out, base.findings.status):
        found.append(f"other findings: status {done.status}, {done.err[-300:]}")
    return f"{kind} {min(count, len(chosen))} of {len(chosen)}", found


def spoil(path: Path, chance: random.Random, others: list[Path]) -> None:
    """Damage one file of a cache: its bytes, its kind, or what it is called."""
    data = path.read_bytes()  # not spoiled yet: each is chosen once
    way = chance.randrange(8)
    if way < 4:
        path.write_bytes(damaged(chance, data))
    elif way == 4:
        other = chance.choice(others)
        path.write_bytes(other.read_bytes() if other.is_file() else b"")  # one may be a pipe now
    else:
        path.unlink()
        if way == 5:
            path.mkdir()
        elif way == 6:
            os.mkfifo(path)
        elif chance.random() < 0.5:
            path.symlink_to("/dev/zero")


def edit(base: Base, place: Path, chance: random.Random) -> tuple[str, list[str]]:
    """A file that changes while a run reads it, and the run behind that."""
    tree, cache = place / "tree", place / "cache"
    shutil.copytree(base.tree, tree)
    if chance.random() < 0.5:
        run(["lint", "--tree", str(tree)], place, cache=cache)
    wait = chance.random() * 2.0
    path, old, new = chance.choice(EDITS)

    def change(pid: int) -> None:
        time.sleep(wait)
        data = (tree / path).read_bytes().replace(old, new, 1)
        way = chance.randrange(5)
        if way < 2:
            (tree / path).write_bytes(data)
        elif way == 2:
            (tree / f"{path}.new").write_bytes(data)
            (tree / f"{path}.new").replace(tree / path)
        elif way == 3:
            (tree / path).unlink()
        else:
            (tree / path).parent.rename(tree / "gone")

    if chance.random() < 0.5:  # so that the change undoes one
        path, new, old = path, old, new
        data = (tree / path).read_bytes()
        (tree / path).write_bytes(data.replace(new, old, 1) if new else data)
    words = ["lint", "--tree", str(tree), "--format", "json"]
    during = run(words, place, cache=cache, during=change)
    behind = run(words, place, cache=cache)
    fresh = run(words, place, cache=place / "empty")
    found = runs.faults(during) + runs.faults(behind)
    if (behind.out, behind.err, behind.status) != (fresh.out, fresh.err, fresh.status):
        found.append(f"other findings than of an empty cache: {behind.err[-300:]}")
    return f"{path} {wait:.2f} s", found


Way = Callable[[Base, Path, random.Random], tuple[str, list[str]]]
WAYS: dict[str, Way] = {"kills": kill, "damages": damage, "edits": edit}


def main() -> None:
    """Print the faults and the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.ends")
    for name in WAYS:
        parser.add_argument(f"--{name}", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.nice(5)
    runs.prepare()
    faulty = 0
    folder = Path(tempfile.mkdtemp(prefix="patchgen-ends-"))
    try:
        base = Base(folder)
        for name, way in WAYS.items():
            count, bad, began = getattr(asked, name), 0, time.monotonic()
            for number in range(count):
                place = folder / f"{name}-{number}"
                place.mkdir()
                what, found = way(base, place, random.Random(f"{asked.seed}/{name}/{number}"))
                shutil.rmtree(place, ignore_errors=True)
                bad += bool(found)
                for fault in found:
                    print(f"{name} {number} (seed {asked.seed}): {what}: {fault!a}", flush=True)
            took = time.monotonic() - began
            print(
                f"{name}: {count} runs, {bad} faulty, {took:.0f} s (seed {asked.seed})", flush=True
            )
            faulty += bad
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(faulty))


if __name__ == "__main__":
    main()
