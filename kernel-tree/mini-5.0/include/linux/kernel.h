/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H

#include <linux/errno.h>
#include <linux/export.h>
#include <linux/types.h>

#define ULONG_MAX	(~0UL)

#define offsetof(type, member)	__builtin_offsetof(type, member)

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define min(x, y)	((x) < (y) ? (x) : (y))
#define max(x, y)	((x) > (y) ? (x) : (y))

#define BUG()	__builtin_trap()

#define BUG_ON(condition)		\
do {					\
	if (unlikely(condition))	\
		BUG();			\
} while (0)

#define WARN_ON(condition)					\
({								\
	int __warn = !!(condition);				\
								\
	if (unlikely(__warn))					\
		printk("%s:%d: warning\n", __FILE__, __LINE__);	\
	unlikely(__warn);					\
})

#define WARN_ON_ONCE(condition)	WARN_ON(condition)

__attribute__((format(printf, 1, 2)))
int printk(const char *fmt, ...);

#define pr_info(fmt, ...)	printk(fmt, ##__VA_ARGS__)

/* Marks that may block or must not; this kernel does not check them. */
#define might_sleep()		do { } while (0)
#define non_block_start()	do { } while (0)
#define non_block_end()		do { } while (0)

#endif /* _LINUX_KERNEL_H */
