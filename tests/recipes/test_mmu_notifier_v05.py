# SPDX-License-Identifier: GPL-2.0-only
"""The series on the miniature in the 5.0 shape, and what it must not touch."""

import re
import shutil
from collections import Counter

import pytest

from patchgen.analysis.entries.section_code import INIT, Code, sites
from patchgen.analysis.entries.section_event import infer
from patchgen.kernel.api.check import compare
from patchgen.kernel.api.descriptor import load
from patchgen.model.plan import AlreadyThere, Refusal
from patchgen.pipeline.plan import make_plan
from patchgen.recipes.base import Options
from patchgen.recipes.mmu_notifier.mmu_notifier_v05 import RECIPE
from patchgen.recipes.mmu_notifier.v05_layout import columns
from patchgen.source.c.text import text
from patchgen.source.clang.surface import surface
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe
from tests.recipes.mmu_notifier_v05.sites import (
    BY_ANALYSIS,
    CLEAR,
    EVENTS,
    FLAGGED,
    UNMAP,
    WITHOUT_VMA,
)

HEADER = "include/linux/mmu_notifier.h"
NAME = "mmu-notifier-v05"


def state_of(root):
    return TreeState(describe(root))


@pytest.fixture(scope="module")
def before(mini50):
    return state_of(mini50)


@pytest.fixture(scope="module")
def series(before):
    plan = make_plan(before, [NAME])
    assert plan.refusals == ()
    return plan


@pytest.fixture
def tree(mini50, tmp_path):
    """A copy of the miniature to write into."""
    return shutil.copytree(mini50, tmp_path / "tree")


def arguments(state):
    """(path, function) -> the lists of argument texts of its calls."""
    found = {}
    for site in sites(state):
        args = [text(arg) for arg in site.call.args[1:]]
        found.setdefault((site.path, site.function.name), []).append(args)
    return found


def substitute(root, path, old, new, count=1):
    file = root / path
    source = file.read_text()
    assert old in source
    file.write_text(source.replace(old, new, count))


# -- events ------------------------------------------------------------------


def test_the_miniature_has_the_28_calls_of_5_0(before):
    found = Counter((site.path, site.function.name) for site in sites(before))
    assert found == Counter({(path, name): count for path, name, count, _ in EVENTS})
    assert sum(found.values()) == 28


@pytest.mark.parametrize(("path", "function", "count", "event"), EVENTS)
def test_event_of_each_site(before, series, path, function, count, event):
    here = arguments(series.last)[path, function]
    assert [args[1] for args in here] == [event] * count
    analysed = BY_ANALYSIS.get(function, event)
    code = Code(before)
    for site in sites(before):
        if (site.path, site.function.name) == (path, function):
            found = infer(site, code)
            assert found.event == analysed
            assert found.evidence


def test_overrides_are_shown_and_can_be_left_out(before, series):
    (events,) = [p.plan for p in series.planned if "right event" in p.plan.subject]
    assert events.note.endswith("28 sites: 24 by analysis, 4 overrides")
    assert len(events.limits) == 4
    shown = " ".join(events.limits)
    assert all(function in shown for function in BY_ANALYSIS)
    plain = make_plan(before, [NAME], Options(overrides=False))
    here = arguments(plain.last)
    for path, function, count, event in EVENTS:
        analysed = BY_ANALYSIS.get(function, event)
        assert [args[1] for args in here[path, function]] == [analysed] * count


def test_no_function_is_known_by_its_name(tree, before):
    names = sorted({name for _, name, _, _ in EVENTS}, key=len, reverse=True)
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    for file in tree.rglob("*.[ch]"):
        source = file.read_text()
        file.write_text(pattern.sub(lambda match: f"renamed_{names.index(match[1])}", source))
    renamed = state_of(tree)

    def events(state):
        code = Code(state)
        return Counter(infer(site, code).event for site in sites(state))

    assert events(renamed) == events(before)


