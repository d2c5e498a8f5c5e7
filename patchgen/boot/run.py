# SPDX-License-Identifier: GPL-2.0-only
"""One run of ``patchgen boot``: build, boot, count, judge."""

from __future__ import annotations

import time
from collections.abc import Mapping

from patchgen import memo
from patchgen.boot import machine, needs
from patchgen.boot.build import Builder, BuildFailed, Say, builder
from patchgen.boot.config import fragment
from patchgen.boot.evidence import (
    FORMAT,
    NOT_SHOWN,
    REFUTED,
    Boot,
    BootEvidence,
    Cost,
    Mode,
    Setup,
    Verdict,
    series_digest,
)
from patchgen.boot.initramfs import initramfs
from patchgen.boot.variants import VARIANTS, spoil
from patchgen.boot.verdict import judge
from patchgen.model.base import Value
from patchgen.model.outcome import Exit, Refused
from patchgen.sandbox import process
from patchgen.sandbox.look import disk_use
from patchgen.sandbox.reader import read_inside
from patchgen.source.tree.describe import Tree

Files = Mapping[str, bytes | None]
VARIANT_ROUNDS = 2


class Plan(Value, frozen=True):
    """What to do: rounds a boot, modes, seconds a boot (0: by rounds), make jobs."""

    rounds: int
    modes: tuple[Mode, ...]
    timeout: float
    jobs: int
    variants: bool = False


def run(tree: Tree, files: Files | None, plan: Plan, say: Say) -> BootEvidence:
    """Measure ``tree`` and, with ``files`` (path → new contents), the patched tree.

    ``say`` takes progress lines.  UserError: a need is missing, or the base kernel
    does not build; Refused: the tree does not offer what is measured.  A patched
    kernel that does not build is a verdict.
    """
    needs.check()
    say("looking at the build folder")
    with builder(tree.path, plan.jobs, say) as build:
        session = _Session(tree, build, plan, say)
        session.measure("base", {}, plan.modes, plan.rounds)
        if files is not None:
            session.patched(files)
        return session.evidence(files)


class _Session:
    """The steps of a run share the build folder and what was found so far."""

    def __init__(self, tree: Tree, build: Builder, plan: Plan, say: Say) -> None:
        self.tree = tree
        self.build = build
        self.plan = plan
        self.say = say
        self.boots: dict[tuple[str, Mode], Boot] = {}
        self.verdicts: list[Verdict] = []
        self.seconds: dict[str, float] = {}

    def measure(self, name: str, files: Files, modes: tuple[Mode, ...], rounds: int) -> None:
        image, took = self.build.image(name, files, self.say)
        self.seconds[f"build {name}"] = round(took, 1)
        initrd = initramfs(self.build.out / "usr/gen_init_cpio", self.build.compiler)
        timeout = self.plan.timeout or machine.limit(rounds)
        for mode in modes:
            tdp = f"-tdp{mode.tdp_mmu}" if mode.tdp_mmu >= 0 else ""
            log = self.build.folder / "console" / f"{name}-{mode.cpus}{tdp}.log"
            boot = machine.boot(name, image, initrd, mode, rounds, timeout, log, self.say)
            self.boots[name, mode] = boot
            self.seconds[f"boot {name}, {mode}"] = boot.seconds

    def patched(self, files: Files) -> None:
        try:
            self.measure("patched", files, self.plan.modes, self.plan.rounds)
        except BuildFailed as error:
            for mode in self.plan.modes:
                self._unseen("patched", mode, str(error))
            return
        for mode in self.plan.modes:
            base, patched = self.boots["base", mode], self.boots["patched", mode]
            self.verdicts.append(judge(base, patched))
        if self.plan.variants:
            self.variants(files)

    def variants(self, files: Files) -> None:
        """Each wrong variant in the first mode that shows it; one's fault never ends the run.

        One that no mode of the run shows is left out.
        """
        root = str(self.tree.path)
        for variant in VARIANTS:
            mode = next((m for m in self.plan.modes if variant.tdp_mmu in (-1, m.tdp_mmu)), None)
            if mode is None:
                continue
            try:
                spoiled = spoil(variant, files, lambda path: read_inside(root, path))
                self.measure(variant.name, spoiled, (mode,), VARIANT_ROUNDS)
            except (Refused, BuildFailed) as error:
                self._unseen(variant.name, mode, str(error), variant.expected)
                continue
            boots = self.boots["base", mode], self.boots[variant.name, mode]
            self.verdicts.append(judge(*boots, variant.expected))

    def _unseen(self, name: str, mode: Mode, why: str, expected: tuple[str, ...] = ()) -> None:
        self.verdicts.append(Verdict(name, mode, NOT_SHOWN, "build", why, expected))

    def evidence(self, files: Files | None) -> BootEvidence:
        if not self.verdicts:
            self.verdicts = [judge(self.boots["base", mode], None) for mode in self.plan.modes]
        began = time.monotonic()
        disk = disk_use(self.build.folder) + disk_use(memo.cache_dir() / "boot" / "images")
        self.seconds["sizes"] = round(time.monotonic() - began, 1)
        return BootEvidence(
            FORMAT, self._setup(files), tuple(self.boots.values()), tuple(self.verdicts),
            Cost(self.seconds, disk),
        )  # fmt: skip

    def _setup(self, files: Files | None) -> Setup:
        qemu, kernel = machine.arguments(self.plan.modes[0], self.plan.rounds)
        version = process.output([qemu[0], "--version"])[1].partition("\n")[0]
        return Setup(
            tree=self.tree.name,
            version=self.tree.version,
            qemu=version,
            qemu_arguments=tuple(qemu),
            kernel_arguments=kernel,
            compiler=self.build.compiler,
            configuration=memo.digest(fragment())[:12],
            series=series_digest(files) if files is not None else "",
            files=tuple(sorted(files or {})),
        )


def caught(verdict: Verdict) -> bool:
    """Whether a wrong variant got one of the verdicts that it has to get."""
    return verdict.answer == REFUTED and verdict.cause in verdict.expected


def exit_status(evidence: BootEvidence) -> Exit:
    """The worst of the verdicts; a wrong variant counts as good when it was caught."""
    plain = [verdict for verdict in evidence.verdicts if not verdict.expected]
    wrong = [verdict for verdict in evidence.verdicts if verdict.expected]
    if any(v.answer == REFUTED for v in plain) or not all(map(caught, wrong)):
        return Exit.FINDINGS
    # Measuring the unpatched kernel alone is what was asked for.
    if any(v.answer == NOT_SHOWN and v.cause != "series" for v in plain):
        return Exit.REFUSED
    return Exit.CLEAN
