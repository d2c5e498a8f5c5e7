# SPDX-License-Identifier: GPL-2.0-only
"""Mails by the thousand, tried on our reader, on am and on the real git am.

    python -m tests.series.side_by_side --count 2000 --seed 7 [--only NUMBER] [--reasons]

A mail depends on the seed and its number only: those of even numbers are odd
(:mod:`tests.series.odd_mails`), the others as public lists have them
(:mod:`tests.series.posted_mails`).  What is taken must be what git am makes
of the same file: the same tree, message, author and date, on paths that the report
lists; what is refused leaves the repository as it was.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from patchgen.commits.patchset import Series
from patchgen.model.outcome import CheckFailed, UserError
from patchgen.pipeline.am import am
from patchgen.series.read.read import read_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import plain_git
from tests.series.odd_diffs import FILES, LINK
from tests.series.odd_mails import make_mail
from tests.series.posted_mails import make_posted


class Verdict(NamedTuple):
    """What became of a mail: ours and git's word, and what is wrong about that."""

    taken: bool
    git: bool
    reason: str
    faults: list[str]


class Bench:
    """Two small repositories of the same contents: one for ours, one for git am."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.theirs, self.spare = (folder / name for name in ("ours", "theirs", "spare"))
        self.ours.mkdir()
        for name, data in FILES.items():
            (self.ours / name).parent.mkdir(parents=True, exist_ok=True)
            (self.ours / name).write_bytes(data)
        (self.ours / "tools/run.sh").chmod(0o755)
        (self.ours / LINK).symlink_to("mm/a.c")
        plain_git(self.ours, "init", "-q", "--template=")
        plain_git(self.ours, "config", "gc.auto", "0")
        plain_git(self.ours, "add", ".")
        plain_git(self.ours, "commit", "-qm", "base")
        self.base = plain_git(self.ours, "rev-parse", "HEAD")
        shutil.copytree(self.ours, self.theirs, symlinks=True)
        shutil.copytree(self.ours, self.spare, symlinks=True)
        self.tree = ""
        self.clean = contents(self.ours)

    def try_mail(self, mail: bytes) -> Verdict:
        """Ours and git's answer to ``mail``."""
        file = self.folder / "x.patch"
        file.write_bytes(mail)
        faults: list[str] = []
        series, reason = self._read(file)
        taken = not reason
        git = self._git_am(file)
        if series is not None and any(patch.lacks for patch in series.patches):
            # Read, and never applied: a patch that is no mail.
            self._am(series, git, faults, taken=False)
            return Verdict(False, git.took, f"x.patch: no {series.patches[0].lacks}", faults)
        if taken and not git.took:
            faults.append(f"taken, and git am refuses it: {git.said}")
        if git.took and series is not None and taken:
            faults += _differences(git, series, self.tree)
        self._am(series, git, faults, taken)
        return Verdict(taken, git.took, reason, faults)

    def _read(self, file: Path) -> tuple[Series | None, str]:
        try:
            series = read_series(file)
        except UserError as error:
            return None, str(error)
        try:
            applied = apply_series(self.ours, series)
        except UserError as error:
            return series, str(error)
        bad = [str(one) for patch in applied.patches for one in patch.misfits]
        self.tree = applied.patches[-1].tree
        return series, bad[0] if bad else ""

    def _git_am(self, file: Path) -> GitAnswer:
        """Real git am on the file, in a checkout that is then put back."""
        said = plain_git(self.theirs, "am", "-q", str(file), status=None)
        said = "; ".join(re.findall(r"^(?:error|fatal|warning): (.*)", said, re.MULTILINE)) or said
        count = plain_git(self.theirs, "rev-list", "--count", f"{self.base}..HEAD")
        took = count == "1" and not (self.theirs / ".git/rebase-apply").exists()
        tree = paths = log = ""
        found: dict[bytes, bytes] = {}
        if took:
            form = "--format=%T%x00%an <%ae>%x00%ad%x00%B"
            log = plain_git(self.theirs, "log", "-1", form, "--date=raw")
            tree, _, log = log.partition("\0")
            paths = plain_git(
                self.theirs, "-c", "core.quotePath=false", "diff-tree", "-r", "-z", "--name-only",
                "--no-renames", self.base, "HEAD",
            )  # fmt: skip
            found = contents(self.theirs, repository=False)
        restore(self.theirs, self.spare)
        return GitAnswer(took, said, tree, tuple(paths.split("\0")[:-1]), log, found)

    def _am(self, series: Series | None, git: GitAnswer, faults: list[str], taken: bool) -> None:
        if series is None:
            return
        try:
            _, applied = am(self.ours, series, None)
        except (UserError, CheckFailed) as error:
            if taken and not series.partial:
                faults.append(f"verified, and am refuses it: {error}")
            if contents(self.ours) != self.clean:
                faults.append("am refused it and did not leave the repository as it was")
                restore(self.ours, self.spare)
            return
        if not taken or not git.took:
            faults.append(f"am took it; verified: {taken}, git am: {git.took}")
        elif contents(self.ours, repository=False) != git.files:
            faults.append("am leaves other files in the work tree than git am")
        changed = plain_git(
            self.ours, "diff-tree", "-r", "-z", "--name-only", "--no-renames", self.base, "HEAD"
        )
        listed = {path for patch in applied.patches for path in patch.patch.paths}
        odd = set(changed.split("\0")[:-1]) - {_shown(path) for path in listed}
        faults += [f"am changed {path!r}, which the report does not list" for path in odd]
        restore(self.ours, self.spare)


