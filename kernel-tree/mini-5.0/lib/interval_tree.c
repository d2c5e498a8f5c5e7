// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intervals on a plain list: as correct as a tree, and as slow as it sounds.
 */

#include <linux/interval_tree.h>

void interval_tree_insert(struct interval_tree_node *node,
			  struct rb_root_cached *root)
{
	hlist_add_head_rcu(&node->rb, &root->nodes);
}

void interval_tree_remove(struct interval_tree_node *node,
			  struct rb_root_cached *root)
{
	hlist_del_init_rcu(&node->rb);
}

static struct interval_tree_node *overlap_from(struct hlist_node *pos,
					       unsigned long start,
					       unsigned long last)
{
	struct interval_tree_node *node;

	for (; pos; pos = pos->next) {
		node = hlist_entry(pos, struct interval_tree_node, rb);
		if (node->start <= last && node->last >= start)
			return node;
	}
	return NULL;
}

struct interval_tree_node *
interval_tree_iter_first(struct rb_root_cached *root, unsigned long start,
			 unsigned long last)
{
	return overlap_from(root->nodes.first, start, last);
}

struct interval_tree_node *
interval_tree_iter_next(struct interval_tree_node *node, unsigned long start,
			unsigned long last)
{
	return overlap_from(node->rb.next, start, last);
}
