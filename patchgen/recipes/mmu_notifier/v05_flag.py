# SPDX-License-Identifier: GPL-2.0-only
"""Which sites of the v05 series may say that change_pte() covers their section.

The question is :mod:`patchgen.analysis.entries.covered`'s.  Here it is asked of each site
whose section tells of a change, in its own function or in what that calls.
"""

from __future__ import annotations

from patchgen.analysis.entries.covered import coverage_of, section_of
from patchgen.analysis.entries.section_code import Code, Site, reached
from patchgen.model.plan import LeftAlone
from patchgen.recipes.base import State

NOTIFY = "set_pte_at_notify"


def verdict(site: Site, code: Code, state: State) -> bool | LeftAlone:
    """True to flag; a reason for a site that notifies but may not; else False."""
    if not any(effect.text == NOTIFY for effect in reached(site, code)):
        return False
    section = section_of(site.function, site.call)
    for objection in coverage_of(section, state.definitions(site.path)).objections:
        return LeftAlone(objection.place, objection.text)
    return True
