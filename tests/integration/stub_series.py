# SPDX-License-Identifier: GPL-2.0-only
"""A series of nine patches on the stub tree, in which each patch does one thing that a walk must notice."""

from __future__ import annotations

from pathlib import Path

from tests.integration.stub_tree import MAKEFILE, StubTree, gate_of, make_stub_tree
from tests.samples.tiny_kernel import commit, git

CLEAN, WARNS, BROKEN = "int before;\n", "static int unused;\nint before;\n", "int before\n"
IMAGE = "$(image): $(objects) image\n\t@mkdir -p $(@D)\n"
WITH_TAIL = "$(image): $(objects) image mm/tail\n\t@mkdir -p $(@D)\n"

PATCHES: tuple[tuple[str, dict[str, str]], ...] = (
    ("mm: change an object, and no byte of the image", {"mm/number.c": "int huge = 2;\n"}),
    ("mm: change the image", {"mm/tail": "two"}),
    ("mm: add a warning", {"mm/before.c": WARNS}),
    ("selftests: add a test", {"tools/testing/selftests/mine.c": "", "MAINTAINERS": "us\n"}),
    ("mm: forget a semicolon", {"mm/gate.c": "int gate\n"}),
    ("mm: add the semicolon, and change the image", {"mm/gate.c": "int gate;\n", "mm/tail": "six"}),
    ("Documentation: say so", {"Documentation/mm.rst": "said\n"}),
    ("mm: take the warning away", {"mm/before.c": CLEAN}),
    ("mm: have the image of patch 2 again", {"mm/tail": "two"}),
)


def make_stub_series(path: Path, image: Path, *, tail_is_known: bool = True) -> StubTree:
    """Make the tree; with `tail_is_known` false its make does not know what the image is made from."""
    makefile = MAKEFILE.replace("@cp image $@", "@cat image mm/tail > $@")
    assert IMAGE in makefile
    if tail_is_known:
        makefile = makefile.replace(IMAGE, WITH_TAIL)
    files = {"Makefile": makefile.replace("GATE", str(gate_of(path).path)), "mm/tail": "base"}
    tree = make_stub_tree(path, image, base=files)
    git(path, "checkout", "--quiet", "-B", "topic", "base")
    for subject, changes in PATCHES:
        commit(path, subject, changes)
    return tree
