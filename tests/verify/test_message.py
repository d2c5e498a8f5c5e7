# SPDX-License-Identifier: GPL-2.0-only
"""What of a commit message makes a patch fail, and what is only shown."""

from __future__ import annotations

import pytest

from patchgen.verify.message import message_faults

SIGNED = "Signed-off-by: A <a@example.org>"


@pytest.mark.parametrize(
    "message",
    [
        f"mm: say it in the subject\n\n{SIGNED}\n",
        f"mm: {'long ' * 20}\n\nText.\n\n{SIGNED}\n",
        f"mm: end in a stop.\n\nText.\n\n{SIGNED}\n",
        f"Name no subsystem\n\nText.\n\n{SIGNED}\n",
        f"mm: wide\n\n{'word ' * 20}\n\n{SIGNED}\n",
    ],
)
def test_what_maintainers_take_is_a_remark(message):
    found = message_faults(message)
    assert [fault.note for fault in found] == [True]


@pytest.mark.parametrize(
    "message",
    [
        f"mm: no line between\nText.\n\n{SIGNED}\n",
        f"mm: two authors\n\nText.\n\nCo-developed-by: B <b@example.org>\n{SIGNED}\n",
    ],
)
def test_what_the_process_documents_forbid_fails(message):
    assert any(not fault.note for fault in message_faults(message))