def test_a_site_that_only_this_tree_has_is_converted_too(tree):
    (tree / "mm/extra.c").write_text("""// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

static void open_it(struct mmu_notifier_range *r, struct mm_struct *mm, unsigned long at)
{
	mmu_notifier_range_init(r, mm, at, at + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(r);
}

void extra(struct vm_area_struct *area, unsigned long at, pte_t *entry)
{
	struct mmu_notifier_range here;

	open_it(&here, area->vm_mm, at);
	ptep_set_wrprotect(area->vm_mm, at, entry);
	mmu_notifier_invalidate_range_end(&here);
}
""")
    plan = make_plan(state_of(tree), [NAME])
    assert arguments(plan.last)["mm/extra.c", "open_it"] == [
        ["r", "MMU_NOTIFY_PROTECTION_PAGE", "0", "NULL", "mm", "at", "at + PAGE_SIZE"]
    ]


def test_a_section_without_a_visible_change_promises_nothing(tree):
    substitute(tree, "mm/khugepaged.c", "pmdp_collapse_flush(", "some_unknown_call(")
    state = state_of(tree)
    (site,) = [site for site in sites(state) if site.path == "mm/khugepaged.c"]
    found = infer(site, Code(state))
    assert (found.event, found.evidence) == (UNMAP, ())


def test_code_that_is_not_understood_promises_nothing_either(tree):
    substitute(tree, "mm/ksm.c", "set_pte_at_notify(mm, addr, ptep, newpte);",
               "set_pte_at_notify(mm, addr, ptep, newpte); mm = = mm;")  # fmt: skip
    plan = make_plan(state_of(tree), [NAME])
    assert arguments(plan.last)["mm/ksm.c", "replace_page"][0][1:3] == [UNMAP, "0"]
    for planned in (plan.planned[5], plan.planned[8]):
        left = [one for one in planned.plan.left_alone if one.place.path == "mm/ksm.c"]
        assert ["not understood" in one.reason for one in left] == [True]


# -- arguments, vma, flag ----------------------------------------------------


def test_vma_is_given_where_there_is_one(series):
    for (path, function), calls in arguments(series.last).items():
        for args in calls:
            assert len(args) == 7, path
            assert (args[3] == "NULL") == (function in WITHOUT_VMA), function


def test_only_sections_that_change_pte_covers_are_flagged(series):
    flagged = {
        function
        for (_, function), calls in arguments(series.last).items()
        for args in calls
        if args[2] != "0"
    }
    assert flagged == FLAGGED
    left = {alone.place.path: alone.reason for alone in series.planned[-1].plan.left_alone}
    assert left.keys() == {"mm/migrate.c", "kernel/events/uprobes.c"}
    assert "not known to leave page-table entries alone" in left["mm/migrate.c"]


@pytest.mark.parametrize(
    ("path", "old", "new", "reason"),
    [
        ("mm/ksm.c", "set_pte_at_notify(mm, addr, ptep, newpte)",
         "if (page) set_pte_at_notify(mm, addr, ptep, newpte)", "may be cleared without"),
        ("mm/ksm.c", "if (!pte_same(*ptep, orig_pte))", "if (!ptep)", "may be writable"),
        ("mm/ksm.c", "addr, addr + PAGE_SIZE);", "addr, addr + 2 * PAGE_SIZE);", "several pages"),
        ("mm/ksm.c", "set_pte_at_notify(mm, addr, ptep, newpte)",
         "set_pte_at_notify(mm, addr, ptep, newpte); set_pte_at(mm, addr, ptep, newpte)",
         "an entry is set without a notification"),
    ],
)  # fmt: skip
def test_a_site_that_change_pte_cannot_follow_is_left_alone(tree, path, old, new, reason):
    substitute(tree, path, old, new)
    plan = make_plan(state_of(tree), [NAME])
    left = [alone for alone in plan.planned[-1].plan.left_alone if alone.place.path == path]
    assert [reason in alone.reason for alone in left] == [True]
    assert all("CHANGE_PTE" not in args[2] for args in arguments(plan.last)[path, "replace_page"])


# -- blockable ---------------------------------------------------------------


def test_every_use_of_blockable_is_converted_once(before, series):
    converted = series.planned[1].after
    direct = re.compile(r"[\w)](?:->|\.)blockable\b")
    left = {
        (path, line.strip())
        for path in before.candidates()
        for line in (converted.read(path) or b"").decode().splitlines()
        if direct.search(line)
    }
    assert left == {
        # a struct hmm_update has a member of that name, too
        ("mm/hmm.c", "if (update->blockable)"),
        ("mm/hmm.c", "if (!update->blockable && err == -EAGAIN) {"),
        ("mm/hmm.c", "update.blockable = mmu_notifier_range_blockable(range);"),
        ("mm/hmm.c", "update.blockable = true;"),
        # the API itself, which the next patch turns to the flag
        (HEADER, "return range->blockable;"),
        (HEADER, "range->blockable = true;"),
        (HEADER, "range->blockable = false;"),
    }
    header = series.planned[2].after.read(HEADER).decode()
    assert "blockable;" not in header
    assert "range->flags &= ~MMU_NOTIFIER_RANGE_BLOCKABLE;" in header