class GitAnswer(NamedTuple):
    """What git am did with a mail: its commit's tree, paths, author, date and message."""

    took: bool
    said: str
    tree: str
    paths: tuple[str, ...]
    log: str
    files: dict[bytes, bytes]


def _shown(path: str) -> str:
    return path.encode(errors="surrogateescape").decode(errors="replace")


def _differences(git: GitAnswer, series: Series, tree: str) -> list[str]:
    """What ours says otherwise than git am did."""
    patch = series.patches[0]
    faults = []
    if len(series.patches) != 1:
        faults.append("one mail was read as several")
    if tree != git.tree:
        faults.append("another tree than git am's")
    listed = {_shown(path) for path in series.paths}
    faults += [f"git am changed {path!r}, unlisted" for path in git.paths if path not in listed]
    ours = f"{patch.author}\0{patch.date} {patch.zone}\0{patch.message}".strip()
    log = git.log
    if abs(patch.date - time.time()) < 600:  # a mail without a date gets today's
        ours, log = (re.sub("\0[0-9]+ [+-][0-9]{4}\0", "\0", one) for one in (ours, log))
    if ours != log:
        faults.append(f"git am records {git.log!r}, ours is {ours!r}")
    return faults


def contents(root: Path, *, repository: bool = True) -> dict[bytes, bytes]:
    """Path → mode and bytes of every file and link; with refs, index and objects."""
    found = {}
    for path in root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            continue
        if repository or ".git" not in path.relative_to(root).parts:
            data = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[os.fsencode(path.relative_to(root))] = b"%o " % path.lstat().st_mode + data
    return found


def restore(root: Path, spare: Path) -> None:
    shutil.rmtree(root)
    shutil.copytree(spare, root, symlinks=True)


def kind_of(reason: str) -> str:
    """A reason without what it is about: places, names, numbers, and what to do."""
    what = re.sub(r"^.*x\.patch: ", "", reason)
    what = re.sub(r" \((?:[^()]|\([^()]*\))*\)$", "", what)
    what = re.sub(r"'[^']*'|\S+\.[ch]\b", "…", what)
    return re.sub(r"\d+", "N", what)


def run(seed: int, numbers: Iterable[int], folder: Path, show: bool = False) -> Counter[str]:
    """Try mails; a Counter of what became of them, faults under "fault: …"."""
    bench = Bench(folder)
    count: Counter[str] = Counter()
    for number in numbers:
        mail, odd = (make_posted if number % 2 else make_mail)(seed, number)
        verdict = bench.try_mail(mail)
        word = {True: "takes", False: "refuses"}
        count[f"git am {word[verdict.git]}, ours {word[verdict.taken]}"] += 1
        if verdict.git and not verdict.taken:
            count[f"reason: {kind_of(verdict.reason)}"] += 1
        for fault in verdict.faults:
            count[f"fault: mail {number} ({', '.join(odd)}): {fault}"] += 1
        if show:
            print(mail.decode(errors="backslashreplace"), odd, verdict, sep="\n")
    return count


def main() -> int:
    """The command line: exit status 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, help="this mail alone, shown")
    parser.add_argument("--reasons", action="store_true", help="why ours refuses what git takes")
    asked = parser.parse_args()
    seed = random.randrange(1 << 32) if asked.seed is None else asked.seed
    os.environ |= {"GIT_AUTHOR_NAME": "C O Mitter", "GIT_AUTHOR_EMAIL": "committer@example.org"}
    numbers = range(asked.count) if asked.only is None else [asked.only]
    with tempfile.TemporaryDirectory(prefix="odd-mails-") as folder:
        count = run(seed, numbers, Path(folder), show=asked.only is not None)
    print(f"seed {seed}, {len(numbers)} mails")
    for line, times in sorted(count.items(), key=lambda one: (-one[1], one[0])):
        if asked.reasons or not line.startswith("reason: "):
            print(f"{times:5}  {line}")
    return any(line.startswith("fault: ") for line in count)


if __name__ == "__main__":
    sys.exit(main())
