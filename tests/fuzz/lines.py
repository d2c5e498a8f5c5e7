# SPDX-License-Identifier: GPL-2.0-only
"""Lines for hostile trees: what a Makefile, a Kconfig, a build or a source may say."""

from __future__ import annotations

import random
from pathlib import Path


def makefile(outside: Path) -> tuple[str, ...]:
    return (
        f"ccflags-y += -I{outside} -include {outside}/secret.h -DX={outside}",
        f"include {outside}/Makefile",
        "include $(srctree)/mm/Makefile",
        "include mm/Makefile",
        "B := " + "x" * 100_000 + "\nccflags-y := " + "$(B)" * 2_000,
        "A = $(B)$(B)\nB = $(A)$(A)\nccflags-y += $(A)",
        "ccflags-y += $(ccflags-y)",
        f"ccflags-y += $(shell touch {outside}/ran)",
        f"x != touch {outside}/ran",
        "ifdef A\n" * 500 + "ccflags-y += -DX\n" + "endif\n" * 499,
        "else",
        "endif",
        "define X",
        "obj-y += ../../../../etc/",
        "obj-y += ../mm/",
        "obj-y += ./",
        "obj-y += " + "a/" * 2000,
        "".join(f"l{n + 1}-y := $(l{n}-y)\n" for n in range(3000)) + "ccflags-y += $(l3000-y)",
        "$(eval $(call X,$(Y)))",
        "ksm-y := " + " ".join(f"o{n}.o" for n in range(20_000)),
        "ccflags-y += " + "\\\n " * 5_000 + "-DX",
        "ccflags-y += -D'X=\x1b[2J' -DY=\"\n",
        "CFLAGS_ksm.o += -std=gnu\x1b[2J -x c++ -Xclang -load -Xclang /tmp/x.so @/etc/passwd",
        "CFLAGS_ksm.o += -fplugin=/tmp/x.so -MD -MF /tmp/x -o /tmp/y -save-temps -ftime-trace",
        "EXTRAVERSION = -\x1b[2J\nVERSION = 5",
        "VERSION = $(shell id)",
        "$(X",
        "a" * 300_000,
        "ccflags-y += $(subst x,$(X),$(patsubst %,%,$(foreach a,$(b),$(wordlist 1,2,$(c)))))",
        "ccflags-$(CONFIG_$(CONFIG_$(CONFIG_X))) += -DX",
        "ccflags-y += -D" + "(" * 5000,
    )


def kconfig(outside: Path) -> tuple[str, ...]:
    return (
        'source "Kconfig"',
        f'source "{outside}/secret.h"',
        'source "../outside/secret.h"',
        'source "mm/*"',
        "if X\n" * 2000,
        'menu "x"\n' * 500,
        "config \x1b[2J",
        "".join(f"config A{n}\n\tbool\n\tselect A{n + 1}\n" for n in range(2000)),
        "".join(f"config A{n}\n\tbool\n\tdepends on A{(n + 1) % 50}\n" for n in range(50)),
        "config KVM\n\tbool\n\tdepends on " + "(" * 2000 + "X" + ")" * 2000,
        "config KVM\n\tbool\n\tdepends on " + "!" * 20_000 + "X",
        "config KVM\n\tdefault y if " + " && ".join(f"A{n}" for n in range(5000)),
        "config KVM\n\tint\n\trange -99999999999999999999 1e5",
        'config KVM\n\tstring "\0\xff',
        'source "$(shell,id)"',
        'source "/dev/zero"',
        "choice\n" * 300,
        'comment "' + "x" * 200_000,
    )


def includes(outside: Path) -> tuple[str, ...]:
    return (
        '"ksm.c"',
        '""',
        "<>",
        '"/dev/zero"',
        '"fifo"',
        f'"{outside}/secret.h"',
        "X",
        '"\x1b[2J"',
        '"' + "a" * 5000 + '"',
        '"' + "a/" * 3000 + '"',
        '"' + "../" * 40 + 'etc/passwd"',
        "<linux>",
        '"/proc/self/mem"',
        '"/proc/self/fd/0"',
        '"."',
        '".."',
        "<linux/mmu_notifier.h/x>",
        f"<{str(outside)[1:]}/secret.h>",
        '"\xff"',
        "__FILE__",
        '"C:\\x"',
        "<linux/mm.h",
    )


