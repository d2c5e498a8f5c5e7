# SPDX-License-Identifier: GPL-2.0-only
"""The mails as others will take them: read back, applied, held against what was checked."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from patchgen.model.plan import Patch
from patchgen.sandbox.aside import Aside
from patchgen.series.read.read import read_series
from patchgen.verify.apply import apply_series


def readback_fault(
    mails: Sequence[bytes], patches: Sequence[Patch], read: Callable[[str], bytes | None]
) -> str:
    """Why the mails do not give the patches' files when they are applied in order, or "".

    ``read`` gives the files that they go on; a copy of these is all that is touched.
    """
    series = read_series("-", stdin=io.BytesIO(b"".join(mails)))
    with Aside() as folder:
        for path in {path for patch in patches for path in patch.files}:
            data = read(path)
            if data is not None:
                place = folder / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        applied = apply_series(folder, series)
    for number, (got, meant) in enumerate(zip(applied.patches, patches, strict=True), 1):
        if got.misfits:
            return f"mail {number} does not apply: {got.misfits[0]}"
        if got.files != meant.files or got.patch.subject != meant.subject:
            return f"mail {number}, read back, is not the patch that was checked"
    return ""
