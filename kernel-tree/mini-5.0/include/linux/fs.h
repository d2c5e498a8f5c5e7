/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_FS_H
#define _LINUX_FS_H

#include <linux/list.h>
#include <linux/mm_types.h>

typedef long ssize_t;
typedef long long loff_t;

struct address_space {
	struct rw_semaphore i_mmap_rwsem;
	/* all areas that map a part of the file */
	struct list_head i_mmap;
};

struct file {
	struct address_space *f_mapping;
	void *private_data;
};

struct file_operations {
	ssize_t (*write)(struct file *file, const char __user *buf,
			 size_t count, loff_t *ppos);
};

static inline void i_mmap_lock_read(struct address_space *mapping)
{
	down_read(&mapping->i_mmap_rwsem);
}

static inline void i_mmap_unlock_read(struct address_space *mapping)
{
	up_read(&mapping->i_mmap_rwsem);
}

static inline void i_mmap_lock_write(struct address_space *mapping)
{
	down_write(&mapping->i_mmap_rwsem);
}

static inline void i_mmap_unlock_write(struct address_space *mapping)
{
	up_write(&mapping->i_mmap_rwsem);
}

struct vm_area_struct *
vma_interval_tree_iter_first(struct list_head *root, pgoff_t start,
			     pgoff_t last);
struct vm_area_struct *
vma_interval_tree_iter_next(struct vm_area_struct *vma, struct list_head *root,
			    pgoff_t start, pgoff_t last);

/* The areas that map any of the pages @start to @last of the file. */
#define vma_interval_tree_foreach(vma, root, start, last)		\
	for (vma = vma_interval_tree_iter_first(root, start, last); vma; \
	     vma = vma_interval_tree_iter_next(vma, root, start, last))

#endif /* _LINUX_FS_H */
