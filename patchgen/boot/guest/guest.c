// SPDX-License-Identifier: GPL-2.0-only
/*
 * The code inside the virtual machine: flat 32-bit protected mode, no paging,
 * no interrupts.  It never exits by itself; init steers it through the control
 * page.
 */
#include "layout.h"

static struct control *const control = (struct control *)CONTROL_ADDRESS;

static volatile u32 *at(u32 page, u32 word)
{
	return (volatile u32 *)(DATA_ADDRESS + page * WORDS * 4) + word;
}

static void check(u32 page, u32 word, u32 wanted)
{
	u32 value = *at(page, word);

	control->words++;
	if (value != wanted) {
		control->bad_page = page;
		control->bad_word = word;
		control->bad_value = value;
		control->errors++;
	}
}

static void work(u32 mode, u32 page, u32 word)
{
	u32 wanted = content(page, word);

	check(page, word, wanted);
	if (mode == MODE_WRITE_SAME) {
		*at(page, word) = wanted;
		check(page, word, wanted);
	} else if (mode == MODE_TOGGLE) {
		*at(page, word) = ~wanted;
		check(page, word, ~wanted);
		*at(page, word) = wanted;
		check(page, word, wanted);
	}
}

static void directed(u32 mode, u32 page)
{
	u32 place = page % GROUP, i, word;

	if (mode != MODE_DIRECTED_CHECK) {
		word = directed_word(place);
		*at(page, word) = content(page, word) ^
				  (mode == MODE_DIRECTED_WRITE ? MARK : 0);
		return;
	}
	for (i = 0; i < GROUP; i++) {
		word = directed_word(i);
		check(page, word, content(page, word) ^ (i == place ? MARK : 0));
	}
}

__attribute__((section(".text.first"), noreturn)) void first(void)
{
	u32 turn = 0, before = MODE_IDLE;

	for (;;) {
		u32 mode = control->mode, page, pages = PAGES;

		/* One check for each request, so that errors count once. */
		if (mode == MODE_IDLE || (mode == MODE_DIRECTED_CHECK && mode == before))
			pages = 0;
		before = mode;
		for (page = 0; page < pages; page++) {
			if (mode >= MODE_DIRECTED_WRITE)
				directed(mode, page);
			else
				work(mode, page, turn % WORDS);
		}
		turn += 37;
		control->passes++;
	}
}
