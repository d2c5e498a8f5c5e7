/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MM_H
#define _LINUX_MM_H

#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/mm_types.h>
#include <linux/pgtable.h>

#define VM_READ		0x0001UL
#define VM_WRITE	0x0002UL
#define VM_SHARED	0x0008UL
#define VM_MAYWRITE	0x0020UL
#define VM_PFNMAP	0x0400UL
#define VM_LOCKED	0x2000UL
#define VM_MERGEABLE	0x8000UL
#define VM_HUGETLB	0x00400000UL
#define VM_SOFTDIRTY	0x08000000UL

#define FAULT_FLAG_WRITE	0x01u

#define VM_FAULT_OOM	0x0001u
#define VM_FAULT_SIGBUS	0x0002u
#define VM_FAULT_WRITE	0x0008u
#define VM_FAULT_FALLBACK	0x0800u

#define MADV_DONTNEED	4
#define MADV_FREE	8

/* in mm->flags: its contents may be gone at any moment */
#define MMF_UNSTABLE	22

enum pageflags {
	PG_locked,
	PG_dirty,
	PG_uptodate,
	PG_swapcache,
	PG_referenced,
	PG_device_private,
};

/* The two lowest bits of page->mapping tell what the rest points to. */
#define PAGE_MAPPING_ANON	0x1UL
#define PAGE_MAPPING_KSM	0x3UL
#define PAGE_MAPPING_FLAGS	0x3UL

