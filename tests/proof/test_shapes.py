# SPDX-License-Identifier: GPL-2.0-only
"""One protocol in many spellings is one protocol; what only looks like it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import Look, look, prove, shape
from patchgen.proof.system.readers import reads
from tests.proof.variants import CHANGE, END, MAIN, START, function, insert, reader, variant

SEQ = "kvm->mmu_notifier_seq"
COUNT = "kvm->mmu_notifier_count"
BUMP = f"\t{SEQ}++;\n"


def within(name: str, old: str, new: str):
    """A change of the text of one handler."""

    def change(source: bytes) -> bytes:
        span = function(source, name).span
        body = source[span.start : span.end]
        assert body.count(old.encode()) == 1
        body = body.replace(old.encode(), new.encode())
        return source[: span.start] + body + source[span.end :]

    return change


def before(name: str, code: str):
    """A function, or a line, before a handler."""

    def change(source: bytes) -> bytes:
        start = function(source, name).span.start
        return source[:start] + code.encode() + source[start:]

    return change


def looked(tree: Path, *changes) -> Look:
    return look(variant(tree, *changes))


def protocol(found: Look) -> object:
    assert found.found is not None, found.unknown
    return shape(found.found.protocol)


ONE_MORE = [
    f"{SEQ} += 1;",
    f"++{SEQ};",
    f"{SEQ} = {SEQ} + 1;",
    f"{SEQ} = 1 + {SEQ};",
    f"WRITE_ONCE({SEQ}, {SEQ} + 1);",
    f"WRITE_ONCE({SEQ}, READ_ONCE({SEQ}) + 1UL);",
    f"smp_store_release(&{SEQ}, {SEQ} + 1);",
    f"do {{ {SEQ}++; }} while (0);",
    f"do {{ {SEQ}++; if (kvm->odd) break; }} while (0);",
    f"switch (kvm->odd) {{ case 1: case 2: default: {SEQ}++; }}",
    f"switch (kvm->odd) {{ case 1: {SEQ}++; break; default: {SEQ}++; break; }}",
    f"switch (1) {{ case 0: kvm_strange(kvm); break; case 1: {SEQ}++; }}",
    "bump(kvm);",
]


@pytest.mark.parametrize("line", ONE_MORE)
@pytest.mark.parametrize("name", [CHANGE, END])
def test_one_more_is_one_more(mini: Path, name: str, line: str) -> None:
    helper = f"static void bump(struct kvm *kvm)\n{{\n\tWRITE_ONCE({SEQ}, {SEQ} + 1);\n}}\n\n"
    found = looked(mini, within(name, f"{SEQ}++;", line), before(name, helper))
    assert protocol(found) == protocol(looked(mini))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{COUNT}--;", f"WRITE_ONCE({COUNT}, {COUNT} - 1);"),
        (f"{COUNT}--;", f"{COUNT} -= 1;"),
        (f"{COUNT}--;", f"{COUNT} = READ_ONCE({COUNT}) - 1;"),
        (f"BUG_ON({COUNT} < 0);", f"WARN_ON_ONCE(READ_ONCE({COUNT}) < 0);"),
    ],
)
def test_one_less_is_one_less(mini: Path, old: str, new: str) -> None:
    assert protocol(looked(mini, within(END, old, new))) == protocol(looked(mini))


BESIDE = [
    "trace_kvm_notified(kvm, range->start);",
    "kvm->stat.notified++;",
    "++kvm->stat.generic.notified;",
    "kvm->stat.notified += 1;",
    "WRITE_ONCE(kvm->stat.notified, kvm->stat.notified + 1);",
    "atomic_inc(&kvm->notified);",
    "atomic64_add(2, &kvm->stat.notified);",
    "this_cpu_inc(kvm_notified);",
    "kvm_notified++;",
    'pr_debug("%lx\\n", range->start);',
    "static unsigned long notified; notified++;",
    "if (trace_kvm_notified_enabled()) trace_kvm_notified(kvm, range->start);",
    "kvm->keep_tables = range->event != MMU_NOTIFY_UNMAP;",
    "switch (range->event) { case MMU_NOTIFY_UNMAP: kvm->stat.a++; break; default: break; }",
]


@pytest.mark.parametrize("line", BESIDE)
@pytest.mark.parametrize("name", [START, END])
def test_what_nobody_reads_changes_nothing(mini: Path, name: str, line: str) -> None:
    found = looked(mini, lambda source: insert(source, name, line.encode() + b"\n\t"))
    assert protocol(found) == protocol(looked(mini))


def test_what_is_left_out_is_said(mini: Path) -> None:
    found = looked(mini, lambda source: insert(source, START, b"kvm->stat.notified++;\n\t"))
    assert found.found is not None
    assert any("kvm->stat.notified is set" in limit for limit in found.found.limits)


#: (what stands in the place of the bump in change_pte(), what is said).
NOT_ONE_MORE = [
    (f"{SEQ} = {SEQ};", "no meaning"),
    (f"WRITE_ONCE({SEQ}, {SEQ});", "no meaning"),
    (f"WRITE_ONCE({SEQ}, {SEQ} - 1);", "no meaning"),
    (f"WRITE_ONCE({SEQ}, {COUNT} + 1);", "no meaning"),
    (f"WRITE_ONCE({SEQ}, 1);", "no meaning"),
    (f"{SEQ} += kvm->odd;", "no meaning"),
    (f"{SEQ} |= 1;", "no meaning"),
    (f"unsigned long s = {SEQ}; spin_unlock(&kvm->mmu_lock); spin_lock(&kvm->mmu_lock); "
     f"{SEQ} = s + 1;", "no meaning"),
    (f"if (kvm->odd) {SEQ}++;", "condition"),
    (f"if ({COUNT} == 1) {SEQ}++;", "condition"),
    (f"if ({COUNT} > 1) {SEQ}++;", "condition"),
    (f"if ({COUNT} & 1) {SEQ}++;", "condition"),
    (f"switch (kvm->odd) {{ case 1: {SEQ}++; break; }}", "switch"),
    (f"switch (kvm->odd) {{ case 1: {SEQ}++; default: break; }}", "switch"),
    (f"switch ({COUNT}) {{ case 1: {SEQ}++; default: break; }}", "switch"),
    (f"switch (kvm->odd) {{ case 1: if (0) {{ case 2: {SEQ}++; }} default: ; }}", "switch"),
    (f"do {{ {SEQ}++; }} while (kvm->odd);", ""),
    (f"static int once; if (!once) {SEQ}++; once = 1;", ""),
    ("*(&kvm->mmu_notifier_seq) += 1;", ""),
    (f"if (kvm->odd) {SEQ}++; kvm_strange(kvm);", "condition"),
    (f"kvm_strange(kvm); if (kvm->odd) {SEQ}++;", "kvm_strange() is not known"),
    (f"trace_it(kvm_strange(kvm)); {SEQ}++;", "kvm_strange() is not known"),
    (f"{SEQ}++; kvm->mm = NULL;", "is set here, and read in virt/kvm/kvm_main.c:"),
    (f"{SEQ}++; kvm->memslots[0] = NULL;", "not understood"),
    (f"{SEQ}++; kvm->arch.n_used++;", "is set here, and read in arch/x86/kvm/mmu/mmu.c:"),
    (f"{SEQ}++; mm->odd = 1;", "not understood"),
    (f"{SEQ}++; atomic_dec(&kvm->online_vcpus);", "is set here, and read in"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), NOT_ONE_MORE)
def test_what_may_be_no_bump_is_undecided_with_its_line(mini: Path, line: str, reason: str) -> None:
    mmu = "arch/x86/kvm/mmu/mmu.c"
    reads = b"\nbool kvm_many(struct kvm *kvm) { return kvm->arch.n_used > 3; }\n"
    changed = within(CHANGE, f"{SEQ}++;", line)((mini / MAIN).read_bytes())
    found = look(reader(mini, {MAIN: changed, mmu: (mini / mmu).read_bytes() + reads}))
    assert found.found is None
    at = next(n for n, text in enumerate(changed.decode().splitlines(), 1) if line in text)
    assert any(e.place.path == MAIN and e.place.line == at for e in found.unknown)
    assert any(reason in e.text for e in found.unknown)


def test_a_macro_of_the_file_is_not_taken_by_its_name(mini: Path) -> None:
    for name in ("kvm_flush_remote_tlbs(k)", "mmu_notifier_seq", "mmu_lock", "trace_it(k)"):
        line = b"trace_it(kvm);\n\t"
        found = look(
            variant(
                mini,
                lambda source: insert(source, CHANGE, line),  # noqa: B023
                before(CHANGE, f"#define {name} odd(k)\n"),
            )
        )
        assert found.found is None, name


@pytest.mark.parametrize(
    ("line", "helper"),
    [
        ("trace_it(kvm);", f"static void trace_it(struct kvm *kvm)\n{{\n\t{COUNT}++;\n}}\n"),
        ("smp_wmb();", "static void smp_wmb(void)\n{\n\tkvm_strange();\n}\n"),
        (f"trace_it({COUNT}++);", ""),
        (f"WARN_ON_ONCE({COUNT}++);", ""),
        (f"pr_debug(\"%ld\", {COUNT}++);", ""),
    ],
)  # fmt: skip
def test_a_harmless_name_is_no_reason_not_to_look(mini: Path, line: str, helper: str) -> None:
    made = variant(
        mini,
        lambda source: insert(source, CHANGE, line.encode() + b"\n\t"),
        before(CHANGE, helper),
    )
    assert prove(made, Bounds(1, 1), ("ro-ro-new",)).exit != 0


def test_other_spellings_hold_and_the_lost_bump_does_not(mini: Path) -> None:
    """The verdicts themselves, once: the protocols above are only compared."""
    spelled = variant(mini, within(CHANGE, f"{SEQ}++;", f"WRITE_ONCE({SEQ}, {SEQ} + 1);"))
    assert not prove(spelled, Bounds(1, 1)).undecided


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("void f(struct kvm *kvm)\n{\n\tkvm->x++;\n}\n", 0),
        ("void f(struct kvm *kvm)\n{\n\tif (kvm->y)\n\t\t++kvm->a.x;\n}\n", 0),
        ("void f(struct kvm *kvm)\n{\n\tkvm->x = kvm->x + 1;\n}\n", 0),
        ("struct kvm { int x; };\nvoid f(struct s *s)\n{\n\tint x = 1;\n}\n", 0),
        ("void f(struct kvm *kvm)\n{\n\tatomic_inc(&kvm->x);\n\tkvm->x = 0;\n}\n", 0),
        ("int f(struct kvm *kvm)\n{\n\treturn kvm->x;\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\treturn kvm->x++;\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tint y = kvm->x++;\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tint y = (int)kvm->x++;\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tif (kvm->x++)\n\t\tg();\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tg(&kvm->x);\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tif (atomic_inc(&kvm->x))\n\t\tg();\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tkvm->x = g(kvm->x);\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tkvm->y = kvm->x;\n}\n", 3),
        ("int f(struct kvm *kvm)\n{\n\tkvm->x = 1;\n\tkvm->z += kvm->x;\n}\n", 4),
        ("int f(struct kvm *kvm)\n{\n\twhile (kvm->x--)\n\t\t;\n}\n", 3),
        ("#define GET(k) ((k)->x)\nint f(struct kvm *kvm)\n{\n\treturn GET(kvm);\n}\n", 1),
    ],
)
def test_who_reads_a_member(code: str, line: int) -> None:
    assert reads(code.encode(), "x", member=True) == line


@pytest.mark.parametrize(
    ("body", "decided"),
    [
        ("do { } while (0)", True),
        ("do { if (dbg) printk(x); } while (0)", True),
        ("WARN_ON(x)", True),
        ("do { if (dbg) kvm_odd(x); } while (0)", False),
        ("(dbg = 1)", False),
        ("do { if (dbg) return; } while (0)", False),
    ],
)
def test_a_macro_that_only_says_something_is_passed_by(
    mini: Path, body: str, decided: bool
) -> None:
    def with_line(line: str) -> Look:
        return looked(
            mini,
            lambda source: insert(source, CHANGE, line.encode()),
            before(CHANGE, f"#define say(x...)\n#undef say\n#define say(x...) {body}\n"),
        )

    assert (with_line("say(1);\n\t").found is not None) == decided
    # It may be empty: what its arguments do may be done or not.
    assert with_line(f"say({COUNT}++);\n\t").found is None
