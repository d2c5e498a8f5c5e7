# SPDX-License-Identifier: GPL-2.0-only
"""The tree's checkpatch, run beside the other checks: in order, at most a few, none left."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from patchgen.sandbox import fence, landlock
from patchgen.source.tree import search
from patchgen.verify import checkpatch
from patchgen.verify.checkpatch import AHEAD, StyleCheck, check_style, styles
from tests.series.conftest import plain_git

pytestmark = pytest.mark.needs("perl")

#: A program in checkpatch's place that complains of each line with "bad" in it.
SCRIPT = """\
#!/usr/bin/perl
my $n = 0;
while (<STDIN>) { $n++; print "-:$n: WARNING:BAD: found $_" if /bad/; sleep 60 if /slow/; }
exit($n > 1 ? 1 : 0);
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/checkpatch.pl").write_text(SCRIPT)
    return tmp_path


def test_answers_come_in_the_order_of_the_mails(tree: Path) -> None:
    mails = [b"fine\n", b"fine\nbad one\n", b"fine\n", b"x\ny\nbad two\n", b"fine\n"]
    with styles(tree, mails) as runs:
        said = [next(runs).result() for _ in mails]
        assert next(runs, None) is None
    assert [s.state for s in said] == ["clean", "complaints", "clean", "complaints", "clean"]
    assert said[1].complaints == ("BAD: found bad one",)
    assert said == [check_style(tree, mail) for mail in mails]


def test_no_more_than_a_few_run_at_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bytes] = []

    class Counted(checkpatch.StyleRun):
        def __init__(self, root: Path, mail: bytes, *rest: object) -> None:
            begun.append(mail)
            super().__init__(root, mail)

    monkeypatch.setattr(checkpatch, "StyleRun", Counted)
    mails = [b"%d\n" % number for number in range(9)]
    with styles(tree, mails) as runs:
        assert begun == mails[:AHEAD]
        next(runs)
        assert begun == mails[:AHEAD]
        next(runs)
        assert begun == mails[: AHEAD + 1]


def test_an_error_elsewhere_ends_those_that_run(tree: Path) -> None:
    began = time.monotonic()
    with pytest.raises(KeyError), styles(tree, [b"slow\n"] * 3) as runs:
        run = next(runs)
        raise KeyError
    assert run._process.returncode is not None
    assert time.monotonic() - began < 30


def test_one_that_does_not_end_is_said_not_to_have_run(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpatch, "TIME_LIMIT", 0.2)
    assert check_style(tree, b"slow\n") == StyleCheck(
        "absent", reason="scripts/checkpatch.pl took more than 0.2 s"
    )


def test_a_tree_without_it(tmp_path: Path) -> None:
    assert check_style(tmp_path, b"") == StyleCheck(
        "absent", reason="the tree has no scripts/checkpatch.pl"
    )


ATTACKS = {
    "reads the home": 'open(my $f, "<", "%(home)s/secret") and print "-:1: WARNING:LEAK: read\\n";',
    "lists the home": 'opendir(my $d, "%(home)s") and print "-:1: WARNING:LEAK: listed\\n";',
    "writes the home": 'open(my $f, ">", "%(home)s/new") and print "-:1: WARNING:LEAK: wrote\\n";',
    "writes the tree": 'open(my $f, ">", "%(tree)s/new") and print "-:1: WARNING:LEAK: wrote\\n";',
    "removes": 'unlink("%(home)s/secret") and print "-:1: WARNING:LEAK: removed\\n";',
    "by a shell": "my $x = `cat %(home)s/secret 2>/dev/null`;"
    ' print "-:1: WARNING:LEAK: $x\\n" if $x;',
}


@pytest.mark.needs("Landlock")
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_checkpatch_sees_and_changes_nothing(tmp_path: Path, attack: str) -> None:
    home, root = tmp_path / "home", tmp_path / "tree"
    home.mkdir()
    (home / "secret").write_text("secret\n")
    (root / "scripts").mkdir(parents=True)
    script = "#!/usr/bin/perl\n" + ATTACKS[attack] % {"home": home, "tree": root}
    (root / "scripts/checkpatch.pl").write_text(script + "\nexit(0);\n")
    assert check_style(root, b"x\n") == StyleCheck("clean")
    assert (home / "secret").read_text() == "secret\n"
    assert [p.name for p in home.iterdir()] == ["secret"]
    assert [p.name for p in root.iterdir()] == ["scripts"]


def test_a_checkpatch_that_eats_memory_ends(tree: Path) -> None:
    (tree / "scripts/checkpatch.pl").write_text("my $x = 'x' x (1 << 32); print length $x;\n")
    assert check_style(tree, b"x\n").state == "absent"


