# SPDX-License-Identifier: GPL-2.0-only
"""Code of several architectures: each is looked at, and no error on one of them is hidden."""

import os
import shutil
import signal

import pytest

from patchgen.source.clang import pool
from patchgen.source.facts import store
from patchgen.source.facts.inspection import inspect
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve

USE = """\
#include <linux/mmu_notifier.h>
#if CONDITION
void made_up(void)
{
\tmmu_notifier_synchronize();
}
#endif
"""
KVM = "virt/kvm/kvm_main.c"


@pytest.fixture
def two(tree):
    """The miniature kernel with a second architecture, which looks like the first."""
    shutil.copytree(tree / "arch/x86", tree / "arch/arm64")
    return tree


def mention(root, condition, arch=None):
    (root / "mm/made_up.c").write_text(USE.replace("CONDITION", condition))
    found = inspect(TreeState(resolve(str(root)), arch=arch), ["mm/made_up.c"])
    assert found.failed == found.partly == ()
    (one,) = found.mentions
    return one.state, one.detail


@pytest.mark.parametrize("condition", ["defined(CONFIG_ARM64)", "defined(__aarch64__)"])
def test_what_is_inactive_on_the_first_architecture_is_tried_on_the_others(two, condition):
    assert mention(two, condition) == ("analysed", "only on arm64")


def test_options_are_turned_on_the_other_architectures_too(two):
    condition = "defined(__aarch64__) && defined(CONFIG_MADE_UP)"
    assert mention(two, condition) == ("analysed", "only on arm64")


def test_inactive_everywhere_names_every_architecture(two):
    assert mention(two, "0") == ("inactive", "x86; arm64")


def test_an_architecture_that_is_asked_for_is_the_only_one(two):
    assert mention(two, "defined(CONFIG_ARM64)", "x86") == ("inactive", "x86")
    assert mention(two, "defined(CONFIG_ARM64)", "arm64") == ("analysed", "")


def test_a_file_of_an_architecture_is_not_tried_on_others(two):
    (two / "arch/arm64/mm").mkdir(exist_ok=True)
    file = two / "arch/arm64/mm/made_up.c"
    file.write_text(USE.replace("CONDITION", "defined(CONFIG_X86)"))
    (one,) = inspect(TreeState(resolve(str(two))), ["arch/arm64/mm/made_up.c"]).mentions
    assert (one.state, one.detail) == ("inactive", "arm64")


def with_an_error_on_arm64(root):
    file = root / KVM
    file.write_text(file.read_text() + "#ifdef __aarch64__\nint wrong = no_such_thing;\n#endif\n")
    for arch in ("x86", "arm64"):
        (root / "arch" / arch / "kvm").mkdir(exist_ok=True)
        (root / "arch" / arch / "kvm/Makefile").write_text("")


def test_kvm_is_parsed_for_each_architecture_and_no_error_is_hidden(two):
    with_an_error_on_arm64(two)
    found = inspect(TreeState(resolve(str(two))))
    assert [(path, error.partition(":")[0]) for path, error in found.partly] == [(KVM, "arm64")]
    assert "no_such_thing" in found.partly[0][1]
    states = {m.state for m in found.mentions if m.path == KVM}
    assert "analysed" in states
    assert "unparsed" not in states
    alone = inspect(TreeState(resolve(str(two))), [KVM])
    assert alone.partly == ()


def test_an_error_on_one_architecture_is_in_the_output(two, patchgen):
    with_an_error_on_arm64(two)
    for command in ("inspect", "lint"):
        done = patchgen(command, "--tree", two)
        assert done.returncode == 1
        said = done.stdout + done.stderr
        assert any(KVM in line and "arm64: " in line for line in said.splitlines()), said


def test_an_error_in_a_header_is_in_the_headers_ledger(tree):
    header = tree / "drivers/misc/scratch_engine.h"
    header.write_text(header.read_text() + "int wrong = no_such_thing;\n")
    found = inspect(TreeState(resolve(str(tree))))
    mentions = [m for m in found.mentions if m.path == "drivers/misc/scratch_engine.h"]
    assert mentions
    assert {m.state for m in mentions} == {"unparsed"}
    assert all("no_such_thing" in m.detail for m in mentions)


def test_a_crash_and_a_hang_of_libclang_cost_a_line_each(tree, monkeypatch, tmp_path):
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    parse, run = store.parse, pool.run

    def broken(root, path, *more):
        if path == "mm/ksm.c":
            os.kill(os.getpid(), signal.SIGKILL)
        if path == "mm/rmap.c":
            while True:
                pass
        return parse(root, path, *more)

    def limited(function, tasks, *more, **named):
        return run(function, tasks, *more, **{**named, "limit": 30.0})

    monkeypatch.setattr(store, "parse", broken)
    monkeypatch.setattr(pool, "run", limited)
    found = inspect(TreeState(resolve(str(tree))))
    failed = dict(found.failed)
    assert set(failed) == {"mm/ksm.c", "mm/rmap.c"}
    assert "SIGKILL" in failed["mm/ksm.c"]
    assert "more than 30 s" in failed["mm/rmap.c"]
    lost = [m for m in found.mentions if m.state == "unparsed"]
    assert {m.path for m in lost} == set(failed)
    assert all(m.detail == failed[m.path] for m in lost)
    assert any(m.state == "analysed" for m in found.mentions if m.path == KVM)
