# SPDX-License-Identifier: GPL-2.0-only
"""What the boots of a run counted, and what follows from it, as values.

The JSON of ``patchgen boot`` is one :class:`BootEvidence`; :func:`load_for` reads it
back for the cover letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from patchgen.memo import digest
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import read_given

FORMAT = 2
SHOWN, REFUTED, NOT_SHOWN, MEASURED = "shown", "refuted", "not shown", "measured"


class Mode(Value, frozen=True, order=True):
    """What a kernel is booted with: CPUs, and KVM's parameter tdp_mmu.

    ``tdp_mmu`` is 0 or 1, or -1 for a kernel that has no such parameter.
    """

    cpus: int
    tdp_mmu: int = -1

    def __str__(self) -> str:
        text = f"{self.cpus} CPU{'s' * (self.cpus > 1)}"
        return text if self.tdp_mmu < 0 else f"{text}, tdp_mmu={self.tdp_mmu}"


class Phase(Value, frozen=True):
    """What was counted while one phase of one round ran.

    ``faults`` is KVM's pf_fixed; ``npf``, ``change_pte``, ``range_start``, ``zap`` and
    ``tdp_map`` (a fault that the TDP MMU handled) are calls of kernel functions; each is
    -1 where the kernel does not offer it.
    ``errors`` are words that the guest, ``own_errors`` words that the program outside
    the guest found changed.  ``words`` were read by the guest, ``ms`` is guest time.
    """

    round: int
    name: str
    ms: int
    faults: int
    npf: int
    change_pte: int
    range_start: int
    zap: int
    tdp_map: int
    errors: int
    own_errors: int
    words: int


class Boot(Value, frozen=True):
    """One kernel, booted once.

    ``kernel`` is base, patched or a variant's name.  ``end`` says how it ended:
    complete, failed (the program inside said so), stuck (its guest stopped), crashed,
    timeout, silent, early (before the program inside started); ``detail`` says more.
    ``complaints`` are the console's WARN, BUG and similar lines, ``errors`` all wrong
    words of the boot, also between the phases.  ``release`` is the kernel's own.
    """

    kernel: str
    mode: Mode
    rounds: int
    end: str
    detail: str
    release: str
    probes: dict[str, str]
    phases: tuple[Phase, ...]
    complaints: tuple[str, ...]
    errors: int
    seconds: float

    def values(self, phase: str, counter: str) -> list[int]:
        """The counter's value in every round of ``phase``, sorted."""
        return sorted(int(getattr(p, counter)) for p in self.phases if p.name == phase)


class Verdict(Value, frozen=True):
    """What the boots of one kernel in one mode say about the claim.

    ``answer`` is shown, refuted, not shown or measured; ``cause`` is one word for
    machines (faults, zaps, errors, complaint, crashed, stuck, ...), ``reason`` a
    sentence.  ``expected`` is set for wrong variants: the causes that count as caught.
    """

    kernel: str
    mode: Mode
    answer: str
    cause: str
    reason: str
    expected: tuple[str, ...] = ()


class Setup(Value, frozen=True):
    """What the figures were measured with."""

    tree: str
    version: str
    qemu: str
    qemu_arguments: tuple[str, ...]
    kernel_arguments: str
    compiler: str
    configuration: str
    series: str
    files: tuple[str, ...]


class Cost(Value, frozen=True):
    """What the run took: seconds a step, and bytes below the cache folder."""

    seconds: dict[str, float]
    disk_bytes: int


class BootEvidence(Value, frozen=True):
    """Everything one run of ``patchgen boot`` found out."""

    format: int
    setup: Setup
    boots: tuple[Boot, ...]
    verdicts: tuple[Verdict, ...]
    cost: Cost

    def boot(self, kernel: str, mode: Mode) -> Boot | None:
        """The boot of ``kernel`` in a mode, if there was one."""
        for boot in self.boots:
            if (boot.kernel, boot.mode) == (kernel, mode):
                return boot
        return None


def load(path: str | Path) -> BootEvidence:
    """Read the JSON that ``patchgen boot`` wrote; UserError if it is none."""
    data = read_given(Path(path))
    if data is None:
        raise UserError("no such file", str(path), "patchgen boot -o writes one")
    try:
        evidence = msgspec.json.decode(data, type=BootEvidence)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"is no result of patchgen boot: {error}", str(path), "patchgen boot -o writes one"
        ) from error
    if evidence.format != FORMAT:
        raise UserError(
            f"has format {evidence.format}, this version reads {FORMAT}",
            str(path),
            "run patchgen boot again",
        )
    return evidence


def series_digest(files: Mapping[str, bytes | None]) -> str:
    """What stands for a series: the contents of its files after the last patch."""
    parts = [part for path, data in sorted(files.items()) for part in (path, data or b"")]
    return digest(*parts)[:12]


def load_for(path: str | Path, version: str, files: Mapping[str, bytes | None]) -> BootEvidence:
    """Read evidence that has to be about this series on this tree.

    ``version`` is the tree's, ``files`` the series' (path → contents after its last
    patch).  UserError when the evidence is about anything else: figures that were
    measured with another change must not get into its cover letter.
    """
    evidence = load(path)
    setup = evidence.setup
    if not setup.series:
        fault = "was measured without a series"
    elif setup.version != version:
        fault = f"was measured on Linux {setup.version}, the tree is Linux {version}"
    elif setup.series != series_digest(files):
        fault = "was measured with another series"
    else:
        return evidence
    raise UserError(f"boot evidence {fault}", str(path), "patchgen boot --series measures this one")


def dump(evidence: BootEvidence) -> bytes:
    """The JSON of a run, indented, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(evidence), indent=1) + b"\n"
