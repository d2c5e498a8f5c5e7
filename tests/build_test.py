# SPDX-License-Identifier: GPL-2.0-only
"""``make build-test``: gcc builds the touched objects of the series after every patch.

``patchgen verify --build`` on the series that is generated for a real tree; and once
more with an error that only gcc sees in the last patch, which must be told with its
file and line.  The first run builds the kernel's tools, and takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_ERROR = re.compile(r"build: (\S+\.c):\d+: '__clang_major__' undeclared")


def patchgen(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run patchgen; nothing is read from stdin."""
    command = [sys.executable, "-m", "patchgen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verified(mails: Path, tree: str, status: int) -> list[dict[str, Any]]:
    """The patches of ``verify --build --json``; an exit when it ends with another status."""
    done = patchgen("verify", str(mails), "--tree", tree, "--build", "--json", "--no-checkpatch")
    if done.returncode != status:
        sys.exit(f"status {done.returncode}, not {status}\n{done.stdout[-3000:]}{done.stderr}")
    patches: list[dict[str, Any]] = json.loads(done.stdout)["patches"]
    return patches


def main() -> None:
    """Generate, build, then spoil and build again."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tree", default="5.10")
    tree = arguments.parse_args().tree
    with tempfile.TemporaryDirectory(prefix="patchgen-build-") as name:
        mails = Path(name) / "mails"
        done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", str(mails))
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        for patch in verified(mails, tree, 0):
            print(f"{patch['number']}/{patch['total']}: {', '.join(patch['build']['built'])}")
            if not patch["build"]["built"] or patch["build"]["left_out"]:
                sys.exit(f"not everything was built: {patch['build']}")
        spoil(max(mails.glob("000[1-9]-*.patch")))
        found = [fault for patch in verified(mails, tree, 1) for fault in patch["faults"]]
        told = [fault for fault in found if _ERROR.search(fault)]
        if not told:
            sys.exit(f"gcc's error was not told: {found}")
        print(f"spoiled: {told[0]}")


def spoil(mail: Path) -> None:
    """Add to the first added statement what clang takes and gcc does not."""
    text = mail.read_text()
    new = re.sub(
        r"^(\+\t.*;)$",
        r"\1 _Static_assert(__clang_major__ > 0, " + r'"");',
        text,
        count=1,
        flags=re.M,
    )
    assert new != text
    mail.write_text(new)


if __name__ == "__main__":
    main()
