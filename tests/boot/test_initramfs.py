# SPDX-License-Identifier: GPL-2.0-only
"""The program for the initramfs builds, and its guest code does its work.

The guest's code is plain C over three memory areas: compiled for this machine and
given areas of its own, it shows what it counts as an error.
"""

from __future__ import annotations

import subprocess
from importlib import resources
from pathlib import Path

import pytest

from patchgen.boot.initramfs import initramfs

pytestmark = pytest.mark.needs("gcc")

_GUEST = Path(str(resources.files("patchgen.boot") / "guest"))

# The packer's stand-in: the list names what is packed, the program is packed whole.
_PACKER = "#!/bin/sh\ncat $1 init\n"

_HARNESS = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "layout.h"

void first(void);
static struct control *c;
static u32 *data;

static void *guest(void *unused) { first(); return unused; }

static void passes(u32 mode)
{
	u32 from;

	c->mode = mode;
	for (from = c->passes; c->passes - from < 2 + 3 * (mode == MODE_READ);)
		usleep(100);
}

static void fill(void)
{
	u32 p, w;

	for (p = 0; p < PAGES; p++)
		for (w = 0; w < WORDS; w++)
			data[p * WORDS + w] = content(p, w);
}

static void *at(unsigned long address, unsigned long size)
{
	void *area = mmap((void *)address, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (area == MAP_FAILED)
		exit(77);
	return area;
}

int main(void)
{
	pthread_t thread;
	u32 p, modes[] = { MODE_READ, MODE_WRITE_SAME, MODE_TOGGLE, MODE_READ };

	at(CONTROL_ADDRESS & ~0xffffu, 0x10000);
	c = (struct control *)CONTROL_ADDRESS;
	data = at(DATA_ADDRESS, PAGES * 4096);
	fill();
	pthread_create(&thread, NULL, guest, NULL);
	for (p = 0; p < 4; p++)
		passes(modes[p]);
	printf("good %u\n", c->errors);
	passes(MODE_DIRECTED_WRITE);
	passes(MODE_DIRECTED_CHECK);
	printf("directed %u\n", c->errors);
	/* As if the second page of each group had written to the page they share. */
	passes(MODE_IDLE);
	for (p = 0; p < PAGES; p++)
		if (p % GROUP > 1)
			data[p * WORDS + directed_word(1)] ^= MARK;
	passes(MODE_DIRECTED_CHECK);
	passes(MODE_IDLE);
	printf("stale %u\n", c->errors);
	fill();
	passes(MODE_IDLE);
	p = c->errors;
	data[5 * WORDS + directed_word(5)] ^= 1;
	passes(MODE_DIRECTED_UNDO);
	passes(MODE_IDLE);
	printf("undone %u\n", data[5 * WORDS + directed_word(5)] == content(5, directed_word(5)));
	data[7 * WORDS]++;
	for (c->mode = MODE_READ; c->errors == p;)
		usleep(100);
	printf("seen %u %u\n", c->bad_page, c->bad_word);
	return 0;
}
"""


def test_the_program_builds_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path))
    packer = tmp_path / "packer"
    packer.write_text(_PACKER)
    packer.chmod(0o755)
    made = initramfs(packer, "gcc 1")
    listed, _, program = made.read_bytes().partition(b"\x7fELF")
    assert b"file /init init 0755 0 0" in listed
    assert b"kvm_mmu_notifier_change_pte" in program
    packer.unlink()
    assert initramfs(packer, "gcc 1") == made


def test_the_guest_counts_wrong_words_and_only_those(tmp_path: Path) -> None:
    # The control page lies below what an unprivileged process may map: moved up.
    layout = (_GUEST / "layout.h").read_text()
    for name in ("CONTROL_ADDRESS", "DATA_ADDRESS"):
        line = next(x for x in layout.splitlines() if x.startswith(f"#define {name}"))
        value = int(line.split()[2].rstrip("u"), 16)
        layout = layout.replace(line, f"#define {name} {value + 0x20000000:#x}ul")
    (tmp_path / "layout.h").write_text(layout)
    (tmp_path / "guest.c").write_text((_GUEST / "guest.c").read_text())
    (tmp_path / "harness.c").write_text(_HARNESS)
    command = "gcc -O2 -Wall -Werror -pthread -o harness harness.c guest.c".split()
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(
        [str(tmp_path / "harness")], stdout=subprocess.PIPE, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "good 0",
        "directed 0",
        "stale 192",
        "undone 1",
        "seen 7 0",
    ]
