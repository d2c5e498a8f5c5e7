# SPDX-License-Identifier: GPL-2.0-only
"""Which mails belong together: the thread that a patch's mail was sent in."""

from __future__ import annotations

import re
from email.parser import BytesHeaderParser

_ID = re.compile(r"<([^<>\s]+)>")


def thread_of(mail: bytes) -> str:
    """The Message-ID of the mail that a series' thread begins with; "" where none is known.

    A patch answers the cover letter, or the first patch where there is none; the first
    patch without a cover letter begins the thread itself.
    """
    headers = BytesHeaderParser().parsebytes(mail)
    for name in ("References", "In-Reply-To", "Message-ID"):
        found = _ID.search(str(headers.get(name, "")))
        if found:
            return found[1]
    return ""
