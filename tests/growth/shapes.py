# SPDX-License-Identifier: GPL-2.0-only
"""Files of one kind of code, n times over."""

from __future__ import annotations

from collections.abc import Callable

HEAD = """\
#include <linux/mmu_notifier.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
int g(int);
static spinlock_t lock;
"""
START = """\
struct mmu_notifier_range range;
mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, 0, mm, 0, 4096);
mmu_notifier_invalidate_range_start(&range);
"""
END = "mmu_notifier_invalidate_range_end(&range);\n"
OPEN, CLOSE = "if (g(x)) { ", "}"


def function(body: str, name: str = "f") -> str:
    """A function with one section around ``body``."""
    return f"int {name}(struct mm_struct *mm, int x)\n{{\n{START}{body}{END}return 0;\n}}\n"


def inside(part: Callable[[int], str]) -> Callable[[int], str]:
    """A file with one section, and in it ``part`` for each number below n."""
    return lambda n: HEAD + function("".join(part(i) for i in range(n)))


def outside(part: Callable[[int], str]) -> Callable[[int], str]:
    """A file with ``part`` at its top level for each number below n, and a section."""
    return lambda n: HEAD + "".join(part(i) for i in range(n)) + function("x = g(x);\n")


def around(before: str, part: Callable[[int], str], after: str) -> Callable[[int], str]:
    """A file with one section, and in it the parts between ``before`` and ``after``."""
    return lambda n: HEAD + function(before + "".join(part(i) for i in range(n)) + after)


def _sections(n: int) -> str:
    one = START.partition("\n")[2] + END
    body = one * n
    declared = "struct mmu_notifier_range range;\n"
    return f"{HEAD}int f(struct mm_struct *mm, int x)\n{{\n{declared}{body}return 0;\n}}\n"


def _chain(n: int) -> str:
    calls = "".join(f"int c{i}(int x) {{ return c{i - 1}(x); }}\n" for i in range(1, n))
    return f"{HEAD}int c0(int x) {{ return g(x); }}\n{calls}" + function(f"x = c{n - 1}(x);\n")


def _labels(n: int) -> str:
    return HEAD + function("".join(f"l{i}: if (g({i})) goto l{i * 7 % n};\n" for i in range(n)))


def _nested(opening: str, closing: str) -> Callable[[int], str]:
    return lambda n: HEAD + function(opening * n + "x = 1;\n" + closing * n)


#: What grows → the file with n of it.
SHAPES: dict[str, Callable[[int], str]] = {
    "statements": inside(lambda i: "x = g(x);\n"),
    "variables": inside(lambda i: f"int v{i} = g(x);\n"),
    "conditions": inside(lambda i: f"if (g({i})) x = {i};\n"),
    "returns": inside(lambda i: f"if (x == {i}) return {i};\n"),
    "else ifs": around("", lambda i: f"if (x == {i}) x = g({i}); else\n", "x = 0;\n"),
    "cases": around("switch (x) {\n", lambda i: f"case {i}: x = g({i}); break;\n", "}\n"),
    "cases that fall": around("switch (x) {\n", lambda i: f"case {i}: x = g({i});\n", "}\n"),
    "loops": inside(lambda i: f"while (g({i})) x = g(x);\n"),
    "labels": _labels,
    "locks": inside(lambda i: "spin_lock(&lock); x = g(x); spin_unlock(&lock);\n"),
    "sections": _sections,
    "functions with a section": outside(lambda i: function("x = g(x);\n", f"s{i}")),
    "functions": outside(lambda i: f"int f{i}(int x) {{ return g(x); }}\n"),
    "functions of one name": outside(lambda i: "int same(int x) { return same(x); }\n"),
    "calls in a chain": _chain,
    "mentions in comments": inside(lambda i: "/* mmu_notifier_invalidate_range_start */\n"),
    "macros": outside(lambda i: f"#define M{i}(x) g(x + {i})\n"),
    "macros of macros": outside(lambda i: f"#define M{i + 1}(x) M{i}(x)\n"),
    "calls of macros": around("\n#define M(x) g(x)\n", lambda i: "x = M(x);\n", ""),
    "preprocessor branches": inside(lambda i: f"#ifdef CONFIG_A{i}\nx = g({i});\n#endif\n"),
    "terms of a sum": around("x = ", lambda i: "x + ", "1;\n"),
    "terms of a condition": around("if (", lambda i: f"x == {i} || ", "x) x = 2;\n"),
    "lines spliced": around("x = ", lambda i: "x + \\\n", "1;\n"),
    "arguments": around("h(", lambda i: "x, ", "x);\n"),
    "numbers of a table": around("static int t[] = {", lambda i: f"{i}, ", "};\n"),
    "tables of callbacks": outside(
        lambda i: f"static const struct mmu_notifier_ops o{i} = {{ .release = rel }};\n"
    ),
    "parentheses": around("x = ", lambda i: "(", "1;\n"),
    "blocks": _nested("{", "}"),
    "nested conditions": _nested(OPEN, CLOSE),
    "nested loops": _nested("while (g(x)) { ", CLOSE),
    "nested preprocessor conditions": _nested("\n#if 1\n", "\n#endif\n"),
}
