# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's table.  Usage: ``make bench [BENCH="--runs 5 --quick"]``.

P is a bare libclang parse of virt/kvm/kvm_main.c in a fresh interpreter; in rows with a
target in P it is run once before each run.  "cold" has an
empty patchgen cache; the kernel's sources are in the page cache in every row, and beside
a tree that `patchgen tree add` fetched lies what its text search found then.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.source.config.arch import arches_of
from patchgen.source.config.flags import parse_config
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve
from tests.bench.measure import Figure, bare_parse, measure
from tests.bench.ten import ten_patches
from tests.proof.bench import lines as proof_lines

KVM_MAIN = "virt/kvm/kvm_main.c"
PATCHGEN = [sys.executable, "-m", "patchgen"]
GUARD = """\
@@
identifier mn, range;
@@
int kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
 const struct mmu_notifier_range *range)
{
 ...
+if (mmu_notifier_range_use_change_pte(range)) return 0;
 idx = srcu_read_lock(...);
 ...
}
"""


def row(name: str, figure: Figure, unit: Figure, target: str = "") -> None:
    """One line: seconds, multiples of P (of the runs beside, where there were), memory."""
    ratio = figure.ratio or figure.wall / unit.wall
    print(
        f"{name:<46} {figure.wall:7.2f} {figure.cpu:7.2f} {ratio:7.2f}"
        f" {figure.memory:7.0f}  {target}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--quick", action="store_true", help="no whole-tree rows")
    options = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="patchgen-bench-"))
    try:
        bench(folder, options.runs, options.quick)
    finally:
        shutil.rmtree(folder)


def bench(folder: Path, runs: int, quick: bool) -> None:
    """All rows."""
    trees = os.environ.get("PATCHGEN_TREES") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "patchgen/trees"
    )
    os.environ["PATCHGEN_TREES"] = trees
    os.environ["PATCHGEN_CACHE"] = str(folder / "cache")
    # An installed program has its bytecode; P's own modules have theirs too.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    tree = resolve("5.10")
    root = tree.path
    out = folder / "out"

    def cold() -> None:
        shutil.rmtree(folder / "cache", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)

    def warm() -> None:
        shutil.rmtree(out, ignore_errors=True)

    print(f"Linux {tree.version}, {os.cpu_count()} processors, median of {runs} runs")
    print(f"{'':<46} {'wall s':>7} {'CPU s':>7} {'wall/P':>7} {'MiB':>7}  target")
    bare = bare_parse(root, KVM_MAIN, folder)
    measure(bare, 1)
    unit = measure(bare, runs)
    row("P: bare libclang parse of kvm_main.c", unit, unit)
    inspect = [*PATCHGEN, "inspect", KVM_MAIN, "--tree", str(root)]
    generate = [*PATCHGEN, "generate", "kvm-change-pte", "--tree", str(root), "-o", str(out)]
    lint = [*PATCHGEN, "lint", KVM_MAIN, "--tree", str(root)]
    measure(inspect, 1)  # the overlay is made once a tree
    facts = folder / "cache" / "facts"

    def beside(command: list[str], before: Callable[[], None] = lambda: None) -> Figure:
        return measure(command, runs, before, beside=bare)

    def no_facts() -> None:
        shutil.rmtree(facts, ignore_errors=True)

    row("inspect kvm_main.c, no facts cached", beside(inspect, no_facts), unit, "<= 1.5 P")
    row("inspect kvm_main.c, warm", beside(inspect), unit)
    row("lint kvm_main.c, no facts cached", beside(lint, no_facts), unit, "<= 2 P")
    row("generate kvm-change-pte, cold", beside(generate, cold), unit, "<= 12 P, < 600 MiB")
    without = [*generate, "--no-proof"]
    row("  the same, --no-proof", beside(without, cold), unit)
    measure(generate, 1, warm)
    row("generate kvm-change-pte, warm", beside(generate, warm), unit, "<= 3 P")
    ten = folder / "ten.mbox"
    ten.write_text(ten_patches(root))
    verify = [*PATCHGEN, "verify", str(ten), "--tree", str(root)]
    row("verify ten patches, cold", beside(verify, cold), unit)
    measure(verify, 1, warm)
    row("verify ten patches, warm", beside(verify, warm), unit)
    peers(root, folder, runs, unit)
    print("proof: the models of the series on 5.10, against Spin")
    for line in proof_lines("5.10", ("ro-ro-new",) if quick else ()):
        print(line, flush=True)
    if not quick:
        whole(folder, unit, bare, cold)
        series_for_mini(folder, unit, cold)
        sys.stdout.flush()
        print(flush=True)
        subprocess.run([sys.executable, "-m", "tests.verify.bench_apply"], check=False)


