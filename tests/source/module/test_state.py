# SPDX-License-Identifier: GPL-2.0-only
"""A module's files as the rules see them, and how they are parsed against a built kernel."""

from __future__ import annotations

from pathlib import Path

from patchgen.model.base import Span
from patchgen.source.module.kbuild import module_at
from patchgen.source.module.state import ModuleState, common, masked
from tests.source.module.test_kbuild import written
from tests.source.module.test_kernel import TOP, half, made


def test_what_every_parse_skipped_is_blank_and_lines_stay():
    text = b"a\n#if X\nb\n#else\nc\n#endif\nd\n"
    assert masked(text, [Span(8, 16)]) == b"a\n#if X\n \n     \nc\n#endif\nd\n"
    one, two = [Span(0, 4), Span(6, 9)], [Span(2, 7), Span(8, 12)]
    assert common([one, two]) == (Span(2, 4), Span(6, 7), Span(8, 9))
    assert common([one]) == tuple(one) and common([]) == () and common([one, []]) == ()


def test_a_built_kernels_flags(tmp_path):
    makefile = f"{TOP}CC_FLAGS_USING += -DCC_USING_FENTRY\nKBUILD_CFLAGS := -std=gnu11\n"
    kernel = half(tmp_path / "k", False, makefile)
    made(kernel)
    options = "CONFIG_X86=y\nCONFIG_FUNCTION_TRACER=y\nCONFIG_HAVE_FENTRY=y\n"
    (kernel / "include/config/auto.conf").write_text(options)
    files = {"Kbuild": "obj-m := a.o\nccflags-y := -DOWN\n", "a.c": ""}
    module = module_at(written(tmp_path / "m", files), kernel, {"CONFIG_A": "y", "CONFIG_B": "n"})
    config = ModuleState(module, "x86").config("a.c")
    args = config.args
    assert {"-DMODULE", "-DOWN", "-DCC_USING_FENTRY", "-std=gnu11"} <= set(args)
    assert f"-I{kernel}/arch/x86/include/generated" in args
    assert str(kernel) in config.reads
    turned = next(word for word in args if word.endswith("/turned.h"))
    text = Path(turned).read_text("utf-8")
    assert "#define CONFIG_A 1" in text and "#undef CONFIG_B\n" in text
    assert "#define CONFIG_B" not in text
