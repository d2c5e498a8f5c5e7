# SPDX-License-Identifier: GPL-2.0-only
"""Headers that a build generates with scripts, made from the same inputs.

What only assembler sources or the linker need stays an empty header.
"""

from __future__ import annotations

import re

from patchgen.source.config import overlay_numbers
from patchgen.source.config.overlay_inputs import Inputs


def config_files(inputs: Inputs, config: dict[str, str], types: dict[str, str]) -> dict[str, str]:
    """The headers that hang on the configuration: autoconf.h, bounds.h, timeconst.h.

    ``types`` are the symbols' Kconfig types: strings are quoted, hex gets its 0x.
    """
    flags = inputs.read("include/linux/page-flags.h") or ""
    zones = inputs.read("include/linux/mmzone.h") or ""
    return {
        "include/generated/autoconf.h": autoconf(config, types),
        "include/generated/bounds.h": overlay_numbers.bounds(config, flags, zones),
        "include/generated/timeconst.h": overlay_numbers.timeconst(_number(config.get("HZ"), 250)),
    }


def _number(text: str | None, otherwise: int) -> int:
    try:
        return max(1, int(text or "", 0))
    except ValueError:
        return otherwise


def autoconf(config: dict[str, str], types: dict[str, str]) -> str:
    """generated/autoconf.h for the symbols that are not n."""
    lines = []
    for name in sorted(config):
        value = config[name]
        kind = types.get(name, "")
        if kind == "string":
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'#define CONFIG_{name} "{quoted}"')
        elif kind == "hex" and not value.lower().startswith("0x"):
            lines.append(f"#define CONFIG_{name} 0x{value}")
        else:
            lines.append(f"#define CONFIG_{name} {1 if value == 'y' else value}")
    return "\n".join(lines) + "\n"


_EMPTY = (
    "autoksyms.h vdso-offsets.h vdso32-offsets.h vdso64-offsets.h "
    "compat_vdso-offsets.h vdso-cfi-offsets.h randomize_layout_hash.h randstruct_hash.h "
    "integer-wrap.h gcc-plugins.h nr-irqs.h"
).split()


def base_files(inputs: Inputs, arch: str, generated: list[str]) -> dict[str, str]:
    """The headers that hang on the tree and the architecture alone."""
    version = overlay_numbers.version_numbers(inputs.read("Makefile") or "")
    release = ".".join(map(str, version))
    files = {f"include/generated/{name}": "" for name in _EMPTY}
    files["include/generated/utsrelease.h"] = f'#define UTS_RELEASE "{release}"\n'
    files["include/generated/utsversion.h"] = '#define UTS_VERSION "#1"\n'
    files["include/generated/package.h"] = '#define LINUX_PACKAGE_ID ""\n'
    files["include/generated/rq-offsets.h"] = "#define RQ_nr_pinned 0\n"
    files["include/generated/compile.h"] = (
        f'#define UTS_MACHINE "{arch}"\n#define UTS_VERSION "#1"\n'
        '#define LINUX_COMPILE_BY "kernel"\n'
        '#define LINUX_COMPILE_HOST "kernel"\n#define LINUX_COMPILER "clang"\n'
    )
    files["include/uapi/linux/version.h"] = overlay_numbers.version_header(version)
    files.update(_workarounds(inputs))
    files["include/generated/asm-offsets.h"] = _offsets(inputs, arch)
    for header in generated:
        files[f"arch/{header}"] = _arch_header(inputs, arch, header.rpartition("/")[2])
    if arch == "arm":
        files["include/generated/mach-types.h"] = _mach_types(inputs)
        files["arch/asm/mach-types.h"] = "#include <generated/mach-types.h>\n"
    return files


