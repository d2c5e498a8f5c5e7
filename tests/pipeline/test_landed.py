# SPDX-License-Identifier: GPL-2.0-only
"""What only the compiler sees of an edit's place, and the recipes' own choice of it."""

import pytest

from patchgen.model.plan import PatchPlan, Refusal
from patchgen.pipeline.plan import made_of, make_plan, unconfirmed
from patchgen.recipes.base import Options, load
from patchgen.recipes.planned import Planned
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

MAIN = "virt/kvm/kvm_main.c"
START = "static int kvm_mmu_notifier_invalidate_range_start("
DECLARED = "\tint need_tlb_flush, idx;\n"
TEST = "if (kvm_set_spte_hva(kvm, address, pte))"


@pytest.fixture(scope="module")
def base(mini):
    """mini with the flag and its helper."""
    return make_plan(TreeState(describe(mini)), ["use-change-pte-flag"], confirmed=False).last


def edited(state, *pairs, path=MAIN, head=""):
    """The state with replacements in one file, and text put before its first function."""
    text = state.read(path).decode()
    for old, new in pairs:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    at = text.index("\nstatic ")
    return state.after({path: (text[:at] + head + text[at:]).encode()})


def outcome(state, recipe="kvm-change-pte"):
    """What a recipe's step, its edits and the compiler come to: a refusal, or the text."""
    (step,) = load(recipe).steps
    answer = step(state, Options())
    if isinstance(answer, PatchPlan):
        answer = made_of(answer, state)
    if isinstance(answer, Planned):
        wrong = unconfirmed([answer])
        return wrong[0] if wrong else answer.after.read(MAIN).decode()
    assert isinstance(answer, Refusal), answer
    return answer


def refusal(state, recipe="kvm-change-pte"):
    answer = outcome(state, recipe)
    assert isinstance(answer, Refusal), answer
    assert all(str(evidence.place).partition(":")[2] > "0" for evidence in answer.evidence)
    return " ".join(str(evidence) for evidence in answer.evidence)


def guarded(text):
    """range_start() up to the guard, and what follows it up to the next statement's end."""
    body = text[text.index(START) :]
    before, _, after = body.partition("\tif (mmu_notifier_range_use_change_pte(range))\n")
    return before, after.partition("return 0;\n")[2].split(";")[0]


@pytest.mark.parametrize(
    "declared",
    [
        DECLARED,
        DECLARED + "#ifdef CONFIG_X86\n\tint more;\n#endif\n",
        DECLARED + "#ifndef CONFIG_X86\n\tint more;\n#endif\n",
        DECLARED + "#ifdef CONFIG_X86\n\tint more;\n#else\n\tint less;\n\tint least;\n#endif\n",
        DECLARED + "\tint more; /* the last */\n\f\n",
        "#ifdef CONFIG_COMPAT\n" + DECLARED + "#else\n" + DECLARED + "#endif\n",
    ],
)
def test_the_guard_is_behind_the_declarations_of_every_configuration(base, declared):
    text = outcome(edited(base, (DECLARED, declared)))
    assert isinstance(text, str), text
    before, after = guarded(text)
    assert before.count("#if") == before.count("#endif")
    assert declared in before
    assert after.strip() == "idx = srcu_read_lock(&kvm->srcu)"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        # not only declarations under the condition
        (DECLARED + "#ifdef CONFIG_X86\n\tint more;\n\n\tkvm->mmu_notifier_seq++;\n#endif\n",
         "mmu_notifier_seq"),
        (DECLARED + "#ifndef CONFIG_X86\n\tint more;\n\n\tkvm->mmu_notifier_seq++;\n#endif\n", ""),
        # a declaration that only the compiler knows, and one that does something
        (DECLARED + "\tDECLARE_THING(thing);\n", "declaration"),
        (DECLARED + "\tTAKEN(thing, &kvm->srcu);\n", "declaration"),
        (DECLARED + "\tTAKEN(thing, &kvm->srcu);\n\tint more;\n", "declaration"),
        # the statement shares the last declaration's line
        ("\tint need_tlb_flush, idx; kvm->mmu_notifier_seq++;\n", "last declaration's line"),
        # the compiler is within something that a macro opened
        ("\tOPENED int need_tlb_flush, idx;\n", ""),
    ],
)  # fmt: skip
def test_where_no_guard_can_stand(base, new, said):
    head = (
        "\n#define DECLARE_THING(x) int x = 0\n"
        "#define TAKEN(x, s) int x = srcu_read_lock(s)\n"
        "#define OPENED do {\n#define CLOSED } while (0)\n"
    )
    pairs = [(DECLARED, new)]
    if "OPENED" in new:
        last = "\tkvm_arch_guest_memory_reclaimed(kvm);\n\tsrcu_read_unlock(&kvm->srcu, idx);\n"
        pairs.append((last, last + "\tCLOSED;\n"))
    text = refusal(edited(base, *pairs, head=head))
    assert f"{MAIN}:" in text
    assert said in text


