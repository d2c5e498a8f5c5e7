/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_DAX_H
#define _LINUX_DAX_H

#include <linux/fs.h>

void dax_writeback_one(struct address_space *mapping, pgoff_t index,
		       unsigned long pfn);

#endif /* _LINUX_DAX_H */