#define PAGE_FLAG(uname, lname)						\
static inline int Page##uname(struct page *page)			\
{									\
	return !!(READ_ONCE(page->flags) & (1UL << PG_##lname));	\
}									\
static inline void SetPage##uname(struct page *page)			\
{									\
	__sync_fetch_and_or(&page->flags, 1UL << PG_##lname);		\
}									\
static inline void ClearPage##uname(struct page *page)			\
{									\
	__sync_fetch_and_and(&page->flags, ~(1UL << PG_##lname));	\
}

PAGE_FLAG(Dirty, dirty)
PAGE_FLAG(Uptodate, uptodate)
PAGE_FLAG(SwapCache, swapcache)
PAGE_FLAG(Referenced, referenced)
PAGE_FLAG(DevicePrivate, device_private)

static inline int PageAnon(struct page *page)
{
	return ((unsigned long)page->mapping & PAGE_MAPPING_ANON) != 0;
}

static inline int PageKsm(struct page *page)
{
	return ((unsigned long)page->mapping & PAGE_MAPPING_FLAGS) ==
		PAGE_MAPPING_KSM;
}

extern struct page mem_map[];
extern unsigned long zero_pfn;

#define page_to_pfn(page)	((unsigned long)((page) - mem_map))
#define pfn_to_page(pfn)	(mem_map + (pfn))
#define page_address(page)	((void *)(page_to_pfn(page) << PAGE_SHIFT))
#define virt_to_page(addr)	pfn_to_page((unsigned long)(addr) >> PAGE_SHIFT)
#define pte_page(pte)		pfn_to_page(pte_pfn(pte))
#define pmd_page(pmd)		pfn_to_page(pmd_pfn(pmd))
#define mk_pte(page, prot)	pfn_pte(page_to_pfn(page), prot)

static inline bool is_zero_pfn(unsigned long pfn)
{
	return pfn == zero_pfn;
}

static inline int page_count(struct page *page)
{
	return atomic_read(&page->_refcount);
}

static inline int page_mapcount(struct page *page)
{
	return atomic_read(&page->_mapcount) + 1;
}

static inline bool page_mapped(struct page *page)
{
	return page_mapcount(page) > 0;
}

static inline void get_page(struct page *page)
{
	atomic_inc(&page->_refcount);
}

static inline void put_page(struct page *page)
{
	if (atomic_dec_and_test(&page->_refcount))
		__free_page(page);
}

static inline int trylock_page(struct page *page)
{
	unsigned long bit = 1UL << PG_locked;

	return !(__sync_fetch_and_or(&page->flags, bit) & bit);
}

static inline void lock_page(struct page *page)
{
	might_sleep();
	while (!trylock_page(page))
		schedule();
}

static inline void unlock_page(struct page *page)
{
	__sync_fetch_and_and(&page->flags, ~(1UL << PG_locked));
}

static inline void set_page_dirty(struct page *page)
{
	SetPageDirty(page);
}

static inline unsigned int compound_order(struct page *page)
{
	return page->compound_order;
}

static inline int PageTransCompound(struct page *page)
{
	return page->compound_order != 0;
}

static inline void pmd_populate(struct mm_struct *mm, pmd_t *pmd,
				pgtable_t pgtable)
{
	unsigned long table = page_to_pfn(pgtable) << PAGE_SHIFT;

	set_pmd_at(mm, 0, pmd, __pmd(table | _PAGE_PRESENT | _PAGE_RW));
}

/* The processor's part: contents of a page, and what user space wrote. */
void copy_page(void *to, const void *from);
void clear_page(void *page);
unsigned long copy_from_user(void *to, const void __user *from,
			     unsigned long n);

static inline void copy_user_highpage(struct page *to, struct page *from,
				      unsigned long vaddr,
				      struct vm_area_struct *vma)
{
	copy_page(page_address(to), page_address(from));
}

static inline void add_mm_counter(struct mm_struct *mm, int member, long value)
{
	mm->rss_stat[member] += value;
}

static inline void inc_mm_counter(struct mm_struct *mm, int member)
{
	add_mm_counter(mm, member, 1);
}

static inline void dec_mm_counter(struct mm_struct *mm, int member)
{
	add_mm_counter(mm, member, -1);
}

static inline int mm_counter(struct page *page)
{
	return PageAnon(page) ? MM_ANONPAGES : MM_FILEPAGES;
}

static inline bool vma_is_anonymous(struct vm_area_struct *vma)
{
	return !vma->vm_file;
}

static inline bool is_cow_mapping(unsigned long flags)
{
	return (flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

static inline bool is_vm_hugetlb_page(struct vm_area_struct *vma)
{
	return !!(vma->vm_flags & VM_HUGETLB);
}

static inline pte_t maybe_mkwrite(pte_t pte, struct vm_area_struct *vma)
{
	if (likely(vma->vm_flags & VM_WRITE))
		pte = pte_mkwrite(pte);
	return pte;
}

/* Pages to be freed once no CPU can reach them any more. */
struct mmu_gather {
	struct mm_struct *mm;
	struct list_head pages;
};

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm);
void tlb_finish_mmu(struct mmu_gather *tlb);

/* What walk_page_range() calls; a callback that is NULL is left out. */
struct mm_walk {
	int (*pmd_entry)(pmd_t *pmd, unsigned long addr, unsigned long next,
			 struct mm_walk *walk);
	int (*pte_hole)(unsigned long addr, unsigned long next,
			struct mm_walk *walk);
	/* above 0: skip this area; below: stop */
	int (*test_walk)(unsigned long addr, unsigned long next,
			 struct mm_walk *walk);
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	void *private;
};

int walk_page_range(unsigned long start, unsigned long end,
		    struct mm_walk *walk);

struct mmu_notifier_range;
struct zap_details;

struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr);
pmd_t *mm_find_pmd(struct mm_struct *mm, unsigned long address);
pmd_t *mm_alloc_pmd(struct mm_struct *mm, unsigned long address);
int pte_alloc(struct mm_struct *mm, pmd_t *pmd);
struct page *vm_normal_page(struct vm_area_struct *vma, unsigned long addr,
			    pte_t pte);
int copy_page_range(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		    struct vm_area_struct *vma);
void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
		      unsigned long addr, unsigned long end,
		      struct zap_details *details);
void unmap_vmas(struct mmu_gather *tlb, struct vm_area_struct *vma,
		unsigned long start_addr, unsigned long end_addr);
void zap_page_range(struct vm_area_struct *vma, unsigned long start,
		    unsigned long size);
int zap_vma_ptes(struct vm_area_struct *vma, unsigned long address,
		 unsigned long size);
void insert_vm_struct(struct mm_struct *mm, struct vm_area_struct *vma);
void unmap_mapping_pages(struct address_space *mapping, pgoff_t start,
			 pgoff_t nr, bool even_cows);
int follow_pte_pmd(struct mm_struct *mm, unsigned long address,
		   struct mmu_notifier_range *range,
		   pte_t **ptepp, pmd_t **pmdpp, spinlock_t **ptlp);
int follow_pfn(struct vm_area_struct *vma, unsigned long address,
	       unsigned long *pfn);
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address,
			   unsigned int flags);
struct page *get_user_page(struct mm_struct *mm, unsigned long addr,
			   bool write, bool *writable);
unsigned long change_protection(struct vm_area_struct *vma, unsigned long start,
				unsigned long end, pgprot_t newprot,
				int dirty_accountable, int prot_numa);
unsigned long move_page_tables(struct vm_area_struct *vma,
			       unsigned long old_addr,
			       struct vm_area_struct *new_vma,
			       unsigned long new_addr, unsigned long len,
			       bool need_rmap_locks);
int do_madvise(struct mm_struct *mm, unsigned long start, size_t len,
	       int behavior);
void exit_mmap(struct mm_struct *mm);
int do_munmap(struct mm_struct *mm, unsigned long start, size_t len);
unsigned long move_vma(struct vm_area_struct *vma, unsigned long old_addr,
		       unsigned long len, unsigned long new_addr);
void free_pgtables(struct mmu_gather *tlb, struct vm_area_struct *vma,
		   unsigned long floor, unsigned long ceiling);
struct mm_struct *dup_mm(struct mm_struct *oldmm);
void mmput(struct mm_struct *mm);
void mmdrop(struct mm_struct *mm);

#endif /* _LINUX_MM_H */
