# SPDX-License-Identifier: GPL-2.0-only
"""The answer: text, JSON, HTML, the cover letter's section, exit statuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from click.testing import CliRunner, Result

from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import prove
from patchgen.proof.result import ProofResult
from patchgen.proof.show.answer import as_lines, cover_section, to_json
from patchgen.proof.show.diagram import to_html
from tests.proof.variants import END, MAIN, START, guard_both, insert, reader, series, variant

SMALL = Bounds(1, 1)

SCHEMA = {
    "type": "object",
    "required": ["verdicts", "unknown", "bounds", "not_covered"],
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["transition", "property", "holds", "run"],
                "properties": {
                    "transition": {"type": "string"},
                    "property": {"enum": ["S1", "S2", "S3", "S4", "O1"]},
                    "holds": {"type": "boolean"},
                    "run": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["step", "cpu", "place", "text"],
                            "properties": {
                                "place": {"type": "string", "pattern": "^$|^[^:]+:[1-9][0-9]*$"}
                            },
                        },
                    },
                },
            },
        }
    },
}


@pytest.fixture(scope="module")
def wrong(request: pytest.FixtureRequest) -> ProofResult:
    tree = Path(__file__).resolve().parents[2] / "kernel-tree/mini"
    return prove(variant(tree, guard_both), Bounds(), ("ro-ro-new", "rw-ro-new"))


@pytest.fixture(scope="module")
def right() -> ProofResult:
    tree = Path(__file__).resolve().parents[2] / "kernel-tree/mini"
    return prove(variant(tree, series), Bounds(1, 2))


def test_json_has_the_shape_that_is_promised(wrong: ProofResult) -> None:
    value = json.loads(to_json(wrong))
    jsonschema.validate(value, SCHEMA)
    bad = [v for v in value["verdicts"] if v["property"] == "S1" and not v["holds"]]
    assert bad and all(v["run"] for v in bad)
    assert [step["step"] for step in bad[0]["run"]] == list(range(1, len(bad[0]["run"]) + 1))
    # All but the last step, what the guest meets, stand in the code.
    assert all(step["place"] for step in bad[0]["run"][:-1] if step["cpu"] != "guest")


def test_what_a_proof_rests_on_is_listed_with_its_lines(right: ProofResult, mini: Path) -> None:
    facts = json.loads(to_json(right))["rests_on"]
    codes = {fact["code"] for fact in facts}
    assert {"program", "flush", "counters", "dispatch", "notification", "walks"} <= codes
    assert {"deferred flush", "subscription"} <= codes
    for fact in facts:
        line = (mini / fact["file"]).read_text().splitlines()[fact["line"] - 1]
        name = fact["read"].removesuffix("()").split()[-1]
        # A function whose type has a line of its own, and one whose head the series moved.
        assert name in line or fact["file"].endswith(("mmu_notifier.h", "kvm_main.c")), fact
    assert any(line.startswith("rests on: ") for line in as_lines(right, verbose=True))


def test_text_has_the_table_and_one_column_a_cpu(wrong: ProofResult) -> None:
    lines = list(as_lines(wrong))
    assert lines[0].split() == ["transition", "flagged", "S1", "S2", "S3", "S4", "O1"]
    row = next(line for line in lines if " new frame " in line and " yes " in line)
    assert "VIOLATED" in row
    forbidden = next(line for line in lines if "if it were" in line)
    assert "violated" in forbidden and "VIOLATED" not in forbidden
    heading = next(line for line in lines if line.strip().startswith("CPU 0"))
    assert "vCPU 0" in heading
    cpu, vcpu = heading.index("CPU 0"), heading.index("vCPU 0")
    at = lines.index(heading)
    steps = [line for line in lines[at + 1 : at + 40] if line[:4].strip().isdigit()]
    assert {len(line[6:]) - len(line[6:].lstrip()) + 6 for line in steps} >= {cpu, vcpu}
    assert lines[-1] == "violated: S1"


def test_quiet_is_one_line(right: ProofResult) -> None:
    assert list(as_lines(right, quiet=True)) == ["every S property holds"]


def test_html_is_one_page_that_loads_nothing(wrong: ProofResult) -> None:
    page = to_html(wrong, "A <tree> & its proof")
    assert "A &lt;tree&gt; &amp; its proof" in page
    assert "<script" not in page and "src=" not in page
    drawings = [part.split("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]
    assert drawings
    for drawing in drawings:
        ElementTree.fromstring("<svg" + drawing)


def test_html_escapes_what_comes_from_the_tree(mini: Path) -> None:
    read = variant(
        mini, lambda s: insert(s, START, b'if (kvm->a < *"<script>")\n\t\treturn 0;\n\t')
    )
    page = to_html(prove(read), "x")
    assert "unknown" in page and "<script>" not in page


def test_cover_section_says_what_was_proved_and_what_not(right: ProofResult) -> None:
    text = cover_section(right)
    assert all(len(line) <= 72 for line in text.splitlines())
    flat = " ".join(text.split())
    assert "2 invalidations at once" in flat
    assert "a resident page stays mapped throughout: read-write to read-only, same frame" in flat
    assert "the setter drops the SPTE" in flat and "arch/x86/kvm/mmu/mmu.c:" in flat
    assert "must not be flagged" in flat
    assert "Not covered:" in flat and "TDP MMU" in flat
    assert "VIOLATED" not in flat


def test_cover_section_of_a_proof_that_is_none(mini: Path) -> None:
    result = prove(variant(mini, lambda source: insert(source, START, b"what(kvm);\n\t")))
    assert "not proved" in cover_section(result) and "what() is not known" in cover_section(result)


def test_what_was_broken_before_is_not_new(mini50: Path) -> None:
    before = prove(reader(mini50), SMALL)
    assert {v.case for v in before.violated} == {"refused"}
    after = prove(variant(mini50, series_50), SMALL)
    assert not after.unknown
    assert after.new_since(before) == ()
    worse = prove(variant(mini50, guard_both), SMALL)
    assert {v.case for v in worse.new_since(before)} >= {"ro-ro-new"}


def series_50(source: bytes) -> bytes:
    return series(source)


# ------------------------------------------------------------------ the command


def run(*arguments: str) -> Result:
    from patchgen.cli.prove import command

    return CliRunner().invoke(command, arguments, standalone_mode=False)


def small(tree: Path, *arguments: str) -> Result:
    return run("--tree", str(tree), "--vcpus", "1", "--invalidations", "1", *arguments)


def test_command_on_a_tree_as_it_is(mini: Path, tmp_path: Path) -> None:
    page = tmp_path / "proof.html"
    done = small(mini, "--html", str(page))
    assert done.exception is None and done.return_value == 0
    assert done.output.splitlines()[-1] == "every S property holds"
    assert "<svg" in page.read_text()


def test_command_as_json(mini: Path) -> None:
    done = small(mini, "--json", "--case", "ro-ro-new")
    jsonschema.validate(json.loads(done.output), SCHEMA)


def test_command_with_an_unknown_helper(mini: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(mini, tree)
    source = (tree / MAIN).read_bytes()
    (tree / MAIN).write_bytes(insert(source, END, b"kvm_do_something(kvm);\n\t"))
    done = small(tree)
    assert done.return_value == 1
    assert "unknown: virt/kvm/kvm_main.c:" in done.output


def test_command_refuses_a_transition_that_there_is_not(mini: Path) -> None:
    done = small(mini, "--case", "rw-rx")
    assert "no such transition: rw-rx" in str(done.exception)


def test_command_with_a_series(mini: Path, tmp_path: Path) -> None:
    done = small(mini, "--series", str(patch(mini, tmp_path, guard_both)), "--case", "ro-ro-new")
    assert done.return_value == 1
    assert "behind patch 1/1: violated: S1" in done.stderr
    done = small(mini, "--series", str(patch(mini, tmp_path, series)), "--case", "ro-ro-new")
    assert done.return_value == 0, done.output


def patch(tree: Path, folder: Path, change) -> Path:
    """A mail with the change to KVM's main file."""
    import difflib

    old = (tree / MAIN).read_text()
    new = change(old.encode()).decode()
    diff = "".join(
        difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"a/{MAIN}", f"b/{MAIN}")
    )
    mail = folder / "0001-kvm.patch"
    mail.write_text(
        "From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\n"
        "From: A Developer <a@example.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
        "Subject: [PATCH] KVM: change the handlers\n\nWhy.\n---\n"
        f"diff --git a/{MAIN} b/{MAIN}\n{diff}-- \n2.39.5\n"
    )
    return mail
