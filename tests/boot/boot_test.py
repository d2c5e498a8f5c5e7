# SPDX-License-Identifier: GPL-2.0-only
"""The boot proof as a whole: ``make boot-test``; minutes to tens of minutes.

Generates the series for a tree, boots the unpatched, the patched and the wrongly
patched kernels, and holds what was counted against what has to come out.  Not part
of the default tests: it builds kernels.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from patchgen.boot.evidence import BootEvidence, Mode, load
from patchgen.boot.modes import modes
from patchgen.boot.run import caught
from patchgen.boot.variants import VARIANTS
from patchgen.boot.verdict import wrong_words
from patchgen.sandbox.reader import read_inside
from patchgen.source.tree.registry import resolve

ROUNDS = 10
#: Faults of the unpatched kernel, in every round, on one CPU: 256 pages are copied once each.
LEAST = {"merge": 500, "unshare": 256}


def faults(evidence: BootEvidence, modes: tuple[Mode, ...]) -> Iterator[str]:
    """What is not as it has to be in these modes; nothing when the proof holds."""
    for kernel in ("base", "patched"):
        for mode in modes:
            boot = evidence.boot(kernel, mode)
            if boot is None:
                yield f"{kernel}, {mode}: not booted"
                continue
            for phase, least in LEAST.items():
                counted = boot.values(phase, "faults")
                if len(counted) != ROUNDS:
                    yield f"{kernel}, {mode}: {len(counted)} rounds, {boot.end}: {boot.detail}"
                elif mode.cpus == 1 and kernel == "base" and counted[0] < least:
                    yield f"base, {mode}: {phase}: a round with {counted[0]} faults only"
                elif mode.cpus == 1 and kernel == "patched" and counted[-1] != 0:
                    yield f"patched, {mode}: {phase}: a round with {counted[-1]} faults"
            if wrong_words(boot):
                yield f"{kernel}, {mode}: {wrong_words(boot)} wrong words"
            if boot.complaints:
                yield f"{kernel}, {mode}: {boot.complaints[0]}"
    wrong = {verdict.kernel: verdict for verdict in evidence.verdicts if verdict.expected}
    for variant in VARIANTS:
        if variant.tdp_mmu not in (-1, *(mode.tdp_mmu for mode in modes)):
            continue
        if variant.name not in wrong:
            yield f"{variant.name}: no verdict"
        elif not caught(wrong[variant.name]):
            yield f"{variant.name}: {wrong[variant.name].answer}: {wrong[variant.name].reason}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="boot_test")
    parser.add_argument("--tree", default="5.10")
    parser.add_argument("--series", help="take this series instead of generating one")
    parser.add_argument("--out", help="write the JSON to this file, too")
    given = parser.parse_args()
    patchgen = [sys.executable, "-m", "patchgen"]
    with tempfile.TemporaryDirectory(prefix="patchgen-") as folder:
        series = given.series or f"{folder}/series"
        out = Path(given.out or f"{folder}/boot.json")
        if not given.series:
            command = [*patchgen, "generate", "kvm-change-pte", "--tree", given.tree, "-o", series]
            subprocess.run(command, check=True)
        command = [*patchgen, "boot", "--tree", given.tree, "--series", series, "--variants"]
        command += ["--rounds", str(ROUNDS), "-o", str(out)]
        status = subprocess.run(command).returncode
        if not out.is_file():
            return status
        root = resolve(given.tree).path
        every = modes(lambda path: read_inside(str(root), path), (1, 2))
        wrong = list(faults(load(out), every))
    for line in wrong:
        print(f"FAILED: {line}")
    print("boot-test: " + ("failed" if wrong or status else "passed"))
    return 1 if wrong or status else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        sys.exit(130)
