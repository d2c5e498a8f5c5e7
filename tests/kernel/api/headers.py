# SPDX-License-Identifier: GPL-2.0-only
"""A compilable header for every descriptor, written from the descriptor itself.

It stands in for the kernels of the generations, so that the extraction can be
tested on each without fetching one.
"""

from __future__ import annotations

from patchgen.kernel.api.descriptor import Descriptor
from patchgen.kernel.api.surface import Item

_PRELUDE = """
typedef _Bool bool;
typedef struct { unsigned long pte; } pte_t;
typedef struct { int locked; } spinlock_t;
struct hlist_head { void *first; };
struct hlist_node { void *next; };
struct llist_node { void *next; };
struct interval_tree_node { unsigned long start; };
struct callback_head { void *next; };
struct mm_struct;
struct vm_area_struct;
struct mmu_notifier;
struct mmu_notifier_ops;
struct mmu_notifier_range;
struct mmu_interval_notifier;
struct mmu_interval_notifier_ops;
struct mmu_interval_notifier_finish;
"""


def header(descriptor: Descriptor) -> bytes:
    """The header's text: both branches behind CONFIG_MMU_NOTIFIER."""
    on, off = (
        _branch([item for item in descriptor.items if item.branch == branch])
        for branch in ("on", "off")
    )
    text = f"#ifdef CONFIG_MMU_NOTIFIER\n{on}#else\n{off}#endif\n"
    return text.encode()


def prelude() -> bytes:
    """The types that the kernel's other headers would declare."""
    return _PRELUDE.encode()


def _branch(items: list[Item]) -> str:
    enumerators = sorted(
        (item for item in items if item.kind == "enumerator"), key=lambda item: int(item.text)
    )
    lines = []
    if enumerators:
        values = ", ".join(f"{item.name} = {item.text}" for item in enumerators)
        lines.append(f"enum mmu_notifier_event {{ {values} }};")
    for item in items:
        if item.kind == "struct":
            members = [m for m in items if m.name.startswith(f"{item.name}.")]
            body = " ".join(_declare(m.text, m.name.rpartition(".")[2]) for m in members)
            lines.append(f"struct {item.name} {{ {body} }};")
    order = {"mmu_notifier_range": 0, "mmu_notifier_ops": 1}
    lines[1 if enumerators else 0 :] = sorted(
        lines[1 if enumerators else 0 :], key=lambda line: order.get(line.split()[1], 2)
    )
    lines += [_declare(item.text, item.name) for item in items if item.kind == "function"]
    lines += [_macro(item) for item in items if item.kind == "macro"]
    return "".join(f"{line}\n" for line in lines)


def _declare(kind: str, name: str) -> str:
    if "(*)" in kind and kind.find("(*)") == kind.find("("):
        return kind.replace("(*)", f"(*{name})", 1) + ";"
    if "(" in kind:
        return kind.replace("(", f"{name}(", 1) + ";"
    return f"{kind} {name};"


def _macro(item: Item) -> str:
    if item.text.startswith("macro with "):
        parameters = ", ".join(f"p{i}" for i in range(int(item.text.split()[2])))
        return f"#define {item.name}({parameters}) 0"
    return f"#define {item.name} {item.text}"
