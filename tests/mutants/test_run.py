# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of the miniature kernel: all compile, and each fits somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from patchgen.model.base import Place, Span
from patchgen.model.facts import FileFacts
from patchgen.model.findings import Finding
from patchgen.model.outcome import UserError
from patchgen.source.c.body import functions_in
from tests.mutants.__main__ import main
from tests.mutants.bases import Base, bases
from tests.mutants.mutant import Mutant, Result, behind_includes, mutate
from tests.mutants.operator import all_operators
from tests.mutants.reparse import Reparser
from tests.mutants.report import Peers, Run, missed, page, share
from tests.mutants.run import concerned, keys, mutants, new_error
from tests.mutants.subject import Site, Subject


@pytest.fixture(scope="module")
def found(mini: Path) -> list[Base]:
    return bases(str(mini))


def test_all_mutants_of_the_miniature_compile(found: list[Base]) -> None:
    count, broken = 0, []
    states = {base.name: base for base in found}
    todo = mutants(found, all_operators())
    for key in dict.fromkeys((m.base, m.site.path) for m in todo):
        state, path = states[key[0]].state, key[1]
        facts = state.facts(path)
        reparser = Reparser(state, path, facts)
        assert reparser.reliable
        for mutant in todo:
            if (mutant.base, mutant.site.path) != key:
                continue
            source = state.read(path) or b""
            after = reparser.facts(mutate(source, mutant.site))
            assert after is not None
            count += 1
            if new_error(facts, after):
                broken.append(new_error(facts, after))
    assert count >= 200
    # Names that the miniature's headers lack, and nothing else.
    absent = re.compile(rf"(implicit declaration of|undeclared).*'(?:{'|'.join(_ABSENT)})'")
    assert [error for error in broken if not absent.search(error)] == []


_ABSENT = (
    "fatal_signal_pending",
    "kfree",
    "kmalloc",
    "GFP_KERNEL",
    "mmget_not_zero",
    "mmput",
    "mutex_lock_interruptible",
    "rcu_read_lock",
    "rcu_read_unlock",
    "swp_entry_to_pte",
    "synchronize_rcu",
    "VM_PFNMAP",
)


def test_guards_are_found_in_the_series(found: list[Base]) -> None:
    sites = {m.operator for m in mutants(found, all_operators()) if m.base.endswith("+flag")}
    assert {"guard_in_one_callback_only", "guard_behind_lock", "change_pte_entry_dropped"} <= sites


def _subject(path: str, source: str) -> Subject:
    functions = functions_in(source.encode(), path)
    return Subject(source.encode(), FileFacts(path, "", "", functions, (), (), (), ()))


def test_files_that_a_section_goes_through_are_linted(found: list[Base]) -> None:
    user = _subject("fs/user.c", "void user(void) { struct mmu_notifier_range range; open(&range); "
                                 "zap(range.end); look(&range.start); other(); }")  # fmt: skip
    files = {
        "mm/open.c": "int open(struct mmu_notifier_range *range) { return 0; }",
        "mm/zap.c": "void zap(unsigned long end) { }",
        "mm/look.c": "void look(unsigned long *start) { }",
        "mm/other.c": "void other(void) { }",
    }
    others = tuple(_subject(path, source) for path, source in files.items())
    base = Base("x", "x", (), found[0].state, (user, *others))
    mutant = Mutant("end_removed", (1,), "x", Site("fs/user.c", "user", 1, ()))
    assert concerned(base, mutant, user.facts) == ("fs/user.c", "mm/open.c", "mm/zap.c")


def test_an_error_of_a_mutant_is_noticed(found: list[Base]) -> None:
    state = found[0].state
    path = "virt/kvm/kvm_main.c"
    facts = state.facts(path)
    broken = (state.read(path) or b"") + b"\nint x = nowhere;\n"
    after = Reparser(state, path, facts).facts(broken)
    assert after is not None
    assert "nowhere" in new_error(facts, after)


def test_a_header_goes_behind_the_last_unconditional_include() -> None:
    source = b"#include <a.h>\n#ifdef X\n#include <b.h>\n#endif\nint x;\n"
    site = Site("x.c", "f", 1, (), "linux/mm.h")
    assert behind_includes(source) == len(b"#include <a.h>\n")
    assert mutate(source, site, True).startswith(b"#include <a.h>\n#include <linux/mm.h>\n#ifdef")


def _finding(line: int, message: str) -> Finding:
    return Finding("MN001", "error", Place("x.c", line), 1, Span(0, 1), message, (), "f")


def test_findings_are_compared_without_lines() -> None:
    before = keys([_finding(3, "opened at line 2, never ended")])
    moved = keys([_finding(4, "opened at line 3, never ended")])
    twice = keys([_finding(4, "opened at line 3, never ended")] * 2)
    assert not moved - before
    assert twice - before


def _result(rules: tuple[int, ...], new: tuple[int, ...], error: str = "") -> Result:
    mutant = Mutant("end_removed", rules, "5.10", Site("mm/x.c", "f", 7, ()))
    return Result(mutant, error, new)


def test_a_mutant_is_found_by_a_right_rule_only() -> None:
    results = [_result((1,), (1, 2)), _result((1,), (2,)), _result((1,), ())]
    assert [r.state for r in results] == ["found", "other", "missed"]
    assert share(results) == pytest.approx(100 / 3)
    assert [line.endswith("(found: MN002)") for line in missed(results)] == [True, False]
    assert _result((1,), (1,), "no such type").state == "broken"


def test_the_page_has_figures_and_missed_sites() -> None:
    ops = tuple(op for op in all_operators() if op.name == "end_removed")
    results = (_result((1,), (1,)), _result((1,), ()), _result((1,), (), "error"))
    text = page(Run({"5.10": "5.10.1"}, ops, results, Peers((0, 1), {"sparse 1": [True, False]})))
    assert "5.10.1: 2 mutants, 1 found (50.0 %)" in text
    assert "| end_removed | MN001 | 1/2 | 1/2 | 1/2 |" in text
    assert "- end_removed: 5.10 MN001 mm/x.c:7 f" in text


def test_an_unknown_fault_is_an_argument_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--operator", "no_such"]) == UserError("").exit_status
    assert "no such fault: no_such" in capsys.readouterr().err
