# SPDX-License-Identifier: GPL-2.0-only
"""What git am does with an odd series, and what we do: one test a case.

Each test first shows git's behaviour on the same input, so that it says when a
newer git has changed, and then ours.
"""

from __future__ import annotations

import base64
import io
import os
import quopri
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from patchgen.commits.patchset import Series
from patchgen.model.outcome import UserError
from patchgen.series.read import sources
from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import OLD, committed, plain_git

COVER = Cover("Re-enable it", (Section("", "Text."),))


@pytest.fixture
def mails(tree: Path, tmp_path: Path) -> list[bytes]:
    """Cover letter and three patches, as bytes."""
    files = write_series(committed(tree), COVER, MailOptions(), tmp_path / "mails")
    return list(files.files.values())


def am(tree: Path, *mails: bytes, status: int | None = 0, options: tuple[str, ...] = ()) -> str:
    """Real git am on an mbox of ``mails``."""
    return plain_git(tree, "am", *options, stdin=b"".join(mails), status=status)


def subjects(tree: Path) -> list[str]:
    return plain_git(tree, "log", "--reverse", "--format=%s").splitlines()[1:]


def read(*mails: bytes) -> Series:
    return read_series("-", stdin=io.BytesIO(b"".join(mails)))


def ours(tree: Path, *mails: bytes) -> dict[str, bytes | None]:
    """The files that our reading and applying gives."""
    result = apply_series(tree, read(*mails))
    assert result.ok
    return result.contents(len(result.patches))


def refused(*mails: bytes) -> str:
    with pytest.raises(UserError) as caught:
        read(*mails)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def body_of(mail: bytes, change: Callable[[bytes], bytes], *headers: str) -> bytes:
    """The mail with a changed body and more headers."""
    head, body = mail.split(b"\n\n", 1)
    return "\n".join([head.decode(), *headers]).encode() + b"\n\n" + change(body)


def test_order_is_that_of_the_numbers(tree: Path, mails: list[bytes]) -> None:
    expected = ours(tree, *mails)
    am(tree, mails[3], mails[1], mails[2])
    assert subjects(tree) == [f"mm: change number {n}" for n in (3, 1, 2)]  # a wrong history
    plain_git(tree, "reset", "-q", "--hard", "HEAD~3")
    series = read(mails[3], mails[1], mails[2])
    assert [patch.number for patch in series.patches] == [1, 2, 3]
    assert ours(tree, mails[3], mails[1], mails[2]) == expected


def test_gap(tree: Path, mails: list[bytes]) -> None:
    am(tree, mails[1], mails[3])
    assert len(subjects(tree)) == 2
    assert "not whole: 2 of 3 missing" in refused(mails[1], mails[3])


def test_mix_of_versions(tree: Path, mails: list[bytes], tmp_path: Path) -> None:
    other = write_series(committed(tree), COVER, MailOptions(version=2), tmp_path / "v2")
    second = list(other.files.values())[2]
    am(tree, mails[1], second, mails[3])
    assert len(subjects(tree)) == 3
    assert "mix v1 and v2" in refused(mails[1], second, mails[3])
    plain_git(tree, "reset", "-q", "--hard", "HEAD~3")
    both = io.BytesIO(b"".join(mails) + b"".join(other.files.values()))
    assert read_series("-", stdin=both, version=2).version == 2


def test_identical_duplicate(tree: Path, mails: list[bytes]) -> None:
    text = am(tree, mails[1], mails[2], mails[2], mails[3], status=128)
    assert "already exists in index" in text and len(subjects(tree)) == 2
    series = read(mails[1], mails[2], mails[2] + b"_____\nlist footer\n", mails[3])
    assert len(series.patches) == 3 and "identical to" in series.notes[0]


def test_different_duplicate(tree: Path, mails: list[bytes]) -> None:
    other = mails[2].replace(b"+#define NEW 1", b"+#define NEW 2")
    am(tree, mails[1], mails[2], other, status=128)
    assert len(subjects(tree)) == 2
    assert "a second, different mail with number 2" in refused(mails[1], mails[2], other, mails[3])


