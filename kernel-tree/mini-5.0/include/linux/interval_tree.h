/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_INTERVAL_TREE_H
#define _LINUX_INTERVAL_TREE_H

#include <linux/list.h>

/* Both ends belong to the interval. */
struct interval_tree_node {
	struct hlist_node rb;
	unsigned long start;
	unsigned long last;
};

struct rb_root_cached {
	struct hlist_head nodes;
};

void interval_tree_insert(struct interval_tree_node *node,
			  struct rb_root_cached *root);
void interval_tree_remove(struct interval_tree_node *node,
			  struct rb_root_cached *root);
struct interval_tree_node *
interval_tree_iter_first(struct rb_root_cached *root, unsigned long start,
			 unsigned long last);
struct interval_tree_node *
interval_tree_iter_next(struct interval_tree_node *node, unsigned long start,
			unsigned long last);

#endif /* _LINUX_INTERVAL_TREE_H */
