# SPDX-License-Identifier: GPL-2.0-only
"""Statement trees, made of tokens, against clang's own tree of the same file."""

from bisect import bisect_right

import pytest

from patchgen.facts.body import functions_in
from patchgen.facts.walk import walk
from patchgen.model import DoWhile, Expr, For, If, Return, Switch, While
from patchgen.parse.unit import parse
from patchgen.tree.flags import parse_config

STATEMENTS = {
    If: "IF_STMT", For: "FOR_STMT", While: "WHILE_STMT", DoWhile: "DO_STMT",
    Switch: "SWITCH_STMT", Return: "RETURN_STMT",
}  # fmt: skip


def by_clang(root, path, config):
    """(calls, statements, macro spans) of the main file's function bodies, as byte offsets."""
    from clang import cindex

    main = f"{root.resolve()}/{path}"
    options = cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD
    args = [*config.args, "-working-directory", str(root.resolve())]
    unit = cindex.Index.create().parse(main, args=args, options=options)
    macros, calls, statements = [], {}, set()
    kinds = set(STATEMENTS.values())
    for top in unit.cursor.get_children():
        if top.location.file is None or top.location.file.name != main:
            continue
        if top.kind.name == "MACRO_INSTANTIATION":
            macros.append((top.extent.start.offset, top.extent.end.offset))
        if top.kind.name != "FUNCTION_DECL" or not top.is_definition():
            continue
        for cursor in top.walk_preorder():
            kind = cursor.kind.name
            if kind == "CALL_EXPR":
                calls[cursor.extent.start.offset, cursor.extent.end.offset] = cursor.spelling
            elif kind in kinds:
                statements.add((kind, cursor.extent.start.offset))
    return calls, statements, sorted(macros)


def outside(macros):
    """A test of offsets: not where a macro is used, its arguments included."""
    merged: list[list[int]] = []
    for start, end in macros:
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])

    def test(offset):
        index = bisect_right(merged, [offset, 1 << 62]) - 1
        return index < 0 or offset >= merged[index][1]

    return test


def agree(root, path, least):
    config = parse_config(root, path)
    skipped = parse(root, path, config).skipped
    calls, statements, macros = by_clang(root, path, config)
    plain = outside(macros)
    source = (root / path).read_bytes()
    ours, our_statements = {}, set()
    for function in functions_in(source, path, skipped):
        for node in walk(function.body):
            if isinstance(node, Expr) and node.kind == "call":
                ours[node.span.start, node.span.end] = node.name
            elif type(node) in STATEMENTS and plain(node.span.start):
                our_statements.add((STATEMENTS[type(node)], node.span.start))
    theirs = {span: name for span, name in calls.items() if plain(span[0]) and plain(span[1] - 1)}
    assert len(theirs) >= least
    lost = {span: name for span, name in theirs.items() if span not in ours}
    assert not lost
    wrong = {s: (n, ours[s]) for s, n in theirs.items() if ours[s] not in ("", n)}
    assert not wrong
    assert our_statements == {(kind, at) for kind, at in statements if plain(at)}


@pytest.mark.parametrize(
    ("path", "least"), [("virt/kvm/kvm_main.c", 20), ("mm/ksm.c", 20), ("mm/memory.c", 50)]
)
def test_the_miniature_kernel(mini, path, least):
    agree(mini, path, least)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("path", "least"), [("virt/kvm/kvm_main.c", 500), ("mm/ksm.c", 200), ("mm/memory.c", 500)]
)
@pytest.mark.parametrize("name", ["5.10", "6.1"])
def test_real_kernels(kernel_tree, name, path, least):
    agree(kernel_tree(name), path, least)


def functions_by_a_walk(root, path, config):
    """Names and offsets of the main file's function definitions, by visiting everything."""
    from clang import cindex

    main = f"{root.resolve()}/{path}"
    args = [*config.args, "-working-directory", str(root.resolve())]
    unit = cindex.Index.create().parse(main, args=args)
    return {
        (top.location.offset, top.spelling, top.result_type.spelling)
        for top in unit.cursor.get_children()
        if top.kind.name == "FUNCTION_DECL" and top.is_definition()
        and top.location.file is not None and top.location.file.name == main
    }  # fmt: skip


def functions_agree(root, path, least):
    config = parse_config(root, path)
    listed = {(f.offset, f.name, f.result) for f in parse(root, path, config).functions}
    walked = functions_by_a_walk(root, path, config)
    assert listed <= walked
    source = (root / path).read_bytes()
    # What macros make as a whole has no name of its own in the file.
    lost = walked - listed
    assert not any(source[at : at + len(name)] == name.encode() for at, name, _ in lost)
    assert len(listed) >= least
    return {name for _, name, _ in listed}


@pytest.mark.parametrize(
    ("path", "least"), [("virt/kvm/kvm_main.c", 20), ("mm/memory.c", 10), ("mm/ksm.c", 9)]
)
def test_functions_of_the_miniature_kernel(mini, path, least):
    functions_agree(mini, path, least)


def test_functions_written_in_odd_ways(tree):
    (tree / "mm/odd.c").write_text(
        "#define NAME(x) odd_##x\n#define MADE(x) static int x(void) { return 1; }\n"
        "#define HEAD(x) static int x(void)\n#define same same\n"
        "MADE(whole)\nHEAD(head) { return whole(); }\n"
        "static long NAME(pasted)(int a) { return a; }\n"
        "int (*returns_pointer(void))(int) { return 0; }\n"
        "int old_style(a, b) int a; int b; { return a + b; }\n"
        "void same(void) { head(); }\nint declared(void);\n"
        "static inline __attribute__((unused)) void nested(int x) { ({ x++; }); }\n"
    )
    named = functions_agree(tree, "mm/odd.c", 6)
    assert named >= {"head", "odd_pasted", "returns_pointer", "old_style", "same", "nested"}


def test_a_file_of_nothing_has_no_functions(tree):
    (tree / "mm/odd.c").write_text("")
    assert parse(tree, "mm/odd.c", parse_config(tree, "mm/odd.c")).functions == ()


@pytest.mark.kernel
@pytest.mark.parametrize(("path", "least"), [("virt/kvm/kvm_main.c", 200), ("mm/memory.c", 100)])
def test_functions_of_a_real_kernel(kernel_tree, path, least):
    functions_agree(kernel_tree("5.10"), path, least)