def test_without_a_fence_it_runs_only_when_told_to(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    said = check_style(tree, b"bad\n")
    assert said.state == "absent" and "no fence" in said.reason
    monkeypatch.setattr(fence.Fencing, "required", False)
    assert check_style(tree, b"bad\n").complaints == ("BAD: found bad",)


#: As the kernel's own does it: a commit is looked up where there is a repository.
LOOKS_UP = """\
#!/usr/bin/perl
use strict;
my $wrong = 0;
foreach (<STDIN>) {
	next unless /Fixes: ([0-9a-f]+)/;
	my $said = -e ".git" ? `git log -1 --format=%s $1 2>&1` : "";
	next if $? == 0 && $said =~ /^the base/;
	next if "@ARGV" =~ /UNKNOWN_COMMIT_ID/;
	print "-:1: WARNING:UNKNOWN_COMMIT_ID: unknown $1\n";
	$wrong = 1;
}
exit($wrong);
"""


@pytest.fixture
def repository(tree: Path) -> Path:
    (tree / "scripts/checkpatch.pl").write_text(LOOKS_UP)
    plain_git(tree, "init", "-q")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-q", "-m", "the base")
    return tree


def test_commits_are_looked_up_in_the_history_of_the_tree(repository: Path, tmp_path: Path) -> None:
    head = plain_git(repository, "rev-parse", "HEAD").strip()
    known = f"Fixes: {head[:12]}\n".encode()
    assert check_style(repository, known) == StyleCheck("clean")
    unknown = check_style(repository, b"Fixes: 0123456789ab\n")
    assert unknown.complaints and unknown.levels == ("WARNING",) and not unknown.off
    assert unknown.failing(strict=False) == () and unknown.failing(strict=True)
    borrows = tmp_path / "borrows"
    plain_git(tmp_path, "clone", "-q", "--shared", str(repository), str(borrows))
    assert check_style(borrows, known) == StyleCheck("clean")
    assert not (repository / ".git/patchgen").exists()


@pytest.mark.parametrize("kind", ["plain", "shallow"])
def test_without_a_history_it_says_that_commits_are_not_looked_up(
    repository: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "plain":
        shutil.rmtree(repository / ".git")
        root = repository
    else:
        root = tmp_path / "shallow"
        plain_git(repository, "commit", "-q", "--allow-empty", "-m", "another")
        plain_git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", str(root))
    said = check_style(root, b"Fixes: 0123456789ab\n")
    assert said.state == "clean" and "not looked up" in said.off[0] and kind in said.off[0]
    assert check_style(root, b"nothing of that kind\n").off == ()


@pytest.mark.parametrize(
    ("level", "fails"), [("ERROR", True), ("WARNING", False), ("CHECK", False)]
)
def test_errors_alone_fail_unless_all_are_asked_for(tree: Path, level: str, fails: bool) -> None:
    script = f'print "-:1: {level}:SOME_TYPE: some text\\n"; exit(1);\n'
    (tree / "scripts/checkpatch.pl").write_text(script)
    said = check_style(tree, b"x\n")
    assert bool(said.failing(strict=False)) is fails
    assert bool(said.passing(strict=False)) is not fails
    assert said.failing(strict=True) == ("SOME_TYPE: some text",)
    assert said.passing(strict=True) == ()


#: Says how often it ran, in a folder that it may write to only here.
COUNTS = """\
#!/usr/bin/perl
my ($root) = map { $ARGV[$_ + 1] } grep { $ARGV[$_] eq '--root' } 0 .. $#ARGV;
my $other = open(my $f, '<', "$root/include/x.h") ? 1 : 0;
my $list = 'none';
if (open(my $g, '<', "$root/scripts/list")) { $list = <$g>; }
my $t = join '', map { sprintf '%02x', rand 256 } 1 .. 8;
print "-:1: WARNING:SAW: include $other, list $list, run $t\n";
exit(1);
"""


@pytest.mark.needs("Landlock")
def test_what_it_said_is_remembered_while_all_that_it_may_read_is_the_same(tree: Path) -> None:
    (tree / "scripts/checkpatch.pl").write_text(COUNTS)
    (tree / "include").mkdir()
    (tree / "include/x.h").write_text("x\n")

    def said(mail: bytes) -> str:
        with styles(tree, [mail]) as runs:
            return next(runs).result().complaints[0]

    first = said(b"fine\n")
    assert first.startswith("SAW: include 0, list none") and said(b"fine\n") == first
    assert said(b"other\n") != first
    (tree / "scripts/list").write_text("one")
    second = said(b"fine\n")
    assert second.startswith("SAW: include 0, list one") and second == said(b"fine\n")
    (tree / "a").mkdir()  # what a patch's prefix may be mistaken for
    assert said(b"fine\n") not in (first, second)
    mixed = said(b"+\tfooBar();\n")
    assert mixed.startswith("SAW: include 1") and said(b"+\tfooBar();\n") == mixed
    (tree / "include/y.h").write_text("fooBar\n")
    search.search(tree)  # lists the tree anew, as each run does
    assert said(b"+\tfooBar();\n") != mixed
    for mail in (b"+#include <asm/io.h>\n", b'+\t{ .compatible = "a,b" },\n'):
        whole = said(mail)
        assert whole.startswith("SAW: include 1") and said(mail) != whole, mail
