# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree whose objects depend on its configuration: what `configs` needs of kbuild, in milliseconds.

Its kconfig drops every symbol that has HIGHMEM or MMU=n in it, as an architecture with one way only does.
The symbols become macros, and an object is compiled alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.samples.tiny_kernel import commit, git, make_kernel

MAKEFILE = """\
# SPDX-License-Identifier: GPL-2.0
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 117
EXTRAVERSION =
NAME = Stub

CC := $(if $(LLVM),clang,$(CROSS_COMPILE)gcc)
FLAGS = $(if $(filter i386,$(ARCH)),-m32) -Wall -Wno-maybe-uninitialized -ffreestanding -I include
MACROS = $(shell sed -n 's/^\\(CONFIG_[A-Z0-9_]*\\)=y$$/-D\\1=1/p' $(O)/.config)

tinyconfig allnoconfig:
	@echo CONFIG_MMU=y > $(O)/.config

defconfig %_defconfig randconfig:
	@printf 'CONFIG_%s=y\\n' MMU SMP NUMA SWAP TRANSPARENT_HUGEPAGE > $(O)/.config

olddefconfig:
	@sed -i -e '/HIGHMEM/d' -e 's/^# CONFIG_MMU is not set/CONFIG_MMU=y/' $(O)/.config
	@sed -e 's/^# \\(.*\\) is not set/\\1=n/' $(O)/.config | awk -F= '/^CONFIG/ {v[$$1]=$$2} \\
		END {for (k in v) if (v[k] == "n") print "# " k " is not set"; else print k "=" v[k]}' > $(O)/new
	@mv $(O)/new $(O)/.config

MAKEFLAGS += --no-builtin-rules

%.o: FORCE
	@mkdir -p $(O)/$(@D)
	@echo "  CC      $@"
	@$(CC) $(FLAGS) $(MACROS) -c -o $(O)/$@ $(@:.o=.c)

.PHONY: FORCE
"""
EVENTS = """\
enum event {
	PGFAULT,
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	THP_SPLIT,
#endif
};
void count(enum event event);
"""
BASE: Mapping[str, str] = {
    "Makefile": MAKEFILE,
    "include/linux/event.h": EVENTS,
    "mm/Makefile": "obj-y := fault.o oom.o shift.o bound.o told.o\nobj-$(CONFIG_SWAP) += swap.o\n",
    "mm/fault.c": "#include <linux/event.h>\nvoid fault(void)\n{\n\tcount(PGFAULT);\n}\n",
    "mm/oom.c": "int oom;\n",
    "mm/shift.c": "int shift;\n",
    "mm/bound.c": "int bound;\n",
    "mm/told.c": "int told;\n",
    "mm/swap.c": "static int idle;\nint swap;\n",
    "mm/swap.h": "#ifdef CONFIG_SWAP\nint swap_users(void);\n#endif\n",
    "Documentation/mm.rst": "told\n",
    "tools/testing/selftests/.gitignore": "",
}
COUNTER = "#include <linux/event.h>\nvoid fault(void)\n{\n\tcount(THP_SPLIT);\n}\n"
STUB = """\
#ifdef CONFIG_SWAP
int swap_users(void);
#else
static inline int __attribute__((warn_unused_result)) swap_users(void)
{
	return 0;
}
#endif
"""
DEFECTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("mm: count splits", {"mm/fault.c": COUNTER}),
    ("mm: count users", {
        "mm/swap.h": STUB, "mm/oom.c": '#include "swap.h"\nvoid oom(void)\n{\n\tswap_users();\n}\n',
    }),
    ("mm: shift", {"mm/shift.c": "unsigned long shift(void)\n{\n\treturn 1UL << 40;\n}\n"}),
    ("mm: use with NUMA only", {
        "mm/bound.c": "static int bound(void)\n{\n\treturn 1;\n}\n#ifdef CONFIG_NUMA\nint use(void)\n{\n"
        "\treturn bound();\n}\n#endif\n",
    }),
    ("mm: set sometimes", {
        "mm/told.c": "int told(int flag)\n{\n\tint set;\n\n\tif (flag)\n\t\tset = 1;\n\treturn set;\n}\n",
    }),
)  # fmt: skip


def make_tree(
    path: Path, patches: tuple[tuple[str, dict[str, str]], ...], base: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Make a tree with a branch `topic` of some patches; returns the options that select both."""
    make_kernel(path, {**BASE, **(base or {})})
    git(path, "branch", "base")
    for subject, changes in patches:
        commit(path, subject, changes)
    git(path, "branch", "topic")
    return "--tree", f"{path}@base", "--series", f"git:{path}@base..topic"
