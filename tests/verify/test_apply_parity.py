# SPDX-License-Identifier: GPL-2.0-only
"""Random histories through git format-patch: ours and git am give the same commits."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from patchgen.series.read.read import read_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import plain_git

NAMES = ("mm/a.c", "mm/b.c", "lib/with space.c", "lib/\u00fcml\u00e4ut.c", "Makefile", "a/b/c/d.h")
WORDS = ("alpha", "beta", "gamma\tdelta", "\u00e9t\u00e9", "", "\tint x;", "{", "}", "-- ", "--- x")


def _lines(chance: random.Random, count: int) -> list[str]:
    return [chance.choice(WORDS) + str(chance.randrange(30)) for _ in range(count)]


def _step(root: Path, chance: random.Random) -> None:
    """One change of a kind that patches have."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    kind = chance.choice(("edit", "edit", "edit", "create", "delete", "rename", "mode", "newline"))
    if kind == "create" or len(files) < 3:
        path = root / f"{chance.choice(('mm', 'new', 'a/b'))}/f{chance.randrange(999)}.c"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(_lines(chance, chance.randrange(6))))
        return
    path = chance.choice(files)
    if kind == "delete":
        path.unlink()
    elif kind == "rename":
        path.rename(path.with_name(f"r{chance.randrange(999)}{path.suffix}"))
    elif kind == "mode":
        path.chmod(path.stat().st_mode ^ 0o111)
    elif kind == "newline":
        path.write_text(path.read_text().rstrip("\n") + chance.choice(("\n", "")))
    else:
        text = path.read_text().split("\n")
        at = chance.randrange(len(text))
        text[at : at + chance.randrange(3)] = _lines(chance, chance.randrange(4))
        path.write_text("\n".join(text))


def _message(number: int, chance: random.Random) -> str:
    body = "\n\n".join(
        " ".join(_lines(chance, 4)).strip("- \t") for _ in range(chance.randrange(3))
    )
    return f"dir: subject {number} with {chance.choice(('ascii', 'ünïcode'))}\n\n{body}\n"


@pytest.mark.parametrize("seed", range(12))
def test_random_history(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    root, out = tmp_path / "linux", tmp_path / "out"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("\n".join(_lines(chance, 30)) + "\n")
    plain_git(root, "init", "-q")
    plain_git(root, "add", ".")
    plain_git(root, "commit", "-qm", "base")
    base = plain_git(root, "rev-parse", "HEAD")
    made = 0
    while made < 6:
        for _ in range(chance.randint(1, 3)):
            _step(root, chance)
        plain_git(root, "add", "-A")
        if plain_git(root, "status", "--porcelain"):
            made += 1
            author = f"{chance.choice(('A B', 'Zoë Ü', 'O. Ther, Jr'))} <a@example.org>"
            date = f"{1700000000 + made * 100} {chance.choice(('+0000', '-0730', '+0530'))}"
            message = ("-m", _message(made, chance), "--author", author, "--date", date)
            plain_git(root, "commit", "-q", *message)
    want = plain_git(root, "rev-parse", "HEAD^{tree}")
    options = ("--cover-letter", "-M") if seed % 2 else ("--no-renames",)
    plain_git(root, "format-patch", "-q", "-n", *options, "-o", str(out), base)
    plain_git(root, "reset", "-q", "--hard", base)
    plain_git(root, "clean", "-qfd")
    result = apply_series(root, read_series(out))
    assert result.ok, [str(one) for patch in result.patches for one in patch.misfits]
    assert result.patches[-1].tree == want
    plain_git(root, "am", "-q", *(str(one) for one in sorted(out.glob("000[1-6]*"))))
    form = "--format=%T|%an <%ae>|%ad|%B%x00"
    log = plain_git(root, "log", "--reverse", form, "--date=raw", f"{base}..").split("\0")
    ours = [
        f"{one.tree}|{one.patch.author}|{one.patch.date} {one.patch.zone}|{one.patch.message}"
        for one in result.patches
    ]
    assert ours == [entry.strip() for entry in log if entry.strip()]