def test_a_body_that_a_macro_opens_is_refused(base):
    text = base.read(MAIN).decode()
    at = text.index("{", text.index(START))
    opened = text[:at] + "OPEN" + text[at + 1 :]
    first = text.index("\nstatic ")
    opened = opened[:first] + "\n#define OPEN {\n" + opened[first:]
    assert refusal(base.after({MAIN: opened.encode()}))


def test_a_second_definition_in_another_branch_is_refused(base):
    text = base.read(MAIN).decode()
    begin = text.index(START)
    end = text.index("\n}\n", begin) + 3
    twin = text[begin:end].replace("mmu_notifier_count++", "mmu_notifier_count += 1")
    both = f"#ifdef CONFIG_X86\n{text[begin:end]}#else\n{twin}#endif\n"
    said = refusal(base.after({MAIN: (text[:begin] + both + text[end:]).encode()}))
    assert "defined here, too" in said


FLUSH = "kvm-flush-deferred-tlb"


@pytest.mark.parametrize(
    ("test", "joined"),
    [
        ("set(kvm, pte)", "set(kvm, pte) || kvm->tlbs_dirty"),
        ("set(kvm, pte) && pte.pte", "(set(kvm, pte) && pte.pte) || kvm->tlbs_dirty"),
        ("(set(kvm, pte) && pte.pte)", "(set(kvm, pte) && pte.pte) || kvm->tlbs_dirty"),
        ("pte.pte ? set(kvm, pte) : 0", "(pte.pte ? set(kvm, pte) : 0) || kvm->tlbs_dirty"),
        ("pte.pte ?: set(kvm, pte)", "(pte.pte ?: set(kvm, pte)) || kvm->tlbs_dirty"),
        ("idx, set(kvm, pte)", "(idx, set(kvm, pte)) || kvm->tlbs_dirty"),
        ("pte.pte = set(kvm, pte)", "(pte.pte = set(kvm, pte)) || kvm->tlbs_dirty"),
        ("!set(kvm, pte) == 0", "!set(kvm, pte) == 0 || kvm->tlbs_dirty"),
        ("(bool)set(kvm, pte)", "(bool)set(kvm, pte) || kvm->tlbs_dirty"),
    ],
)
def test_a_condition_keeps_its_meaning(mini, test, joined):
    short = "\n#define set(kvm, pte) (kvm_set_spte_hva(kvm, 0, pte))\n"
    state = edited(TreeState(describe(mini)), (TEST, f"if ({test})"), head=short)
    text = outcome(state, FLUSH)
    assert isinstance(text, str), text
    assert f"if ({joined})\n" in text


