# SPDX-License-Identifier: GPL-2.0-only
"""The same mutants through other checkers, as far as they are installed.

Coccinelle runs the tree's own scripts for locks, sparse its defaults with context
tracking, clang its analyzer from the mutated function on.  A peer has found a mutant when
it prints anything that it does not print for the unmutated file, numbers in the text
apart.  They are slow, so they get the faults that they can know of: of each operator of
locks, sleeping and returned errors (rules 24 to 30) the site in the smallest file of the
first tree it fits in.  What they say of a file is remembered in the cache.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from patchgen import memo
from patchgen.model.base import Value
from patchgen.source.config.flags import ParseConfig
from tests.mutants.bases import Base
from tests.mutants.mutant import Mutant, mutate

#: Rules of what is wrong in any kernel code: locks, sleeping, returned errors.
RULES = range(24, 31)
#: Seconds after which a run counts as silent.
TIME_LIMIT = 120
SCRIPTS = (
    "locks/call_kern.cocci",
    "locks/double_lock.cocci",
    "locks/flags.cocci",
    "locks/mini_lock.cocci",
)


class Source(Value, frozen=True):
    """A file to check: its bytes, where it belongs, how it is compiled."""

    root: Path
    path: str
    function: str
    data: bytes
    config: ParseConfig


Check = Callable[[Source, Path], str]


def sample(todo: Sequence[Mutant], found: Sequence[Base]) -> list[int]:
    """Numbers of the mutants for peers: of each operator in question, in the smallest file."""
    states = {base.name: base.state for base in found}
    chosen: dict[str, int] = {}
    size = [len(states[m.base].read(m.site.path) or b"") for m in todo]
    for number, mutant in enumerate(todo):
        if mutant.rules[0] not in RULES:
            continue
        best = chosen.setdefault(mutant.operator, number)
        if mutant.base == todo[best].base and size[number] < size[best]:
            chosen[mutant.operator] = number
    return sorted(chosen.values())


def installed() -> dict[str, Check]:
    """The peers of this machine, by name and version."""
    found: dict[str, Check] = {}
    for name, check, command in (
        ("Coccinelle", coccinelle, "spatch"),
        ("sparse", sparse, "sparse"),
        ("clang --analyze", analyzer, _clang()),
    ):
        if command and shutil.which(command):
            found[f"{name} {_version(command)}"] = check
    return found


def _clang() -> str:
    names = ("clang", *(f"clang-{number}" for number in range(21, 11, -1)))
    return next((name for name in names if shutil.which(name)), "")


def _version(command: str) -> str:
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return match[0] if match else ""


def run(
    found: Sequence[Base],
    todo: Sequence[Mutant],
    with_header: Sequence[bool],
    peers: dict[str, Check],
    progress: Callable[[str], None],
    workers: int = 0,
) -> dict[str, list[bool]]:
    """For each peer, whether it found each mutant."""
    states = {base.name: base.state for base in found}
    done = 0

    @functools.cache
    def before(base: str, path: str, function: str, name: str) -> Counter[str]:
        state = states[base]
        data = state.read(path) or b""
        source = Source(state.root, path, function, data, state.config(path))
        return _said(name, peers[name], source)

    def one(job: tuple[Mutant, bool, str]) -> bool:
        nonlocal done
        mutant, header, name = job
        site, state = mutant.site, states[mutant.base]
        data = mutate(state.read(site.path) or b"", site, header)
        source = Source(state.root, site.path, site.function, data, state.config(site.path))
        said = _said(name, peers[name], source)
        new = said - before(mutant.base, site.path, site.function, name)
        done += 1
        progress(f"{done} of {len(todo) * len(peers)} runs of other checkers")
        return bool(new)

    jobs = [(m, h, name) for name in peers for m, h in zip(todo, with_header, strict=True)]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        answers = list(pool.map(one, jobs))
    size = len(todo)
    return {name: answers[i * size : (i + 1) * size] for i, name in enumerate(peers)}


def _said(name: str, check: Check, source: Source) -> Counter[str]:
    """The lines a checker prints, without numbers and without where the file lay."""
    where = (source.path, source.function, source.config.key)
    key = memo.digest("peer", name, *SCRIPTS, *where, source.data)
    text = (memo.read("mutants", key) or b"").decode("utf-8", "replace")
    if not text:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(source.path).name
            file.write_bytes(source.data)
            text = "ran\n" + check(source, file).replace(folder, "")
        memo.write("mutants", key, text.encode())
    lines = (re.sub(r"\d+", "#", line).strip() for line in text.splitlines())
    return Counter(line for line in lines if ".c:" in line)


def _output(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=TIME_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def coccinelle(source: Source, file: Path) -> str:
    """The tree's scripts in report mode, each with the options it asks for."""
    texts = []
    for name in SCRIPTS:
        script = source.root / "scripts/coccinelle" / name
        if not script.is_file():
            continue
        match = re.search(r"^// Options: (.*)$", script.read_text("utf-8"), re.MULTILINE)
        options = match[1].split() if match else []
        command = ["spatch", "--very-quiet", "-D", "report", "--cocci-file", str(script)]
        texts.append(_output([*command, *options, file.name], file.parent))
    return "\n".join(texts)


def _kept(args: Sequence[str]) -> Iterator[str]:
    """Of libclang's arguments those that concern the preprocessor, for sparse."""
    words = iter(args)
    for word in words:
        if word in ("-include", "-isystem"):
            yield from (word, next(words))
        elif word.startswith(("-I", "-D", "-U", "-nostdinc", "-std", "-m64")):
            yield word


def sparse(source: Source, file: Path) -> str:
    """sparse as the kernel's Makefile calls it."""
    flags = ["-Wbitwise", "-Wno-return-void", "-Wno-unknown-attribute"]
    own = source.root / Path(source.path).parent
    command = ["sparse", *flags, *_kept(source.config.args), f"-I{own}", file.name]
    return _output(command, file.parent)


def analyzer(source: Source, file: Path) -> str:
    """clang's analyzer with its default checkers, from the mutated function on."""
    own = source.root / Path(source.path).parent
    start = ["-Xclang", f"-analyze-function={source.function}"]
    command = [_clang(), "--analyze", *start, *source.config.args, f"-I{own}"]
    return _output([*command, file.name, "-o", os.devnull], file.parent)
