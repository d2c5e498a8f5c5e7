/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FS_PROC_INTERNAL_H
#define _FS_PROC_INTERNAL_H

#include <linux/fs.h>

extern const struct file_operations proc_clear_refs_operations;

#endif /* _FS_PROC_INTERNAL_H */