def peers(root: Path, folder: Path, runs: int, unit: Figure) -> None:
    """Other tools on the same file, where installed."""
    config = parse_config(root, KVM_MAIN)
    clang = shutil.which("clang") or shutil.which("clang-14")
    if clang:
        command = [clang, "-fsyntax-only", *config.args, str(root / KVM_MAIN)]
        allowed = (0, 1)
        row("clang -fsyntax-only kvm_main.c", measure(command, runs, allowed=allowed), unit)
    spatch = shutil.which("spatch")
    if spatch:
        script = folder / "guard.cocci"
        script.write_text(GUARD)
        command = [spatch, "--sp-file", str(script), str(root / KVM_MAIN), "--very-quiet"]
        row("spatch: a guard into range_start()", measure(command, runs), unit)


def whole(folder: Path, unit: Figure, one: list[str], cold: object) -> None:
    """The whole 6.1 tree: inspection and lint against the bare parses they need."""
    assert callable(cold)
    tree = resolve("6.1")
    root = tree.path
    state = TreeState(tree)
    paths = [path for path in state.candidates() if path.endswith(".c")]
    script = folder / "all.py"
    lines = ["from clang import cindex", "index = cindex.Index.create()"]
    for path in paths:
        arches = arches_of(root, path)
        # kvm_main.c is parsed for each architecture; headers alone are left out.
        for arch in arches if path == KVM_MAIN else arches[:1]:
            args = list(state.config(path, arch).args)
            lines.append(f"index.parse({str(root / path)!r}, args={args!r})")
    script.write_text("\n".join(lines) + "\n")
    bare = measure([sys.executable, str(script)], 1)
    cores = os.cpu_count() or 1
    share = Figure(bare.wall / cores, bare.cpu, bare.memory, 1)
    row(f"6.1: {len(lines) - 2} bare parses, divided by {cores}", share, unit)
    inspect = [*PATCHGEN, "inspect", "--tree", str(root)]
    lint = [*PATCHGEN, "lint", "--tree", str(root)]
    first = measure(inspect, 1, cold)
    row("6.1: inspect, cold", first, unit, f"<= 1.3 of that: {first.wall / share.wall:.2f}")
    row("6.1: inspect, warm", measure(inspect, 3, beside=one), unit, "<= 1.5 P")
    second = measure(lint, 1, cold, allowed=(0, 1))
    row("6.1: lint, cold", second, unit, f"<= 1.5 of inspect: {second.wall / first.wall:.2f}")
    row("6.1: lint, warm", measure(lint, 3, allowed=(0, 1), beside=one), unit, "<= 2 P")
    spatch = shutil.which("spatch")
    rule = root / "scripts/coccinelle/locks/double_lock.cocci"
    if spatch and rule.is_file():
        command = [spatch, "--sp-file", str(rule), "-D", "report", "--very-quiet",
                   *(str(root / path) for path in paths)]  # fmt: skip
        row("6.1: spatch double_lock.cocci, same files", measure(command, 1), unit)


def series_for_mini(folder: Path, unit: Figure, cold: object) -> None:
    """The v05 series and the guard, on 5.0 where it is there, else on its miniature."""
    assert callable(cold)
    try:
        tree = resolve("5.0")
    except UserError:
        tree = resolve("mini-5.0")
    command = [*PATCHGEN, "inspect", "--tree", tree.root]
    first = measure(command, 1, cold)
    row(f"{tree.name}: inspect, cold", first, unit)
    out = folder / "out"
    command = [*PATCHGEN, "generate", "mmu-notifier-v05", "kvm-change-pte", "--tree", tree.root,
               "-o", str(out), "--no-proof"]  # fmt: skip
    second = measure(command, 1, cold)
    row(f"{tree.name}: generate v05 and the guard, cold", second, unit,
        f"<= 3 of inspect: {second.wall / first.wall:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
