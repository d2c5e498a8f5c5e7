# SPDX-License-Identifier: GPL-2.0-only
"""Paths of functions: graphs, a path-sensitive walk, effects across calls.

``walk``       drives a checker along all feasible paths of one function
``effects``    locks, counters, sleeps and results of callbacks, callees included
``program``    functions of several files, calls and function pointers resolved
``guard``, ``blocking``  what the callbacks' early returns and refusals mean
``build``, ``lower``, ``graph``  statement trees to control-flow graphs
``subjects``, ``value``  conditions and what is known of values
``knowledge``  the data files: what the kernel's primitives do, and where that is from
"""
