# SPDX-License-Identifier: GPL-2.0-only
"""A section that does more than its walk sees gets no flag, and the line is named."""

import pytest

from patchgen.model.plan import PatchPlan
from patchgen.recipes.base import Options, load
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

KSM = "mm/ksm.c"
TOLD = "\tptep_clear_flush(vma, addr, ptep);\n\tset_pte_at_notify(mm, addr, ptep, newpte);\n"
ZERO = "\t\tnewpte = pte_mkspecial(newpte);\n"
START = "\tptep = pte_offset_map_lock(mm, pmd, addr, &ptl);\n\tif (!pte_same(*ptep, orig_pte))\n"
DECLARED = """void *memcpy(void *to, const void *from, unsigned long size);
unsigned long xchg(void *at, unsigned long value);
void move(unsigned long *address);
void widen(struct mmu_notifier_range *range);

"""
HELPERS = (
    "\t*p = e;\n",
    "\tpte_t *q = p;\n\n\tq->pte = e.pte;\n",
    "\tset_pte_at(0, 0, p, e);\n",
    '\tasm volatile("" : : "r" (p), "r" (e.pte) : "memory");\n',
)


def left_alone(mini, old, new, head=""):
    """What is said of replace_page() with one edit, or None where it is flagged."""
    state = TreeState(describe(mini))
    text = state.read(KSM).decode()
    begin = text.index("static int replace_page(")
    body = text[begin:]
    assert body.count(old) == 1
    text = text[:begin] + DECLARED + head + body.replace(old, new)
    state = state.after({KSM: text.encode()})
    (step,) = load("use-change-pte-flag").steps
    answer = step(state, Options())
    assert isinstance(answer, PatchPlan), answer
    line = text[: text.index("static int replace_page(")].count("\n")
    found = [one for one in answer.left_alone if one.place.path == KSM and one.place.line > line]
    flagged = [one for one in answer.changes if one.meant.function == "replace_page"]
    assert bool(found) != bool(flagged)
    return found[0].reason if found else None


def test_as_it_is_the_section_is_flagged(mini):
    assert left_alone(mini, TOLD, TOLD) is None


@pytest.mark.parametrize(
    "store",
    [
        "*ptep = newpte;",
        "ptep[0] = newpte;",
        "ptep->pte = newpte.pte;",
        "(*ptep).pte |= 2;",
        "ptep->pte++;",
        "*(unsigned long *)ptep = 0;",
        "*&*ptep = newpte;",
        "*(ptep + 0) = newpte;",
        "WRITE_ONCE(*ptep, newpte);",
        "xchg(&ptep->pte, 0);",
        'asm volatile("movq %1, %0" : "=m" (*ptep) : "r" (newpte.pte));',
        "SET_IT(ptep, newpte);",
        "SET_IT_NOW;",
        "{ pte_t *other = ptep; *other = newpte; }",
        "{ pte_t *other; other = ptep; other->pte = 0; }",
        "memcpy(ptep, &newpte, sizeof(newpte));",
    ],
)
def test_a_store_of_any_shape_is_one(mini, store):
    head = "#define SET_IT(p, e) (*(p) = (e))\n#define SET_IT_NOW *ptep = newpte\n\n"
    assert left_alone(mini, ZERO, f"{ZERO}\t\t{store}\n", head)


@pytest.mark.parametrize("name", ["folio_get", "flush_icache_page", "count_vm_event"])
@pytest.mark.parametrize("does", HELPERS)
def test_a_definition_in_the_file_is_what_is_called(mini, name, does):
    # It only sets the entry: what it is called elsewhere says nothing of it.
    head = f"static void {name}(pte_t *p, pte_t e)\n{{\n{does}}}\n\n"
    assert left_alone(mini, ZERO, f"{ZERO}\t\t{name}(ptep, newpte);\n", head)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (START, "\taddr += PAGE_SIZE;\n" + START),
        (START, "\taddr++;\n" + START),
        (START, "\tmove(&addr);\n" + START),
        (START, "\trange.end += PAGE_SIZE;\n" + START),
        (START, "\trange.end = addr + 2 * PAGE_SIZE;\n" + START),
        (START, "\trange.flags = 0;\n" + START),
        (START, "\twiden(&range);\n" + START),
        (TOLD, "\twhile (!page_mapped(kpage)) {\n" + TOLD + "\t}\n"),
        (TOLD, "\tfor (err = 0; err < 2; err++) {\n" + TOLD + "\t}\n"),
        (TOLD, "\tdo {\n" + TOLD + "\t\tptep++;\n\t} while (!page_mapped(kpage));\n"),
    ],
)
def test_what_was_announced_stays_as_announced(mini, old, new):
    assert left_alone(mini, old, new)
