# SPDX-License-Identifier: GPL-2.0-only
"""``verify --build`` on mini, with a small Makefile in the place of kbuild; gcc is real."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("gcc", "flex", "bison", "bc", "libelf", "perl")

Run = Callable[..., subprocess.CompletedProcess[str]]

# Objects by the names that kbuild has for them; mm/ksm.o only where it is configured.
_MAKEFILE = """\
.SUFFIXES:
defconfig:
	@echo CONFIG_MMU_NOTIFIER=y > $(O)/.config
olddefconfig:
	@grep -xE 'CONFIG_(KSM|KVM|MMU_NOTIFIER|UPROBES)=y' $(O)/.config | sort -u > $(O)/new
	@mv $(O)/new $(O)/.config
prepare scripts:
	@mkdir -p $(O)/include/generated
OBJECTS := $(patsubst $(CURDIR)/%.c,%.o,$(wildcard $(CURDIR)/[dkmlv]*/*.c $(CURDIR)/virt/kvm/*.c))
OBJECTS += arch/x86/kvm/../../../virt/kvm/kvm_main.o kernel/events/uprobes.o
OBJECTS += arch/x86/kvm/mmu/tdp_mmu.o
ON := $(shell cat $(O)/.config)
OBJECTS := $(filter-out $(if $(filter CONFIG_KSM=y,$(ON)),,mm/ksm.o),$(OBJECTS))
$(OBJECTS): %.o: %.c
	@echo "  CC      $@"
	@mkdir -p $(O)/$(dir $@)
	@gcc -nostdinc -I$(CURDIR)/include -I$(CURDIR)/arch/x86/include -D__KERNEL__ -w \\
		$(patsubst %=y,-D%=1,$(ON)) -c $(CURDIR)/$< -o $(O)/$@
"""
#: Nothing to clang, an error to gcc.
_GCC_ONLY = ' _Static_assert(__clang_major__ > 0, "");'


@pytest.fixture
def built(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """mini, with something to build it."""
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MAKEFLAGS", "-n")  # the caller's: must not reach ours
    (tree / "scripts").mkdir()
    (tree / "scripts/Makefile.build").write_text("")
    with (tree / "Makefile").open("a") as file:
        file.write(_MAKEFILE)
    return tree


@pytest.fixture(scope="module")
def generated(mini: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mini's series."""
    out = tmp_path_factory.mktemp("generated") / "series"
    command = ["generate", "kvm-change-pte", "--tree", str(mini), "-o", str(out), "--no-proof"]
    subprocess.run([sys.executable, "-m", "patchgen", *command], check=True, capture_output=True)
    return out


@pytest.fixture
def series(generated: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(generated, tmp_path / "series"))


def spoil(series: Path, number: int, old: str, new: str) -> None:
    mail = next(series.glob(f"000{number}-*"))
    text = mail.read_text()
    assert old in text
    mail.write_text(text.replace(old, new, 1))


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def builds(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The table's last column."""
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    return [row[-1] for row in rows if re.fullmatch(r"\d+/\d+", row[0])]


def test_every_touched_object_compiles_and_the_tree_is_not_touched(
    patchgen: Run, built: Path, series: Path
) -> None:
    before = state(built)
    for _ in range(2):
        done = patchgen("verify", series, "--tree", built, "--no-proof", "--build")
        assert done.returncode == 0, done.stdout + done.stderr
        assert builds(done) == ["2/2", "1/1", "1/1", "1/1"]
    assert state(built) == before
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build", "--json")
    data = json.loads(done.stdout)["patches"]
    assert data[1]["build"]["built"] == ["virt/kvm/kvm_main.c"]
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--json")
    assert json.loads(done.stdout)["patches"][1]["build"] is None


def test_what_gcc_alone_rejects_fails_at_its_own_commit(
    patchgen: Run, built: Path, series: Path
) -> None:
    spoil(series, 2, "kvm->tlbs_dirty)", f"kvm->tlbs_dirty){{{_GCC_ONLY}}}")
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build", "--no-checkpatch")
    assert done.returncode == 1
    assert builds(done)[:2] == ["2/2", "0/1"]
    line = next(line for line in done.stdout.splitlines() if "build: " in line)
    assert line.startswith("     build: virt/kvm/kvm_main.c:")
    assert "'__clang_major__' undeclared" in line
    done = patchgen("verify", series, "--tree", built, "--build", "--no-checkpatch", "--b4")
    assert "-:ERROR: build: virt/kvm/kvm_main.c:" in done.stdout


def test_a_broken_header_is_an_error_of_what_uses_it(
    patchgen: Run, built: Path, series: Path
) -> None:
    spoil(series, 1, "+#define MMU_NOTIFIER_USE_CHANGE_PTE",
          "+#define MMU_NOTIFIER_USE_CHANGE_PTE __clang_major__ *")  # fmt: skip
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build", "--no-checkpatch")
    assert done.returncode == 1
    assert builds(done)[0] == "0/2"
    assert "build: include/linux/mmu_notifier.h:" in done.stdout


def test_what_does_not_compile_without_the_series_is_no_fault_of_it(
    patchgen: Run, built: Path, series: Path
) -> None:
    with (built / "mm/ksm.c").open("a") as file:
        file.write(f"{_GCC_ONLY}\n")
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build", "-v")
    assert done.returncode == 0, done.stdout
    assert builds(done) == ["1/2", "1/1", "1/1", "1/1"]
    assert "not built: mm/ksm.c: fails without the series, too: mm/ksm.c:" in done.stdout


def test_the_users_configuration_counts_and_what_it_leaves_out_is_said(
    patchgen: Run, built: Path, series: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    (folder / "include/generated").mkdir(parents=True)
    (folder / "include/generated/autoconf.h").write_text("")
    options = ("--tree", built, "--no-proof", "--build", "-v", "--build-dir", folder)
    done = patchgen("verify", series, *options)
    assert done.returncode == 2
    assert "mine: --build needs a configured build folder: no .config is here" in done.stderr
    (folder / ".config").write_text("CONFIG_MMU_NOTIFIER=y\nCONFIG_KVM=y\n")
    before = state(folder)
    done = patchgen("verify", series, *options)
    assert builds(done) == ["1/2", "1/1", "1/1", "1/1"], done.stdout + done.stderr

    assert "mm/ksm.c: not in this configuration (CONFIG_KSM is off)" in done.stdout
    assert state(folder) == before


def test_a_tree_without_kbuild(patchgen: Run, built: Path, series: Path) -> None:
    (built / "scripts/Makefile.build").unlink()
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build")
    assert done.returncode == 2
    assert "cannot build: the tree has no kbuild (scripts/Makefile.build is missing)" in done.stderr


def test_a_tree_that_does_not_build_itself(patchgen: Run, built: Path, series: Path) -> None:
    file = built / "Makefile"
    file.write_text(file.read_text().replace("@mkdir -p $(O)/include", "@echo no yacc; false #"))
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build")
    assert done.returncode == 2
    assert "the tree itself cannot be built here: make" in done.stderr
    assert done.stderr.count("\n") == 1


def test_missing_programs_are_named_with_their_packages(
    patchgen: Run, built: Path, series: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name not in ("flex", "bison"):
            (folder / program.name).symlink_to(program)
    env = {**os.environ, "PATH": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build", env=env)
    assert done.returncode == 2
    assert "--build needs flex, bison" in done.stderr
    assert "apt install flex bison" in done.stderr


@pytest.mark.needs("Landlock")
def test_a_makefile_cannot_write_outside_its_build_folder(
    patchgen: Run, built: Path, series: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    file = built / "Makefile"
    recipe = f"@echo x > {victim}; echo x >> $(CURDIR)/mm/ksm.c; rm -f {victim}; mkdir -p $(O)/inc"
    file.write_text(file.read_text().replace("@mkdir -p $(O)/include", recipe))
    before = state(built)
    done = patchgen("verify", series, "--tree", built, "--no-proof", "--build")
    assert done.returncode == 0, done.stderr
    assert victim.read_text() == "mine"
    assert state(built) == before
