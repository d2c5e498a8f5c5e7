# SPDX-License-Identifier: GPL-2.0-only
"""Edits of what a subscription takes and gives back, on the miniature kernel.

Both ways must stop them: the series, and the proof of the tree as it is.
"""

from __future__ import annotations

from tests.worlds.edit import CORE, KVM, MMU, Edit

_REGISTER = "int __mmu_notifier_register("
_UNREGISTER = "void mmu_notifier_unregister("
_OFF = "static void take_off_list("
_GONE = "\ttake_off_list(subscription, mm);\n\tmmdrop(mm);\n"
_ADDED = "\thlist_add_head_rcu(&subscription->hlist, &subs->list);\n"
_FLUSHED = "\tif (kvm_handle_hva_range(kvm, 0, ULONG_MAX - PAGE_SIZE, 0,\n\t\t\t\t kvm_unmap_rmapp))\n\t\tkvm_flush_remote_tlbs(kvm);\n"
_RELEASE = "static void kvm_mmu_notifier_release("

WRONG = (
    Edit("unregistering leaves the subscriber on the list", CORE, "\thlist_del_init_rcu(&mn->hlist);\n", "", _OFF),
    Edit("it does so in some cases", CORE, "\thlist_del_init_rcu(&mn->hlist);\n", "\tif (mn->users)\n\t\thlist_del_init_rcu(&mn->hlist);\n", _OFF),
    Edit("it waits for nobody", CORE, "\tsynchronize_srcu(&srcu);\n", "", _OFF),
    Edit("it does not let go of the mm", CORE, _GONE, "\ttake_off_list(subscription, mm);\n", _UNREGISTER),
    Edit("it gives nothing back", CORE, _GONE, "", _UNREGISTER),
    Edit("it lets go of the mm alone", CORE, _GONE, "\tmmdrop(mm);\n", _UNREGISTER),
    Edit("registering puts nobody on the list", CORE, _ADDED, "", _REGISTER),
    Edit("it does so in some cases only", CORE, _ADDED, "\tif (subscription->ops->release)\n\t" + _ADDED, _REGISTER),
    Edit("it does not hold the mm", CORE, "\tatomic_inc(&mm->mm_count);\n", "", _REGISTER),
    Edit("a guest that is destroyed stays on the list", KVM, "\tmmu_notifier_unregister(&kvm->mmu_notifier, kvm->mm);\n", ""),
    Edit("release drops no mapping", KVM, "\tkvm_flush_shadow_all(kvm);\n", "", _RELEASE),
    Edit("release drops them in some cases", KVM, "\tkvm_flush_shadow_all(kvm);\n", "\tif (kvm->tlbs_dirty)\n\t\tkvm_flush_shadow_all(kvm);\n", _RELEASE),
    Edit("no release", KVM, "\t.release\t\t= kvm_mmu_notifier_release,\n", "", "", ((KVM, "static const struct mmu_notifier_ops", "void *release_unused = kvm_mmu_notifier_release;\nstatic const struct mmu_notifier_ops"),)),
    Edit("the architecture drops nothing", MMU, _FLUSHED, ""),
)  # fmt: skip

KEPT = (
    Edit("a message at the end", KVM, "\tkvm_flush_shadow_all(kvm);\n", "\tkvm_flush_shadow_all(kvm);\n\tpr_debug(\"gone\\n\");\n", _RELEASE,
         ((KVM, "static void kvm_flush_shadow_all(", "void pr_debug(const char *text);\nstatic void kvm_flush_shadow_all("),)),
    Edit("in the helper's place", CORE, _GONE, "\tspin_lock(&mm->notifier_subscriptions->lock);\n\thlist_del_init_rcu(&subscription->hlist);\n"
         "\tspin_unlock(&mm->notifier_subscriptions->lock);\n\tsynchronize_srcu(&srcu);\n\tmmdrop(mm);\n", _UNREGISTER),
    Edit("an early return for no memory", CORE, "\tif (!subs)\n\t\treturn -ENOMEM;\n", "\tif (subs == NULL) {\n\t\treturn -ENOMEM;\n\t}\n", _REGISTER),
    Edit("a trace of who comes", CORE, _ADDED, "\ttrace_subscribed(mm);\n" + _ADDED, _REGISTER, ((CORE, _REGISTER, "void trace_subscribed(struct mm_struct *mm);\n" + _REGISTER),)),
    Edit("a variable for the mm", KVM, "\tmmu_notifier_unregister(&kvm->mmu_notifier, kvm->mm);\n", "\tstruct mm_struct *mm = kvm->mm;\n\n\tmmu_notifier_unregister(&kvm->mmu_notifier, mm);\n"),
)  # fmt: skip
