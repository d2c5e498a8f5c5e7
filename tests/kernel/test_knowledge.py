# SPDX-License-Identifier: GPL-2.0-only
"""The data files hold together, and say where they are from."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import patchgen.kernel.knowledge as knowledge
from patchgen.analysis.values.subjects import is_pure
from patchgen.kernel.locks import kinds, primitives
from patchgen.source.c.text import call

FILES = sorted(Path(knowledge.__file__).with_name("knowledge").glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_data_names_its_sources(path: Path) -> None:
    knowledge.load(path.stem)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# SPDX-License-Identifier: GPL-2.0-only\n")
    assert re.search(r"#.*\b(include|mm|virt|kernel|lib)/[\w./]+\.[ch]", text)


def test_no_primitive_stands_in_two_kinds() -> None:
    listed = Counter(name for kind in kinds().values() for name in kind.calls)
    assert [name for name, count in listed.items() if count > 1] == []
    assert set(listed) == set(primitives())


def test_what_sleeps_or_locks_is_not_pure() -> None:
    for name in (*knowledge.names("sleep", "sleeps", "functions"), *primitives()):
        assert not is_pure(call(name, (), 1)), name


def test_what_sleeps_or_locks_is_not_quick() -> None:
    for name in (
        *knowledge.names("sleep", "sleeps", "functions"),
        *knowledge.names("sleep", "allocates", "functions"),
        *knowledge.names("sleep", "resched", "functions"),
        *primitives(),
    ):
        assert not knowledge.is_quick(name), name
    assert knowledge.is_quick("atomic64_dec_return_relaxed") and knowledge.is_quick("list_del_init")
    for name in ("list_add_pages", "atomic_dec_and_mutex_lock", "kref_put", "ktime_get_slowly"):
        assert not knowledge.is_quick(name), name


def test_data_files_are_shipped() -> None:
    setup = (Path(__file__).parents[2] / "setup.cfg").read_text(encoding="utf-8")
    assert "**/*.toml" in setup.partition("[options.package_data]")[2]
