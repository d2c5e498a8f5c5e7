# SPDX-License-Identifier: GPL-2.0-only
"""``make gate``: verify the listed public patches, and compare with their judged verdicts.

    make gate [LINUX=DIR] [KERNELS=DIR] [MAILS="DIR ..."] [WORK=DIR] [ONLY=TEXT]

LINUX is a git repository with Linux's history: a listed commit is verified on its parent.
KERNELS is a folder with one copy of each kernel, named by version (5.10, 6.12 ...), that may be
changed; MAILS are public-inbox repositories or folders of mails; mails that none of them has
are asked of b4.  What is not there is said, and never counts as right.  Exit status 1 where an
answer is not the judged one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.gate.answer import LOST, RIGHT, Answer, judge, table
from tests.gate.listed import LIST, Listed, read_list
from tests.gate.mails import file_name, gather
from tests.gate.states import Places, given

SECONDS = 900


def main(words: Sequence[str] | None = None) -> int:
    """Run the gate; 1 where an answer is not the judged one."""
    parser = argparse.ArgumentParser(prog="make gate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--list", type=Path, default=LIST)
    parser.add_argument("--linux", type=Path)
    parser.add_argument("--kernels", type=Path)
    parser.add_argument("--mails", type=Path, nargs="*", default=[])
    parser.add_argument("--work", type=Path, help="keeps mails and the checkout for the next run")
    parser.add_argument("--only", default="", help="patches whose line holds this text")
    asked = parser.parse_args(words)
    listed = [one for one in read_list(asked.list) if asked.only in "\t".join(one)]
    with tempfile.TemporaryDirectory(prefix="patchgen-gate-") as scratch:
        work = asked.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        places = Places(asked.linux, asked.kernels, work / "mails", work)
        wanted = {name for one in listed if not one.is_commit for name in one.ids}
        gather(wanted, asked.mails, places.mails)
        _ask_b4(wanted, places.mails)
        try:
            answers = [_shown(answer(one, places)) for one in listed]
        finally:
            if asked.linux and not asked.work and (work / "linux").exists():
                _run(["git", "-C", asked.linux, "worktree", "remove", "--force", work / "linux"])
    print("\n".join(table(answers)))
    return int(any(one.outcome not in (RIGHT, LOST) for one in answers))


def answer(listed: Listed, places: Places) -> Answer:
    """Verify one patch and judge the answer."""
    with given(listed, places) as have:
        if have.lacks:
            return Answer(listed, LOST, (have.lacks,))
        command = [sys.executable, "-m", "patchgen", "verify", "--json"]
        try:
            mails = [mail.absolute() for mail in have.mails]
            done = _run([*command, "--tree", have.tree.absolute(), *mails])
        except subprocess.TimeoutExpired:
            return Answer(listed, LOST, (f"verify takes more than {SECONDS} s",))
    if done.returncode not in (0, 1):
        return judge(listed, _refusal(done.stderr.strip()))
    return judge(listed, json.loads(done.stdout))


def _refusal(text: str) -> dict[str, Any]:
    """The answer of a verify that took the mail or the tree for unusable."""
    return {"ok": False, "patches": [{"faults": [text], "undecided": []}]}


def _shown(one: Answer) -> Answer:
    """Print what is not as judged, as it comes."""
    if one.outcome != RIGHT:
        judged = one.listed
        print(f"{one.outcome}: {judged.id} ({judged.state}; {judged.kind}): {judged.verdict}")
        for text in one.said[:6]:
            print(f"    {text}")
        sys.stdout.flush()
    return one


def _ask_b4(wanted: set[str], kept: Path) -> None:
    """Fetch what is missing with b4, as long as it answers."""
    b4 = shutil.which("b4", path=str(Path(sys.executable).parent)) or shutil.which("b4")
    for name in sorted(wanted) if b4 else ():
        if (kept / file_name(name)).exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            done = _run([b4, "mbox", "--single-message", "-o", folder, name])
            found = sorted(Path(folder).iterdir())
            if done.returncode or len(found) != 1:
                print(f"b4 has no {name}: the mails that are missing are not asked for")
                return
            shutil.copyfile(found[0], kept / file_name(name))


def _run(command: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """Run a command, at most SECONDS long."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=SECONDS
    )


if __name__ == "__main__":
    start = time.monotonic()
    status = main()
    print(f"{time.monotonic() - start:.0f} s")
    sys.exit(status)
