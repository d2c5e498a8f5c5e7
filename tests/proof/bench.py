# SPDX-License-Identifier: GPL-2.0-only
"""The proof's figures for ``make bench``, against Spin on the same models.

The tree is 5.10 with the handlers that the series makes of it, in the default bounds.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator

from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import Understood, rows, understand
from patchgen.proof.search.explore import verdicts
from patchgen.proof.show.promela import spin
from patchgen.proof.system.cases import CASES
from patchgen.source.tree.registry import resolve
from tests.proof.variants import series, variant


def lines(name: str = "5.10", keys: tuple[str, ...] = ()) -> Iterator[str]:
    """A line for each model, then the sums.  Seconds are wall clock, states are stored ones.

    Ours includes making both models from the extracted programs; Spin's is writing, compiling
    and running its verifier.
    """
    read = variant(resolve(name).path, series)
    ours = theirs = states = 0.0
    with_spin = shutil.which("spin") is not None
    yield f"{'model':<24} {'ours s':>8} {'states':>9} {'spin s':>8} {'states':>9} {'ratio':>6}"
    understood = understand(read)
    assert isinstance(understood, Understood)
    for case in rows(understood.protocol, [c for c in CASES if not keys or c.key in keys]):
        begun = time.monotonic()
        parts = understood.searched(case, Bounds())
        made = time.monotonic() - begun
        label = case.key + (" flagged" if case.flagged else "")
        for system, smaller in parts:
            found = verdicts(system, smaller)
            mine = made + found.seconds
            ours += mine
            states += found.states
            line = f"{label:<24} {mine:>8.2f} {found.states:>9,}"
            if with_spin:
                answer = spin(system)
                theirs += answer.seconds
                ratio = mine / answer.seconds
                line += f" {answer.seconds:>8.2f} {answer.states:>9,} {ratio:>6.2f}"
            yield line
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    yield f"{states / ours:,.0f} states a second, peak {peak} MiB"
    yield f"ours {ours:.1f} s, Spin {theirs:.1f} s"
    if theirs:
        yield f"ours / Spin: {ours / theirs:.2f}  (target <= 10)"


def main() -> None:
    """Print the figures."""
    for line in lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
