# SPDX-License-Identifier: GPL-2.0-only
"""Edits land as whole statements and expressions, or are refused with the line."""

import pytest

from patchgen.edits.apply import apply
from patchgen.edits.landing import Misplaced, Places, landings
from patchgen.model.base import Span
from patchgen.model.plan import Change, Edit, Meant

ANY = Meant()
GUARD = "\tif (skip(r))\n\t\treturn 0;\n"


def land(source, new, meant=ANY, old=""):
    """Put ``new`` where ``@`` stands, or in the place of ``old`` that is behind it."""
    data = source if isinstance(source, bytes) else source.encode()
    assert data.count(b"@") == 1
    at = data.index(b"@")
    data = data.replace(b"@", b"")
    size = len(old.encode())
    assert data[at : at + size] == old.encode()
    change = Change("f.c", Span(at, at + size), "", {}, meant)
    edit = Edit("f.c", change.span, new.encode())
    return landings(Places("f.c", data, [change]), apply(data, [edit]), [(edit, change)])


def refused(source, new, meant=ANY, old=""):
    with pytest.raises(Misplaced) as caught:
        land(source, new, meant, old)
    return str(caught.value)


def f(body):
    return f"static int f(int r)\n{{\n{body}}}\n"


FIRST = Meant("f", first=True)


def test_a_guard_behind_the_declarations():
    (landing,) = land(f("\tint a;\n\n@\ta = g();\n\treturn a;\n"), GUARD, FIRST)
    assert landing.statement
    assert [name for name, _ in landing.around] == ["Block"]
    assert landing.before == ()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        # the last declaration, or the statement, is only there on some architectures
        (f("\tint a;\n#ifdef CONFIG_X86\n\tint b;\n@#endif\n\tg();\n"), "wholly within"),
        (f("\tint a;\n#ifdef CONFIG_X86\n@\tg();\n#endif\n\th();\n"), "wholly within"),
        (f("#ifdef A\n#else\n@\tg();\n#endif\n\th();\n"), "wholly within"),
        # a declaration of another configuration follows
        (f("\tint a;\n@#ifndef CONFIG_X86\n\tint b;\n#endif\n\tg();\n"), "would follow"),
        (f("\tint a;\n@\tint b;\n\tg();\n"), "would follow"),
        # deeper than the function's own block
        (f("\tif (r) {\n@\t\tg();\n\t}\n"), "not in the block"),
        # the body of a statement without braces
        (f("\tif (r)\n@\t\tg();\n\th();\n"), "read around"),
        (f("\tfor (;;)\n@\t\tg();\n"), "read around"),
        (f("\tif (r)\n\t\tg();\n@\telse\n\t\th();\n"), ""),
        (f("\tdo\n@\t\tg();\n\twhile (r);\n"), ""),
        # the wrong function
        ("static int g(int r)\n{\n@\th();\n}\n", "in g()"),
        ("int a;\n@int b;\n", "not within"),
        # not a statement's place
        (f("\tg(r,\n@\t  r);\n"), ""),
        (f("\t/*\n@\t * text\n\t */\n\tg();\n"), "comment"),
        (f('\tg("a@b");\n'), "within a word"),
        (f("\tlong@er();\n"), "within a word"),
        ("#define M(r) \\\n@\tdo { g(r); } while (0)\n" + f("\tM(r);\n"), "macro"),
        ("#if@def A\n#endif\n" + f("\tg();\n"), "preprocessor"),
        # conditionals that do not close, or too many
        (f("\tint a;\n@#ifdef A\n\tg();\n"), "no #endif"),
        (f("\tint a;\n@" + "".join(f"#ifdef A{i}\n\tg();\n#endif\n" for i in range(9))), "9 cond"),
    ],
)
def test_a_guard_elsewhere_is_refused(source, said):
    text = refused(source, GUARD, FIRST)
    line = source[: source.index("@")].count("\n") + 1
    assert text.startswith("f.c:"), text
    assert said in text
    if said in ("wholly within", "would follow", "macro"):
        assert f"f.c:{line} " in text


