// SPDX-License-Identifier: GPL-2.0-only
// Reads of range->blockable become a call of the helper; writes stay.

@pointer@
struct mmu_notifier_range *r;
expression E;
@@
(
  r->blockable = E
|
- r->blockable
+ mmu_notifier_range_blockable(r)
)

@object@
struct mmu_notifier_range r;
expression E;
@@
(
  r.blockable = E
|
- r.blockable
+ mmu_notifier_range_blockable(&r)
)
