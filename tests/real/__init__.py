# SPDX-License-Identifier: GPL-2.0-only

import pytest

#: One of each shape; 5.0 is in no Debian suite.
KERNELS = [pytest.param("5.0", marks=pytest.mark.kernel("5.0")), "5.10", "6.1", "6.12", "7.2"]
