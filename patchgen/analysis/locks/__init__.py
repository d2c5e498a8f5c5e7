# SPDX-License-Identifier: GPL-2.0-only
"""What is held, disabled or referenced, where code may sleep, and how functions leave it.

``calls`` applies what the kernel's primitives do (:mod:`patchgen.kernel.locks`) to a call;
``held`` is the balance of one path; ``state`` has the values; ``checker`` follows one
function's paths, ``effects`` functions across calls; ``judge`` answers the rules.
"""
