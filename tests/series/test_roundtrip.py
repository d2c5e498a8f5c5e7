# SPDX-License-Identifier: GPL-2.0-only
"""What we write, b4 and git take; what others post, we take."""

from __future__ import annotations

import email
import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import AUTHOR, OLD, committed, plain_git

COVER = Cover("Re-enable it", (Section("", "Text."),))
B4 = Path(sys.executable).with_name("b4")


def test_b4_am_makes_the_same_tree(tree: Path, tmp_path: Path) -> None:
    series = committed(tree, 4, trailers=[f"Signed-off-by: {AUTHOR}"])
    files = write_series(series, COVER, MailOptions(), tmp_path / "v1").files
    box = tmp_path / "series.mbox"
    box.write_bytes(b"".join(reversed(files.values())))
    command = [B4, "--no-interactive", "--offline-mode", "am", "-m", box, "-o", tmp_path / "b4"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tree, capture_output=True, env=env, text=True)
    assert done.returncode == 0, done.stderr
    [mbox] = (tmp_path / "b4").glob("*.mbx")
    ours = apply_series(tree, read_series(box))
    assert apply_series(tree, read_series(mbox)).patches[-1].tree == ours.patches[-1].tree
    plain_git(tree, "am", "-q", str(mbox))
    assert plain_git(tree, "rev-parse", "HEAD^{tree}") == ours.patches[-1].tree


@pytest.mark.needs("git send-email")
def test_git_send_email_sends_what_we_wrote(tree: Path, tmp_path: Path) -> None:
    mail = MailOptions(to=("linux-mm@lists.example.org",), cc=("Zoë E <zoe@example.org>",))
    series = committed(tree, 4)
    files = write_series(series, COVER, mail, tmp_path / "v1").files
    sent = tmp_path / "sent"
    sent.mkdir()
    sink = tmp_path / "sink"
    sink.write_text(f"#!/bin/sh\nn=$(ls {sent} | wc -l)\ncat > {sent}/$n\n")
    sink.chmod(0o755)
    plain_git(
        tree, "-c", "sendemail.confirm=never", "-c", "sendemail.from=C O Mitter <c@example.org>",
        "send-email", "-q", f"--smtp-server={sink}", *(str(tmp_path / "v1" / n) for n in files),
    )  # fmt: skip
    mails = [email.message_from_bytes((sent / str(number)).read_bytes()) for number in range(5)]
    written = [email.message_from_bytes(data) for data in files.values()]
    for name in ("Message-ID", "In-Reply-To", "References", "Subject", "To"):
        assert [one[name] for one in mails] == [one[name] for one in written]
    assert all("zoe@example.org" in one["Cc"] for one in mails)
    ours = apply_series(tree, read_series(tmp_path / "v1"))
    for number in range(1, 5):
        plain_git(tree, "am", "-q", str(sent / str(number)))
    assert plain_git(tree, "rev-parse", "HEAD^{tree}") == ours.patches[-1].tree
    assert plain_git(tree, "log", "-1", "--format=%an <%ae>") == str(AUTHOR)


# A posting as others make it: another sender's mailer, a list's headers and footer,
# an in-body author, a deleted file, a rename, a new executable, Latin-1 in the name.
POSTED = b"""\
From list@lists.example.org Tue Nov 14 10:00:00 2023
Received: from mail.example.org (HELO mail) by lists.example.org
Return-Path: <list-bounces@lists.example.org>
From: =?iso-8859-1?Q?J=F6rg_Example?= <joerg@example.org>
To: linux-mm@lists.example.org
Subject: [RFC PATCH v4 2/2] mm: move b.c,
 and add a script
Date: Tue, 14 Nov 2023 10:00:01 +0100
Message-Id: <2@example.org>
In-Reply-To: <0@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

From: Somebody Else <else@example.org>

The na=EFve way.

Signed-off-by: Somebody Else <else@example.org>
---
v4: nothing

 mm/b.c =3D> lib/b.c | 0
 1 file changed

diff --git a/mm/b.c b/lib/b.c
similarity index 100%
rename from mm/b.c
rename to lib/b.c
diff --git a/scripts/run.sh b/scripts/run.sh
new file mode 100755
index 000000000000..1111111111
--- /dev/null
+++ b/scripts/run.sh
@@ -0,0 +1 @@
+#!/bin/sh
--=20
2.43.0

_______________________________________________
linux-mm mailing list
From list@lists.example.org Tue Nov 14 10:00:02 2023
From: joerg@example.org
X-Junk: yes
Subject: [RFC PATCH v4 1/2] mm: change a.c
Date: Tue, 14 Nov 2023 10:00:00 +0100 (CET)
Message-Id: <1@example.org>

Short.
---
 mm/a.c | 2 +-

diff --git a/mm/a.c b/mm/a.c
index 1111111..2222222 100644
--- a/mm/a.c
+++ b/mm/a.c
@@ -1,4 +1,5 @@
 int first(void)
 {
 \tint v0;
+\tint w;
 \tint v1;
"""


def test_a_series_of_others(tree: Path, tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(POSTED)
    series = read_series(box)
    assert (series.version, series.total) == (4, 2)
    one, two = series.patches
    assert str(two.author) == "Somebody Else <else@example.org>"
    assert two.subject == "mm: move b.c, and add a script"
    assert "The na\u00efve way." in two.message
    assert two.note == "v4: nothing\n\n mm/b.c => lib/b.c | 0\n 1 file changed"
    assert (one.date, one.zone) == (1699952400, "+0100")
    result = apply_series(tree, series)
    assert result.ok
    assert result.patches[1].files == {
        "lib/b.c": OLD, "mm/b.c": None, "scripts/run.sh": b"#!/bin/sh\n",
    }  # fmt: skip
    # git am takes the mails in the right order only.
    first = POSTED.index(b"From list@lists.example.org Tue Nov 14 10:00:02")
    plain_git(tree, "am", stdin=box.read_bytes()[first:] + box.read_bytes()[:first])
    log = plain_git(tree, "log", "-2", "--reverse", "--format=%T|%an|%at|%B%x00").split("\0")
    assert [entry.strip() for entry in log if entry.strip()] == [
        f"{p.tree}|{p.patch.author.name}|{p.patch.date}|{p.patch.message}" for p in result.patches
    ]
