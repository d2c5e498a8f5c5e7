# SPDX-License-Identifier: GPL-2.0-only
"""What was looked at is said; what was not never reads like what is clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verify.patches import checked, edited, state_of

ENGINE = "drivers/misc/scratch_engine.c"
HEAD = (
    "// SPDX-License-Identifier: GPL-2.0\n#include <linux/mm.h>\n#include <linux/mmu_notifier.h>\n"
)
SECTION = """
int x_open(struct mm_struct *mm, unsigned long start, unsigned long end);
int x_open(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	if (start >= end)
		return 0;
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, NULL, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	%s;
	return 0;
}
"""


def test_a_file_that_does_not_parse_is_not_linted_and_fixes_nothing(tree: Path) -> None:
    leak = ("\tmutex_unlock(&ctx->job_lock);\n\treturn 0;", "\treturn 0;")
    worse = edited(tree, ENGINE, leak)
    assert checked(tree, worse).lint.introduced, "a finding to begin with"
    (tree / ENGINE).write_text(str(worse[ENGINE]))
    check = checked(
        tree, edited(tree, ENGINE, ("	ctx->dead = true;", "	ctx->dead = no_such();"))
    )
    assert state_of(check, ENGINE) == "not analysed"
    assert check.lint_cell == "not analysed" and check.parse_cell == "0/1"
    assert not check.lint.fixed and check.lint.unchanged == 0
    assert any("no_such" in fault for fault in check.faults)
    assert check.undecided


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("tools/testing/selftests/x/x.c", "not kernel code"),
        ("samples/x/x.c", "not kernel code"),
        ("scripts/x.c", "not kernel code"),
        ("Documentation/x/x.c", "not kernel code"),
        ("drivers/misc/x.rst", "no C"),
        ("drivers/misc/Makefile", "no C"),
    ],
)
def test_what_is_no_kernel_code_is_named_and_cannot_fail(tree: Path, path: str, state: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    check = checked(tree, {path: "#include <stdio.h>\nint main(void) { return printf(); }\n"})
    assert [(v.path, v.state) for v in check.files] == [(path, state)]
    assert check.faults == () == check.undecided
    assert check.parse_cell == "-" == check.lint_cell


def test_a_program_of_the_build_is_none_by_what_it_includes(tree: Path) -> None:
    source = '#include <stdio.h>\nint main(void) { return printf("x"); }\n'
    makefile = (tree / "lib/Makefile").read_text() if (tree / "lib/Makefile").exists() else ""
    listed = {"lib/Makefile": makefile + "hostprogs := gen_x\n", "lib/gen_x.c": source}
    assert state_of(checked(tree, listed), "lib/gen_x.c") == "not kernel code"
    check = checked(tree, {"lib/gen_x.c": source})
    assert state_of(check, "lib/gen_x.c") == "not analysed" and check.faults


def test_a_deleted_file_is_deleted(tree: Path) -> None:
    check = checked(tree, {ENGINE: None})
    assert state_of(check, ENGINE) == "deleted" and check.parse_cell == "-"


@pytest.mark.parametrize("arch", ["alpha", "parisc", "sparc", "xtensa"])
@pytest.mark.parametrize("name", ["mm/fault.c", "include/asm/x.h"])
def test_an_architecture_that_cannot_be_parsed_is_said(tree: Path, arch: str, name: str) -> None:
    path = f"arch/{arch}/{name}"
    check = checked(tree, {path: "int x;\n"})
    assert state_of(check, path) == "not analysed" and arch in check.files[0].detail
    assert check.faults == () and check.undecided == (), "it has no notifier code"
    assert check.parse_cell == "0/1"
    loud = checked(tree, {path: "void f(void) { mmu_notifier_invalidate_range_end(x); }\n"})
    assert loud.undecided and not loud.faults


@pytest.mark.parametrize("condition", ["#ifdef CONFIG_X_SELDOM", "#if IS_ENABLED(CONFIG_X_SELDOM)"])
def test_code_that_an_option_brings_in_is_parsed_with_it(tree: Path, condition: str) -> None:
    open_end = HEAD + condition + SECTION % "(void)0" + "#endif\n"
    check = checked(tree, {"mm/x.c": open_end})
    assert [f.rule for f in check.lint.introduced] == ["MN001"]
    assert "+X_SELDOM" in check.files[0].detail
    broken = checked(tree, {"mm/x.c": HEAD + condition + SECTION % "no_such(mm)" + "#endif\n"})
    assert broken.lint_cell == "not analysed" and broken.undecided
    assert any("no_such" in fault and "+X_SELDOM" in fault for fault in broken.faults)


def test_a_syntax_error_in_a_branch_that_is_off_is_an_error(tree: Path) -> None:
    base = (tree / "mm/ksm.c").read_text()
    for branch in (
        "#ifdef CONFIG_X\nint x = ;\n#endif\n",
        "#ifndef CONFIG_MMU\nint x = ;\n#endif\n",
        "#ifdef CONFIG_MMU\nint y;\n#else\nint x = ;\n#endif\n",
        "#if defined(CONFIG_X) && !defined(CONFIG_Y)\nint x = ;\n#endif\n",
    ):
        check = checked(tree, {"mm/ksm.c": base + branch})
        assert any("expected expression" in fault for fault in check.faults), branch


def test_code_that_nothing_makes_active_is_said(tree: Path) -> None:
    text = (tree / "mm/ksm.c").read_text()
    check = checked(tree, {"mm/ksm.c": text + "#if 0\nint dead(void) { return 1; }\n#endif\n"})
    assert check.faults == () == check.undecided
    assert state_of(check, "mm/ksm.c") == "not analysed"
    assert "active in no configuration" in check.files[0].detail
    inner = "{\n\tmmu_notifier_invalidate_range_end(r);\n}\n"
    loud = "#if 0\nint dead(struct mmu_notifier_range *r)\n" + inner + "#endif\n"
    check = checked(tree, {"mm/ksm.c": text + loud})
    assert len(check.lint.off) == 2 == check.lint.mentions and len(check.undecided) == 2
    other = checked(tree, {"mm/ksm.c": text + "#ifdef CONFIG_ARM64\nint x = ;\n#endif\n"})
    assert state_of(other, "mm/ksm.c") == "not analysed", "the tree has no such architecture"
    beside = {
        "mm/ksm.c": text.replace("page_has_other_users", "page_has_others") + "#if 0\nx\n#endif\n"
    }
    both = checked(tree, beside)
    assert state_of(both, "mm/ksm.c") == "analysed"
    assert any("active in no configuration" in remark for remark in both.remarks)


@pytest.mark.parametrize("include", ['#include "x_private.h"', "#include <linux/x_private.h>"])
def test_a_header_is_checked_through_what_includes_it(tree: Path, include: str) -> None:
    path = "include/linux/x_private.h" if "<" in include else "drivers/misc/x_private.h"
    body = "static inline int x_of(struct scratch_ctx *ctx)\n{\n	return ctx->dead;\n}\n"
    text = (tree / ENGINE).read_text()
    user = text.replace(
        "static struct scratch_ctx *mn_to_ctx",
        include + "\n\nstatic struct scratch_ctx *mn_to_ctx",
        1,
    )
    check = checked(tree, {path: body, ENGINE: user})
    assert check.faults == () and state_of(check, path) == "analysed"
    (tree / ENGINE).write_text(user)
    (tree / path).write_text(body)
    worse = checked(tree, {path: body.replace("ctx->dead", "ctx->deaf")})
    assert any("deaf" in fault for fault in worse.faults)
    better = checked(tree, {path: body.replace("ctx->dead", "!ctx->dead")})
    assert better.faults == () and ENGINE in better.files[0].detail


def test_a_template_that_is_included_twice_is_parsed_where_it_is_included(tree: Path) -> None:
    tmpl = "static int FNAME(of)(struct scratch_ctx *ctx)\n{\n	return ctx->dead;\n}\n"
    twice = "\n#define FNAME(n) one_##n\n#include \"x_tmpl.h\"\n#undef FNAME\n" \
        "#define FNAME(n) two_##n\n#include \"x_tmpl.h\"\n#undef FNAME\n"  # fmt: skip
    (tree / ENGINE).write_text((tree / ENGINE).read_text() + twice)
    (tree / "drivers/misc/x_tmpl.h").write_text(tmpl)
    good = checked(tree, {"drivers/misc/x_tmpl.h": tmpl.replace("dead;", "dead && ctx->base;")})
    assert good.faults == () and good.parse_cell == "1/1"
    bad = checked(tree, {"drivers/misc/x_tmpl.h": tmpl.replace("dead", "no_such")})
    assert bad.faults and bad.parse_cell == "0/1"


def test_a_header_that_nobody_includes_is_not_analysed(tree: Path) -> None:
    check = checked(tree, {"drivers/misc/x_alone.h": "struct x { no_such_t y; };\n"})
    assert state_of(check, "drivers/misc/x_alone.h") == "not analysed" and not check.faults
    loud = {"drivers/misc/x_alone.h": "static inline void f(struct mmu_notifier *mn) {}\n"}
    assert checked(tree, loud).undecided


@pytest.mark.parametrize("way", ["plain", "list", "ifdef"])
def test_a_new_file_is_gated_by_the_makefile_line_that_comes_with_it(tree: Path, way: str) -> None:
    lines = {
        "plain": "obj-$(CONFIG_X_GATE) += x.o\n",
        "list": "obj-$(CONFIG_X_GATE) += xx.o\nxx-y := x.o\n",
        "ifdef": "ifdef CONFIG_X_GATE\nobj-y += x.o\nendif\n",
    }
    source = "#ifndef CONFIG_X_GATE\n#error not the way it is built\n#endif\nint x;\n"
    makefile = (tree / "drivers/misc/Makefile").read_text()
    with_line = {"drivers/misc/Makefile": makefile + lines[way], "drivers/misc/x.c": source}
    assert checked(tree, with_line).faults == ()
    without = checked(tree, {"drivers/misc/x.c": source})
    assert any("not the way" in fault for fault in without.faults)
    assert any("no Makefile lists it" in remark for remark in without.remarks)
