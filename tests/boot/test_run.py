# SPDX-License-Identifier: GPL-2.0-only
"""The order of a run: what is built and booted, and that one fault does not end it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from patchgen.boot import run as running
from patchgen.boot.build import BuildFailed
from patchgen.boot.evidence import Boot, Mode
from patchgen.boot.run import Plan, caught, exit_status, run
from patchgen.boot.variants import VARIANTS
from patchgen.model.outcome import Exit, UserError
from patchgen.source.tree.describe import Tree

from . import samples


class FakeBuilder:
    """Builds nothing; ``broken`` kernels do not compile."""

    def __init__(self, folder: Path, broken: set[str]) -> None:
        self.folder = folder
        self.out = folder
        self.compiler = "gcc 12"
        self.broken = broken
        self.built: dict[str, dict[str, bytes | None]] = {}

    def image(self, name, files, say):
        if name in self.broken:
            raise BuildFailed(f"the {name} kernel does not build: x.c:1: error: y", "make.log")
        self.built[name] = dict(files)
        return self.folder / name, 1.0


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``session(files, variants=, broken=, boots=)``: (evidence, builder)."""
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tree").mkdir()
    tree = Tree(str(tmp_path / "tree"), "5.10", "5.10.1", False)

    def go(files, variants=False, broken=(), boots=None, modes=(samples.ONE, samples.TWO)):
        builder = FakeBuilder(tmp_path, set(broken))

        class Opened:
            def __enter__(self):
                return builder

            def __exit__(self, *_):
                return None

        def boot(name, image, initrd, mode, rounds, timeout, log, say) -> Boot:
            made = (boots or {}).get(name)
            if made is not None:
                return msgspec.structs.replace(made, mode=mode)
            if name == "base":
                return samples.base(mode)
            return samples.boot(name, mode, [0, 0, 0] if mode.cpus == 1 else [3, 0, 8])

        monkeypatch.setattr(running.needs, "check", lambda: None)
        monkeypatch.setattr(running, "builder", lambda *_: Opened())
        monkeypatch.setattr(running, "initramfs", lambda *_: tmp_path)
        monkeypatch.setattr(running.machine, "boot", boot)
        monkeypatch.setattr(running.process, "output", lambda *_: (0, "QEMU 7.2\nmore"))
        plan = Plan(3, modes, 0, 1, variants)
        return run(tree, files, plan, lambda line: None), builder

    return go


def test_base_and_patched_on_both_numbers_of_cpus(session) -> None:
    evidence, builder = session({"mm/ksm.c": b"new"})
    assert [(b.kernel, b.mode.cpus) for b in evidence.boots] == [
        ("base", 1), ("base", 2), ("patched", 1), ("patched", 2),
    ]  # fmt: skip
    assert builder.built == {"base": {}, "patched": {"mm/ksm.c": b"new"}}
    assert [v.answer for v in evidence.verdicts] == ["shown", "measured"]
    assert evidence.setup.qemu == "QEMU 7.2"
    assert exit_status(evidence) is Exit.CLEAN


def test_without_a_series_only_the_base(session) -> None:
    evidence, builder = session(None)
    assert list(builder.built) == ["base"]
    assert {v.answer for v in evidence.verdicts} == {"not shown"}
    assert exit_status(evidence) is Exit.CLEAN


def test_a_series_that_does_not_build_shows_nothing(session) -> None:
    evidence, _ = session({"a.c": b""}, variants=True, broken={"patched"})
    assert [(v.answer, v.cause) for v in evidence.verdicts] == [("not shown", "build")] * 2
    assert "a.c" in evidence.setup.files
    assert exit_status(evidence) is Exit.REFUSED


def test_a_base_that_does_not_build_is_an_error(session) -> None:
    with pytest.raises(UserError, match=r"make\.log: the base kernel does not build: x\.c:1"):
        session(None, broken={"base"})


def test_variants_go_on_after_one_that_cannot_be_made_or_built(session, monkeypatch) -> None:
    def spoil(variant, files, read):
        if variant.name == VARIANTS[1].name:
            raise running.Refused("cannot be made", "a.c")
        return {**files, "spoiled": variant.name.encode()}

    monkeypatch.setattr(running, "spoil", spoil)
    stuck = samples.boot(VARIANTS[-1].name, samples.ONE, [], zap=9, end="stuck", rounds=2)
    crashed = samples.boot(VARIANTS[0].name, samples.ONE, [], end="crashed", rounds=2)
    evidence, builder = session(
        {"a.c": b""},
        variants=True,
        broken={VARIANTS[2].name},
        boots={VARIANTS[0].name: crashed, VARIANTS[-1].name: stuck},
        modes=(samples.ONE, samples.ONE_TDP),
    )
    wrong = {v.kernel: v for v in evidence.verdicts if v.expected}
    assert list(wrong) == [variant.name for variant in VARIANTS]
    assert [wrong[v.name].answer for v in VARIANTS[1:3]] == ["not shown"] * 2
    assert caught(wrong[VARIANTS[0].name])
    assert not caught(wrong[VARIANTS[-1].name])
    assert builder.built[VARIANTS[0].name]["spoiled"] == VARIANTS[0].name.encode()
    assert exit_status(evidence) is Exit.FINDINGS
    # Each in the first mode in which its fault is reached.
    assert [wrong[v.name].mode.tdp_mmu for v in VARIANTS] == [max(v.tdp_mmu, 0) for v in VARIANTS]


def test_a_variant_that_no_mode_shows_is_left_out(session, monkeypatch) -> None:
    monkeypatch.setattr(running, "spoil", lambda variant, files, read: files)
    evidence, builder = session({"a.c": b""}, variants=True, modes=(Mode(1),))
    wrong = [v.kernel for v in evidence.verdicts if v.expected]
    assert wrong == [variant.name for variant in VARIANTS if variant.tdp_mmu < 0]
    assert "stale-old-spte" not in builder.built
