# SPDX-License-Identifier: GPL-2.0-only
"""Other files feel a patch: who uses what it changes, in the whole tree, is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.verify import users
from patchgen.verify.names import changed_names
from tests.verify.patches import checked, edited

LIB = "include/linux/x_lib.h"
#: A header whose users mention no name of the API.
HEADER = """
#ifndef _X_LIB_H
#define _X_LIB_H
enum x_kind { X_ONE, X_TWO };
typedef unsigned long x_long_t;
struct x_state { int level; x_long_t mask; };
#define x_twice(a) ((a) + (a))
#define X_LIMIT 16
static inline int x_level(const struct x_state *s) { return s->level; }
int x_count(struct x_state *s);
extern int x_total;
#endif
"""
SOURCE = """
#include <linux/export.h>
#include <linux/x_lib.h>

int x_total;

int x_count(struct x_state *s)
{
	return s->level + x_total;
}
EXPORT_SYMBOL_GPL(x_count);
"""
USER = """
#include <linux/x_lib.h>

int far_away(struct x_state *s);
int far_away(struct x_state *s)
{
	x_long_t m = s->mask;

	if (x_twice(s->level) > X_LIMIT)
		return X_TWO;
	return x_level(s) + x_count(s) + x_total + (int)m;
}
"""
USER_PATH = "drivers/gpu/drm/tiny/x_user.c"


@pytest.fixture
def lib(tree: Path) -> Path:
    (tree / LIB).write_text(HEADER)
    (tree / "lib/x_lib.c").write_text(SOURCE)
    (tree / "lib/Makefile").write_text("obj-y += x_lib.o\n")
    (tree / USER_PATH).write_text(USER)
    makefile = tree / "drivers/gpu/drm/tiny/Makefile"
    makefile.write_text(makefile.read_text() + "obj-$(CONFIG_X_USER) += x_user.o\n")
    (tree / "drivers/gpu/drm/tiny/Kconfig").write_text('config X_USER\n\ttristate "a user"\n')
    return tree


BREAKS = {
    "a macro with another argument": ("x_twice(a) ((a) + (a))", "x_twice(a, b) ((a) + (b))"),
    "a macro that is gone": ("#define X_LIMIT 16\n", ""),
    "a macro that expands to nothing that is there": ("X_LIMIT 16", "X_LIMIT X_OTHER"),
    "an inline with another argument": ("x_level(const struct x_state *s)",
                                        "x_level(const struct x_state *s, int x)"),
    "an inline that is gone": (
        "static inline int x_level(const struct x_state *s) { return s->level; }\n", ""),
    "a prototype with another argument": ("x_count(struct x_state *s)", "x_count(int a, int b)"),
    "a prototype that is gone": ("int x_count(struct x_state *s);\n", ""),
    "a member that is gone": (" x_long_t mask;", ""),
    "a member with another name": ("x_long_t mask;", "x_long_t masks;"),
    "an enumerator that is gone": ("X_ONE, X_TWO", "X_ONE"),
    "a typedef that is gone": ("typedef unsigned long x_long_t;", "#define x_other_t unsigned"),
    "a variable that is gone": ("extern int x_total;\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("change", BREAKS)
def test_a_user_in_another_folder_that_breaks_is_an_error(lib: Path, change: str) -> None:
    check = checked(lib, edited(lib, LIB, BREAKS[change]))
    assert USER_PATH in check.users
    faults = [fault for fault in check.faults if fault.startswith(f"{USER_PATH}:")]
    assert faults, check.faults
    assert any(f" in {LIB}:" in fault for fault in faults), faults
    assert check.parsed < check.asked


KEEPS = {
    "a member more": ("int level;", "int level; int more;"),
    "a macro more": ("#define X_LIMIT 16", "#define X_LIMIT 16\n#define X_MORE 3"),
    "a comment": ("#define X_LIMIT 16", "/* at most */\n#define X_LIMIT 16"),
    "another value": ("X_LIMIT 16", "X_LIMIT 17"),
    "another body": ("return s->level;", "return s->level + 1;"),
    "a wider argument": ("x_count(struct x_state *s)", "x_count(struct x_state  *state)"),
}


@pytest.mark.parametrize("change", KEEPS)
def test_what_breaks_no_user_is_no_error(lib: Path, change: str) -> None:
    check = checked(lib, edited(lib, LIB, KEEPS[change]))
    assert check.faults == () and check.parsed == check.asked


def test_a_user_that_is_mended_in_the_same_patch_is_none(lib: Path) -> None:
    renamed = {**edited(lib, LIB, ("x_twice(a)", "x_double(a)")),
               **edited(lib, USER_PATH, ("x_twice(", "x_double("))}  # fmt: skip
    assert checked(lib, renamed).faults == ()


def test_a_clash_with_a_name_that_another_file_has_is_an_error(lib: Path) -> None:
    (lib / USER_PATH).write_text(USER + "\nstatic int x_new(void) { return 0; }\nint y_new;\n")
    check = checked(
        lib, edited(lib, LIB, ("extern int x_total;", "extern int x_total;\nint x_new(int);"))
    )
    assert any(fault.startswith(USER_PATH) for fault in check.faults)


def test_a_user_behind_an_option_is_parsed_with_it(lib: Path) -> None:
    inner = "#ifdef CONFIG_X_SELDOM\nint seldom(void) { return x_twice(1); }\n#endif\n"
    (lib / "drivers/gpu/drm/tiny/x_user.c").write_text("#include <linux/x_lib.h>\n" + inner)
    check = checked(lib, edited(lib, LIB, BREAKS["a macro with another argument"]))
    assert any("+X_SELDOM" in fault for fault in check.faults), check.remarks


def test_old_errors_of_a_user_are_its_own(lib: Path) -> None:
    (lib / USER_PATH).write_text(USER.replace("return X_TWO", "return X_NO_SUCH"))
    check = checked(lib, edited(lib, LIB, ("X_LIMIT 16", "X_LIMIT 17")))
    assert check.faults == ()


def test_the_users_beyond_the_bound_are_counted(lib: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MOST", 2)
    for number in range(4):
        (lib / f"drivers/gpu/drm/tiny/x_{number}.c").write_text(USER)
    check = checked(lib, edited(lib, LIB, ("X_LIMIT 16", "X_LIMIT 17")))
    assert len(check.users) == 2
    assert any("2 of 5 users of changed names were looked at" in r for r in check.remarks)


def test_a_definition_that_is_gone_and_used_is_an_error(lib: Path) -> None:
    body = SOURCE[SOURCE.index("int x_count") : SOURCE.index("EXPORT")]
    check = checked(
        lib, edited(lib, "lib/x_lib.c", (body, ""), ("EXPORT_SYMBOL_GPL(x_count);\n", ""))
    )
    (fault,) = [f for f in check.faults if "defined nowhere" in f]
    assert fault.startswith(f"{USER_PATH}:") and "lib/x_lib.c:7" in fault
    static = checked(lib, edited(lib, "lib/x_lib.c", ("\nint x_count", "\nstatic int x_count")))
    assert any("x_count" in fault for fault in static.faults)


@pytest.mark.parametrize("way", ["moved", "macro", "inline", "unused"])
def test_a_definition_that_is_elsewhere_now_is_no_error(lib: Path, way: str) -> None:
    body = SOURCE[SOURCE.index("int x_count") :]
    files = edited(lib, "lib/x_lib.c", (body, ""))
    if way == "moved":
        files["lib/x_more.c"] = "#include <linux/export.h>\n#include <linux/x_lib.h>\n" + body
        files["lib/Makefile"] = "obj-y += x_lib.o x_more.o\n"
    elif way == "macro":
        inline = "static inline int x_count(struct x_state *s) { return 1; }"
        files |= edited(lib, LIB, ("int x_count(struct x_state *s);", inline))
    else:
        files |= edited(lib, USER_PATH, (" + x_count(s)", ""))
    assert [f for f in checked(lib, files).faults if "x_count" in f] == []


def test_an_export_that_is_gone_and_used_by_a_module_is_an_error(lib: Path) -> None:
    gone = ("EXPORT_SYMBOL_GPL(x_count);\n", "")
    (fault,) = checked(lib, edited(lib, "lib/x_lib.c", gone)).faults
    assert fault.startswith(f"{USER_PATH}:") and "exported no more" in fault
    (lib / "drivers/gpu/drm/tiny/Kconfig").write_text('config X_USER\n\tbool "a user"\n')
    assert checked(lib, edited(lib, "lib/x_lib.c", gone)).faults == ()


def test_an_object_that_no_makefile_lists_and_that_is_used_is_an_error(lib: Path) -> None:
    check = checked(lib, {"lib/Makefile": "# nothing\n"})
    (fault,) = check.faults
    assert fault.startswith(f"{USER_PATH}:") and "not built any more" in fault
    elsewhere = {"lib/Makefile": "obj-$(CONFIG_X) += x_lib.o\n"}
    assert checked(lib, elsewhere).faults == ()
    unused = {**edited(lib, USER_PATH, (" + x_count(s)", "")), "lib/Makefile": "# nothing\n"}
    check = checked(lib, unused)
    assert check.faults == () and any("not built any more" in r for r in check.remarks)


def test_what_changes_is_told_by_kind() -> None:
    old = {
        "a.h": b"struct s { int a; int b; };\n#define M 1\nint f(int);\n",
        "b.h": b"int g(int);\n",
    }
    new = {"a.h": b"struct s { int a; };\n#define M 1 /* one */\nint g(int);\n",
           "b.h": b"int f(long);\n"}  # fmt: skip
    found = {(c.name, c.kind, c.how) for c in changed_names(old, new)}
    assert found == {("b", "member", "removed"), ("f", "prototype", "changed")}
