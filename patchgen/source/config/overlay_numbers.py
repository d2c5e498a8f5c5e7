# SPDX-License-Identifier: GPL-2.0-only
"""Headers that a build computes: bounds.h, timeconst.h, and the version's headers."""

from __future__ import annotations

import math
import re

from patchgen.source.config.kconfig_expr import Expr, parse_expr


def bounds(config: dict[str, str], page_flags: str, mmzone: str) -> str:
    """generated/bounds.h, as kernel/bounds.c makes it, from the two headers' texts."""
    flags = len(enumerators(page_flags, "pageflags", config)) - 1
    zones = len(enumerators(mmzone, "zone_type", config)) - 1
    cpus = int(config.get("NR_CPUS", "1"), 0)
    generations = "LRU_GEN" in config
    values = {
        "NR_PAGEFLAGS": max(flags, 1),
        "MAX_NR_ZONES": max(zones, 1),
        "NR_CPUS_BITS": math.ceil(math.log2(cpus)) if cpus > 1 else 0,
        # a debugged spinlock is larger than a long, which splits page-table locks off
        "SPINLOCK_SIZE": 64 if config.keys() & {"DEBUG_SPINLOCK", "DEBUG_LOCK_ALLOC"} else 4,
        "LRU_GEN_WIDTH": 3 if generations else 0,
        "__LRU_REFS_WIDTH": 2 if generations else 0,
    }
    return _defines(values)


def _defines(values: dict[str, int]) -> str:
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def enumerators(text: str, tag: str, config: dict[str, str]) -> list[str]:
    """Enumerators of ``enum tag`` that count: those without a value of their own.

    Conditionals on CONFIG_ symbols are decided by ``config``, others count as false.
    """
    start = re.search(rf"\benum\s+{tag}\s*\{{", text)
    if start is None:
        return []
    body = _COMMENT.sub("", text[start.end() :])
    names: list[str] = []
    active = [True]
    for line in body.split("\n"):
        stripped = line.strip()
        if stripped.startswith("#"):
            _conditional(stripped[1:].strip(), active, config)
        elif "}" in stripped:
            break
        elif all(active):
            for part in stripped.split(","):
                word = part.strip()
                if re.fullmatch(r"\w+", word):
                    names.append(word)
    return names


def _conditional(line: str, active: list[bool], config: dict[str, str]) -> None:
    word, _, rest = line.partition(" ")
    if word == "ifdef":
        active.append(_defined(rest, config))
    elif word == "ifndef":
        active.append(not _defined(rest, config))
    elif word == "if":
        active.append(_condition(rest, config))
    elif word == "else" and len(active) > 1:
        active[-1] = not active[-1]
    elif word == "elif" and len(active) > 1:
        active[-1] = not active[-1] and _condition(rest, config)
    elif word == "endif" and len(active) > 1:
        active.pop()


def _defined(name: str, config: dict[str, str]) -> bool:
    return name.strip().removeprefix("CONFIG_") in config


_TEST = re.compile(r"(?:defined|IS_ENABLED)\s*\(?\s*(\w+)\s*\)?")


def _condition(text: str, config: dict[str, str]) -> bool:
    """``defined(CONFIG_A) || IS_ENABLED(CONFIG_B)`` and the like."""
    plain = _TEST.sub(lambda match: "y" if _defined(match[1], config) else "n", text)
    return _holds(parse_expr(plain))


def _holds(expr: Expr) -> bool:
    if expr[0] == "!":
        return not _holds(expr[1])  # type: ignore[arg-type]
    if expr[0] == "&&":
        return _holds(expr[1]) and _holds(expr[2])  # type: ignore[arg-type]
    if expr[0] == "||":
        return _holds(expr[1]) or _holds(expr[2])  # type: ignore[arg-type]
    return expr == ("const", "y")


def timeconst(hz: int) -> str:
    """generated/timeconst.h: the arithmetic of kernel/time/timeconst.bc."""
    lines: list[str] = []
    for unit, scale in (("MSEC", 1000), ("USEC", 1_000_000)):
        for name, num, den in ((f"HZ_TO_{unit}", scale, hz), (f"{unit}_TO_HZ", hz, scale)):
            shift = next(s for s in range(128) if _mul(s, num, den) >= 1 << 31)
            reduced = den // math.gcd(num, den)
            adjust = (1 << shift) * (reduced - 1) // reduced
            lines.append(f"#define {name}_MUL32 U64_C({_mul(shift, num, den):#x})")
            lines.append(f"#define {name}_ADJ32 U64_C({adjust:#x})")
            lines.append(f"#define {name}_SHR32 {shift}")
    for unit, scale in (("MSEC", 1000), ("USEC", 1_000_000), ("NSEC", 1_000_000_000)):
        divisor = math.gcd(hz, scale)
        lines.append(f"#define HZ_TO_{unit}_NUM {scale // divisor}")
        lines.append(f"#define HZ_TO_{unit}_DEN {hz // divisor}")
        lines.append(f"#define {unit}_TO_HZ_NUM {hz // divisor}")
        lines.append(f"#define {unit}_TO_HZ_DEN {scale // divisor}")
    return "#include <linux/types.h>\n" + "\n".join(lines) + "\n"


def _mul(shift: int, num: int, den: int) -> int:
    return ((1 << shift) * num + den - 1) // den


def version_numbers(makefile: str) -> tuple[int, int, int]:
    """VERSION, PATCHLEVEL and SUBLEVEL of the top Makefile; 0 where one is missing."""
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL) *= *(\d+)", makefile, re.M))
    return (
        int(found.get("VERSION", 0)),
        int(found.get("PATCHLEVEL", 0)),
        int(found.get("SUBLEVEL", 0)),
    )


def version_header(version: tuple[int, int, int]) -> str:
    """generated/uapi/linux/version.h."""
    major, minor, patch = version
    return (
        f"#define LINUX_VERSION_CODE {major * 65536 + minor * 256 + min(patch, 255)}\n"
        "#define KERNEL_VERSION(a,b,c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))\n"
        f"#define LINUX_VERSION_MAJOR {major}\n"
        f"#define LINUX_VERSION_PATCHLEVEL {minor}\n"
        f"#define LINUX_VERSION_SUBLEVEL {patch}\n"
    )