def test_cover_letter_in_the_mbox(tree: Path, mails: list[bytes]) -> None:
    assert "Patch is empty." in am(tree, *mails, status=128)
    plain_git(tree, "am", "--abort")
    series = read(*mails)
    assert series.cover is not None and series.cover.title == "Re-enable it"
    assert ours(tree, *mails) == ours(tree, *mails[1:])


def test_plain_folder(tree: Path, mails: list[bytes], tmp_path: Path) -> None:
    plain_git(tree, "am", str(tmp_path / "mails"))
    assert subjects(tree) == []  # exit status 0, and nothing applied
    assert len(read_series(tmp_path / "mails").patches) == 3


def test_maildir(tree: Path, mails: list[bytes], tmp_path: Path) -> None:
    for number, mail in enumerate(mails):
        folder = tmp_path / "box" / ("new" if number % 2 else "cur")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{9 - number}.host").write_bytes(mail.split(b"\n", 1)[1])
    assert [patch.number for patch in read_series(tmp_path / "box").patches] == [1, 2, 3]


@pytest.mark.parametrize("state", ["dirty", "am", "detached"])
def test_state_of_the_tree(tree: Path, mails: list[bytes], state: str) -> None:
    expected = ours(tree, *mails)
    if state == "dirty":
        (tree / "mm/a.c").write_bytes(OLD + b"/* mine */\n")
        plain_git(tree, "add", ".")
        assert "Dirty index" in am(tree, *mails[1:], status=128)
    elif state == "am":
        am(tree, mails[1], mails[1], status=128)
        assert "rebase-apply" in am(tree, *mails[1:], status=128)
        plain_git(tree, "reset", "-q", "--soft", "HEAD~1")
    else:
        plain_git(tree, "checkout", "-q", "--detach")
        am(tree, *mails[1:])
        plain_git(tree, "reset", "-q", "--hard", "HEAD~3")
    assert ours(tree, *mails) == expected


def test_base64_with_network_line_ends(tree: Path, mails: list[bytes]) -> None:
    def encode(body: bytes) -> bytes:
        return base64.encodebytes(body.replace(b"\n", b"\r\n"))

    odd = [body_of(m, encode, "Content-Transfer-Encoding: base64") for m in mails[1:]]
    assert "quoted CRLF detected" in am(tree, *odd, status=128)
    assert "ends in CR LF, and git am keeps that" in refused(*odd)


def test_quoted_printable_with_network_line_ends(tree: Path, mails: list[bytes]) -> None:
    def encode(body: bytes) -> bytes:
        return quopri.encodestring(body).replace(b"\n", b"=0D\n")

    header = "Content-Transfer-Encoding: quoted-printable"
    odd = [body_of(mail, encode, header) for mail in mails[1:]]
    assert "quoted CRLF detected" in am(tree, *odd, status=128)
    assert "ends in CR LF, and git am keeps that" in refused(*odd)


def test_format_flowed(tree: Path, mails: list[bytes]) -> None:
    def flow(body: bytes) -> bytes:
        return body.replace(b"+\tlong v11;", b"+\tlong \nv11;")

    odd = body_of(mails[2], flow, "Content-Type: text/plain; format=flowed")
    assert odd != mails[2]
    assert "corrupt patch" in am(tree, mails[1], odd, status=128)
    assert "format=flowed" in refused(mails[1], odd, mails[3])


def test_nested_multipart(tree: Path, mails: list[bytes]) -> None:
    def nest(body: bytes) -> bytes:
        return (
            b'--out\nContent-Type: multipart/alternative; boundary="in"\n\n'
            b"--in\nContent-Type: text/plain\n\n" + body + b"\n--in--\n--out--\n"
        )

    odd = body_of(mails[1], nest, 'Content-Type: multipart/mixed; boundary="out"')
    am(tree, odd)
    assert "parts within parts, and git am writes their headers into" in refused(odd)


