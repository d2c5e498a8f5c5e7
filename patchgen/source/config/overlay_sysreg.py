# SPDX-License-Identifier: GPL-2.0-only
"""arm64's asm/sysreg-defs.h from arch/arm64/tools/sysreg, as gen-sysreg.awk makes it."""

from __future__ import annotations

_FIELDS = frozenset(("Field", "Enum", "SignedEnum", "UnsignedEnum"))
_RESERVED = {"Res0": "RES0", "Res1": "RES1", "Unkn": "UNKN"}


class _Register:
    """The register (or set of fields) whose lines are being read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.masks = dict.fromkeys(_RESERVED.values(), "UL(0)")

    def close(self, out: list[str], prefix: str) -> None:
        for kind, mask in self.masks.items():
            out.append(f"#define {prefix}{self.name}_{kind} ({mask})")


def sysreg_defs(text: str) -> str:
    """The header for a register description; lines it does not understand are passed over."""
    out: list[str] = []
    register: _Register | None = None
    prefix, field, described = "", "", True
    for line in text.split("\n"):
        words = line.partition("#")[0].split()
        if not words:
            continue
        kind = words[0]
        if kind == "SysregFields" and len(words) == 2:
            register, prefix, described = _Register(words[1]), "", True
        elif kind == "Sysreg" and len(words) == 7:
            register, prefix, described = _Register(words[1]), "", True
            _encoding(out, words)
        elif register is None:
            continue
        elif kind in ("EndSysregFields", "EndSysreg"):
            if described:
                register.close(out, prefix)
            register = None
        elif kind in ("Fields", "Mapping"):
            described = False
        elif kind == "Prefix" and len(words) == 2:
            prefix = words[1] + "_"
        elif kind == "EndPrefix":
            register.close(out, prefix)
            prefix, register = "", _Register(register.name)
        elif kind in _RESERVED and len(words) == 2:
            high, low = _bits(words[1])
            register.masks[_RESERVED[kind]] += f" | GENMASK_ULL({high}, {low})"
        elif kind in _FIELDS and len(words) == 3:
            field = words[2]
            _field(out, f"{prefix}{register.name}_{field}", kind, *_bits(words[1]))
        elif kind.startswith("0b") and len(words) == 2:
            out.append(f"#define {prefix}{register.name}_{field}_{words[1]} UL({kind})")
    return "\n".join(out) + "\n"


def _encoding(out: list[str], words: list[str]) -> None:
    _, name, op0, op1, crn, crm, op2 = words
    out.append(f"#define REG_{name} S{op0}_{op1}_C{crn}_C{crm}_{op2}")
    out.append(f"#define SYS_{name} sys_reg({op0}, {op1}, {crn}, {crm}, {op2})")
    for part, value in (("Op0", op0), ("Op1", op1), ("CRn", crn), ("CRm", crm), ("Op2", op2)):
        out.append(f"#define SYS_{name}_{part} {value}")


def _field(out: list[str], name: str, kind: str, high: str, low: str) -> None:
    out.append(f"#define {name} GENMASK({high}, {low})")
    out.append(f"#define {name}_MASK GENMASK({high}, {low})")
    out.append(f"#define {name}_SHIFT {low}")
    out.append(f"#define {name}_WIDTH {int(high) - int(low) + 1}")
    if kind in ("SignedEnum", "UnsignedEnum"):
        out.append(f"#define {name}_SIGNED {'true' if kind == 'SignedEnum' else 'false'}")


def _bits(text: str) -> tuple[str, str]:
    high, _, low = text.partition(":")
    if not high.isdigit() or (low and not low.isdigit()):
        return "0", "0"
    return high, low or high