@pytest.mark.parametrize(
    ("new", "said"),
    [
        # macros without parentheses take what is joined
        ("if (EITHER(kvm))", "a macro in the condition"),
        ("if (BOTH(kvm))", "a macro in the condition"),
        ("if (SETS(kvm))", "a macro in the condition"),
        # somewhere within a macro
        ("WHEN(address) if (kvm_set_spte_hva(kvm, address, pte))", ""),
        # it does not decide alone, or not always
        ("if (address)\n\tif (kvm_set_spte_hva(kvm, address, pte))", "another condition"),
        ("if (address)\n\t\treturn;\n\tif (kvm_set_spte_hva(kvm, address, pte))", "leaves before"),
        ("if (kvm_set_spte_hva(kvm, address, pte))\n\tif (address)", "another condition"),
        # comments and other bytes in it
        ("if (kvm_set_spte_hva(kvm, /* here */ address, pte))", "comment"),
        ("if (kvm_set_spte_hva(kvm, // here\n\t\taddress, pte))", "comment"),
        ("if (kvm_set_spte_hva(kvm,\n#ifdef CONFIG_X86\n\t\taddress,\n#else\n\t\t0,\n#endif\n"
         "\t\tpte))", ""),
    ],
)  # fmt: skip
def test_a_condition_that_cannot_be_joined(mini, new, said):
    head = (
        "\n#define EITHER(k) k->tlbs_dirty ? 1 : kvm_set_spte_hva(k, 0, pte)\n"
        "#define BOTH(k) address, kvm_set_spte_hva(k, 0, pte)\n"
        "#define SETS(k) address = kvm_set_spte_hva(k, 0, pte)\n"
        "#define WHEN(x) if (x)\n"
    )
    text = refusal(edited(TreeState(describe(mini)), (TEST, new), head=head), FLUSH)
    assert said in text


KSM = "mm/ksm.c"
INIT = (
    "mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, addr,\n"
    "\t\t\t\taddr + PAGE_SIZE);"
)


@pytest.mark.parametrize(
    ("new", "head"),
    [
        # the whole call, or its arguments, as a macro's argument
        ("WRAP(mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, addr,"
         " addr + PAGE_SIZE));", "\n#define WRAP(x) x\n"),
        ("if (1) WRAP((mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, addr,"
         " addr + PAGE_SIZE)));", "\n#define WRAP(x) do { x; } while (0)\n"),
        ("mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR,\n#ifdef CONFIG_X86\n0,\n#else\n0,\n"
         "#endif\nvma, mm, addr, addr + PAGE_SIZE);", ""),
        ("mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, /* none */ 0, vma, mm, addr,"
         " addr + PAGE_SIZE);", ""),
    ],
)  # fmt: skip
def test_a_site_that_cannot_be_edited_gets_no_flag(mini, new, head):
    state = edited(TreeState(describe(mini)), (INIT, new), path=KSM, head=head)
    plan = make_plan(state, ["use-change-pte-flag"])
    if plan.refusals:
        (refused,) = plan.refusals
        assert any(evidence.place.path == KSM for evidence in refused.evidence)
        return
    text = plan.last.read(KSM).decode()
    body = text[text.index("replace_page(") :]
    assert "MMU_NOTIFIER_USE_CHANGE_PTE" not in body
    assert any(alone.place.path == KSM for one in plan.planned for alone in one.plan.left_alone)


@pytest.mark.parametrize("name", ["kvm-change-pte", "use-change-pte-flag"])
def test_white_space_of_any_kind_and_foreign_bytes_are_no_trouble(mini, name):
    state = TreeState(describe(mini))
    for path in (MAIN, KSM):
        source = state.read(path).replace(b"\nstatic ", b"\n\f\n/* caf\xe9 ??/ */\nstatic ", 2)
        state = state.after({path: source.rstrip(b"\n")})
    plan = make_plan(state, [name])
    assert plan.refusals == ()
    changed = plan.last.read(KSM)
    assert changed.count(b"caf\xe9 ??/") == 2
    assert not changed.endswith(b"\n")


def test_a_plan_is_refused_as_a_whole(mini):
    source = (mini / MAIN).read_text()
    head = "\n#define TAKEN(x, s) int x = srcu_read_lock(s)\n"
    at = source.index("\nstatic ")
    text = source[:at] + head + source[at:]
    text = text.replace(DECLARED, DECLARED + "\tTAKEN(thing, &kvm->srcu);\n", 1)
    state = TreeState(describe(mini)).after({MAIN: text.encode()})
    plan = make_plan(state, ["kvm-change-pte"])
    assert plan.planned == ()
    assert plan.refusals
