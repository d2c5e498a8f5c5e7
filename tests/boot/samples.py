# SPDX-License-Identifier: GPL-2.0-only
"""Boots made of few numbers, for the tests of what follows from boots."""

from __future__ import annotations

from patchgen.boot.evidence import (
    FORMAT,
    Boot,
    BootEvidence,
    Cost,
    Mode,
    Phase,
    Setup,
    Verdict,
)

ONE, TWO = Mode(1, 0), Mode(2, 0)
ONE_TDP, TWO_TDP = Mode(1, 1), Mode(2, 1)
PROBES = {"npf": "npf_interception", "zap": "kvm_unmap_hva_range"}
COVERED = ("merge", "unmerge", "unshare", "directed")
NAMES = ("merge", "reread", "unmerge", "unshare", "directed", "write-same", "toggle")


def phase(round: int, name: str, faults: int = 0, zap: int = 0, **more: int) -> Phase:
    counts = {"ms": 10, "npf": 0, "change_pte": 0, "range_start": 0, "errors": 0}
    counts |= {"own_errors": 0, "words": 1000, "tdp_map": 0, **more}
    return Phase(round=round, name=name, faults=faults, zap=zap, **counts)


def boot(
    kernel: str, mode: Mode, merge: list[int], zap: int = 0, unshare: int = 0, **more: object
) -> Boot:
    """A complete boot with these faults while merging, ``unshare`` faults while pages are
    copied for reading, and ``zap`` in every covered phase."""
    phases = []
    for number, faults in enumerate(merge, 1):
        counts = {"merge": faults, "unmerge": 250, "unshare": unshare}
        for name in NAMES:
            count = counts.get(name, 0)
            tdp_map = count if mode.tdp_mmu == 1 else 0
            covered = zap if name in COVERED else 0
            phases.append(phase(number, name, count, covered, tdp_map=tdp_map))
    values: dict[str, object] = {
        "rounds": len(merge), "end": "complete", "detail": "", "release": "5.10.1",
        "probes": PROBES, "phases": tuple(phases), "complaints": (), "errors": 0, "seconds": 20.0,
    }  # fmt: skip
    return Boot(kernel=kernel, mode=mode, **{**values, **more})  # type: ignore[arg-type]


def base(mode: Mode = ONE) -> Boot:
    return boot("base", mode, [700, 740, 720], 500, 256)


def patched(mode: Mode = ONE, **more: object) -> Boot:
    return boot("patched", mode, [0, 0, 0] if mode.cpus == 1 else [3, 0, 8], **more)


def evidence(boots: tuple[Boot, ...], verdicts: tuple[Verdict, ...]) -> BootEvidence:
    setup = Setup(
        "5.10", "5.10.1", "QEMU emulator version 7.2", ("qemu-system-x86_64",), "console=ttyS0",
        "gcc 12", "0123", "4567", ("mm/ksm.c",),
    )  # fmt: skip
    return BootEvidence(FORMAT, setup, boots, verdicts, Cost({"build base": 176.0}, 150_000_000))
