# SPDX-License-Identifier: GPL-2.0-only
"""``make bare-test``: the README's two commands on machines that have next to nothing."""
