# SPDX-License-Identifier: GPL-2.0-only
"""A name that stays as it is, and that its users do not see any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.source.c.lexer import lexed
from patchgen.verify.standing import standing
from tests.verify.patches import checked, edited
from tests.verify.test_users import HEADER, LIB, SOURCE, USER_PATH, lib  # noqa: F401

MORE = """\
#include <linux/x_sub.h>
struct x_ops { int (*get)(struct x_state *s); void (*put)(struct x_state *s); };
typedef struct { int inner; } x_in_t;
struct x_out { x_in_t in; union { int u_a; long u_b; }; };
typedef enum { XT_A, XT_B } x_enum_t;
#define X_SET(s) do { (s)->level = 1; } while (0)
int x_var(int a, ...);
#endif
"""
SUB = "include/linux/x_sub.h"
USER = """
#include <linux/x_lib.h>
static int my_get(struct x_state *s) { return s->level; }
struct x_ops my_ops = { .get = my_get };
int user_two(struct x_out *o, struct x_state *s);
int user_two(struct x_out *o, struct x_state *s)
{
	X_SET(s);
	return o->in.inner + o->u_a + XT_B + x_var(1, 2) + sub_fn(1);
}
"""
PROTOTYPE = "int x_var(int a, ...);\n"
SET = "#define X_SET(s) do { (s)->level = 1; } while (0)\n"


@pytest.fixture
def two(lib: Path) -> Path:  # noqa: F811
    """Two users; the one that is tried first for the header uses nothing of it."""
    (lib / SUB).write_text("#ifndef _SUB\n#define _SUB\nint sub_fn(int a);\n#endif\n")
    (lib / LIB).write_text(HEADER.replace("#endif\n", MORE))
    (lib / USER_PATH).write_text(USER)
    (lib / "drivers/gpu/drm/a_first.c").write_text(
        "#include <linux/mmu_notifier.h>\n#include <linux/x_lib.h>\nint a_first;\n"
    )
    return lib


def behind(text: str, condition: str = "#ifdef CONFIG_X_NEVER") -> tuple[str, str]:
    return text, f"\n{condition}\n{text}\n#endif\n"


BREAKS = {
    "a prototype behind an option": behind(PROTOTYPE),
    "a macro behind an option": behind(SET),
    "a macro in another branch": behind(SET, "#if 1\n#elif defined(CONFIG_MMU)"),
    "a member behind an option": behind("int u_a;"),
    "a macro that is undefined": (PROTOTYPE, PROTOTYPE + "#undef X_SET\n"),
    "an include that is gone": ("#include <linux/x_sub.h>\n", ""),
    "an include behind an option": behind("#include <linux/x_sub.h>\n"),
    "a constant of an unnamed enumeration": ("XT_A, XT_B", "XT_A"),
    "a member of an unnamed struct": ("{ int inner; }", "{ int outer; }"),
    "a callback with another argument": ("(*get)(struct x_state *s)", "(*get)(int a)"),
}  # fmt: skip


@pytest.mark.parametrize("change", BREAKS)
def test_what_a_user_does_not_see_any_more_is_an_error(two: Path, change: str) -> None:
    check = checked(two, edited(two, LIB, BREAKS[change]))
    faults = [fault for fault in check.faults if fault.startswith(f"{USER_PATH}:")]
    assert faults and all(f" in {LIB}:" in fault for fault in faults), check.faults
    assert USER_PATH in check.users


def test_the_same_under_the_same_conditions_changes_nothing(two: Path) -> None:
    text = (two / LIB).read_text()
    moved = text.replace(PROTOTYPE, "").replace(SET, f"{SET}\n/* here */\n{PROTOTYPE}")
    assert moved != text
    check = checked(two, {LIB: moved.replace("_X_LIB_H", "_X_LIB_GUARD")})
    assert check.faults == () and check.users == ()


def test_a_header_that_is_renamed_and_still_included_is_an_error(two: Path) -> None:
    new = "include/linux/x_new.h"
    text = (two / LIB).read_text()
    check = checked(two, {LIB: None, new: text}, {new: LIB})
    assert any(f.startswith(f"{USER_PATH}: includes {LIB}") for f in check.faults), check.faults
    named = {path: (two / path).read_text().replace("x_lib.h", "x_new.h") for path in
             (USER_PATH, "lib/x_lib.c", "drivers/gpu/drm/a_first.c")}  # fmt: skip
    assert checked(two, {LIB: None, new: text, **named}, {new: LIB}).faults == ()


def sources(**edits: str) -> dict[str, str]:
    """The library's source with texts replaced, their names with blanks for underscores."""
    text = SOURCE
    for old, new in edits.items():
        text = text.replace(old.replace("__", " "), new)
    return {"lib/x_lib.c": text}


def test_a_definition_behind_an_option_is_said(lib: Path) -> None:  # noqa: F811
    text = sources(int__x_count="#ifdef CONFIG_X_NEVER\nint x_count",
                   EXPORT_SYMBOL_GPL="#endif\nEXPORT_SYMBOL_GPL")  # fmt: skip
    said = f"{USER_PATH}:11: x_count() is used, and lib/x_lib.c:8 defines it under"
    check = checked(lib, text)
    assert f"{said} #ifdef CONFIG_X_NEVER alone now" in check.remarks
    off = {path: one.replace("ifdef CONFIG_X_NEVER", "if 0") for path, one in text.items()}
    assert f"{said} #if 0 alone now" in checked(lib, off).faults
    header = HEADER.replace(
        "int x_count(struct x_state *s);",
        "#ifdef CONFIG_X_NEVER\nint x_count(struct x_state *s);\n#else\n"
        "static inline int x_count(struct x_state *s) { return 0; }\n#endif",
    )
    both = checked(lib, {**text, LIB: header})
    assert not [remark for remark in both.remarks if "alone now" in remark]


def test_a_definition_that_becomes_static_is_gone(lib: Path) -> None:  # noqa: F811
    """The compiler sees it only where the prototype is seen, too."""
    text = SOURCE.replace("#include <linux/x_lib.h>", "struct x_state { int level; };")
    text = text.replace("EXPORT_SYMBOL_GPL(x_count);\n", "")
    (lib / "lib/x_lib.c").write_text(text)
    check = checked(lib, {"lib/x_lib.c": text.replace("int x_count", "static int x_count")})
    assert any("x_count() is used, and defined nowhere any more" in f for f in check.faults)


def test_conditions_are_told_with_the_branches_before() -> None:
    text = (b"#ifndef G\n#define G\n#ifdef A /* x */\n1\n#elif B\n2\n#else\n3\n#endif\n4\n"
            b"#ifndef H\n5\n#endif\n#endif\n6\n")  # fmt: skip
    under = standing(lexed(text))
    lines = text.split(b"\n")
    found = {int(one): under(number) for number, one in enumerate(lines, 1) if one.isdigit()}
    assert found == {
        1: ("ifdef A",), 2: ("ifdef A / elif B",), 3: ("ifdef A / elif B / else",), 4: (),
        5: ("ifndef H",), 6: (),
    }  # fmt: skip
