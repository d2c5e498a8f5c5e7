# SPDX-License-Identifier: GPL-2.0-only
"""lint --module: a module where it lives, as one program, and what the answer covers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from patchgen.cli import main

HEAD = """// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/mmu_notifier.h>
"""
OWN = """#include <linux/mutex.h>
#include <linux/mmu_notifier.h>
struct demo {
	struct mmu_notifier mn;
	struct mutex lock;
};
void demo_zap(struct demo *d);
"""
START = """
static int demo_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct demo *d = container_of(mn, struct demo, mn);

	%s
	return 0;
}

const struct mmu_notifier_ops demo_ops = {
	.invalidate_range_start = demo_start,
};
"""
ZAP = """
void demo_zap(struct demo *d)
{
	mutex_lock(&d->lock);
	mutex_unlock(&d->lock);
}
"""


class Ended(NamedTuple):
    """A run of patchgen in this process: the parses are its costs, not Python's start."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def patchgen(capsys):
    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def lint(patchgen, tmp_path, mini):
    """``lint(files, words…)``: lint the module of these files against the miniature kernel."""

    def run(files, *words, kernel=mini):
        folder = tmp_path / "m"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return patchgen("lint", "--module", folder, "--kernel", kernel, *words)

    return run


def crossing(call="demo_zap(d);"):
    return {
        "Kbuild": "obj-m := demo.o\ndemo-y := src/cb.o zap.o\nccflags-y := -I$(src)/inc\n",
        "src/cb.c": HEAD + '#include "demo.h"\n' + START % call,
        "zap.c": HEAD + '#include "demo.h"\n' + ZAP,
        "inc/demo.h": OWN,
    }


def test_calls_are_followed_across_the_files(lint):
    done = lint(crossing())
    assert done.returncode == 1, done.stderr
    assert "zap.c:9:2: error: mutex_lock() may sleep" in done.stdout
    assert "demo_start() (invalidate_range_start) followed completely" in done.stdout
    assert "1 of 1 callbacks followed completely" in done.stdout
    again = lint({})
    assert again.stdout == done.stdout


