# SPDX-License-Identifier: GPL-2.0-only
"""Images are kept by content, built from the right files, and failures are told.

The tree's Makefile stands in for the kernel's: its image is the text of one source.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from patchgen.boot.build import BuildFailed, builder
from patchgen.model.outcome import Refused
from patchgen.sandbox.look import disk_use

pytestmark = pytest.mark.needs("gcc")

_MAKEFILE = """\
allnoconfig:
	@cp $(KCONFIG_ALLCONFIG) $(O)/.config
	@echo CONFIG_MMU_NOTIFIER=y >> $(O)/.config
bzImage:
	@mkdir -p $(O)/arch/x86/boot
	@echo "  CC      mm/ksm.o"
	@grep -q good mm/ksm.c || { echo "mm/ksm.c:1:1: error: bad"; exit 2; }
	@cp mm/ksm.c $(O)/arch/x86/boot/bzImage
	@echo built >> $(O)/count
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MAKEFLAGS", "-n")  # make of the caller: must not reach ours
    root = tmp_path / "tree"
    (root / "mm").mkdir(parents=True)
    (root / "mm/ksm.c").write_text("good base")
    (root / "Makefile").write_text(_MAKEFILE)
    return root


def quiet(line: str) -> None:
    """Progress that nobody looks at."""


def test_each_state_is_built_once(tree: Path) -> None:
    with builder(tree, 1, quiet) as build:
        base = build.image("base", {}, quiet)[0]
        new = build.image("patched", {"mm/ksm.c": b"good new"}, quiet)[0]
        assert (base.read_text(), new.read_text()) == ("good base", "good new")
        assert build.image("base", {}, quiet)[0] == base
        assert build.image("patched", {"mm/ksm.c": b"good new"}, quiet)[0] == new
        assert (build.out / "count").read_text() == "built\n" * 2
        assert disk_use(build.folder) > 0
    assert (tree / "mm/ksm.c").read_text() == "good base"


def test_a_change_of_the_tree_is_built(tree: Path) -> None:
    with builder(tree, 1, quiet) as build:
        build.image("base", {}, quiet)
        (tree / "mm/ksm.c").write_text("good edit")
        assert build.image("base", {}, quiet)[0].read_text() == "good edit"


def test_an_error_names_the_log_and_the_compilers_line(tree: Path) -> None:
    with builder(tree, 1, quiet) as build:
        with pytest.raises(BuildFailed) as error:
            build.image("patched", {"mm/ksm.c": b"bad"}, quiet)
        assert "make.log: make failed, patched kernel: mm/ksm.c:1:1: error: bad" in str(error.value)
        assert build.image("base", {}, quiet)[0].read_text() == "good base"


def test_a_tree_without_an_option_is_refused_by_name(tree: Path) -> None:
    text = _MAKEFILE.replace("@cp $(KCONFIG", "@grep -v KVM_AMD $(KCONFIG").replace(
        "CONFIG) $(O)/.config\n", "CONFIG) > $(O)/.config\n", 1
    )
    (tree / "Makefile").write_text(text)
    with (
        builder(tree, 1, quiet) as build,
        pytest.raises(Refused, match=r"not shown: .* does not offer CONFIG_KVM_AMD$"),
    ):
        build.image("base", {}, quiet)


def test_progress_counts_objects(tree: Path) -> None:
    said: list[str] = []
    with builder(tree, 1, quiet) as build:
        build.image("base", {}, said.append)
    assert "base: 1 objects" in said


def test_a_second_run_waits_for_the_first(tree: Path) -> None:
    waiting, done = threading.Event(), threading.Event()

    def second() -> None:
        with builder(tree, 1, lambda line: waiting.set()):
            done.set()

    with builder(tree, 1, quiet):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        assert not done.is_set()
    thread.join(10)
    assert done.is_set()
