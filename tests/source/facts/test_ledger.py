# SPDX-License-Identifier: GPL-2.0-only
"""The ledger against a token count made another way: nothing may vanish from it."""

import pytest

from patchgen.source.facts.inspection import inspect
from patchgen.source.facts.state import TreeState, api_names
from patchgen.source.tree.registry import resolve

WORD = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$")


def identifiers(text: str) -> list[tuple[int, str]]:
    """Offset and text of each identifier outside comments, literals and #include lines.

    One character at a time, with no regular expression and nothing of patchgen's.
    """
    found = []
    at, size = 0, len(text)
    line_is_blank = True
    while at < size:
        char = text[at]
        if char == "\n":
            line_is_blank = True
            at += 1
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            at = size if end < 0 else end + 2
        elif text.startswith("//", at) or (line_is_blank and is_include(text, at)):
            at = end_of_line(text, at)
        elif char in "\"'":
            at = end_of_literal(text, at)
            line_is_blank = False
        elif char in WORD:
            end = at
            while end < size and text[end] in WORD:
                end += 1
            if not char.isdigit():
                found.append((at, text[at:end]))
            at = end
            line_is_blank = False
        else:
            line_is_blank = line_is_blank and char in " \t"
            at += 1
    return found


def is_include(text: str, at: int) -> bool:
    return text[at] == "#" and text[at + 1 :].lstrip(" \t").startswith("include")


def end_of_line(text: str, at: int) -> int:
    while at < len(text) and text[at] != "\n":
        at += 2 if text[at] == "\\" else 1
    return at


def end_of_literal(text: str, at: int) -> int:
    quote = text[at]
    at += 1
    while at < len(text) and text[at] not in (quote, "\n"):
        at += 2 if text[at] == "\\" else 1
    return at + 1


def test_the_count_of_this_test_itself():
    text = 'int a; /* b */ // c \\\nd\n"e\\"f" \'g\'\n# include <h.h>\n#define i(j) k##l\n0x1m n1'
    assert [name for _, name in identifiers(text)] == [
        "int", "a", "define", "i", "j", "k", "l", "n1",
    ]  # fmt: skip


def reconcile(root, paths=()):
    found = inspect(TreeState(resolve(str(root))), paths)
    names = api_names()
    assert found.files
    for facts in found.files:
        # Latin-1 keeps byte offsets.
        text = (root / facts.path).read_bytes().decode("latin-1")
        counted = [(at, word) for at, word in identifiers(text) if word in names]
        listed = [(mention.offset, mention.name) for mention in facts.mentions]
        assert listed == counted, facts.path
    return found


@pytest.mark.parametrize("name", ["mini", "mini50"])
def test_every_mention_of_the_bundled_trees_is_in_the_ledger(request, name):
    root = request.getfixturevalue(name)
    found = reconcile(root)
    assert found.failed == ()
    assert {mention.state for mention in found.mentions} <= {"analysed", "macro", "declaration"}
    # The text search may not be narrower than the ledger either.
    seen = {facts.path for facts in found.files}
    for path in root.rglob("*.[ch]"):
        words = {word for _, word in identifiers(path.read_bytes().decode("latin-1"))}
        if words & api_names():
            assert str(path.relative_to(root)) in seen


@pytest.mark.kernel
def test_every_mention_of_real_files_is_in_the_ledger(kernel_tree):
    paths = ["mm/ksm.c", "mm/memory.c", "mm/migrate.c", "virt/kvm/kvm_main.c"]
    found = reconcile(kernel_tree("5.10"), paths)
    assert found.failed == ()
    assert len(found.mentions) > 60


def test_a_mention_in_every_odd_place_is_counted(tree):
    file = tree / "mm/odd.c"
    file.write_text(
        "#include <linux/mmu_notifier.h>\n"
        '/* mmu_notifier_ops */ // mmu_notifier_ops\nchar *s = "mmu_notifier_ops";\n'
        "#define ODD(x) \\\n\tmmu_notifier_synchronize()\n"
        "#if defined(mmu_notifier_never)\nstruct mmu_notifier_ops *never;\n#endif\n"
        "#ifdef mmu_notifier_range_init\n#endif\n"
        "extern struct mmu_notifier_ops *seen;\n"
        "void odd(void)\n{\n\tmmu_notifier_synchronize();\n}\n"
    )
    found = reconcile(tree, ["mm/odd.c"])
    states = [(m.line, m.name, m.state) for m in found.mentions]
    assert states == [
        (5, "mmu_notifier_synchronize", "macro"),
        (7, "mmu_notifier_ops", "inactive"),
        (9, "mmu_notifier_range_init", "declaration"),
        (11, "mmu_notifier_ops", "declaration"),
        (14, "mmu_notifier_synchronize", "analysed"),
    ]


def test_code_that_is_not_understood_is_unparsed_with_its_line(tree):
    file = tree / "mm/odd.c"
    file.write_text(
        "#include <linux/mmu_notifier.h>\nvoid odd(void)\n{\n\tmmu_notifier_synchronize(;\n}\n"
    )
    (mention,) = reconcile(tree, ["mm/odd.c"]).mentions
    assert mention.state == "unparsed"
    assert "mm/odd.c:4" in mention.detail
