# SPDX-License-Identifier: GPL-2.0-only
"""Recipients come from the tree's own script, which runs in an empty environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.sandbox import fence, landlock
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


@pytest.mark.needs("Landlock")
def test_the_script_reads_the_tree_and_writes_nowhere(tmp_path: Path) -> None:
    """It is a stranger's program: no file beside the tree, none of the user's, no change."""
    root = tmp_path / "tree"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    (root / "MAINTAINERS").write_text("inside\n")
    script(
        root,
        f'my $said = ""; for my $file ("{tmp_path}/secret", "{root}/MAINTAINERS") {{\n'
        '  if (open(my $f, "<", $file)) { $said .= <$f>; chomp $said; }\n'
        '  else { $said .= "no "; } }\n'
        f'for my $file ("{root}/new", "{tmp_path}/new") {{\n'
        '  if (open(my $f, ">", $file)) { $said .= " written"; } }\n'
        'print "$said <m\\@example.org> (maintainer:X)\\n";\n',
    )
    assert ask(root, b"X").to == ("no inside <m@example.org>",)
    assert not (root / "new").exists() and not (tmp_path / "new").exists()


def test_without_a_fence_it_runs_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, 'print "m\\@example.org (maintainer:X)\\n";\n')
    monkeypatch.setattr(landlock, "version", lambda: 0)
    with pytest.raises(UserError, match="no fence"):
        ask(tmp_path, b"X")
    monkeypatch.setattr(fence.Fencing, "required", False)
    assert ask(tmp_path, b"X").to == ("m@example.org",)
