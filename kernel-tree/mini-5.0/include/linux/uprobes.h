/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_UPROBES_H
#define _LINUX_UPROBES_H

#include <linux/mm.h>

int uprobe_write_opcode(struct mm_struct *mm, unsigned long vaddr, u8 opcode);

#endif /* _LINUX_UPROBES_H */
