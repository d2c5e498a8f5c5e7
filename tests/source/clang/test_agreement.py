# SPDX-License-Identifier: GPL-2.0-only
"""Statement trees, made of tokens, against clang's own tree of the same file."""

from bisect import bisect_right

import pytest

from patchgen.model.code import DoWhile, Expr, For, If, Return, Switch, While
from patchgen.source.c.body import functions_in
from patchgen.source.c.walk import walk
from patchgen.source.clang.unit import parse
from patchgen.source.config.flags import parse_config
from patchgen.source.facts.extract import extract, shape
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

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


def bodies_by_a_walk(root, path, config):
    """Byte spans of the bodies of the main file's functions, by visiting everything."""
    from clang import cindex

    main = f"{root.resolve()}/{path}"
    args = [*config.args, "-working-directory", str(root.resolve())]
    unit = cindex.Index.create().parse(main, args=args)
    tops = [
        top
        for top in unit.cursor.get_children()
        if top.kind.name == "FUNCTION_DECL" and top.is_definition()
        and top.location.file is not None and top.location.file.name == main
    ]  # fmt: skip
    bodies = [next(c for c in top.get_children() if c.kind.name == "COMPOUND_STMT") for top in tops]
    return {(body.extent.start.offset, body.extent.end.offset) for body in bodies}


def functions_agree(root, path, least):
    """Whether the functions by tokens are those by clang; returns what was complained of."""
    config = parse_config(root, path)
    source = (root / path).read_bytes()
    shapes = []

    def asked(skipped):
        shapes.append(shape(source, skipped))
        return shapes[0].asked()

    unit = parse(root, path, config, asked=asked)
    listed = {(body.start, body.end) for body in unit.bodies}
    walked = bodies_by_a_walk(root, path, config)
    # The body of what macros make as a whole begins where the macro is used.
    assert listed == {body for body in walked if source[body[0] : body[0] + 1] == b"{"}
    assert len(listed) >= least
    facts = extract(shapes[0], unit, frozenset())
    return [(d.place.line, d.text) for d in facts.diagnostics if d.severity == "warning"]


@pytest.mark.parametrize(
    ("path", "least"), [("virt/kvm/kvm_main.c", 20), ("mm/memory.c", 10), ("mm/ksm.c", 9)]
)
def test_functions_of_the_miniature_kernel(mini, path, least):
    assert functions_agree(mini, path, least) == []


ODD = """\
#define NAME(x) odd_##x
#define MADE(x) static int x(void) { return 1; }
#define HEAD(x) static int x(void)
#define same same
MADE(whole)
HEAD(head) { return whole(); }
static long NAME(pasted)(int a) { return a; }
int (*returns_pointer(void))(int) { return 0; }
void same(void) { head(); }
int declared(void);
static int table[] = { 1, 2 };
static inline __attribute__((unused)) void nested(int x) { ({ x++; }); }
"""


def test_functions_written_in_odd_ways(tree):
    (tree / "mm/odd.c").write_text(ODD)
    assert functions_agree(tree, "mm/odd.c", 5) == []


def test_a_file_of_nothing_has_no_functions(tree):
    (tree / "mm/odd.c").write_text("")
    assert functions_agree(tree, "mm/odd.c", 0) == []


# Braces in macros make a body longer or shorter than its tokens tell; and a body may be
# a macro's alone.
SURPRISES = {
    "#define OPEN {\n#define SHUT }\n"
    "int a(void) { SHUT\nint b(void) { return 0; }\nint c(void) OPEN }\n": [
        (3, "the body of 'a' ends in line 3 for clang, in line 5 here"),
    ],
    "#define BODY { return 0; }\nint a(void) BODY\nint b(int (x)) { return x; }\n": [
        (3, "function 'b' is defined here, and its body was not analysed"),
    ],
    "#define BODY { return 0; }\nint a(void) BODY\n": [
        (2, "function 'a' is defined here, and its body was not analysed"),
    ],
    "#define BODY { return 0; }\nint (a)(void) BODY\n": [
        (2, "function 'a' is defined here, and its body was not analysed"),
    ],
    "#define LIKE(x) struct x\nLIKE(a) { int b; };\n": [
        (2, "'a' looks like a function here, and clang sees none"),
    ],
    "#define PLAIN int a(void)\nPLAIN { return 0; }\n": [
        (2, "a function's body begins here, and it was not analysed"),
    ],
    "int a(b, c) int b; int c;\n{ return b + c; }\n": [],
}  # fmt: skip


@pytest.mark.parametrize("source", SURPRISES)
def test_what_tokens_and_clang_see_differently_is_said(tree, source):
    (tree / "mm/odd.c").write_text(source)
    facts = TreeState(describe(tree)).facts("mm/odd.c")
    found = [(d.place.line, d.text) for d in facts.diagnostics]
    assert found == SURPRISES[source]


@pytest.mark.kernel
@pytest.mark.parametrize(("path", "least"), [("virt/kvm/kvm_main.c", 200), ("mm/memory.c", 100)])
def test_functions_of_a_real_kernel(kernel_tree, path, least):
    assert functions_agree(kernel_tree("5.10"), path, least) == []
