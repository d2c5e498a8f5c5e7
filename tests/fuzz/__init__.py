# SPDX-License-Identifier: GPL-2.0-only
"""What strangers may write, made at random, and what patchgen does about it: ``make fuzz``."""