def test_a_write_in_a_driver_becomes_a_bit(tree):
    zoo = "drivers/misc/notifier_zoo.c"
    substitute(tree, zoo, "if (zoo_wait(cage, &cut))",
               "cut.blockable = cage->busy;\n\tif (zoo_wait(cage, &cut))")  # fmt: skip
    plan = make_plan(state_of(tree), [NAME])
    source = plan.last.read(zoo).decode()
    assert (
        "\tif (cage->busy)\n\t\tcut.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;\n"
        "\telse\n\t\tcut.flags &= ~MMU_NOTIFIER_RANGE_BLOCKABLE;\n"
    ) in source


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        ("true", "MMU_NOTIFIER_RANGE_BLOCKABLE"),
        ("false", "0"),
        ("cage->busy", "(cage->busy) ? MMU_NOTIFIER_RANGE_BLOCKABLE : 0"),
    ],
)
def test_an_initialiser_sets_the_flags(tree, value, flags):
    zoo = "drivers/misc/notifier_zoo.c"
    substitute(tree, zoo, "cut = *range;", f"cut = {{ .blockable = {value} }};")
    plan = make_plan(state_of(tree), [NAME])
    assert f"cut = {{ .flags = {flags} }};" in plan.last.read(zoo).decode()


@pytest.mark.parametrize(
    ("path", "old", "new", "reason"),
    [
        ("drivers/misc/notifier_zoo.c", "static struct zoo_cage *mn_to_cage",
         "#define MAY_WAIT(r) ((r)->blockable)\n\nstatic struct zoo_cage *mn_to_cage",
         "used in a macro's body"),
        ("drivers/misc/notifier_zoo.c", "return r->blockable;", "return zoo_range->blockable;",
         "the type of zoo_range cannot be told"),
        ("drivers/misc/notifier_zoo.c", "zoo_lock(cage, cut.blockable)",
         "zoo_lock(cage, *(&cut.blockable))", "the member's address is taken"),
        ("mm/ksm.c", "static int write_protect_page",
         "#define INIT(r, mm) mmu_notifier_range_init(r, mm, 0, 1)\n\n"
         "static int write_protect_page", "called in a macro's body"),
        ("mm/ksm.c", "addr, addr + PAGE_SIZE);", "addr);", "3 arguments"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_refused_by_line(tree, path, old, new, reason):
    substitute(tree, path, old, new)
    plan = make_plan(state_of(tree), [NAME])
    (refused,) = plan.refusals
    assert isinstance(refused, Refusal)
    (evidence,) = refused.evidence
    assert reason in evidence.text
    line = (tree / path).read_text().splitlines()[evidence.place.line - 1]
    assert evidence.place.path == path
    assert new.split("\n")[0].strip() in line or "mmu_notifier_range_init" in line


# -- the series --------------------------------------------------------------


def test_the_tree_behind_the_series_has_the_target_api(mini50, series):
    files = {path: data for patch in series.patches for path, data in patch.files.items()}
    found = surface(mini50, {HEADER: files[HEADER]})
    assert found.diagnostics == ()
    compared = compare(found, load(NAME))
    assert (compared.missing, compared.different) == ((), ())


def test_every_patch_builds_alone(series):
    assert len(series.planned) == 9
    for planned in series.planned:
        for path in planned.patch.files:
            facts = planned.after.facts(path)
            errors = [d for d in facts.diagnostics if d.severity != "warning"]
            assert errors == [], planned.plan.subject


def test_a_second_run_plans_nothing(series):
    again = make_plan(series.last, [NAME])
    assert again.planned == ()
    assert again.refusals == ()
    assert len(again.already) == len(RECIPE.steps)
    assert all(isinstance(one, AlreadyThere) and one.evidence for one in again.already)


def test_a_tree_with_some_sites_done_by_hand_gets_the_rest(series):
    done = series.planned[4].after
    path = "mm/mremap.c"
    by_hand = done.read(path).replace(UNMAP.encode(), CLEAR.encode())
    plan = make_plan(done.after({path: by_hand}), [NAME])
    assert len(plan.planned) == 4
    assert arguments(plan.last)[path, "move_page_tables"][0][1] == CLEAR
    rest = {key: value for key, value in arguments(plan.last).items() if key[0] != path}
    assert rest == {k: v for k, v in arguments(series.last).items() if k[0] != path}


def test_lines_stay_within_80_columns_and_use_tabs(before, series):
    for planned in series.planned:
        for path, data in planned.patch.files.items():
            old = set((planned.before.read(path) or b"").splitlines())
            for line in data.splitlines():
                if line not in old:
                    assert columns(line) <= 80, (planned.plan.subject, path, line)
                    assert b"        " not in line
                    assert line == line.rstrip()


def test_messages_name_what_was_found(series):
    messages = {planned.plan.subject: planned.patch.message for planned in series.planned}
    assert len(messages) == 9
    assert all(len(line) <= 75 for message in messages.values() for line in message.splitlines())
    uses = messages["mm/mmu_notifier: use the helper instead of range->blockable"]
    assert "The equivalent semantic patch" in uses
    assert "drivers/misc/notifier_zoo.c" in uses
    (events,) = [m for s, m in messages.items() if "right event" in s]
    assert "    clear_refs_write()" in events.split("MMU_NOTIFY_SOFT_DIRTY:")[1]


def test_the_sites_of_the_series(series, golden):
    lines = [
        f"{path} {function}: {INIT}({', '.join(args)})"
        for (path, function), calls in arguments(series.last).items()
        for args in calls
    ]
    golden("mmu_notifier_v05/sites.txt", "\n".join(sorted(lines)) + "\n")


def test_a_tree_whose_api_moved_on_is_refused(tree):
    source = (tree / HEADER).read_text()
    at = source.index(f"static inline void {INIT}(")
    cut = source.index("unsigned long end)", at)
    (tree / HEADER).write_text(source[:cut] + "unsigned long end, int x)" + source[cut + 18 :])
    plan = make_plan(state_of(tree), [NAME])
    (refused,) = plan.refusals
    assert "the API has moved on" in refused.reason
    assert refused.evidence[0].place.path == HEADER


@pytest.mark.kernel("5.0")
def test_events_of_a_real_5_0(kernel_tree):
    state = state_of(kernel_tree("5.0"))
    plan = make_plan(state, [NAME])
    here = arguments(plan.last)
    assert {(path, name): len(calls) for (path, name), calls in here.items()} == {
        (path, name): count for path, name, count, _ in EVENTS
    }
    for path, function, count, event in EVENTS:
        assert [args[1] for args in here[path, function]] == [event] * count
    (events,) = [p.plan for p in plan.planned if "right event" in p.plan.subject]
    assert "24 by analysis, 4 overrides" in events.note
    assert {
        name for (_, name), calls in here.items() for args in calls if args[2] != "0"
    } == FLAGGED
    assert {n for (_, n), calls in here.items() for a in calls if a[3] == "NULL"} == WITHOUT_VMA
    files = {path: data for patch in plan.patches for path, data in patch.files.items()}
    assert compare(surface(state.root, files), load(NAME)).conforms


@pytest.mark.kernel("5.0")
def test_the_series_on_a_real_5_0_passes_its_checkpatch(kernel_tree, tmp_path):
    from patchgen.commits.build import commit_patches
    from patchgen.commits.identity import Identity
    from patchgen.pipeline.cover import build_cover
    from patchgen.series.write.headers import MailOptions
    from patchgen.series.write.write import series_files
    from patchgen.verify.checkpatch import check_style

    state = state_of(kernel_tree("5.0"))
    plan = make_plan(state, [NAME])
    author = Identity("A Tester", "tester@example.org")
    trailers = [f"Signed-off-by: {author}"]
    series = commit_patches(plan.patches, state.root, state.read, author, date=0, trailers=trailers)
    mails = series_files(series, build_cover(plan, series, ()), MailOptions()).files
    for mail in list(mails.values())[1:]:
        assert check_style(state.root, mail).complaints == ()
