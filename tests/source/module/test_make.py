# SPDX-License-Identifier: GPL-2.0-only
"""The reading of Makefiles, held against GNU make itself, and its bounds."""

from __future__ import annotations

import subprocess

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.module.access import Access
from patchgen.source.module.functions import Functions
from patchgen.source.module.make import Make
from patchgen.source.module.words import UNKNOWN

TEXTS = {
    "flavours": """
later = x$(tail)
now := x$(tail)
tail = 1
X = $(later) $(now)
""",
    "append": """
a := 1
b = 2
a += $(b)
c += $(b)
b = 3
X = $(a)|$(c)
""",
    "maybe": """
a ?= 1
a ?= 2
b :=
b ?= 3
X = $(a)|$(b)
""",
    "conditions": """
v = y
ifeq ($(v),y)
 a := 1
else ifeq ($(v),m)
 a := 2
else
 a := 3
endif
ifneq ($(v), y)
 b := 1
else
 b := 2
endif
ifeq "$(v)" 'y'
 c := 1
endif
ifdef v
 ifndef w
  d := 1
 endif
endif
ifeq ($(filter y n,$(v)),y)
 e := $(if $(v),yes,no)$(or ,$(v))$(and $(v),$(w),2)
endif
X = $(a)$(b)$(c)$(d)$(e)
""",
    "text": """
s = a.c b.c sub/c.c d.S
X = $(patsubst %.c,%.o,$(s)) $(s:.c=.o) $(s:%.c=x/%.o) $(filter %.c,$(s)) \\
	$(filter-out %.c d%,$(s)) $(subst a,AA,a b a) $(addprefix p/,$(s)) $(addsuffix .x,1 2) \\
	$(notdir $(s)) $(dir $(s)) $(basename $(s)) $(suffix $(s)) $(sort c a b a) $(words $(s)) \\
	$(word 2,$(s)) $(firstword $(s)) $(lastword $(s)) $(wordlist 2,3,$(s)) $(strip  a   b ) \\
	$(findstring b,abc) $(join a b,1 2 3)
""",
    "functions": """
twice = $(1)$(1)-$(2)
define both
$(1)-objs := $(2)
n += $(1)
endef
$(foreach m,one two,$(eval $(call both,$(m),$(m).o)))
w = v
v = deep
X = $(call twice,a,b c) $(foreach i,1 2 3,<$(i)>) $(one-objs) $(two-objs) $(n) $($(w)) \\
	$(value twice) $(origin n) $(origin none) $(flavor w)
""",
    "names": """
CONFIG_A := y
CONFIG_B :=
obj-$(CONFIG_A) += a.o
obj-$(CONFIG_B) += b.o
m := mod
$(m)-y := $(m)_a.o
obj-y += sub/#comment
h := \\#x
X = $(obj-y)|$(obj-)|$(mod-y)|$(h)|$$(no)
""",
    "rules": """
all: a
	echo x := 1
x := 2
a: x := 5
a:
	@echo $(x)
ifdef x
	y := 3
endif
	# no comment
X = $(x)|$(y)
""",
    "joined": """
a = one \\
    two\\
	three
override a += four
export b := 5
X = $(a)|$(b)
""",
    "defined": """
define body =
a $(x)
b
endef
x = 1
X = $(subst b,c,$(body))
""",
}


def run(folder, text, settings=None, own=None):
    """A run of our reader over one Makefile."""
    (folder / "Makefile").write_text(text)
    access = Access(str(folder), ())
    functions = Functions(access.names, access.there, access.text, "6.1.0-x", "x86_64")
    own = {"CURDIR": str(folder), **(own or {})}
    make = Make(access.text, access.shown, functions, own, settings or {}, [])
    make.load(f"{folder}/Makefile")
    return make


@pytest.mark.parametrize("name", TEXTS)
def test_values_are_those_of_gnu_make(name, tmp_path):
    make = run(tmp_path, TEXTS[name])
    (tmp_path / "other.mk").write_text(TEXTS[name] + "\n$(info <$(X)>)\nnothing:\n\t@:\n")
    done = subprocess.run(
        ["make", "-f", "other.mk", "nothing"], cwd=tmp_path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    theirs = done.stdout.partition("<")[2].rpartition(">")[0]
    assert make.value("X").split() == theirs.split()


def test_files_and_the_command_line(tmp_path):
    (tmp_path / "more.mk").write_text("a := 7\n")
    (tmp_path / "x.c").write_text("")
    text = "a = 1\nb = 2\ninclude $(CURDIR)/more.mk\n-include gone.mk\nc := $(wildcard *.c)\n"
    make = run(tmp_path, text, {"b": "9"})
    assert [make.value(name) for name in "abc"] == ["7", "9", "x.c"]
    assert make.notes == []
    make = run(tmp_path, "include gone.mk\n")
    assert [str(note.place) for note in make.notes] == ["Makefile:1"]
    assert "gone.mk" in make.notes[0].text


def test_harmless_commands_are_known_and_nothing_is_run(tmp_path):
    (tmp_path / "f.h").write_text("int mmu_notifier_put;\n")
    text = """
a := $(shell uname -r) $(shell pwd) $(shell echo "x y")
b := $(shell test -f f.h && echo y || echo n) $(shell [ -d gone ] && echo y || echo n)
c := $(shell grep -qw mmu_notifier_put f.h && echo 1 || echo 0)
d := $(shell touch bad; echo 1)
"""
    make = run(tmp_path, text)
    assert make.value("a") == f"6.1.0-x {tmp_path} x y"
    assert make.value("b") == "y n"
    assert make.value("c") == "1"
    assert UNKNOWN in make.value("d")
    assert not (tmp_path / "bad").exists()


def test_what_depends_on_a_program_is_undecided_and_named(tmp_path):
    text = """
has := $(shell ./conftest.sh)
ifeq ($(has),y)
obj-m += more.o
endif
ifneq ($(has)x,)
a := 1
endif
"""
    make = run(tmp_path, text)
    assert make.value("obj-m") == ""
    assert make.value("a") == "1"  # whatever is printed, it is not empty
    [one] = make.undecided
    assert one.note.place.line == 3
    assert "Makefile:2" in one.note.text and "--set has=" in one.note.text
    assert one.variables == {"obj-m"}
    make = run(tmp_path, text, {"has": "y"})
    assert make.value("obj-m").strip() == "more.o" and not make.undecided


@pytest.mark.parametrize(
    "text",
    [
        "a = $(a)\nb := $(a)\n",
        "define f\n$(eval $(call f))\nendef\n$(call f)\n",
        "a := x\n" + "a := $(a)$(a)\n" * 64,
        "include Makefile\n",
        "ifdef a\n" * 100,
        "b := " + "$(if x," * 500 + ")" * 500 + "\n",
        "l := " + "a " * 9000 + "\n$(foreach x,$(l),$(foreach y,$(l),$(foreach z,$(l),1)))\n",
    ],
)
def test_a_bomb_is_refused_with_its_place(text, tmp_path):
    with pytest.raises(UserError) as error:
        run(tmp_path, text)
    assert "Makefile:" in error.value.where


def test_a_makefile_that_is_no_file_is_refused(tmp_path):
    (tmp_path / "pipe.mk").symlink_to("/dev/zero")
    with pytest.raises(UserError, match="leads out"):
        run(tmp_path, "include pipe.mk\n")
    assert run(tmp_path, f"x := {UNKNOWN}0{UNKNOWN}\n").value("x") == "0"