def commands(outside: Path) -> tuple[str, ...]:
    """What a build says that it compiled a source with."""
    return (
        f"gcc -I{outside} -DX={outside} -include {outside}/secret.h mm/ksm.c",
        "gcc '",
        "gcc " * 50_000,
        "gcc -Wp,-MMD,/tmp/x -o /tmp/y -Iinclude mm/ksm.c",
        "gcc @/dev/zero",
        "gcc -D\x1b[2J=1 a.c",
        "gcc -I/dev/zero -I/proc/self/root -include /dev/zero",
        "gcc -include mm/fifo mm/ksm.c",
        "gcc -D" + "x" * 300_000,
        "gcc -I" * 3_000,
        "\xff\0",
        "gcc -std=gnu11 -std= -m64 -m32 -m16",
    )


def programs(out: Path) -> tuple[str, ...]:
    """checkpatch.pl, as somebody who means harm would write it."""
    return (
        f"open(F, '>', '{out}/ran'); print F 1;",
        'print "-:1: ERROR:X: \\e[2J\\n" x 10;',
        f"open(F, '<', '{out}/secret.h'); print '-:1: ERROR:X: ', <F>, \"\\n\";",
        "fork for 1 .. 5; sleep 300;",
        "print 'x' x (1 << 29);",
        "kill 9, getppid; kill 9, 0;",
        "kill 15, getppid; sleep 1;",
        "open(F, '>', 'x'); print F 'x' x (1 << 20) for 1 .. 200;",
        "1 while 1;",
        'die "\\e[2J";',
        "if (!fork) { if (!fork) { sleep 300 } } ",
        'print "\\xff\\0-:1: WARNING:A_B: \\0\\n";',
        'print "-:99999999999: ERROR:X: y\\n"; exit 1;',
        "my @a; push @a, 'x' x (1 << 20) while 1;",
    )


def code(chance: random.Random) -> str:
    """Code that is legal or nearly so, and large, deep or odd."""
    number = chance.choice((200, 2_000, 4_000))
    return chance.choice(
        (
            "void f(void) {" + "{" * number + "}" * number + "}",
            "int f(int x) { return " + "(" * number + "x" + ")" * number + "; }",
            "int f(int x) {" + "if (x) { x++; " * number + "}" * number + " return x; }",
            "int f(int x) { switch (x) {"
            + "".join(f"case {n}: x++;\n" for n in range(number))
            + "} return x; }",
            "int f(int x) {" + "x = x + 1;\n" * number + "return x; }",
            "int f(int x) { return x" + " + x" * number + "; }",
            "int a" + "[1]" * number + ";",
            "#define A A\n#define B(x) C(x)\n#define C(x) B(x)\nint y = B(B(A));",
            "#define X0 x x\n"
            + "".join(f"#define X{n + 1} X{n} X{n}\n" for n in range(24))
            + "int q = X24;",
            "/* mmu_notifier_invalidate_range_start " * number,
            "/* unterminated",
            '"unterminated',
            "#if 1\n" * number,
            "#if " + "(" * number + "1" + ")" * number + "\n#endif",
            "#endif\n#else\n#elif 1",
            "#error \x1b[2J\x1b]0;x\x07",
            '#line 1 "\x1b[2J"\nint int;',
            '#line 99999999999 "/etc/passwd"\nint int;',
            '# 1 "/etc/passwd" 1\nint int;',
            "#pragma clang system_header\n#pragma once\n#pragma GCC poison mmu_notifier_range",
            'int \u202e x = "\u2066";',
            "int x\\\n" * 3_000 + ";",
            "int " + "x" * 100_000 + ";",
            'asm(".incbin \\"/etc/passwd\\"");',
            '_Static_assert(0, "\x1b[2J\x0b");',
            "void mmu_notifier_invalidate_range_start(struct mmu_notifier_range *r)"
            " { for (;;) goto a; a: ; }",
            "struct s { struct s s[1]; }; int f(void) { struct s x; return sizeof x; }",
            "int f(void) { return ({ ({ ({ int x = 1; x; }); }); }); }",
            "int f(a, b) int a; char b; { return a; }",
            "??=define X ??/\n 1",
            "void f(void) { static void *l[] = { &&a }; goto *l[0]; a: ; }",
            "\x1a\x04\x0c",
            "int f(int x) { l: "
            + "".join(f"l{n}: if (x == {n}) goto l{n * 7 % number}; " for n in range(number))
            + "return x; }",
            "static const struct mmu_notifier_ops o = { .change_pte = " + "(" * number + "f };",
        )
    )
