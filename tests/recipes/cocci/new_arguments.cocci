// SPDX-License-Identifier: GPL-2.0-only
// Event, flags and vma for mmu_notifier_range_init(): the first rule that fits.

@mm_of_vma@
idexpression struct vm_area_struct *v;
expression r, s, e;
@@
- mmu_notifier_range_init(r, v->vm_mm, s, e)
+ mmu_notifier_range_init(r, MMU_NOTIFY_UNMAP, 0, v, v->vm_mm, s, e)

@mm_from_vma@
idexpression struct vm_area_struct *v;
identifier m;
expression r, s, e;
@@
  struct mm_struct *m = v->vm_mm;
  <+...
- mmu_notifier_range_init(r, m, s, e)
+ mmu_notifier_range_init(r, MMU_NOTIFY_UNMAP, 0, v, m, s, e)
  ...+>

@parameter@
identifier f, v;
expression r, m, s, e;
@@
  f(..., struct vm_area_struct *v, ...)
  {
  <...
- mmu_notifier_range_init(r, m, s, e)
+ mmu_notifier_range_init(r, MMU_NOTIFY_UNMAP, 0, v, m, s, e)
  ...>
  }

@bounds@
idexpression struct vm_area_struct *v;
expression r, m;
@@
- mmu_notifier_range_init(r, m, v->vm_start, v->vm_end)
+ mmu_notifier_range_init(r, MMU_NOTIFY_UNMAP, 0, v, m, v->vm_start, v->vm_end)

@none@
expression r, m, s, e;
@@
- mmu_notifier_range_init(r, m, s, e)
+ mmu_notifier_range_init(r, MMU_NOTIFY_UNMAP, 0, NULL, m, s, e)
