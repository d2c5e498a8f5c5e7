# SPDX-License-Identifier: GPL-2.0-only
"""The compiler's own headers, as far as kernel code includes them: the libclang wheel has none."""

from __future__ import annotations

_STDDEF = """\
#ifndef PATCHGEN_STDDEF_H
#define PATCHGEN_STDDEF_H
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef __WCHAR_TYPE__ wchar_t;
#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#endif
"""

_STDARG = """\
#ifndef PATCHGEN_STDARG_H
#define PATCHGEN_STDARG_H
typedef __builtin_va_list va_list;
typedef __builtin_va_list __gnuc_va_list;
#define va_start(list, last) __builtin_va_start(list, last)
#define va_end(list) __builtin_va_end(list)
#define va_arg(list, type) __builtin_va_arg(list, type)
#define va_copy(to, from) __builtin_va_copy(to, from)
#endif
"""

_STDBOOL = """\
#ifndef PATCHGEN_STDBOOL_H
#define PATCHGEN_STDBOOL_H
#define bool _Bool
#define true 1
#define false 0
#endif
"""

_LOONGARCH = (
    "cpucfg csrrd_w csrrd_d csrwr_w csrwr_d csrxchg_w csrxchg_d iocsrrd_b iocsrrd_h iocsrrd_w "
    "iocsrrd_d iocsrwr_b iocsrwr_h iocsrwr_w iocsrwr_d cacop_d dbar ibar break syscall movfcsr2gr "
    "movgr2fcsr asrtle_d asrtgt_d lddir_d ldpte_d"
).split()
_LARCHINTRIN = "".join(
    f"#define __{name}(...) __builtin_loongarch_{name}(__VA_ARGS__)\n" for name in _LOONGARCH
)

BUILTIN = {
    "stddef.h": _STDDEF,
    "stdarg.h": _STDARG,
    "stdbool.h": _STDBOOL,
    "larchintrin.h": _LARCHINTRIN,
}
"""File name → contents."""