def test_signed_mail_is_read(tree: Path, mails: list[bytes]) -> None:
    def sign(body: bytes) -> bytes:
        return (
            b"--x\nContent-Type: text/plain; charset=us-ascii\n\n"
            + body
            + b"\n--x\nContent-Type: application/pgp-signature\n\nSIGNATURE\n--x--\n"
        )

    header = 'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=x'
    odd = [body_of(mail, sign, header) for mail in mails]
    assert ours(tree, *odd) == ours(tree, *mails)


def smuggled(mail: bytes) -> bytes:
    hunk = b"diff --git a/mm/b.c b/mm/b.c\n--- a/mm/b.c\n+++ b/mm/b.c\n@@ -1,2 +1,3 @@\n"
    hunk += b" int first(void)\n+int evil;\n {\n"
    return mail.replace(b"Because of 2.\n", b"Because of 2, like\n" + hunk + b"does.\n\n")


def test_diff_inside_the_message(tree: Path, mails: list[bytes]) -> None:
    odd = smuggled(mails[2])
    am(tree, mails[1], odd)
    assert b"int evil" in (tree / "mm/b.c").read_bytes()
    plain_git(tree, "reset", "-q", "--hard", "HEAD~2")
    assert "a diff inside the commit message" in refused(mails[1], odd, mails[3])


def test_diff_below_the_line_and_behind_the_signature(tree: Path, mails: list[bytes]) -> None:
    hunk = b"diff --git a/mm/b.c b/mm/b.c\n--- a/mm/b.c\n+++ b/mm/b.c\n@@ -1,2 +1,3 @@\n"
    hunk += b" int first(void)\n+int evil;\n {\n"
    for odd in (
        mails[2].replace(b"\n---\n", b"\n---\nA note.\n" + hunk + b"\n"),
        mails[2] + b"footer\n" + hunk,
    ):
        am(tree, mails[1], odd)
        assert b"int evil" in (tree / "mm/b.c").read_bytes()
        plain_git(tree, "reset", "-q", "--hard", "HEAD~2")
        assert "of the diff" in refused(mails[1], odd, mails[3])


def test_whitespace_configuration(tree: Path, mails: list[bytes]) -> None:
    odd = mails[2].replace(b"+#define NEW 1\n", b"+#define NEW 1 \n")
    plain_git(tree, "config", "apply.whitespace", "fix")
    am(tree, mails[1], odd)
    assert (tree / "mm/new.h").read_bytes() == b"#define NEW 1\n"  # rewritten in silence
    plain_git(tree, "reset", "-q", "--hard", "HEAD~2")
    assert ours(tree, mails[1], odd, mails[3])["mm/new.h"] == b"#define NEW 1 \n"


def test_missing_blob_with_three_way(tree: Path, mails: list[bytes]) -> None:
    # Contents as on the other branch, without its history.
    for name in ("mm/a.c", "mm/b.c"):
        (tree / name).write_bytes(OLD.replace(b"int v2;", b"int x2;"))
    shutil.rmtree(tree / ".git")
    plain_git(tree, "init", "-q")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "base")
    assert "could not build fake ancestor" in am(tree, mails[1], status=128, options=("-3",))
    plain_git(tree, "am", "--abort")
    misfits = apply_series(tree, read(*mails)).patches[0].misfits
    blob = mails[1].split(b"\nindex ")[1][:12].decode()
    assert any(one.kind == "blob" and blob in one.text for one in misfits)


@pytest.mark.parametrize(
    "path", ["../evil", "/evil", "mm/../../evil", ".git/evil", ".GIT/evil", "git~1/evil"]
)
def test_paths_that_leave_the_tree(tree: Path, mails: list[bytes], path: str) -> None:
    odd = mails[2].replace(b"mm/new.h", path.encode())
    assert "invalid path" in am(tree, mails[1], odd, status=128)
    assert "is refused" in refused(mails[1], odd, mails[3])


