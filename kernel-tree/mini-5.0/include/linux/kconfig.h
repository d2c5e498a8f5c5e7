/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __LINUX_KCONFIG_H
#define __LINUX_KCONFIG_H

#include <generated/autoconf.h>

/* A symbol that is 1 pastes to __ARG_1, which supplies a second argument. */
#define __ARG_1			0,
#define __second(a, b, ...)	b
#define ___is_on(arg_or_junk)	__second(arg_or_junk 1, 0, 0)
#define __is_on(val)		___is_on(__ARG_##val)
#define IS_BUILTIN(option)	__is_on(option)
#define IS_ENABLED(option)	IS_BUILTIN(option)

#endif /* __LINUX_KCONFIG_H */