@pytest.mark.parametrize(
    "source",
    [
        # two bodies, one of which gets nothing
        "#ifdef A\n" + f("\tint a;\n\n@\tg();\n") + "#else\n" + f("\th();\n") + "#endif\n",
        # two heads of one body
        "#ifdef A\nint f(int r)\n{\n#else\nint f(long r)\n{\n#endif\n\tint a;\n\n@\tg();\n}\n",
        # a conditional that ends within the function
        "#ifdef A\nint f(int r)\n{\n\tint a;\n#endif\n@\tg();\n}\n",
    ],
)
def test_a_function_of_two_configurations_is_refused(source):
    assert "f.c:" in refused(source, GUARD, FIRST)


def test_another_definition_may_be_meant():
    source = "#ifdef A\n" + f("\t@return 0;\n") + "#else\n" + f("\treturn 1;\n") + "#endif\n"
    refused(source, "return 2;", Meant("f"), "return 0;")
    assert land(source, "return 2;", Meant("f", branch=True), "return 0;")


def test_a_declaration_of_a_macro_is_for_the_compiler_to_confirm():
    source = f("\tint a;\n\tDEFINE_WAIT(wait);\n\n@\tg();\n")
    (landing,) = land(source, GUARD, FIRST)
    assert landing.before == (source.index("DEFINE_WAIT"),)


def test_branches_within_the_function_are_places_to_look_at():
    source = f("\tint a;\n@\tg();\n#ifdef A\n\th();\n#else\n\ti();\n#endif\n")
    (landing,) = land(source, GUARD, FIRST)
    after = source.replace("@", GUARD)
    assert [after[at:].split(";")[0].strip() for at in landing.inner] == ["h()", "i()"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a && b", "(a && b) || k->dirty"),
        ("a && b", "a && b || k->dirty"),
        ("set(k, a)", "set(k, a) || k->dirty"),
        ("a ? b : c", "(a ? b : c) || k->dirty"),
        ("a, b", "(a, b) || k->dirty"),
        ("a = b", "(a = b) || k->dirty"),
        ("a < b", "a < b || k->dirty"),
        ("!a", "!a || k->dirty"),
        ("(int)a", "(int)a || k->dirty"),
        ("a || b", "a || b || k->dirty"),
        ("(a && b)", "(a && b) || k->dirty"),
    ],
)
def test_a_condition_that_keeps_its_meaning(old, new):
    meant = Meant("f", joined=("k->dirty",))
    source = f(f"\tif (@{old})\n\t\tg();\n")
    (landing,) = land(source, new, meant, old)
    after = source.replace(f"@{old}", new)
    end, last = landing.joined
    assert after[landing.offset : end] == new
    assert after[last:end] == "k->dirty"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a ? b : c", "a ? b : c || k->dirty"),
        ("a, b", "a, b || k->dirty"),
        ("a = b", "a = b || k->dirty"),
        ("a", "b || k->dirty"),
        ("a", "k->dirty || a"),
        ("a", "a || k->dirty || k->more"),
        ("a", "a && k->dirty"),
        ("a || b", "a || k->dirty"),
        ("a", "a) || (k->dirty"),
    ],
)
def test_a_condition_that_would_mean_something_else(old, new):
    meant = Meant("f", joined=("k->dirty",))
    assert "f.c:3" in refused(f(f"\tif (@{old})\n\t\tg();\n"), new, meant, old)