def _workarounds(inputs: Inputs) -> dict[str, str]:
    """xe's numbered workarounds from its lists of rules (xe_gen_wa_oob.c)."""
    folder, files = "drivers/gpu/drm/xe", {}
    for name in sorted(inputs.names(folder)):
        if not name.endswith("_oob.rules"):
            continue
        rules = inputs.read(f"{folder}/{name}") or ""
        prefix = name.removesuffix(".rules").upper()
        names = re.findall(r"^(\w+)\s", rules, re.M)
        lines = [f"\t{prefix}_{found} = {index}," for index, found in enumerate(names)]
        body = "\n".join([*lines, f"\t_{prefix}_COUNT = {len(names)}"])
        guard = f"#ifndef GENERATED_{prefix}\n#define GENERATED_{prefix}\n"
        stem = name.removesuffix(".rules")
        files[f"include/generated/{stem}.h"] = f"{guard}enum {{\n{body}\n}};\n#endif\n"
    return files


_OFFSET = re.compile(r"^\s*OFFSET\(\s*(\w+)\s*,\s*(\w+)\s*,\s*([\w.\[\]]+)\s*\)", re.M)


def _offsets(inputs: Inputs, arch: str) -> str:
    """asm-offsets.h for the C files that use it: offsets stay expressions."""
    text = inputs.read(f"arch/{arch}/kernel/asm-offsets.c") or ""
    return "".join(
        f"#define {name} __builtin_offsetof(struct {struct}, {member})\n"
        for name, struct, member in _OFFSET.findall(text)
    )


def _arch_header(inputs: Inputs, arch: str, name: str) -> str:
    if name.startswith("unistd_nr"):
        return _last_numbers(inputs, arch, name)
    if name.startswith("unistd_"):
        return _unistd(inputs, arch, name)
    if name == "facility-defs.h":
        return _facilities(inputs)
    if name in ("cpucaps.h", "cpucap-defs.h"):
        return _cpucaps(inputs)
    if name == "sysreg-defs.h":
        from patchgen.source.config import overlay_sysreg

        return overlay_sysreg.sysreg_defs(inputs.read("arch/arm64/tools/sysreg") or "")
    if name == "cpufeaturemasks.h":
        return _feature_masks(inputs)
    if name == "kernel-hwcap.h":
        return _hwcaps(inputs)
    return ""


_TABLES = (
    "arch/{arch}/entry/syscalls/syscall_{bits}.tbl",
    "arch/{arch}/kernel/syscalls/syscall_{bits}.tbl",
    "arch/{arch}/tools/syscall_{bits}.tbl",
    "arch/{arch}/kernel/syscalls/syscall.tbl",
    "arch/{arch}/tools/syscall.tbl",
    "scripts/syscall.tbl",
)
_ABIS = {
    "unistd_32.h": ("32", "", ("i386", "common", "32", "nospu")),
    "unistd_64.h": (
        "64",
        "",
        (
            "common",
            "64",
            "nospu",
            "renameat",
            "rlimit",
            "memfd_secret",
            "riscv",
            "time32",
            "stat64",
        ),
    ),
    "unistd_32_ia32.h": ("32", "ia32_", ("i386",)),
    "unistd_64_x32.h": ("64", "x32_", ("common", "x32")),
    "unistd_x32.h": ("64", "", ("common", "x32")),
    "unistd_compat_32.h": ("32", "compat32_", ("common", "32")),
    "unistd_n32.h": ("n32", "", ("n32",)),
    "unistd_n64.h": ("n64", "", ("n64",)),
    "unistd_o32.h": ("o32", "", ("o32",)),
}
_OFFSETS = {"mips": "__NR_Linux + "}


def _unistd(inputs: Inputs, arch: str, name: str) -> str:
    """System call numbers from the architecture's table (scripts/syscallhdr.sh)."""
    bits, prefix, abis = _ABIS.get(name, ("64", "", ("common", "64")))
    for pattern in _TABLES:
        text = inputs.read(pattern.format(arch=arch, bits=bits))
        if text is not None:
            break
    else:
        return ""
    lines, last = [], 0
    for line in text.split("\n"):
        match = re.match(r"(\d+)\s+(\S+)\s+(\w+)", line)
        if match and (match[2] in abis or (arch == "s390" and match[2] == "common")):
            lines.append(f"#define __NR_{prefix}{match[3]} ({_OFFSETS.get(arch, '')}{match[1]})")
            last = max(last, int(match[1]))
    lines.append(f"#define __NR_{prefix}syscalls {last + 1}")
    return "\n".join(lines) + "\n"


