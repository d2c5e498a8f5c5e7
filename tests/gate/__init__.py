# SPDX-License-Identifier: GPL-2.0-only
"""Public patches whose verdict was judged by reading them, held against ``patchgen verify``."""
