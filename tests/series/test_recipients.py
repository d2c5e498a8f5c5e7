# SPDX-License-Identifier: GPL-2.0-only
"""Recipients come from the tree's own script, which runs in an empty environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.series.write.recipients import Recipients, ask, parse, union

LINES = """\
P M <p@example.org> (maintainer:KERNEL VIRTUAL MACHINE (KVM))
"Q, S" <q@example.org> (supporter:MM)
R R <r@example.org> (reviewer:MM)
kvm@lists.example.org (open list:KERNEL VIRTUAL MACHINE (KVM))
linux@lists.example.org (open list)
"""


def test_roles_are_sorted() -> None:
    assert parse(LINES) == Recipients(
        ("P M <p@example.org>", '"Q, S" <q@example.org>'),
        ("R R <r@example.org>", "kvm@lists.example.org", "linux@lists.example.org"),
    )


def test_who_is_in_to_is_not_in_cc() -> None:
    both = union([Recipients(("a@x",), ("b@x",)), Recipients(("b@x",), ("c@x",))])
    assert both == Recipients(("a@x", "b@x"), ("c@x",))


def script(root: Path, text: str) -> None:
    (root / "scripts").mkdir()
    (root / "scripts/get_maintainer.pl").write_text(text)


def test_the_script_sees_the_mail_and_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    script(
        tmp_path,
        'open(my $f, "<", $ARGV[-1]); my $mail = <$f>;\n'
        'print "M M <m\\@example.org> (maintainer:$mail)\\n" unless $ENV{SECRET_TOKEN};\n',
    )
    assert ask(tmp_path, b"X").to == ("M M <m@example.org>",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("die 'no kernel tree';\n", "failed: no kernel tree"), (None, "no such script")],
)
def test_a_script_that_cannot_answer(tmp_path: Path, text: str | None, reason: str) -> None:
    if text is not None:
        script(tmp_path, text)
    with pytest.raises(UserError, match=reason):
        ask(tmp_path, b"X")
