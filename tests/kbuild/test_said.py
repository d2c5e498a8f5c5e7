# SPDX-License-Identifier: GPL-2.0-only
"""make's output, told apart by object; the texts have the form that 5.10 and 6.13 give."""

from __future__ import annotations

from patchgen.kbuild.said import understand

SRC, OUT = "/c/build/k/src", "/c/build/k/obj"

_TEXT = """\
  CC      mm/ksm.o
In file included from /c/build/k/src/mm/ksm.c:20:
/c/build/k/src/mm/ksm.c: In function 'f':
/c/build/k/src/mm/ksm.c:30:3: error: expected ';' before 'x'
/c/build/k/src/mm/ksm.c:31:3: error: and another one
make[3]: *** [/c/build/k/src/scripts/Makefile.build:286: mm/ksm.o] Error 1
make[3]: *** No rule to make target 'mm/hmm.o'.
make[2]: *** [/c/build/k/src/scripts/Makefile.build:483: __build] Error 2
make[1]: *** [/c/build/k/src/Makefile:1877: mm] Error 2
/c/build/k/src/arch/x86/kvm/../../../virt/kvm/kvm_main.c:7:10: fatal error: no.h: No such file
make[3]: *** [/c/build/k/src/scripts/Makefile.build:286: \
arch/x86/kvm/../../../virt/kvm/kvm_main.o] Error 1
make[1]: Target 'mm/ksm.o' not remade because of errors.
"""


def test_each_object_has_its_first_error_and_paths_are_the_trees() -> None:
    said = understand(_TEXT, SRC, OUT)
    assert said.errors == {
        "mm/ksm.o": "mm/ksm.c:30: expected ';' before 'x'",
        "arch/x86/kvm/../../../virt/kvm/kvm_main.o": "virt/kvm/kvm_main.c:7: no.h: No such file",
    }
    assert said.unknown == {"mm/hmm.o"}
    assert said.first == "mm/ksm.c:30: expected ';' before 'x'"


def test_folders_that_fail_for_their_objects_are_no_errors_of_their_own() -> None:
    text = """\
../src/mm/ksm.c:9:1: error: bad
make[4]: *** [../src/scripts/Makefile.build:289: mm/ksm.o] Error 1
make[3]: *** [../src/scripts/Makefile.build:548: mm] Error 2
make[2]: *** [/c/build/k/src/Makefile:2222: .] Error 2
make[1]: *** [/c/build/k/src/Makefile:248: __sub-make] Error 2
"""
    assert understand(text, SRC, OUT).errors == {"mm/ksm.o": "mm/ksm.c:9: bad"}


def test_a_missing_file_that_something_needs_is_no_unknown_target() -> None:
    text = "make[3]: *** No rule to make target 'mm/gone.h', needed by 'mm/ksm.o'.  Stop.\n"
    said = understand(text, SRC, OUT)
    assert said.unknown == frozenset()
    assert "needed by 'mm/ksm.o'" in said.first


def test_paths_relative_to_the_build_folder() -> None:
    text = "../src/mm/ksm.c:3:1: error: bad\nmake[4]: *** [x:1: mm/ksm.o] Error 1\n"
    assert understand(text, SRC, OUT).errors == {"mm/ksm.o": "mm/ksm.c:3: bad"}


def test_a_tool_that_dies_gives_makes_own_line() -> None:
    text = "make[3]: *** [Makefile.build:1: mm/ksm.o] Segmentation fault\n"
    assert understand(text, SRC, OUT).errors == {"mm/ksm.o": text.strip()}