def _last_numbers(inputs: Inputs, arch: str, name: str) -> str:
    """The highest system call number of an ABI (scripts/syscallnr.sh)."""
    if arch != "mips":
        return "#define NR_syscalls 512\n"
    abi = name.removeprefix("unistd_nr_").removesuffix(".h")
    prefix, first = {"n32": ("N32", 6000), "n64": ("64", 5000), "o32": ("O32", 4000)}[abi]
    text = inputs.read(f"arch/mips/kernel/syscalls/syscall_{abi}.tbl") or ""
    last = max((int(number) for number in re.findall(r"^(\d+)\s", text, re.M)), default=0)
    return f"#define __NR_{prefix}_Linux {first}\n#define __NR_{prefix}_Linux_syscalls {last + 1}\n"


_FACILITY = re.compile(r"\.name = \"(\w+)\",\s*\.bits = \(int\[\]\)\s*\{(.*?)-1", re.S)


def _facilities(inputs: Inputs) -> str:
    """s390's facility lists as words of 64 bits (arch/s390/tools/gen_facilities.c)."""
    text = inputs.read("arch/s390/tools/gen_facilities.c") or ""
    lines = []
    for name, body in _FACILITY.findall(re.sub(r"/\*.*?\*/|^#.*?$", "", text, flags=re.S | re.M)):
        bits = [int(bit) for bit in re.findall(r"\d+", body)]
        words = [0] * (max(bits, default=0) // 64 + 1)
        for bit in bits:
            words[bit // 64] |= 1 << (63 - bit % 64)
        values = ",".join(f"_AC({word:#x},UL)" for word in words)
        lines.append(f"#define {name} {values}")
    return "\n".join(lines) + "\n"


def _cpucaps(inputs: Inputs) -> str:
    """arm64's capabilities in the order of their list (gen-cpucaps.awk)."""
    names = re.findall(r"^([A-Za-z0-9_]+)$", inputs.read("arch/arm64/tools/cpucaps") or "", re.M)
    lines = [f"#define ARM64_{name} {number}" for number, name in enumerate(names)]
    return "\n".join([*lines, f"#define ARM64_NCAPS {len(names)}"]) + "\n"


def _feature_masks(inputs: Inputs) -> str:
    """x86's required and disabled CPU features: none of either (cpufeaturemasks.awk)."""
    text = inputs.read("arch/x86/include/asm/cpufeatures.h") or ""
    match = re.search(r"#define\s+NCAPINTS\s+(\d+)", text)
    lines = []
    for kind in ("REQUIRED", "DISABLED"):
        lines += [f"#define {kind}_MASK{word} 0U" for word in range(int(match[1]) if match else 0)]
        lines.append(f"#define {kind}_MASK_BIT_SET(x) ((x) & 0)")
    return "\n".join(lines) + "\n"


def _hwcaps(inputs: Inputs) -> str:
    """arm64's kernel-internal numbers of its hardware capabilities (gen-kernel-hwcaps.sh)."""
    text = inputs.read("arch/arm64/include/uapi/asm/hwcap.h") or ""
    lines = []
    for word, name in re.findall(
        r"^#define\s+HWCAP(\d*)_(\w+)\s+\(?(?:1U?L?L? <<|BIT)", text, re.M
    ):
        full = f"HWCAP{word}_{name}"
        lines.append(f"#define KERNEL_{full} __khwcap{word}_feature({name})")
    return "\n".join(lines) + "\n"


def _mach_types(inputs: Inputs) -> str:
    """arm's machine types from their list (arch/arm/tools/gen-mach-types)."""
    lines = []
    for line in (inputs.read("arch/arm/tools/mach-types") or "").split("\n"):
        match = re.match(r"(\w+)\s+(\w+)\s+(\w+)\s+(\d+)", line)
        if match:
            lines.append(f"#define MACH_TYPE_{match[3]} {match[4]}")
            lines.append(f"#define machine_is_{match[1]}() (0)")
    return "\n".join(lines) + "\n"
