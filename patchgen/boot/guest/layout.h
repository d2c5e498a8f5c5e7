/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the init program (64 bit) and the code inside the virtual machine
 * (32 bit) agree on: addresses, modes, and the contents of the data pages.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

typedef unsigned int u32;

#define CODE_ADDRESS	0x1000u		/* the guest's code, at most 4 pages */
#define STACK_TOP	0x8000u
#define CONTROL_ADDRESS	0x9000u
#define LOW_SIZE	0x10000u
#define DATA_ADDRESS	0x100000u

#define PAGES		256u
#define GROUP		8u		/* pages that share one content */
#define WORDS		1024u		/* 32-bit words of a page */

enum mode {
	MODE_IDLE,		/* touches no data page */
	MODE_READ,		/* one word of every page a pass, another one each pass */
	MODE_WRITE_SAME,	/* writes the word it read */
	MODE_TOGGLE,		/* writes another value, reads it, writes it back */
	MODE_DIRECTED_WRITE,	/* each page gets its mark at its own word */
	MODE_DIRECTED_CHECK,	/* no page may show another page's mark */
	MODE_DIRECTED_UNDO,
};

/* Written by one side each, read by the other; all words are naturally aligned. */
struct control {
	volatile u32 mode;		/* set by init */
	volatile u32 passes;		/* full passes done, all modes */
	volatile u32 errors;		/* words that did not have their value */
	volatile u32 words;		/* words read and checked */
	volatile u32 bad_page;		/* the last error: where, what */
	volatile u32 bad_word;
	volatile u32 bad_value;
};

static inline u32 content(u32 page, u32 word)
{
	return (page / GROUP + 1) * 0x9e3779b1u + word * 0x85ebca6bu;
}

#define MARK		0x5aa55aa5u

/* The word that the directed phase marks in the pages of place `place` of their group. */
static inline u32 directed_word(u32 place)
{
	return place * 64 + 32;
}

#endif
