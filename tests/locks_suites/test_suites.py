# SPDX-License-Identifier: GPL-2.0-only
"""The suites' formats are read, and a wrong answer is told from a right one."""

from __future__ import annotations

from pathlib import Path

from tests.locks_suites import smatch, sparse
from tests.locks_suites.__main__ import passes, table
from tests.locks_suites.case import CORRECT, FAULT, FOUND, SILENT, Case, Judged, judge

CONTEXT = """\
static void a(void) __attribute__((context(0,1)))
{
	__context__(1);
}
static void r(void) __attribute__((context(1,0)))
{
	__context__(-1);
}
static void good_pair(void)
{
	a();
	r();
}
static void good_half(void) __attribute__((context(0,1)))
{
	a();
}
static void warn_half(void)
{
	a();
}
/*
 * check-name: contexts
 *
 * check-error-start
context.c:17:13: warning: context imbalance in 'warn_half' - wrong count at exit
 * check-error-end
 */
"""

VALUES = """\
#include "check_debug.h"
void func(int x)
{
	if (x < 3)
		return;
	__smatch_implied(x);
}
/*
 * check-name: values
 *
 * check-output-start
sm_values.c:6 func() implied: x = '3-s32max'
 * check-output-end
 */
"""

LOCKING = """\
void _spin_lock(int name);
int gone;
void func(void)
{
	int mylock = 1;

	_spin_lock(mylock);
	if (gone)
		return;
	_spin_unlock(mylock);
}
/*
 * check-name: locking
 *
 * check-output-start
sm_locking9.c:10 func() warn: inconsistent returns 'mylock'.
 * check-output-end
 */
"""


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "validation"
    folder.mkdir()
    for name, text in (
        ("context.c", CONTEXT),
        ("sm_values.c", VALUES),
        ("sm_locking9.c", LOCKING),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_contexts_become_sections(tmp_path: Path) -> None:
    judged = [judge(case) for case in sparse.cases(_folder(tmp_path))]
    assert [(one.case.name, one.case.kind, one.answer) for one in judged] == [
        ("context.c good_pair", CORRECT, SILENT),
        ("context.c good_half", CORRECT, SILENT),
        ("context.c warn_half", FAULT, FOUND),
    ]
    assert passes(judged)


def test_a_printed_value_is_two_cases(tmp_path: Path) -> None:
    judged = [judge(case) for case in smatch.values(_folder(tmp_path))]
    assert [(one.case.kind, one.answer) for one in judged] == [(CORRECT, SILENT), (FAULT, FOUND)]


def test_each_message_on_locks_is_a_fault(tmp_path: Path) -> None:
    judged = [judge(case) for case in smatch.locking(_folder(tmp_path))]
    assert [(one.case.kind, one.answer) for one in judged] == [(FAULT, FOUND)]


def test_what_does_not_pass() -> None:
    case = Case("suite", "x", FAULT, "", "")
    right = Judged(case, FOUND, "")
    assert passes([right])
    assert not passes([])
    assert not passes([right, Judged(case, SILENT, "")])
    assert not passes([right, Judged(case._replace(kind=CORRECT), FOUND, "")])
    assert table([right])[-1] == "| suite, fault | 1 | 1 | 0 | 0 |"