def test_a_callback_that_leaves_the_module_says_where(lint):
    done = lint(crossing("far_away(d);") | {"inc/demo.h": OWN + "void far_away(struct demo *d);\n"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "demo_start() (invalidate_range_start) leaves at far_away() (src/cb.c:11)" in done.stdout
    assert "0 of 1 callbacks followed completely" in done.stdout


def test_a_wrapper_of_a_private_header_is_as_this_kernel_has_it(lint):
    compat = """
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(4, 0, 0)
static inline void compat_lock(struct demo *d) { mutex_lock(&d->lock); mutex_unlock(&d->lock); }
#define drop_all(d) compat_lock(d)
#else
static inline void compat_lock(struct demo *d) { }
#define drop_all(d) do { } while (0)
#endif
"""
    files = crossing("drop_all(d);") | {"inc/demo.h": OWN + compat}
    assert "[MN028]" in lint(files).stdout
    older = {"inc/demo.h": OWN + compat.replace(">=", "<")}
    done = lint(older)
    assert done.returncode == 0 and "followed completely" in done.stdout, done.stdout


def test_inactive_code_is_named_with_what_turns_it_on(lint):
    body = (
        OWN.partition("void demo_zap")[0] + START % "mutex_lock(&d->lock); mutex_unlock(&d->lock);"
    )
    text = HEAD + f"#ifdef DEMO_HAS_HMM\n{body}#endif\n"
    done = lint({"Kbuild": "obj-m := demo.o\n", "demo.c": text})
    assert done.returncode == 1 and "0 findings" not in done.stdout
    assert "needs defined(DEMO_HAS_HMM): --set DEMO_HAS_HMM=1" in done.stdout
    done = lint({}, "--set", "DEMO_HAS_HMM=1")
    assert "[MN028]" in done.stdout and "inactive" not in done.stdout
    lint({"Kbuild": "obj-m := demo.o\nccflags-$(HMM) := -DDEMO_HAS_HMM\n"})
    assert "[MN028]" in lint({}, "--set", "HMM=y").stdout
    done = lint({}, "--set", "NOBODY=y")
    assert done.returncode == 2 and "NOBODY" in done.stderr


def test_code_for_other_kernels_is_counted_and_no_fault(lint):
    text = HEAD + ("#include <linux/version.h>\n#if LINUX_VERSION_CODE < KERNEL_VERSION(4, 0, 0)\n"
                   "void old(struct mmu_notifier *mn);\n#endif\n")  # fmt: skip
    done = lint({"Kbuild": "obj-m := demo.o\n", "demo.c": text})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 mentions are for other kernel versions" in done.stdout


def test_an_option_of_the_module_turns_its_files_and_its_code(lint):
    files = crossing()
    files["Kbuild"] = files["Kbuild"].replace(" zap.o", "\ndemo-$(CONFIG_DEMO_ZAP) += zap.o")
    files["zap.c"] = files["zap.c"].replace("void demo_zap", "#ifdef CONFIG_DEMO_ZAP\nvoid demo_zap"
                                            ).rstrip() + "\n#endif\n"  # fmt: skip
    done = lint(files)
    assert done.returncode == 0 and "leaves at demo_zap()" in done.stdout
    done = lint({}, "--set", "CONFIG_DEMO_ZAP=y")
    assert done.returncode == 1 and "[MN028]" in done.stdout


def test_a_file_that_is_not_built_and_mentions_the_api_is_named(lint):
    files = crossing() | {"extra.c": HEAD, "user.c": "int main(void) { return 0; }\n"}
    done = lint(files)
    assert "extra.c: not built, so not analysed: no Kbuild or Makefile lists it" in done.stdout
    assert "user.c" not in done.stdout


def test_a_header_that_a_step_makes_is_missed_until_it_is_there(lint, tmp_path):
    files = crossing() | {"inc/demo.h": OWN + '#include "config.h"\n'}
    done = lint(files)
    assert done.returncode == 1 and "'config.h' file not found" in done.stderr
    assert "0 findings" not in done.stdout
    done = lint({"inc/config.h": ""})
    assert done.returncode == 1 and not done.stderr and "[MN028]" in done.stdout
    done = lint({"Kbuild": files["Kbuild"] + "ccflags-y += -include $(obj)/made.h\n"})
    assert done.returncode == 1 and "-include" in done.stderr and "made.h" in done.stderr


def test_formats_and_the_account_as_data(lint):
    done = lint(crossing(), "--json")
    data = json.loads(done.stdout)
    assert [one["rule"] for one in data["findings"]] == ["MN028"]
    assert data["kernel"]["kind"] == "source tree, not configured"
    assert data["callbacks"] == [
        {"file": "src/cb.c", "line": 7, "function": "demo_start",
         "member": "invalidate_range_start", "leaves": ""}
    ]  # fmt: skip
    assert data["sources"] == ["src/cb.c", "zap.c"]
    gcc = lint({}, "--format", "gcc").stdout.splitlines()
    assert gcc[0].startswith("zap.c:9:2: error: ")
    assert lint({}, "-q").stdout.count("\n") == 1
    assert lint({}, "--select", "MN026").returncode == 0


def test_options_that_do_not_go_together(lint, patchgen, tmp_path):
    files = crossing()
    for words in (["zap.c"], ["--diff", "HEAD"], ["--fix", tmp_path / "o"], ["--tree", "mini"]):
        done = lint(files, *words)
        assert done.returncode == 2 and "--module" in done.stderr, words
    assert patchgen("lint", "--kernel", ".").returncode == 2
    assert lint({}, "--set", "=").returncode == 2
    assert lint({}, "--arch", "vax").returncode == 2


def test_a_hostile_module_reads_nothing_outside(lint, tmp_path):
    secret = tmp_path / "secret.h"
    secret.write_text("int secret_word = ;\n")
    files = {
        "Kbuild": f"obj-m := demo.o\nccflags-y := -I{tmp_path} -I/ -include {secret}\n",
        "demo.c": f'#include "{secret}"\n#include <secret.h>\n' + HEAD,
    }
    done = lint(files)
    assert done.returncode == 1
    assert "secret_word" not in done.stdout + done.stderr
    os.mkfifo(tmp_path / "m/pipe.h")
    done = lint({"demo.c": '#include "pipe.h"\n' + HEAD})
    assert done.returncode == 1 and "FIFO" in done.stderr + done.stdout


def test_the_kernel_of_the_makefile_is_the_default(lint, patchgen, tmp_path, mini, monkeypatch):
    lint(crossing())
    folder = tmp_path / "m"
    (folder / "Makefile").write_text(f"KDIR := {mini}\nall:\n\t$(MAKE) -C $(KDIR) M=$(CURDIR)\n")
    monkeypatch.chdir(folder)
    done = patchgen("lint", "--module", ".")
    assert done.returncode == 1 and f"{mini} (Makefile:3)" in done.stdout, done.stderr
    (folder / "Makefile").unlink()
    done = patchgen("lint", "--module", folder)
    if not Path("/lib/modules", os.uname().release, "build").exists():
        assert done.returncode == 2 and "--kernel" in done.stderr


def test_the_kernels_own_headers_stay_the_kernels_beside_an_include_folder(lint, tree):
    """What <linux/spinlock.h> makes a macro is a primitive, whatever folders a module has."""
    header = tree / "include/linux/spinlock.h"
    more = """
unsigned long raw_spin_lock_irqsave(spinlock_t *lock);
void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);
static inline spinlock_t *spinlock_check(spinlock_t *lock) { return lock; }
#define spin_lock_irqsave(lock, flags) \\
	do { flags = raw_spin_lock_irqsave(spinlock_check(lock)); } while (0)
"""
    header.write_text(more.join(header.read_text().rsplit("#endif", 1)) + "#endif\n")
    text = """
void demo_zap(struct demo *d)
{
	unsigned long flags;

	spin_lock_irqsave(&d->spin, flags);
	d->n++;
	spin_unlock_irqrestore(&d->spin, flags);
}
"""
    files = crossing()
    files["Kbuild"] = files["Kbuild"].replace("inc", "include")
    own = OWN.replace("struct mutex lock;", "struct mutex lock;\n\tspinlock_t spin;\n\tint n;")
    files["include/demo.h"] = own.replace("<linux/mutex.h>", "<linux/spinlock.h>")
    files["zap.c"] = HEAD + "#include <linux/spinlock.h>\n" + '#include "demo.h"\n' + text
    done = lint(files, kernel=tree)
    assert done.returncode == 0, done.stdout
    assert "0 findings" in done.stdout and "followed completely" in done.stdout


def test_a_guard_of_a_header_is_no_condition_and_own_macros_decide(lint):
    header = """#ifndef DEMO_H
#define DEMO_H
#define DEMO_IS_ON() 0
#if DEMO_IS_ON()
#include <linux/mmu_notifier.h>
struct other { struct mmu_notifier mn; };
#endif
#ifdef CONFIG_DEMO_MN
extern const struct mmu_notifier_ops far_ops;
#endif
#if DEMO_API == 2
extern const struct mmu_notifier_ops farther_ops;
#endif
#endif
"""
    done = lint({"Kbuild": "obj-m := demo.o\n", "demo.c": '#include "demo.h"\n', "demo.h": header})
    assert "demo.h:6: 1 mention of the API is inactive, needs DEMO_IS_ON() (demo.h:3 decides)" in (
        done.stdout
    )
    assert "needs defined(CONFIG_DEMO_MN): --set CONFIG_DEMO_MN=y" in done.stdout
    assert "needs DEMO_API == 2: --set DEMO_API=2" in done.stdout


def test_what_many_files_lack_is_said_once(lint):
    files = {f"{name}.c": '#include "own.h"\n' for name in "abcd"}
    done = lint({**files, "own.h": '#include "made.h"\n', "Kbuild": "obj-m := a.o b.o c.o d.o\n"})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "'made.h' file not found (4 files do not compile for that)" in line
    assert "configure step" in line


def test_a_macro_that_only_computes_leads_to_what_it_calls(lint):
    header = OWN + (
        "int far_away(struct demo *d);\nint hweight32(unsigned int word);\n"
        "#define ASKS(d) (far_away(d) + 1)\n#define SEES(d) (COUNTS(7) ? !(d) : 0)\n"
        "#define COUNTS(word) hweight32(word)\n"
    )
    done = lint(crossing("if (SEES(d)) return 0;") | {"inc/demo.h": header})
    assert "followed completely" in done.stdout, done.stdout + done.stderr
    done = lint(crossing("if (ASKS(d)) return 0;") | {"inc/demo.h": header})
    assert "leaves at far_away() (src/cb.c:11): not seen" in done.stdout


def test_functions_that_a_macro_of_the_kernels_makes_are_followed(lint, tree):
    (tree / "include/linux/maker.h").write_text(
        "#define MAKE_LOCKED(name)\t\\\nstatic void name##_all(struct demo *d)\t\\\n{\t\\\n"
        "\tmutex_lock(&d->lock);\t\\\n\tmutex_unlock(&d->lock);\t\\\n}\n"
    )
    files = crossing("zap_all(d);")
    files["inc/demo.h"] = "#include <linux/maker.h>\n" + OWN
    files["src/cb.c"] = files["src/cb.c"].replace('"demo.h"\n', '"demo.h"\nMAKE_LOCKED(zap)\n')
    done = lint(files, kernel=tree)
    assert done.returncode == 1 and "[MN028]" in done.stdout, done.stdout + done.stderr


def test_what_a_described_inline_of_the_kernel_calls_ends_no_account(lint, tree):
    (tree / "include/linux/weight.h").write_text(
        "int deep(unsigned int w);\nstatic inline int hweight32(unsigned int w)"
        " { return deep(w); }\nstatic inline int other(int w) { return deep(w); }\n"
    )
    files = crossing("if (hweight32(7)) return 0;")
    files["inc/demo.h"] = "#include <linux/weight.h>\n" + OWN
    assert "followed completely" in lint(files, kernel=tree).stdout
    files["src/cb.c"] = files["src/cb.c"].replace("hweight32", "other")
    assert "leaves at deep() (include/linux/weight.h:3)" in lint(files, kernel=tree).stdout


def test_a_lock_through_a_variable_of_a_statement_expression_is_the_argument(lint):
    """What two macros call _lock is one mutex where they are given one."""
    own = OWN.replace("struct demo {", "struct sem { struct mutex m; };\nstruct demo {", 1)
    header = own.replace("struct mutex lock;", "struct mutex lock;\n\tstruct sem s;") + (
        "#define nothing(a, b) do { (void)sizeof(a); (void)sizeof(b); } while (0)\n"
        "#define record nothing\n"
        "#define take(l) ({ typeof(l) _lock = (l); record(_lock, 1); mutex_lock(&_lock->m); })\n"
        "#define drop(l) ({ typeof(l) _lock = (l); record(_lock, 1); mutex_unlock(&_lock->m); })\n"
    )
    call = "take(&d->s);\n\tdrop(&d->s);"
    done = lint(crossing(call) | {"inc/demo.h": header})
    assert "[MN028]" in done.stdout and "[MN024]" not in done.stdout, done.stdout
    assert "followed completely" in done.stdout