@pytest.mark.parametrize(
    ("mode", "content", "name"),
    [
        ("120000", b"/etc/passwd", "a symbolic link"),
        ("160000", b"Subproject commit " + b"1" * 40, "a submodule"),
        ("100755", b"\x1b[2J", "control character"),
        ("100644", "x = \u202e1;".encode(), "control character"),
    ],
)
def test_odd_modes_and_characters(
    tree: Path, mails: list[bytes], mode: str, content: bytes, name: str
) -> None:
    odd = mails[2].replace(b"new file mode 100644", f"new file mode {mode}".encode())
    odd = odd.replace(b"+#define NEW 1\n", b"+" + content + b"\n\\ No newline at end of file\n")
    am(tree, mails[1], odd)
    assert plain_git(tree, "ls-files", "-s", "mm/new.h").startswith(mode)
    plain_git(tree, "reset", "-q", "--hard", "HEAD~2")
    assert name in refused(mails[1], odd, mails[3])
    # Asked for by name, it is let through.
    box = io.BytesIO(b"".join([mails[1], odd, mails[3]]))
    assert len(read_series("-", stdin=box, allow=["mm/new.h"]).patches) == 3


def test_setuid_mode(tree: Path, mails: list[bytes]) -> None:
    odd = mails[2].replace(b"new file mode 100644", b"new file mode 104755")
    am(tree, mails[1], odd)
    assert len(subjects(tree)) == 2
    assert "an odd mode (104755)" in refused(mails[1], odd, mails[3])


def test_identity_and_signing(tree: Path, mails: list[bytes]) -> None:
    plain_git(tree, "config", "commit.gpgSign", "true")
    plain_git(tree, "config", "user.signingKey", "nobody")
    plain_git(tree, "config", "gpg.program", "false")
    assert "failed to write commit" in am(tree, mails[1], status=128)
    plain_git(tree, "config", "commit.gpgSign", "false")
    plain_git(tree, "am", "--abort")
    plain_git(tree, "config", "commit.gpgSign", "true")
    assert ours(tree, *mails)["mm/new.h"] == b"#define NEW 1\n"


def test_no_identity(tree: Path, mails: list[bytes]) -> None:
    """git am stops before it applies anything; in isolation no identity is needed."""
    before = plain_git(tree, "rev-parse", "HEAD")
    env = {"PATH": os.environ["PATH"], "HOME": str(tree), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(tree), "-c", "user.useConfigOnly=true", "am"]
    done = subprocess.run(command, input=mails[1], capture_output=True, env=env, check=False)
    assert done.returncode == 128
    assert b"tell me who you are" in done.stderr
    assert plain_git(tree, "rev-parse", "HEAD") == before
    assert ours(tree, *mails)["mm/new.h"] == b"#define NEW 1\n"


HOOKS = ("applypatch-msg", "pre-applypatch", "post-applypatch", "post-index-change",
         "reference-transaction")  # fmt: skip


def test_hooks(tree: Path, mails: list[bytes], tmp_path: Path) -> None:
    """Those that test_am.py plants beside filters and the file-system monitor."""
    seen = tmp_path / "seen"
    for name in HOOKS:
        hook(tree, name, f"echo {name} >> {seen}")
    am(tree, *mails[1:])
    assert set(seen.read_text().split()) == set(HOOKS)
    plain_git(tree, "reset", "-q", "--hard", "HEAD~3")
    seen.unlink()
    assert ours(tree, *mails)["mm/new.h"] == b"#define NEW 1\n"
    assert not seen.exists()


def test_killed_half_way(tree: Path, mails: list[bytes]) -> None:
    """Kills of ours at random moments are in test_am.py."""
    hook(tree, "post-applypatch", "kill -9 $PPID")
    am(tree, *mails[1:], status=-9)
    assert len(subjects(tree)) == 1 and (tree / ".git/rebase-apply").is_dir()
    plain_git(tree, "am", "--quit")
    plain_git(tree, "reset", "-q", "--hard", "HEAD~1")
    assert ours(tree, *mails)["mm/new.h"] == b"#define NEW 1\n"
    assert subjects(tree) == [] and not (tree / ".git/rebase-apply").exists()


