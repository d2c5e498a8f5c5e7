# SPDX-License-Identifier: GPL-2.0-only
"""Diffs for `odd_mails`: of every form that git apply reads, most with something odd."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

LINK = "link.c"


def _numbered(letter: str, count: int) -> bytes:
    return "".join(f"{letter}{number}\n" for number in range(count)).encode()


FILES = {
    "mm/a.c": _numbered("a", 30),
    "mm/b.c": _numbered("b", 30),
    "mm/old.h": _numbered("o", 2),
    "mm/a.c.orig": _numbered("q", 9),
    "Makefile": _numbered("m", 12),
    "virt/kvm/kvm_main.c": _numbered("k", 20),
    "a/mm/a.c": _numbered("p", 9),
    "lib/with space.c": _numbered("s", 9),
    "lib/\u00fcml.c": _numbered("u", 9),
    "crlf.c": _numbered("c", 9).replace(b"\n", b"\r\n"),
    "empty.c": b"",
    "tools/run.sh": _numbered("r", 4),
}
_TIMES = (b"", b"", b"\t2023-11-14 22:13:20.000000000 +0100",
          b"\t1970-01-01 00:00:00.000000000 +0000",
          b"\t(revision 12)", b" 2023-11-14 22:13:20", b"\t", b" ",
          b"\tTue Nov 14 22:13:20 2023")  # fmt: skip

Change = Callable[[random.Random, bytes], bytes]


def make_diff(chance: random.Random) -> tuple[bytes, list[str]]:
    """One to three diffs, and the names of what is odd about them."""
    odd: list[str] = []
    parts = []
    names = list(FILES)
    chance.shuffle(names)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        form = chance.choice(FORMS)
        part = form(chance, names.pop())
        odd.append(form.__name__)
        for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2))):
            change = chance.choice(CHANGES)
            part = change(chance, part)
            odd.append(change.__name__)
        parts.append(part)
    between = chance.choice((b"", b"", b"", b"\n", b"Only in b/x: y\n", b"text\n", b"====\n"))
    return between.join(parts), odd


def quoted(path: str) -> bytes:
    """As git writes a path: in quotes, with octal numbers, when it has odd bytes."""
    data = path.encode()
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in data):
        return data
    text = "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\{b:03o}" for b in data)
    return f'"{text}"'.encode()


def _sides(path: str) -> tuple[bytes, bytes]:
    return quoted(f"a/{path}"), quoted(f"b/{path}")


def _hunk(chance: random.Random, path: str) -> bytes:
    """One right hunk that changes a line, at a place of its own."""
    lines = FILES[path].split(b"\n")[:-1]
    if not lines:
        return b"@@ -0,0 +1 @@\n+new\n"
    at = chance.randrange(len(lines))
    first, last = max(0, at - 3), min(len(lines), at + 4)
    before, after = lines[first:at], lines[at + 1 : last]
    new = chance.choice(([b"new"], [b"new", b"lines"], [], [b"\tn\x0cw"], [b"caf\xe9"], [b"new "]))
    end = b"\r" if lines[0].endswith(b"\r") else b""
    new = [line + end for line in new]
    old_count = len(before) + 1 + len(after)
    new_count = old_count - 1 + len(new)
    head = b"@@ -%d,%d +%d,%d @@" % (first + 1, old_count, first + (new_count > 0), new_count)
    body = [b" " + line for line in before] + [b"-" + lines[at]]
    body += [b"+" + line for line in new] + [b" " + line for line in after]
    return b"\n".join([head + chance.choice((b"", b" int f(void)")), *body]) + b"\n"


def _all(path: str, mark: bytes) -> bytes:
    lines = FILES[path].split(b"\n")[:-1]
    if not lines:
        return b""
    count = b"1,%d" % len(lines)
    head = b"@@ -%s +0,0 @@\n" % count if mark == b"-" else b"@@ -0,0 +%s @@\n" % count
    return head + b"".join(mark + line + b"\n" for line in lines)


def edit(chance: random.Random, path: str) -> bytes:
    a, b = _sides(path)
    index = chance.choice((b"", b"index 1111111..2222222 100644\n", b"index 1111111..2222222\n"))
    return b"diff --git %s %s\n%s--- %s\n+++ %s\n" % (a, b, index, a, b) + _hunk(chance, path)


def create(chance: random.Random, path: str) -> bytes:
    new = chance.choice(("mm/new.c", "new.c", "new/new.c", "lib/n\u00e9w.c", path, "mm/a.c/x"))
    a, b = _sides(new)
    mode = chance.choice((b"100644", b"100644", b"100755", b"120000", b"100600"))
    head = b"diff --git %s %s\nnew file mode %s\n" % (a, b, mode)
    if chance.random() < 0.2:
        return head
    return head + b"--- /dev/null\n+++ %s\n@@ -0,0 +1,2 @@\n+one\n+two\n" % b


def delete(chance: random.Random, path: str) -> bytes:
    a, b = _sides(path)
    mode = b"100755" if path == "tools/run.sh" else b"100644"
    head = b"diff --git %s %s\ndeleted file mode %s\n" % (a, b, mode)
    return head + (b"--- %s\n+++ /dev/null\n" % a if FILES[path] else b"") + _all(path, b"-")


def move(chance: random.Random, path: str) -> bytes:
    kind = chance.choice((b"rename", b"copy"))
    new = chance.choice(("mm/moved.c", "moved.c", "deep/er/moved.c", "lib/m\u00f6ved.c", path))
    a, b = _sides(path)[0], _sides(new)[1]
    head = b"diff --git %s %s\nsimilarity index 90%%\n%s from %s\n%s to %s\n" % (
        a, b, kind, quoted(path), kind, quoted(new),
    )  # fmt: skip
    if chance.random() < 0.5:
        return head
    return head + b"--- %s\n+++ %s\n" % (a, b) + _hunk(chance, path)


def mode(chance: random.Random, path: str) -> bytes:
    a, b = _sides(path)
    modes = chance.choice(((b"100644", b"100755"), (b"100755", b"100644"), (b"100644", b"120000")))
    head = b"diff --git %s %s\nold mode %s\nnew mode %s\n" % (a, b, *modes)
    return head + (
        b"--- %s\n+++ %s\n" % (a, b) + _hunk(chance, path) if chance.random() < 0.3 else b""
    )


def traditional(chance: random.Random, path: str) -> bytes:
    before, after = chance.choice(
        (
            ("a/", "b/"),
            ("linux.orig/", "linux/"),
            ("a/", "b/"),
            ("", ""),
            ("./", "./"),
            ("/x/", "/x/"),
        )
    )
    old, new = (quoted(prefix + path) for prefix in (before, after))
    extra = chance.choice((b"", b".orig", b"~"))
    lead = chance.choice((b"", b"Index: %s\n%s\n" % (quoted(path), b"=" * 67),
                          b"diff -urN %s %s\n" % (old, new), b"diff -u %s %s\n" % (old,
                          new)))  # fmt: skip
    return lead + b"--- %s%s%s\n+++ %s%s\n" % (
        old, extra, chance.choice(_TIMES), new, chance.choice(_TIMES),
    ) + _hunk(chance, path)  # fmt: skip


def traditional_create(chance: random.Random, path: str) -> bytes:
    new = chance.choice(("mm/new.c", "new.c", path, "virt", "virt/kvm/kvm_main.c"))
    old = chance.choice((b"/dev/null", b"a/" + quoted(new), b"a/x.c", b'"a/%s" x' % new.encode()))
    return b"--- %s%s\n+++ %s%s\n@@ -0,0 +1 @@\n+replaced\n" % (
        old, chance.choice(_TIMES), quoted("b/" + new), chance.choice((b"", b" x", b"\tx")),
    )  # fmt: skip


def traditional_delete(chance: random.Random, path: str) -> bytes:
    new = chance.choice((b"/dev/null", quoted("b/" + path)))
    old = quoted("a/" + path)
    return b"--- %s\n+++ %s%s\n" % (old, new, chance.choice(_TIMES)) + _all(path, b"-")


def link(chance: random.Random, path: str) -> bytes:
    """The target of a symbolic link, changed by a diff that need not say that it is one."""
    end = b"\\ No newline at end of file\n"
    hunk = b"@@ -1 +1 @@\n-mm/a.c\n" + end + b"+/etc/passwd\n" + end
    names = b"--- a/link.c\n+++ b/link.c\n"
    return chance.choice((b"", b"diff --git a/link.c b/link.c\nindex 1111111..2222222 120000\n",
                          b"diff --git a/link.c b/link.c\n")) + names + hunk  # fmt: skip


def _line(part: bytes, start: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """``part`` with the first line that begins with ``start`` changed."""
    return re.sub(
        rb"^" + start + rb"[^\n]*", lambda m: change(m[0]), part, count=1, flags=re.MULTILINE
    )


def other_name(chance: random.Random, part: bytes) -> bytes:
    names = (b"a/mm/b.c", b"b/virt/kvm/kvm_main.c", b"/dev/null", b"a/x.c", b"mm/a.c", b"a/mm/../x",
             b"b/.git/config", b"/etc/passwd", b'"b/mm/b.c"', b'"b/mm/b.c" x', b'"b/\\155m/b.c"',
             b'"a/mm/b.c', b"x.c", b"b//mm//b.c", b"b/mm/b.c\r", b"b/mm/b.c ", b"c/b/mm/a.c",
             b"dev/null", b"a/dev/null", b"NUL", b"a/MM/B.C", b"b/mm")  # fmt: skip
    start = chance.choice((rb"--- ", rb"\+\+\+ ", rb"rename to ", rb"copy from ", rb"rename from "))
    mark = start.replace(b"\\", b"")
    return _line(part, start, lambda line: mark + chance.choice(names))


def other_git_name(chance: random.Random, part: bytes) -> bytes:
    pairs = (b"a/mm/b.c b/mm/b.c", b"a/mm/a.c b/mm/b.c", b"mm/a.c mm/a.c", b"/dev/null /dev/null",
             b'"a/mm/a.c" "b/mm/a.c"', b'"a/mm/a.c" b/mm/a.c', b"a/x b/x c/x d/x", b"a b", b"",
             b"a/dev/null b/dev/null", b'a/mm/a.c "b/mm/a.c"', b"x/mm/a.c y/mm/a.c",
             b"a/ b/")  # fmt: skip
    return _line(part, rb"diff --git ", lambda line: b"diff --git " + chance.choice(pairs))


def null_both(chance: random.Random, part: bytes) -> bytes:
    part = _line(part, rb"--- ", lambda line: b"--- /dev/null")
    return _line(part, rb"\+\+\+ ", lambda line: b"+++ /dev/null")


def null_one(chance: random.Random, part: bytes) -> bytes:
    start = chance.choice((rb"--- ", rb"\+\+\+ "))
    return _line(part, start, lambda line: line[:4] + b"/dev/null" + chance.choice(_TIMES))


def header_line(chance: random.Random, part: bytes) -> bytes:
    lines = (b"rename from mm/b.c", b"rename to mm/new.c", b"copy from mm/b.c", b"copy to mm/x.c",
             b"new file mode 100644", b"deleted file mode 100644", b"old mode 100644",
             b"index 1..2",
             b"new mode 100755", b"similarity index 100%", b"text", b"", b"rename old mm/b.c",
             b"rename new mm/x.c", b"new file mode 100755", b"--- a/mm/b.c", b"+++ b/mm/b.c",
             b"GIT binary patch\nliteral 1\nIcmZPo0000100000",
             b"Binary files a/x and b/x differ")  # fmt: skip
    rows = part.split(b"\n")
    rows.insert(chance.randrange(min(len(rows), 6)), chance.choice(lines))
    return b"\n".join(rows)


def hunk_numbers(chance: random.Random, part: bytes) -> bytes:
    heads = (b"@@ -0,0 +1 @@", b"@@ -1 +0,0 @@", b"@@ -1,1 +1,1 @@", b"@@ -1,9 +1,9 @@",
    b"@@ -5,3 +5,2 @@",
             b"@@ -1,0 +1,2 @@", b"@@ -1 +1 @@ x", b"@@ -01,2 +01,2 @@", b"@@ -1,2 +1,2",
             b"@@ -x +y @@")  # fmt: skip
    return _line(part, rb"@@ ", lambda line: chance.choice(heads))


def hunk_line(chance: random.Random, part: bytes) -> bytes:
    rows = part.split(b"\n")
    at = chance.randrange(len(rows))
    if chance.random() < 0.5:
        rows.insert(
            at, chance.choice((b"+more", b"-less", b" same", b"", b"\\ No newline at end of file"))
        )
    else:
        del rows[at]
    return b"\n".join(rows)


def line_ends(chance: random.Random, part: bytes) -> bytes:
    if chance.random() < 0.5:
        return part.replace(b"\n", b"\r\n")
    return re.sub(rb"\n", lambda m: chance.choice((b"\n", b"\r\n")), part)


def blanks(chance: random.Random, part: bytes) -> bytes:
    """What transports do: trailing blanks cut, tabs as blanks, lines wrapped."""
    kind = chance.randrange(4)
    if kind == 0:
        return re.sub(rb"[ \t]+$", b"", part, flags=re.MULTILINE)
    if kind == 1:
        return part.replace(b"\t", b" ")
    if kind == 2:
        return part.replace(b" ", b"\xc2\xa0", 1)
    return _line(part, rb" ", lambda line: line + b"\n ")


def no_prefix(chance: random.Random, part: bytes) -> bytes:
    return re.sub(rb"(?<=[ \"])[ab]/(?=\S)", b"", part)


def deeper(chance: random.Random, part: bytes) -> bytes:
    """A prefix that asks for another -p."""
    return re.sub(rb"(?<=[ \"])([ab])/(?=\S)", rb"\1/x/", part)


def no_newline(chance: random.Random, part: bytes) -> bytes:
    return part + b"\\ No newline at end of file\n"


def octal(chance: random.Random, part: bytes) -> bytes:
    def escape(match: re.Match[bytes]) -> bytes:
        escapes = "".join(f"\\{byte:03o}" for byte in match[2])
        return match[1] + b'"' + escapes.encode() + b'"'

    start = chance.choice((rb"--- ", rb"\+\+\+ ", rb"rename to ", rb"copy to "))
    return re.sub(rb"^(" + start + rb")([^\s\"]+)$", escape, part, count=1, flags=re.MULTILINE)


def twice(chance: random.Random, part: bytes) -> bytes:
    return part + part


FORMS: tuple[Callable[[random.Random, str], bytes], ...] = (
    edit, edit, edit, create, delete, move, move, mode, traditional, traditional,
    traditional_create,
    traditional_delete, link,
)  # fmt: skip
CHANGES: tuple[Change, ...] = (
    other_name, other_name, other_git_name, null_both, null_one, header_line, hunk_numbers,
    hunk_line,
    line_ends, blanks, no_prefix, deeper, no_newline, octal, twice,
)  # fmt: skip