def test_only_the_condition_of_an_if_is_joined():
    meant = Meant("f", joined=("k->dirty",))
    assert "of an if" in refused(f("\twhile (@a)\n\t\tg();\n"), "a || k->dirty", meant, "a")
    assert "" in refused(f("\tif (@a + b)\n\t\tg();\n"), "a || k->dirty", meant, "a")


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        ("\tinit(@&range, 0, mm);\n", "&range, 0, mm", "&range, FLAG, mm"),
        ("\tif (@r->b)\n\t\tg();\n", "r->b", "is_b(r)"),
        ("\tif ((@r->b) && 1)\n\t\tg();\n", "r->b", "is_b(r)"),
        ("\t@r->b = v;\n", "r->b = v", "if (v)\n\t\tr->f |= 1;\n\telse\n\t\tr->f &= ~1"),
        ("\tif (x)\n\t\t@r->b = 1;\n\telse\n\t\tg();\n", "r->b = 1", "r->f |= 1"),
        ("\t@x = unmap(r);\n", "x = unmap(r);", "if (t(r))\n\t\tx = 1;\n\telse\n\t\tx = unmap(r);"),
    ],
)
def test_values_and_statements_in_the_place_of_others(source, old, new):
    assert land(f(source), new, Meant("f"), old)


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        # an argument list that a conditional splits
        ("\tinit(@&range,\n#ifdef A\n\t     0,\n#else\n\t     1,\n#endif\n\t     mm);\n",
         "&range,\n#ifdef A\n\t     0,\n#else\n\t     1,\n#endif\n\t     mm", "&range, FLAG, mm"),
        ("\tinit(&range,\n#ifdef A\n\t     @0,\n#endif\n\t     mm);\n", "0", "FLAG"),
        # what is put there takes more than its place, or leaves some of it
        ("\tx = @a * b;\n", "a", "c + a"),
        ("\tif (x)\n\t\t@g();\n\telse\n\t\th();\n", "g();", "if (y)\n\t\t\ti();"),
        ("\tif (x)\n\t\t@g();\n", "g();", "i();\n\t\tg();"),
        ("\t@g();\n", "g();", "g(); /* open"),
        ("\t@g();\n", "g();", '"'),
        ("\t@g();\n\th();\n", "g();", "// g();"),
        # comments and bytes that would be lost
        ("\tinit(@a, /* why */ b);\n", "a, /* why */ b", "a, c"),
        ("\tinit(@a, // why\n\t     b);\n", "a, // why\n\t     b", "a, c"),
    ],
)  # fmt: skip
def test_what_would_be_read_otherwise_is_refused(source, old, new):
    assert "f.c:" in refused(f(source), new, Meant(), old)


def test_bytes_that_are_no_utf8():
    source = b"/* caf\xe9 */\nint f(int r)\n{\n\tint a;\n\n@\tg(); /* \xff */\n}\n"
    assert land(source, GUARD, FIRST)
    inside = b'int f(int r)\n{\n\t@g("\xe9");\n}\n'.replace(b"@", b"")
    change = Change("f.c", Span(16, 22), "", {})
    with pytest.raises(Misplaced, match=r"f\.c:3 .*UTF-8"):
        Places("f.c", inside, [change])


@pytest.mark.parametrize(
    "body",
    [
        "\tint a;\f\n\n@\tg();\n",  # a form feed, as old GNU sources have
        "\tint a;\t\v\n@\tg();\n",
        "        int a;\n\n@        g();\n",
        "\tint a; /* what??/\n\t*/\n@\tg();\n",
        "\tint a; // what??/\n\n@\tg();\n",  # no trigraph, so the comment ends here
        "\tint a; // goes on \\\n\tas a comment\n@\tg();\n",
    ],
)
def test_white_space_and_comments_of_any_kind(body):
    assert land(f(body), GUARD, FIRST)


def test_crlf_is_refused_with_its_line():
    assert "f.c:3 (lines end in CRLF)" in refused(f("\tint a;\r\n@\tg();\r\n"), GUARD, FIRST)


def test_a_file_without_a_last_newline():
    assert land("int a;\n" + f("\tint a;\n@\tg();\n").rstrip("\n"), GUARD, FIRST)
    assert land("int a;@", "\nint b;\n") == ()
    assert "comment" in refused("int a; // note@", "int b;\n")
    assert land("int a; // note@", "\nint b;\n") == ()


def test_code_that_a_comment_of_the_line_would_swallow():
    assert "f.c:3" in refused(f("\tg(); // note@\n\th();\n"), "i();", Meant("f"))


def test_a_macro_may_be_meant():
    source = "#define init(r, @mm) do { } while (0)\n"
    assert "macro" in refused(source, "event, ")
    assert land(source, "event, ", Meant(macro=True)) == ()


def test_a_shared_condition_is_the_same_everywhere():
    # Taken apart, the braces would not match.
    body = "\tint a;\n@#ifdef A\n\tif (r) {\n#endif\n\t\tg();\n#ifdef A\n\t}\n#endif\n"
    assert land(f(body), GUARD, FIRST)