def hook(tree: Path, name: str, line: str) -> None:
    file = tree / ".git/hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def test_a_mail_of_200_megabytes(
    tree: Path, mails: list[bytes], tmp_path: Path, mini: Path
) -> None:
    line = b"+\tint a_line_of_a_driver_dump = 0x12345678;\n"
    count = (200 << 20) // len(line)
    hunk = b"--- /dev/null\n+++ b/mm/dump.h\n@@ -0,0 +1,%d @@\n" % count
    patch = b"diff --git a/mm/dump.h b/mm/dump.h\nnew file mode 100644\n" + hunk
    big = tmp_path / "big.patch"
    with big.open("wb") as file:
        file.write(mails[1].partition(b"diff --git")[0] + patch)
        for _ in range(count):
            file.write(line)
        file.write(b"-- \n2.39\n")
    git = cost(["git", "-C", str(tree), *IDENTITY, "am", "-q", str(big)])
    assert git.status == 0 and len(subjects(tree)) == 1  # of whatever size
    own = cost([sys.executable, "-m", "patchgen", "verify", str(big), "--tree", str(mini)])
    assert own.status == 2 and own.said.startswith(
        f"patchgen: {big}: the mail has more than 64 MiB"
    )
    # No time is asserted; it was 6 s for git, which holds the mail several times, and 0.7 s.
    assert git.memory > 2 * big.stat().st_size
    assert own.memory < 1.5 * big.stat().st_size
    big.unlink()


IDENTITY = ("-c", "user.name=C O Mitter", "-c", "user.email=committer@example.org")


class Cost(NamedTuple):
    """Exit status, bytes of the largest process, and what was said on stderr."""

    status: int
    memory: int
    said: str


# In between, since a process is charged with the memory of the one that started it.
STARTER = """\
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10)
"""


def cost(command: list[str]) -> Cost:
    starter = [sys.executable, "-c", STARTER, *command]
    done = subprocess.run(starter, capture_output=True, text=True, check=True)
    status, memory = done.stdout.split()
    return Cost(int(status), int(memory), done.stderr)


def test_size_cap_of_a_series(mails: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_MAIL", 1000)
    assert "the mail has more than" in refused(mails[1] + b"x" * 1000)
    monkeypatch.setattr(sources, "MAX_SERIES", 1000)
    assert "has more than" in refused(*mails)


def test_single_mail_on_stdin(mails: list[bytes]) -> None:
    series = read(mails[2])
    assert series.partial and series.patches[0].number == 2


def test_reply_with_a_quoted_patch_is_set_aside(mails: list[bytes]) -> None:
    reply = mails[1].replace(b"Subject: ", b"Subject: Re: ")
    head, body = reply.split(b"\n\n", 1)
    reply = head + b"\n\n> " + body.replace(b"\n", b"\n> ") + b"\n"
    series = read(*mails, reply)
    assert len(series.patches) == 3 and "a reply" in series.notes[0]


def test_html_is_refused(mails: list[bytes]) -> None:
    odd = body_of(mails[1], lambda body: body, "Content-Type: text/html")
    assert "text/html" in refused(odd)


def test_message_is_cut_by_a_from_line(tree: Path, mails: list[bytes]) -> None:
    line = b"From here on at 12:30 in 2020\n"
    odd = mails[2].replace(b"Because of 2.\n", b"Because of\n" + line + b"and so.\n")
    am(tree, mails[1], odd, status=None)
    assert "cuts a mail in two" in refused(mails[1], odd, mails[3])


def test_hunk_without_a_file(tree: Path, mails: list[bytes]) -> None:
    odd = mails[2].replace(b"\n---\n", b"\n---\n@@ -1,2 +1,3 @@\n")
    assert "patch fragment without header" in am(tree, mails[1], odd, status=128)
    assert "a hunk without a file" in refused(mails[1], odd, mails[3])
