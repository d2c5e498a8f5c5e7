# SPDX-License-Identifier: GPL-2.0-only
"""Makefiles and build leftovers of strangers: bounded time and memory, whatever they hold."""

import os
import resource
import subprocess
import sys
import time

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.config.flags import parse_config

LINES = 1 << 15


def expansion(tree):
    more(tree, "B := " + "x" * 100_000 + "\nccflags-y := " + "$(B)" * 50_000 + "\n")


def many_expansions(tree):
    more(tree, "B := " + "-Dx " * 20_000 + "\n" + "ccflags-y += $(B)\n" * 10_000)


def nested_expansion(tree):
    lines = [f"B{n} := " + f"$(B{n + 1})" * 10 + "\n" for n in range(8)]
    more(tree, "".join(lines) + "B8 := " + "-Dx " * 10_000 + "\nccflags-y := $(B0)\n")


def larger_than_any(tree):
    more(tree, "# " + "x" * (1 << 20) + "\n")


def chain(tree):
    more(tree, "".join(f"l{n}-y := l{n + 1}.o\n" for n in range(LINES)))
    more(tree, f"l{LINES}-y := x.o\nobj-y := l0.o\n")


def fan(tree):
    more(tree, "".join(f"l{n}-y := x.o\n" for n in range(LINES)))


def circle(tree):
    more(tree, "".join(f"l{n % 50}-y := l{(n + 1) % 50}.o x.o\n" for n in range(LINES)))


def conditionals(tree):
    more(tree, "ifdef CONFIG_A\nccflags-y += -Dx\n" * 12_000)


def blank_lines(tree):
    (tree / "mm/Makefile").write_text("\n" * 500_000)


def top_without_assignment(tree):
    with (tree / "Makefile").open("a") as file:
        file.write("KBUILD_CFLAGS\n" * 100_000)


def continued(tree):
    more(tree, "ccflags-y := " + "\\\n" * 200_000 + "\n")


WAYS = [
    expansion, many_expansions, nested_expansion, larger_than_any, chain, fan, circle,
    conditionals, blank_lines, top_without_assignment, continued,
]  # fmt: skip


def more(tree, text):
    with (tree / "mm/Makefile").open("a") as file:
        file.write(text)


@pytest.mark.parametrize("way", WAYS)
def test_a_makefile_takes_bounded_time_and_memory(tree, way):
    (tree / "mm/x.c").write_text("int x;\n")
    way(tree)
    began = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        config = parse_config(tree, "mm/x.c", "x86")
        assert sum(map(len, config.args)) < 1_000_000
    except UserError as error:
        assert "mm" in str(error)
    assert time.process_time() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB


LEFT = ["mm/.x.o.cmd", "compile_commands.json", ".git", "Makefile", "mm/Makefile", "Kconfig"]


@pytest.mark.parametrize("kind", ["fifo", "zero", "endless link"])
@pytest.mark.parametrize("name", LEFT)
def test_what_is_no_file_makes_nothing_wait(tree, name, kind):
    (tree / "mm/x.c").write_text("#include <linux/mmu_notifier.h>\n")
    file = tree / name
    file.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero" if kind == "zero" else file.name)
    command = [sys.executable, "-m", "patchgen", "lint", "mm/x.c", "--tree", str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1, 2)
    assert "internal error" not in done.stderr, done.stderr


def test_an_included_fifo_costs_its_file_alone(tree):
    os.mkfifo(tree / "mm/pipe.h")
    (tree / "mm/x.c").write_text('#include <linux/mmu_notifier.h>\n#include "pipe.h"\n')
    command = [sys.executable, "-m", "patchgen", "lint", "mm/x.c", "mm/ksm.c", "--tree", str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "mm/x.c: the parser waited for a file that gives nothing" in done.stderr
    assert "mm/ksm.c" not in done.stderr
