/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __LINUX_COMPILER_TYPES_H
#define __LINUX_COMPILER_TYPES_H

#define __user
#define __iomem
#define __must_check	__attribute__((__warn_unused_result__))
#define __always_unused	__attribute__((__unused__))

#endif /* __LINUX_COMPILER_TYPES_H */
