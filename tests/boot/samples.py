# SPDX-License-Identifier: GPL-2.0-only
"""Boots made of few numbers, for the tests of what follows from boots."""

from __future__ import annotations

from patchgen.boot.evidence import (
    FORMAT,
    Boot,
    BootEvidence,
    Cost,
    Phase,
    Setup,
    Verdict,
)

PROBES = {"npf": "npf_interception", "zap": "kvm_unmap_hva_range"}
COVERED = ("merge", "unmerge", "directed")
NAMES = ("merge", "reread", "unmerge", "directed", "write-same", "toggle")


def phase(round: int, name: str, faults: int = 0, zap: int = 0, **more: int) -> Phase:
    counts = {"ms": 10, "npf": 0, "change_pte": 0, "range_start": 0, "errors": 0}
    counts |= {"own_errors": 0, "words": 1000, **more}
    return Phase(round=round, name=name, faults=faults, zap=zap, **counts)


def boot(kernel: str, cpus: int, merge: list[int], zap: int = 0, **more: object) -> Boot:
    """A complete boot with these faults while merging, and ``zap`` in every covered phase."""
    phases = []
    for number, faults in enumerate(merge, 1):
        for name in NAMES:
            count = faults if name == "merge" else 250 if name == "unmerge" else 0
            phases.append(phase(number, name, count, zap if name in COVERED else 0))
    values: dict[str, object] = {
        "rounds": len(merge), "end": "complete", "detail": "", "release": "5.10.1",
        "probes": PROBES, "phases": tuple(phases), "complaints": (), "errors": 0, "seconds": 20.0,
    }  # fmt: skip
    return Boot(kernel=kernel, cpus=cpus, **{**values, **more})  # type: ignore[arg-type]


def base(cpus: int = 1) -> Boot:
    return boot("base", cpus, [700, 740, 720], zap=500)


def patched(cpus: int = 1, **more: object) -> Boot:
    return boot("patched", cpus, [0, 0, 0] if cpus == 1 else [3, 0, 8], **more)


def evidence(boots: tuple[Boot, ...], verdicts: tuple[Verdict, ...]) -> BootEvidence:
    setup = Setup(
        "5.10", "5.10.1", "QEMU emulator version 7.2", ("qemu-system-x86_64",), "console=ttyS0",
        "gcc 12", "0123", "4567", ("mm/ksm.c",),
    )  # fmt: skip
    return BootEvidence(FORMAT, setup, boots, verdicts, Cost({"build base": 176.0}, 150_000_000))
