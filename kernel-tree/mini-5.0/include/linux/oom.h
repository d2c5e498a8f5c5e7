/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __INCLUDE_LINUX_OOM_H
#define __INCLUDE_LINUX_OOM_H

#include <linux/mm.h>

bool __oom_reap_task_mm(struct mm_struct *mm);
bool oom_reap_task_mm(struct task_struct *tsk, struct mm_struct *mm);

#endif /* __INCLUDE_LINUX_OOM_H */
